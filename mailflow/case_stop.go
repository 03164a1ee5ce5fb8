package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// caseHold is `hold PARTY | case | all [because "…"]`. Stopping takes one
// person and one word.
func caseHold(s *sitting, p *phrase) (string, error) {
	name, err := p.next("what to hold: a party, case or all")
	if err != nil {
		return "", err
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = noReason
	}
	switch strings.ToLower(name) {
	case "all":
		return s.pauseSending(why)
	case "case":
		return s.holdCase(why)
	}
	return s.holdParty(name, why)
}

// noReason stands for the reason of a hold that has none. Who holds is said beside
// it.
const noReason = "no reason was given"

// heldLine says in a line about a case or a participant who holds it, and why.
func heldLine(h cvd.Hold) string { return fmt.Sprintf("ON HOLD by %s: %s", h.By, h.Because) }

func (s *sitting) holdCase(why string) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if c.Hold != nil {
		return "", already("%s is on hold since %s: %s", c.ID, utc(c.Hold.At), c.Hold.Because)
	}
	c.Hold = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	if err := s.changeCase(c, "hold", why); err != nil {
		return "", err
	}
	recalled, gone, err := s.recallAll(c)
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "hold", Case: c.ID}
	stopped, err := s.stopShred(s.tx, c.ID, s.by.Name, why)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s is on hold: nothing of it leaves", c.ID) + stopped
	return said + recallLine(recalled, gone), s.wakeNotices(s.tx, c.ID, "")
}

func (s *sitting) holdParty(name, why string) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	p, err := s.takesPart(c, name)
	if err != nil {
		return "", err
	}
	if p.Hold != nil {
		return "", already("%s is on hold since %s: %s", p.Party, utc(p.Hold.At), p.Hold.Because)
	}
	recalled, gone, err := s.recall(&p)
	if err != nil {
		return "", err
	}
	p.Hold = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	if err := PutParticipant(s.tx, p); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(p.Party), Actor: s.by.Name, Kind: "hold", Detail: why})
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "hold", Case: c.ID, Party: p.Party}
	said := fmt.Sprintf("nothing goes to %s in %s until `release %s`", p.Party, c.ID, p.Party)
	return said + recallLine(recalled, gone), s.wakeNotices(s.tx, c.ID, p.Party)
}

// caseRelease is `release PARTY | case | all`.
func caseRelease(s *sitting, p *phrase) (string, error) {
	name, err := p.only("what to release: a party, case or all")
	if err != nil {
		return "", err
	}
	switch strings.ToLower(name) {
	case "all":
		return s.resumeSending()
	case "case":
		return s.releaseCase()
	}
	if err := s.unreview(name); err != nil {
		return "", err
	}
	return s.releaseParty(name)
}

func (s *sitting) releaseCase() (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if c.Hold == nil {
		return "", already("%s is not on hold; `status` says what of it is held, and why", c.ID)
	}
	why := c.Hold.Because
	c.Hold = nil
	if err := s.changeCase(c, "release", why); err != nil {
		return "", err
	}
	if err := s.wakeNotices(s.tx, c.ID, ""); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "release", Case: c.ID, Why: why}
	return fmt.Sprintf("%s goes on (it was held: %s)", c.ID, why), nil
}

// releaseParty ends a participant's hold. What is held for another reason is
// asked about anew: it goes once that reason is gone.
func (s *sitting) releaseParty(name string) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	p, err := s.takesPart(c, name)
	if err != nil {
		return "", err
	}
	reasons, err := s.heldReasons(p)
	if err != nil {
		return "", err
	}
	if p.Hold == nil && len(reasons) == 0 {
		return "", toDo(already("nothing of %s is held in %s", p.Party, c.ID), "there is nothing to do; what is planned for %s goes by itself. When, says a mail to control@%s:\n    case %s\n    plan %s", p.Party, s.DeskDomain, c.ID, p.Party)
	}
	said := fmt.Sprintf("what is held for %s is asked about again (%s)", p.Party, strings.Join(reasons, "; "))
	if p.Hold != nil {
		said = fmt.Sprintf("%s goes on (it was held: %s)", p.Party, p.Hold.Because)
		s.undo = &undoRow{Verb: "release", Case: c.ID, Party: p.Party, Why: p.Hold.Because}
		p.Hold = nil
	}
	if c.Hold != nil {
		said += fmt.Sprintf("; the whole case is still on hold: %s", c.Hold.Because)
	}
	if err := PutParticipant(s.tx, p); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(p.Party), Actor: s.by.Name, Kind: "release"})
	if err != nil {
		return "", err
	}
	return said, s.wakeNotices(s.tx, c.ID, p.Party)
}

// heldReasons lists why notices to a participant are held.
func (s *sitting) heldReasons(p cvd.Participant) ([]string, error) {
	all, err := Notices(s.tx, p.Case, p.Party)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range all {
		if n.State == cvd.Held {
			out = append(out, noticeName(n)+": "+n.Why)
		}
	}
	return out, nil
}

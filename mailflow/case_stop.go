package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
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
		why = "held by " + s.by.Name
	}
	switch strings.ToLower(name) {
	case "all":
		return s.pauseSending(why)
	case "case":
		return s.holdCase(why)
	}
	return s.holdParty(name, why)
}

func (s *sitting) holdCase(why string) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if c.Hold != nil {
		return "", notDone("%s is on hold since %s: %s", c.ID, utc(c.Hold.At), c.Hold.Because)
	}
	c.Hold = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	if err := s.changeCase(c, "hold", why); err != nil {
		return "", err
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	recalled, gone := 0, []string(nil)
	for _, p := range ps {
		n, late, err := s.recall(&p)
		if err != nil {
			return "", err
		}
		if err := PutParticipant(s.tx, p); err != nil {
			return "", err
		}
		recalled, gone = recalled+n, append(gone, late...)
	}
	said := fmt.Sprintf("%s is on hold: nothing of it leaves", c.ID)
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
		return "", notDone("%s is on hold since %s: %s", p.Party, utc(p.Hold.At), p.Hold.Because)
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
	said := fmt.Sprintf("nothing goes to %s in %s until `release %s`", p.Party, c.ID, p.Party)
	return said + recallLine(recalled, gone), s.wakeNotices(s.tx, c.ID, p.Party)
}

// recall takes back what was queued to a participant and has not been handed
// over (rule T4): these notices are planned again. It counts them, and names
// those that left.
func (s *sitting) recall(p *cvd.Participant) (recalled int, gone []string, err error) {
	all, err := Notices(s.tx, p.Case, p.Party)
	if err != nil {
		return 0, nil, err
	}
	for i, n := range all {
		if n.State != cvd.Queued {
			continue
		}
		switch err := s.Queue.Cancel(s.tx, n.Delivery); {
		case errors.Is(err, queue.ErrAlreadySent):
			gone = append(gone, noticeName(n))
			continue
		case err != nil:
			return recalled, gone, err
		}
		if all[i], err = s.planAgain(n); err != nil {
			return recalled, gone, err
		}
		recalled++
	}
	if recalled > 0 {
		p.Reached = reachedBy(all)
	}
	return recalled, gone, nil
}

// planAgain makes a notice whose delivery was taken back one that is to come.
func (s *sitting) planAgain(n cvd.Notice) (cvd.Notice, error) {
	if err := s.unfileSent(n); err != nil {
		return n, err
	}
	n.State, n.Why, n.Delivery, n.MessageID, n.Hash = cvd.Planned, "", 0, "", ""
	n.LastAct, n.ByNeed = s.tx.Now, false
	row := laterOf(n.Due, s.tx.Now)
	err := putNotice(s.tx, n, row)
	n.Row = row
	if err == nil {
		err = record(s.tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: s.by.Name, Kind: "notice.recalled", Ref: noticeRef(n)})
	}
	return n, err
}

// unfileSent takes the view of a mail that did not leave after all out of its
// thread.
func (s *sitting) unfileSent(n cvd.Notice) error {
	ids, err := s.tx.MessagesWithID(n.MessageID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		places, err := s.tx.FiledIn(id)
		if err != nil {
			return err
		}
		for _, at := range places {
			box, err := s.tx.Mailbox(at.Mailbox)
			if err != nil {
				return err
			}
			if box.Case != string(n.Case) {
				continue
			}
			if err := s.tx.Unfile(at.Mailbox, at.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// reachedBy is the highest stage that has left, or is about to.
func reachedBy(all []cvd.Notice) cvd.Stage {
	reached := cvd.Stage("")
	for _, n := range all {
		left := slices.Contains([]cvd.NoticeState{cvd.Queued, cvd.Sent, cvd.Unknown, cvd.Failed}, n.State)
		if n.Kind == cvd.KindStage && left && n.Stage.Rank() > reached.Rank() {
			reached = n.Stage
		}
	}
	return reached
}

func recallLine(n int, gone []string) string {
	said := ""
	if n > 0 {
		said = fmt.Sprintf("; %s taken back from the queue", count(n, "notice"))
	}
	if len(gone) > 0 {
		said += "; already sent: " + strings.Join(gone, ", ")
	}
	return said
}

// noticeName says which notice is meant, for a person.
func noticeName(n cvd.Notice) string {
	if n.Stage != "" {
		return string(n.Stage)
	}
	return string(n.Kind)
}

// caseRelease is `release PARTY | case | all`.
func caseRelease(s *sitting, p *phrase) (string, error) {
	name, err := p.next("what to release: a party, case or all")
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	switch strings.ToLower(name) {
	case "all":
		return s.resumeSending()
	case "case":
		return s.releaseCase()
	}
	return s.releaseParty(name)
}

func (s *sitting) releaseCase() (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if c.Hold == nil {
		return "", notDone("%s is not on hold; `status` says what of it is held, and why", c.ID)
	}
	why := c.Hold.Because
	c.Hold = nil
	if err := s.changeCase(c, "release", why); err != nil {
		return "", err
	}
	if err := s.wakeNotices(s.tx, c.ID, ""); err != nil {
		return "", err
	}
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
		return "", notDone("nothing of %s is held in %s", p.Party, c.ID)
	}
	said := fmt.Sprintf("what is held for %s is asked about again (%s)", p.Party, strings.Join(reasons, "; "))
	if p.Hold != nil {
		said = fmt.Sprintf("%s goes on (it was held: %s)", p.Party, p.Hold.Because)
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

// sendingPause is `sending pause [because "…"]`, the same as `hold all`.
func sendingPause(s *sitting, p *phrase) (string, error) {
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "paused by " + s.by.Name
	}
	return s.pauseSending(why)
}

func (s *sitting) pauseSending(why string) (string, error) {
	now, err := sendingNow(s.tx)
	if err != nil {
		return "", err
	}
	if now.Paused {
		return "", notDone("sending is paused since %s: %s", utc(now.At), now.Because)
	}
	err = s.setSending(s.tx, Sending{Paused: true, Because: why, By: s.by.Name, At: s.tx.Now})
	return "nothing leaves this server, of any case, until `sending resume`; mail still comes in", err
}

// sendingResume is `sending resume`, the same as `release all`.
func sendingResume(s *sitting, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	return s.resumeSending()
}

func (s *sitting) resumeSending() (string, error) {
	now, err := sendingNow(s.tx)
	if err != nil {
		return "", err
	}
	if !now.Paused {
		return "", notDone("sending is not paused; holds on a case or party are released by name")
	}
	if err := s.setSending(s.tx, Sending{By: s.by.Name, At: s.tx.Now}); err != nil {
		return "", err
	}
	all, err := Cases(s.tx)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if err := s.askHeldAgain(c); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("mail leaves again (it was paused: %s)", now.Because), nil
}

// askHeldAgain lets the gate look at what of a case was held, perhaps only
// because sending was paused.
func (s *sitting) askHeldAgain(c cvd.Case) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return err
	}
	for _, p := range ps {
		all, err := Notices(s.tx, c.ID, p.Party)
		if err != nil {
			return err
		}
		for _, n := range all {
			if n.State != cvd.Held {
				continue
			}
			if err := wakeOne(s.tx, n, false); err != nil {
				return err
			}
		}
	}
	return nil
}

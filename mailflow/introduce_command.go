package mailflow

import (
	"errors"
	"fmt"
	"strconv"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// caseIntroduce is `introduce ONE OTHER [because "…"]`: each is asked, in its own
// thread, whether it wants to know of the other; and `introduce ONE OTHER cancel`.
func caseIntroduce(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	var who [2]cvd.Participant
	for k := range who {
		name, err := p.next("the name of a party")
		if err != nil {
			return "", err
		}
		if who[k], err = s.participantNamed(c, name); err != nil {
			return "", err
		}
	}
	cancels := p.word("cancel")
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if cancels {
		return s.endIntro(c, who, why)
	}
	if err := s.mayBeIntroduced(c, who); err != nil {
		return "", err
	}
	if err := s.mustBeProved("introduce", "asks parties whether they want to know of each other"); err != nil {
		return "", err
	}
	return s.askBoth(c, who, why)
}

// mayBeIntroduced refuses who cannot be asked.
func (s *sitting) mayBeIntroduced(c cvd.Case, who [2]cvd.Participant) error {
	if who[0].Party == who[1].Party {
		return notDone("%s knows itself; name two parties", who[0].Party)
	}
	if !c.Started() {
		return notDone("%s has not started, and nobody is asked before; `start` it first", c.ID)
	}
	for _, p := range who {
		switch {
		case p.Withdrawn != nil:
			return notDone("%s was withdrawn from %s (%s) and is asked nothing", p.Party, c.ID, p.Withdrawn.Because)
		case !p.Has(cvd.RoleVendor) && !p.Has(cvd.RoleFinder):
			return notDone("%s is %s of %s, and learns of nobody before all is public; nobody was asked", p.Party, roleWords(p), c.ID)
		case !p.Has(cvd.RoleFinder) && p.Reached == "":
			return notDone("%s was told nothing of %s yet, and the question would be the first it hears of it; nobody was asked", p.Party, c.ID)
		}
	}
	i, err := openIntro(s.tx, c.ID, who[0].Party, who[1].Party)
	if errors.Is(err, errNoIntro) {
		return nil
	}
	if err == nil {
		err = already("%s and %s were asked already, by %s on %s; `status` says how it stands", who[0].Party, who[1].Party, i.By, day(i.At))
	}
	return err
}

// askBoth asks each of two, but for a finder who said REVEAL before.
func (s *sitting) askBoth(c cvd.Case, who [2]cvd.Participant, why string) (string, error) {
	all, err := introsOf(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	n, err := s.tx.Next("introduction")
	if err != nil {
		return "", err
	}
	i := intro{Number: n, Case: c.ID, Because: why, By: s.by.Name, At: s.tx.Now}
	said := ""
	for k, p := range who {
		i.Sides[k].Party = p.Party
		if r, ok := revealedTo(p, who[1-k].Party); ok {
			i.Sides[k].Yes = &cvd.Acceptance{At: r.At, Via: "REVEAL, " + r.Via}
			said += fmt.Sprintf("; %s agreed already, by REVEAL", p.Party)
			continue
		}
		i.Sides[k].Question = nextQuestion(all, p.Party)
		asked, err := s.newNotice(s.tx, questionTo(i, p.Party, s.tx.Now), nil)
		if err != nil {
			return "", err
		}
		i.Sides[k].Asked = asked.ID
		said += fmt.Sprintf("; %s is asked, without a word on whom it is about", p.Party)
	}
	if err := putIntro(s.tx, i); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "introduce", Case: c.ID, Ref: strconv.FormatUint(n, 10)}
	if err := s.introRecord(i, "introduce.asked", why); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s and %s learn of each other once both agree%s", who[0].Party, who[1].Party, said), nil
}

// revealedTo is a finder's REVEAL of itself to a party, if it gave that.
func revealedTo(p cvd.Participant, to cvd.PartyID) (cvd.Reveal, bool) {
	for _, r := range p.Reveals {
		if p.Has(cvd.RoleFinder) && r.To == to {
			return r, true
		}
	}
	return cvd.Reveal{}, false
}

// introRecord writes into the history of both, and lets the desk see it.
func (s *sitting) introRecord(i intro, kind, detail string) error {
	for k, side := range i.Sides {
		r := journal.Record{Case: string(i.Case), Party: string(side.Party), Actor: s.by.Name, Kind: kind,
			Ref: string(i.Sides[1-k].Party), Detail: detail}
		if err := record(s.tx, r); err != nil {
			return err
		}
	}
	s.touch(s.tx, i.Case)
	return nil
}

// endIntro takes an introduction back of which nothing has left but the questions.
func (s *sitting) endIntro(c cvd.Case, who [2]cvd.Participant, why string) (string, error) {
	a, b := who[0].Party, who[1].Party
	i, err := openIntro(s.tx, c.ID, a, b)
	if errors.Is(err, errNoIntro) {
		return "", notDone("%s and %s are not being introduced in %s; nothing was changed", a, b, c.ID)
	}
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "no reason was given"
	}
	gone, err := s.stopForGood(i, nil, why)
	switch {
	case err != nil:
		return "", err
	case gone:
		return "", notDone("one of %s and %s was told who the other is already, so that the other is told as well; nothing was changed. `hold PARTY` stops what has not left", a, b)
	}
	return fmt.Sprintf("%s and %s are not introduced; neither learned of the other", a, b), nil
}

// stopForGood ends an introduction, questions that have not left included. Where
// one of the two was told, it cannot: gone. who is a participant that the caller
// writes itself, or nil.
func (s *sitting) stopForGood(i intro, who *cvd.Participant, why string) (gone bool, err error) {
	if gone, err := s.stopIntro(s.tx, who, &i, why); gone || err != nil {
		return gone, err
	}
	for k, side := range i.Sides {
		if err := s.cancelOne(s.tx, i, k, side.Asked, why); err != nil {
			return false, err
		}
	}
	i.Ended = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	if err := putIntro(s.tx, i); err != nil {
		return false, err
	}
	return false, s.introRecord(i, "introduce.ended", why)
}

// stopAllOf ends the introductions of a participant that leaves: what it agreed to
// under an address that is given up, or in a role that it has no more, lets no
// name go later. One of which a half has left stays as it is.
func (s *sitting) stopAllOf(who *cvd.Participant) (line string, err error) {
	all, err := introsOf(s.tx, who.Case)
	if err != nil {
		return "", err
	}
	n := 0
	for _, i := range all {
		if i.side(who.Party) < 0 || i.Ended != nil {
			continue
		}
		gone, err := s.stopForGood(i, who, string(who.Party)+" takes no part any more")
		if err != nil {
			return "", err
		}
		if !gone {
			n++
		}
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("; %s of it taken back, and `introduce` asks both again", count(n, "introduction")), nil
}

// nobodyIntroduced refuses to undo a start on which introductions rest.
func (s *sitting) nobodyIntroduced(c cvd.Case) error {
	all, err := introsOf(s.tx, c.ID)
	for _, i := range all {
		if a, b := i.Sides[0].Party, i.Sides[1].Party; i.Ended == nil {
			return notDone("%s and %s are being introduced since; `introduce %s %s cancel` first, or `hold case`", a, b, a, b)
		}
	}
	return err
}

// unintroduce takes back the questions that have not left.
func unintroduce(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(u.Ref, 10, 64)
	if err != nil {
		return "", err
	}
	i, err := introByNumber(s.tx, c.ID, n)
	if err != nil {
		return "", err
	}
	if i.Ended != nil {
		return "", changedSince("the introduction", "`status` says how it stands")
	}
	for _, side := range i.Sides {
		if side.Asked == 0 {
			continue
		}
		asked, err := notices.Get(s.tx, noticeKey(s.tx, c.ID, side.Party, side.Asked))
		if err != nil {
			return "", err
		}
		if hasLeft(asked.State) {
			return "", notDone("%s was asked already; `introduce %s %s cancel` ends it", side.Party, i.Sides[0].Party, i.Sides[1].Party)
		}
	}
	return s.endIntro(c, [2]cvd.Participant{{Party: i.Sides[0].Party}, {Party: i.Sides[1].Party}}, "undo")
}

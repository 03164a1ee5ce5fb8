package mailflow

import (
	"fmt"
	"maps"
	"slices"

	"parley/mailflow/cvd"
)

// recordedThere reads the case and the participant that a record is about.
func (s *sitting) recordedThere(u undoRow) (c cvd.Case, who cvd.Participant, err error) {
	if c, err = s.openCaseHere(); err != nil {
		return c, who, err
	}
	who, err = s.takesPart(c, string(u.Party))
	return c, who, err
}

// recordOf reads the participant of whom a record is to be taken back: only
// while nothing rests on it, which is that no stage left since.
func (s *sitting) recordOf(u undoRow) (cvd.Participant, error) {
	_, who, err := s.recordedThere(u)
	if err != nil {
		return who, err
	}
	left, err := s.leftSince(who, u.At)
	if err == nil && left != "" {
		err = notDone("%s to %s has left since; what it rests on stays on record. `hold %s` stops what has not left", left, who.Party, who.Party)
	}
	return who, err
}

// unrecorded writes a participant of which a record was taken back, and opens
// the task again that its letter was.
func (s *sitting) unrecorded(who cvd.Participant, u undoRow) (string, error) {
	if err := s.recorded(who, u.Verb+".undone", ""); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s: taken back, %s counts no more", who.Party, u.Verb)
	return said, s.reopenTask(threadTask("letter", who.Case, who.Party), "INBOX", u.Message)
}

func unack(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	if who.Acknowledged == nil || !who.Acknowledged.At.Equal(u.At) {
		return "", changedSince("the acknowledgement of "+string(who.Party), "`status` says what it said")
	}
	who.Acknowledged = nil
	return s.unrecorded(who, u)
}

func unaccept(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(who.Acceptances, func(a cvd.Acceptance) bool { return a.At.Equal(u.At) && a.By != "" })
	if i < 0 {
		return "", changedSince("the word of "+string(who.Party), "`status` says what it said")
	}
	who.Acceptances = slices.Delete(slices.Clone(who.Acceptances), i, i+1)
	if who.Accepted() == 0 && u.Who0 != nil {
		who.Declined, who.Late = u.Who0.Declined, u.Who0.Late
	}
	return s.unrecorded(who, u)
}

func undecline(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	if who.Declined == nil || !who.Declined.At.Equal(u.At) {
		return "", changedSince("the word of "+string(who.Party), "`status` says what it said")
	}
	if err := s.mustBeProved("this undo", "lets the next stage go"); err != nil {
		return "", err
	}
	who.Declined = nil
	return s.unrecorded(who, u)
}

func unstatus(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	if !who.Status().At.Equal(u.At) {
		return "", changedSince("the status of "+string(who.Party), "`record "+string(who.Party)+" status` says another")
	}
	who.Statuses = who.Statuses[:len(who.Statuses)-1]
	return s.unrecorded(who, u)
}

func unready(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	if who.Ready == nil || !who.Ready.At.Equal(u.At) {
		return "", changedSince("the date of "+string(who.Party), "`record "+string(who.Party)+" ready by` says another")
	}
	who.Ready = u.Who0.Ready
	return s.unrecorded(who, u)
}

// unmoveStage gives a stage the date back that it had.
func unmoveStage(s *sitting, u undoRow) (string, error) {
	c, who, err := s.recordedThere(u)
	if err != nil {
		return "", err
	}
	now, ok := dueOf(c, who, u.Stage)
	switch {
	case !who.Delays[u.Stage].Equal(u.Is) || offsetOf(who, u.Stage) != u.Ref:
		return "", changedSince("the date of "+string(u.Stage), "`plan "+string(who.Party)+"` shows it")
	case u.Stage.Rank() <= who.Reached.Rank():
		return "", notDone("%s was told %s already; no stage is repeated", who.Party, who.Reached)
	}
	who.Delays, who.Offsets = maps.Clone(who.Delays), maps.Clone(who.Offsets)
	delete(who.Delays, u.Stage)
	delete(who.Offsets, u.Stage)
	if !u.Was.IsZero() {
		who.Delays[u.Stage] = u.Was
	} else if u.Who0 != nil && offsetOf(*u.Who0, u.Stage) != "" {
		who.Offsets[u.Stage] = u.Who0.Offsets[u.Stage]
	}
	then, planned := dueOf(c, who, u.Stage)
	if ok && planned && then.Before(now) {
		if err := s.mustBeProved("this undo", "moves a date earlier"); err != nil {
			return "", err
		}
	}
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	switch {
	case !ok:
		return fmt.Sprintf("%s to %s is due as before, once %s starts", u.Stage, who.Party, c.ID), nil
	case !planned:
		return fmt.Sprintf("%s to %s is skipped again: the embargo ends before it falls due", u.Stage, who.Party), s.replan(s.tx, c.ID)
	}
	return fmt.Sprintf("%s to %s is due %s again", u.Stage, who.Party, utc(then)), s.replan(s.tx, c.ID)
}

// unstart stops a plan of which nothing has left yet.
func unstart(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	if !c.Start.Equal(u.Is) || c.Embargo().Version > 1 {
		return "", changedSince("the start of "+string(c.ID), "`plan` shows what goes when; `hold case` stops it")
	}
	if err := s.nothingLeft(c, 0); err != nil {
		return "", err
	}
	if err := s.nobodyIntroduced(c); err != nil {
		return "", err
	}
	if u.Case0.Started() && u.Case0.Start.Before(c.Start) {
		if err := s.mustBeProved("this undo", "moves the start earlier"); err != nil {
			return "", err
		}
	}
	c.Start, c.Embargoes = u.Case0.Start, u.Case0.Embargoes
	if err := s.changeCase(c, "case.unstarted", ""); err != nil {
		return "", err
	}
	if !c.Started() {
		if _, err := s.cancelPlanned(c, "", "the start was undone"); err != nil {
			return "", err
		}
	}
	said := fmt.Sprintf("%s has not started; nothing of it goes out", c.ID)
	if c.Started() {
		said = fmt.Sprintf("%s starts %s again", c.ID, utc(c.Start))
	}
	return said, s.replan(s.tx, c.ID)
}

// nothingLeft refuses where something of a case's plan has left: of any stage,
// or the notices of one version of the embargo.
func (s *sitting) nothingLeft(c cvd.Case, version int) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.Withdrawn != nil {
			continue // nothing goes to it in any case
		}
		all, err := Notices(s.tx, c.ID, p.Party)
		if err != nil {
			return err
		}
		for _, n := range all {
			counts := version == 0 && disclosing(n) || version > 0 && n.Kind == cvd.KindEmbargo && n.Version == version
			if counts && hasLeft(n.State) {
				return notDone("%s has left for %s already; `hold case` stops what has not", noticeName(n), p.Party)
			}
			if version > 1 && n.Kind == cvd.KindEmbargo && n.Version == version-1 && n.State == cvd.Cancelled {
				return notDone("the date before it was never told to %s; say the right one with `embargo`", p.Party)
			}
		}
		if version > 0 && p.Accepted() >= version {
			return notDone("%s accepted v%d already; say the right date with `embargo`", p.Party, version)
		}
	}
	return nil
}

// unmoveEnd takes a version of the embargo back that nobody was told yet.
func unmoveEnd(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	now := c.Embargo()
	if !now.At.Equal(u.At) || !now.End.Equal(u.Is) || c.Started() != u.Case0.Started() {
		return "", changedSince("the date", "say the right one with `embargo`")
	}
	if c.Started() {
		if err := s.nothingLeft(c, now.Version); err != nil {
			return "", err
		}
		if u.Case0.Embargo().End.Before(now.End) {
			if err := s.mustBeProved("this undo", "moves the end earlier"); err != nil {
				return "", err
			}
		}
		if err := s.untellEmbargo(c, now.Version); err != nil {
			return "", err
		}
	}
	c.Embargoes = u.Case0.Embargoes
	if err := s.changeCase(c, "embargo.undone", fmt.Sprintf("v%d", now.Version)); err != nil {
		return "", err
	}
	said := fmt.Sprintf("the embargo of %s ends %s again (v%d); nobody was told the other date", c.ID, utc(c.Embargo().End), c.Embargo().Version)
	if len(c.Embargoes) == 0 {
		said = fmt.Sprintf("%s ends as its policy says, once it starts", c.ID)
	}
	return said, s.replan(s.tx, c.ID)
}

// untellEmbargo cancels the notices of a version that have not left.
func (s *sitting) untellEmbargo(c cvd.Case, version int) error {
	return s.eachNotice(c, func(n cvd.Notice) error {
		if n.Kind != cvd.KindEmbargo || n.Version != version || n.State.Over() {
			return nil
		}
		return s.cancel(s.tx, n, "the date was taken back")
	})
}

package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
)

// sendingPause is `sending pause [because "…"]`, the same as `hold all`.
func sendingPause(s *sitting, p *phrase) (string, error) {
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = noReason
	}
	return s.pauseSending(why)
}

func (s *sitting) pauseSending(why string) (string, error) {
	now, err := sendingNow(s.tx)
	if err != nil {
		return "", err
	}
	fresh := Sending{Paused: true, Because: why, By: s.by.Name, At: s.tx.Now}
	switch {
	case now.Stops() && now.By != byItself:
		return "", notDone("sending is paused since %s already (%s); `sending resume` ends it", utc(now.At), now.Because)
	case now.Stops(): // it would end with its reviews, and what a person says does not
		fresh = fresh.alsoFor(now.Because, s.tx.Now)
	default:
		s.undo = &undoRow{Verb: "hold"}
	}
	return "nothing leaves this server, of any case, until `sending resume`; mail still comes in", s.setSending(s.tx, fresh)
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
		return "", notDone("sending is not paused; a hold on a case or a party ends with `release case` or `release PARTY`")
	}
	if err := s.setSending(s.tx, Sending{By: s.by.Name, At: s.tx.Now}); err != nil {
		return "", err
	}
	reviewed, err := s.endReviews()
	if err != nil {
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
	s.undo = &undoRow{Verb: "release", Why: now.Because}
	said := fmt.Sprintf("mail leaves again (it was paused: %s)", now.Because)
	if reviewed > 0 {
		said += fmt.Sprintf("; so does what was overdue, of %s", count(reviewed, "review"))
	}
	return said, nil
}

// askHeldAgain lets the gate look at what of a case was held, perhaps only
// because sending was paused.
func (s *sitting) askHeldAgain(c cvd.Case) error {
	return s.eachNotice(c, func(n cvd.Notice) error {
		if n.State != cvd.Held {
			return nil
		}
		return wakeOne(s.tx, n, false)
	})
}

// eachNotice goes through all that went or is to go to the participants of a
// case.
func (s *sitting) eachNotice(c cvd.Case, do func(cvd.Notice) error) error {
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
			if err := do(n); err != nil {
				return err
			}
		}
	}
	return nil
}

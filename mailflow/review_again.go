package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
)

// unseenWhy is why a case that was opened again has a review.
const unseenWhy = "a case was closed before anybody looked at what was overdue of it"

// reviewAgain puts before the desk what of a case waited for a review when it was
// closed, and is planned and overdue again: to close it answered nothing, and nobody
// has looked at it since (rule T5).
func (s *sitting) reviewAgain(id cvd.CaseID) (string, error) {
	late, err := s.unseen(id)
	if err != nil || len(late) == 0 {
		return "", err
	}
	now, err := sendingNow(s.tx)
	if err != nil {
		return "", err
	}
	again := Sending{Paused: true, Overdue: true, Because: unseenWhy, By: byItself, At: s.tx.Now}
	if err := s.review(s.tx, id, late, again); err != nil {
		return "", err
	}
	if !now.Paused {
		err = s.setSending(s.tx, again)
	}
	return fmt.Sprintf("; what waited for a review when it was closed does so again: %s, in Approvals", count(len(late), "overdue notice")), err
}

// unseen lists the overdue notices of a case that take the place of some that were
// cancelled while they waited for a review.
func (s *sitting) unseen(id cvd.CaseID) (late []cvd.Notice, err error) {
	type place struct {
		kind  cvd.NoticeKind
		stage cvd.Stage
	}
	ps, err := Participants(s.tx, id)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		all, err := Notices(s.tx, id, p.Party)
		if err != nil {
			return nil, err
		}
		waited := map[place]bool{}
		for _, n := range all {
			at := place{n.Kind, n.Stage}
			switch {
			case n.State.Over():
				waited[at] = n.State == cvd.Cancelled && n.Review != ""
			case waited[at] && n.Review == "" && !n.Due.After(s.tx.Now):
				late = append(late, n)
			}
		}
	}
	return late, nil
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// answerReview lets the notices of a review go, or, for a reason, holds them.
func (s *sitting) answerReview(a cvd.ApprovalRequest, no string) (string, error) {
	switch {
	case a.Granted(), strings.HasPrefix(a.How, "rejected"):
		return "", already("%s is over: %s", a.ID, a.How)
	case !a.Open():
		return "", overNow(a)
	}
	kind, how := "approval.yes", "approved"
	if no != "" {
		kind, how = "approval.no", "rejected by "+s.by.Name+": "+no
	} else {
		a.Yes = append(a.Yes, cvd.Approved{By: s.by.Name, At: s.tx.Now, Signed: s.by.Signed})
	}
	if err := record(s.tx, journal.Record{Case: string(a.Case), Actor: s.by.Name, Kind: kind, Ref: a.ID, Detail: no}); err != nil {
		return "", err
	}
	if err := s.closeReview(s.tx, a, how); err != nil {
		return "", err
	}
	n, err := s.decideOverdue(a, no)
	if err != nil {
		return "", err
	}
	over, err := s.reviewsOver(s.tx, s.by.Name)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s approved: %s to %s may go, by the rules of their stages, from %s", a.ID, count(n, "notice"), partyList(a.Parties), instant(s.tx.Now.Add(s.Settings.Undo)))
	if no != "" {
		said = fmt.Sprintf("%s rejected: %s to %s stays held; `release PARTY` lets it go after all", a.ID, count(n, "notice"), partyList(a.Parties))
	}
	now, err := sendingNow(s.tx)
	switch {
	case over:
		said += "; mail leaves again"
	case now.Stops():
		said += "; nothing leaves while sending is paused: " + now.Because
	}
	return said, err
}

// closeReview ends the request, and takes its mails away.
func (b *Base) closeReview(tx *store.Tx, a cvd.ApprovalRequest, how string) error {
	a.Ended, a.How = tx.Now, how
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := b.nothingToDecide(tx, a); err != nil {
		return err
	}
	return reviewRows.Delete(tx, reviewKey(tx, a.ID))
}

// decideOverdue does what was answered to each notice of a review that still
// waits for it, and gives how many.
func (s *sitting) decideOverdue(a cvd.ApprovalRequest, no string) (int, error) {
	done := 0
	for _, p := range a.Parties {
		all, err := Notices(s.tx, a.Case, p)
		if err != nil {
			return done, err
		}
		for _, n := range all {
			if n.Review == "" || n.State.Over() || !slices.Contains(a.Notices, n.ID) {
				continue
			}
			done++
			if no == "" {
				err = s.letGo(n)
			} else {
				n.Review = fmt.Sprintf("it was overdue, and %s said no (%s): %s", s.by.Name, a.ID, no)
				err = s.settle(s.tx, n, Answer{Decision: HoldIt, Why: n.Review})
			}
			if err != nil {
				return done, err
			}
		}
	}
	s.touch(s.tx, a.Case)
	return done, nil
}

// letGo asks the gate again about a notice that waited for a review.
func (s *sitting) letGo(n cvd.Notice) error {
	n.Review, n.State, n.Why = "", cvd.Planned, ""
	if err := s.heldDone(s.tx, n); err != nil {
		return err
	}
	if err := wakeOne(s.tx, n, false); err != nil || n.Kind != cvd.KindIntroduction {
		return err
	}
	return wakeOtherHalves(s.tx, n.Case, n.Party, false)
}

// unreview lets go what of a participant waits for a review, or was held by one:
// whoever releases it has looked.
func (s *sitting) unreview(party string) error {
	c, err := s.theCase()
	if err != nil {
		return err
	}
	p, err := s.takesPart(c, party)
	if err != nil {
		return err
	}
	all, err := Notices(s.tx, c.ID, p.Party)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Review == "" || n.State.Over() {
			continue
		}
		n.Review = ""
		if err := putNotice(s.tx, n, n.Row); err != nil {
			return err
		}
	}
	ended, err := s.closeIdleReviews(s.tx, c.ID)
	if ended {
		_, err = s.reviewsOver(s.tx, s.by.Name)
	}
	return err
}

// endIdleReviews ends the open reviews of a case that stop nothing any more, since
// what they are about was cancelled.
func (b *Base) endIdleReviews(tx *store.Tx, id cvd.CaseID) error {
	ended, err := b.closeIdleReviews(tx, id)
	if ended {
		err = b.reviewsIdle(tx)
	}
	return err
}

// closeIdleReviews closes the reviews of a case of which nothing is left to stop,
// and says whether there was one.
func (b *Base) closeIdleReviews(tx *store.Tx, id cvd.CaseID) (ended bool, err error) {
	open, err := openReviews(tx)
	if err != nil {
		return false, err
	}
	for _, a := range open {
		if a.Case != id {
			continue
		}
		if stops, err := stillStops(tx, a); err != nil {
			return false, err
		} else if stops {
			continue
		}
		if err := b.closeReview(tx, a, "void: nothing that it stopped is to leave any more"); err != nil {
			return false, err
		}
		ended = true
	}
	return ended, nil
}

// stillStops says whether a notice waits for a review.
func stillStops(tx *store.Tx, a cvd.ApprovalRequest) (bool, error) {
	for _, p := range a.Parties {
		all, err := Notices(tx, a.Case, p)
		if err != nil {
			return false, err
		}
		for _, n := range all {
			if n.Review != "" && !n.State.Over() && slices.Contains(a.Notices, n.ID) {
				return true, nil
			}
		}
	}
	return false, nil
}

// openReviews lists the reviews that nobody has answered.
func openReviews(tx *store.Tx) ([]cvd.ApprovalRequest, error) {
	var out []cvd.ApprovalRequest
	for r, err := range reviewRows.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		a, err := approvalByID(tx, r.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// endReviews lets go what all open reviews are about, and gives how many there
// were. What one of them held by a no stays held.
func (s *sitting) endReviews() (int, error) {
	open, err := openReviews(s.tx)
	if err != nil {
		return 0, err
	}
	for _, a := range open {
		if err := s.closeReview(s.tx, a, "void: sending resume let it go"); err != nil {
			return 0, err
		}
		if _, err := s.decideOverdue(a, ""); err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

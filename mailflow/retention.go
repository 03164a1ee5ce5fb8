package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// So long after a case was closed as Settings.Retention says, the desk is asked
// whether it is to be destroyed, and again after as long. Nothing is destroyed by
// that: `shred` does it, with its two signed approvals.

const (
	// askedAtOnce is how many cases stand in one letter.
	askedAtOnce = 50
	// askedLater is how long a case waits that cannot be destroyed when it falls due.
	askedLater = cvd.Day
)

// retainedRow is when the desk is asked about a closed case.
type retainedRow struct {
	Case   cvd.CaseID
	Asked  time.Time // when it was last asked; zero for never
	Again  time.Time // not before, since it could not be destroyed
	Letter uint64    // the one that it stands in, 0 for none
	Next   time.Time // of its row among the due ones; zero: it has none
}

var (
	retained    = store.Versioned[retainedRow]("retained")
	retainedDue = store.WriteOnce[cvd.CaseID]("retaineddue")
)

func retainedKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("retained", string(id)) }

func retainedOf(tx *store.Tx, id cvd.CaseID) (retainedRow, error) {
	r, err := retained.Get(tx, retainedKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return retainedRow{Case: id}, nil
	}
	return r, err
}

// askAt is when the desk is asked about a case, zero for never. What was asked at an
// instant that is still to come was asked by a clock that went wrong.
func (b *Base) askAt(c cvd.Case, r retainedRow, now time.Time) time.Time {
	if b.Retention.Closed <= 0 || !mayBeAsked(c) {
		return time.Time{}
	}
	since := c.Closed
	if !r.Asked.After(now) {
		since = laterOf(since, r.Asked)
	}
	at := laterOf(since.Add(b.Retention.Closed), r.Again)
	if c.Kept != nil {
		at = laterOf(at, c.Kept.Until)
	}
	return at
}

func mayBeAsked(c cvd.Case) bool { return !c.Closed.IsZero() && c.Merged == "" && c.LegalHold == nil }

// retain keeps the row of a case in step with what was decided about it: a letter that
// asks about it does not go on asking.
func (b *Base) retain(tx *store.Tx, c cvd.Case) error {
	r, err := retainedOf(tx, c.ID)
	if err != nil {
		return err
	}
	was := r
	if r.Letter != 0 {
		doomed, err := shredOf(tx, c.ID)
		if err != nil {
			return err
		}
		if !mayBeAsked(c) || c.KeptAt(tx.Now) || doomed.Approval != "" {
			if err := b.leaveLetter(tx, &r); err != nil {
				return err
			}
		}
	}
	if r == was && b.askAt(c, r, tx.Now).Equal(r.Next) {
		return nil
	}
	return b.putRetained(tx, c, r)
}

func (b *Base) putRetained(tx *store.Tx, c cvd.Case, r retainedRow) error {
	key, next := retainedKey(tx, c.ID), b.askAt(c, r, tx.Now)
	if err := moveDue(tx, retainedDue, caseScope(c.ID), key, r.Next, next, c.ID); err != nil {
		return err
	}
	r.Next = next
	return retained.Put(tx, caseScope(c.ID), key, r)
}

// retainedBehind are closed cases whose rows are of other settings, or of a program
// that had none.
func (b *Base) retainedBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	all, err := Cases(tx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		r, err := retainedOf(tx, c.ID)
		if err != nil {
			return nil, err
		}
		if b.askAt(c, r, tx.Now).Equal(r.Next) {
			continue
		}
		out = append(out, func(tx *store.Tx) error {
			now, err := CaseByID(tx, c.ID)
			if errors.Is(err, ErrNoCase) {
				return nil
			}
			return errors.Join(err, b.retain(tx, now))
		})
	}
	return out, nil
}

// RetainedDue asks the desk about the closed cases that fall due, in one letter, and
// returns when it wants to be called next. While nothing may leave, because somebody
// said so or the clock jumped (rule T5), it asks nothing: who would answer by a clock
// that is wrong destroys what is not old. A row that cannot be read is an error, and
// keeps no other from being asked about.
func (s *Scheduler) RetainedDue(now time.Time) (next time.Time, err error) {
	if s.Retention.Closed <= 0 {
		return next, nil
	}
	due, cannot, next, err := s.retainedToAsk(now)
	if len(due) == 0 {
		return next, err
	}
	return next, errors.Join(err, s.Store.Update(func(tx *store.Tx) error { return s.askAbout(tx, due, cannot) }))
}

// retainedToAsk reads what falls due, what would go with each, and what cannot be
// destroyed now: that takes all cases and mails, where no writer waits for it. Should
// it change meanwhile, `shred` asks again.
func (s *Scheduler) retainedToAsk(now time.Time) (due []askedCase, cannot map[cvd.CaseID]bool, next time.Time, err error) {
	cannot = map[cvd.CaseID]bool{}
	var bad error
	err = s.Store.View(func(tx *store.Tx) error {
		if state, err := sendingNow(tx); err != nil || state.Paused {
			return err
		}
		var cs []cvd.Case
		for row, err := range retainedDue.Due(tx, now, &next) {
			var c cvd.Case
			if err == nil {
				c, err = CaseByID(tx, row.Value)
			}
			if err != nil {
				bad = errors.Join(bad, fmt.Errorf("read which closed case falls due: %w", err))
				continue
			}
			if cs = append(cs, c); len(cs) == askedAtOnce {
				break
			}
		}
		counts, err := countShreds(tx, cs)
		for i, n := range counts {
			due = append(due, askedCase{Case: cs[i].ID, Mails: n.mails, Files: n.files, Since: n.since})
			var refused *Refusal
			if no := mayShred(tx, cs[i]); errors.As(no, &refused) {
				cannot[cs[i].ID] = true
			} else if no != nil {
				return no
			}
		}
		return err
	})
	return due, cannot, next, errors.Join(err, bad)
}

// askAbout puts the cases that can be destroyed before the desk, those that only some
// may see each in a letter of its own (rule A2). The others wait a day.
func (b *Base) askAbout(tx *store.Tx, due []askedCase, cannot map[cvd.CaseID]bool) error {
	var together []askedCase
	for _, a := range due {
		c, asked, err := b.askedNow(tx, a.Case, cannot[a.Case])
		switch {
		case err != nil:
			return err
		case !asked:
		case len(c.Restricted) > 0:
			err = b.ask(tx, c.ID, []askedCase{a})
		default:
			together = append(together, a)
		}
		if err != nil {
			return err
		}
	}
	if len(together) == 0 {
		return nil
	}
	return b.ask(tx, "", together)
}

// askedNow looks again whether a case is due and can be destroyed.
func (b *Base) askedNow(tx *store.Tx, id cvd.CaseID, cannot bool) (c cvd.Case, asked bool, err error) {
	c, err = CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	r, err := retainedOf(tx, id)
	if err != nil {
		return c, false, err
	}
	if at := b.askAt(c, r, tx.Now); at.IsZero() || at.After(tx.Now) {
		return c, false, b.retain(tx, c)
	}
	doomed, err := shredOf(tx, id)
	if err != nil || !cannot && doomed.Approval == "" {
		return c, err == nil, err
	}
	r.Again = tx.Now.Add(askedLater)
	return c, false, b.putRetained(tx, c, r)
}

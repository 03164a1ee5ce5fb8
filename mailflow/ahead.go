package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What the desk is told of a case before it happens: preflights, and the
// question whether the embargo shall end. A case has one row for all of it,
// which stands among the due ones at the next instant.

// aheadRow remembers how far the desk was told of one case.
type aheadRow struct {
	Case  cvd.CaseID
	Next  time.Time // of its row among the due ones; zero: it has none
	Tried time.Time // preflights up to this instant are over
	Ask   askedEnd

	Told   time.Time  // the last list
	Listed statusMail // where it is, if it is in Status
	Red    time.Time  // when the last falls due that would be held; zero: nothing would, and no list stands in INBOX
	Stands string     // digest of what the list in INBOX says would be held
	Broken bool       // of which the gate alone does not know
}

var (
	aheadRows = store.Versioned[aheadRow]("ahead")
	aheadDue  = store.WriteOnce[cvd.CaseID]("aheaddue")
)

func aheadKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("ahead", string(id)) }

// readAhead reads the row of a case; a fresh one where it has none.
func readAhead(tx *store.Tx, id cvd.CaseID) (aheadRow, error) {
	r, err := aheadRows.Get(tx, aheadKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return aheadRow{Case: id}, nil
	}
	return r, err
}

// putAhead writes the row of a case, and moves it among the due ones.
func putAhead(tx *store.Tx, r aheadRow, next time.Time) error {
	scope, key := caseScope(r.Case), aheadKey(tx, r.Case)
	if err := moveDue(tx, aheadDue, scope, key, r.Next, next, r.Case); err != nil {
		return err
	}
	r.Next = next
	return aheadRows.Put(tx, scope, key, r)
}

// next is when the desk is to be told something of a case, zero for never.
func (r aheadRow) next(l caseLook) time.Time {
	if !l.Started() || !l.Closed.IsZero() {
		if r.Red.IsZero() && !r.Ask.Open {
			return time.Time{}
		}
		return l.now // what stands before the desk goes
	}
	at, _ := nextPreflight(l, r)
	return sooner(sooner(at, r.Red), r.Ask.next(l.Case, l.now))
}

// keepAhead keeps the row of a case in step with what is planned.
func (b *Base) keepAhead(tx *store.Tx, id cvd.CaseID, next time.Time) error {
	r, err := readAhead(tx, id)
	if err != nil || r.Next.Equal(next) {
		return err
	}
	return putAhead(tx, r, next)
}

// AheadDue tells the desk what is to be told by now, and returns when it wants
// to be called next. While sending is paused it waits: nobody can say what a
// clock that jumped is ahead of.
func (s *Scheduler) AheadDue(now time.Time) (next time.Time, err error) {
	due, next, err := s.aheadAt(now)
	for _, id := range due {
		if failed := s.lookAhead(id, now); failed != nil {
			next = sooner(next, now.Add(time.Minute))
			err = errors.Join(err, fmt.Errorf("look ahead in %s: %w", id, failed))
		}
	}
	return next, err
}

func (s *Scheduler) aheadAt(now time.Time) (due []cvd.CaseID, next time.Time, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		if state, err := sendingNow(tx); err != nil || state.Stops() {
			return err
		}
		due, err = collect(aheadDue.Due(tx, now, &next), nil)
		return err
	})
	return due, next, err
}

// lookAhead tells the desk what is due of one case. What is tried is tried
// before the transaction that tells of it, in nobody's way.
func (s *Scheduler) lookAhead(id cvd.CaseID, now time.Time) error {
	tried, why, err := s.preflight(id, now)
	if err != nil {
		return err
	}
	return s.Store.Update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		l, err := s.look(tx, c)
		if err != nil {
			return err
		}
		r, err := readAhead(tx, id)
		if err != nil {
			return err
		}
		before := r
		if err := s.afterPreflight(tx, l, &r, tried, why); err != nil {
			return err
		}
		if err := s.askEnd(tx, l, &r); err != nil {
			return err
		}
		if r != before {
			s.moved(tx, id)
		}
		return putAhead(tx, r, r.next(l))
	})
}

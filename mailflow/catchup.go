package mailflow

import (
	"errors"
	"time"

	"parley/mailflow/store"
)

// CatchUp looks once, when a process begins, at all of what only due rows lead to
// afterwards: letters that wait, cases that are to be destroyed, case files that go
// on by a day, cases that are watched, closed cases, what was thrown away. A store of
// before has no such rows, and a program of before, or other settings, may have shown
// something else. Keys of finders that were entered one by one are brought along.
func (s *Scheduler) CatchUp(time.Time) (next time.Time, err error) {
	if s.caughtUp {
		return next, nil
	}
	var behind []func(*store.Tx) error
	err = s.Store.View(func(tx *store.Tx) error {
		for _, look := range []func(*store.Tx) ([]func(*store.Tx) error, error){s.lettersBehind, shredsBehind, s.casesBehind, s.retainedBehind, s.junkBehind, s.holdersBehind} {
			more, err := look(tx)
			if err != nil {
				return err
			}
			behind = append(behind, more...)
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	for len(behind) > 0 {
		batch := behind[:min(len(behind), dueBatch)]
		err := s.Store.Update(func(tx *store.Tx) error {
			for _, mend := range batch {
				if err := mend(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return next, err
		}
		behind = behind[len(batch):]
	}
	s.caughtUp = true
	return next, nil
}

// lettersBehind are letters of which the desk is shown something that is not so.
func (b *Base) lettersBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	all, err := collect(waitingRows.All(tx, nil), nil)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		w, err := b.waitingNow(tx, r)
		if err != nil {
			return nil, err
		}
		if !w.settled() && (r.Next.IsZero() || r.Next.After(tx.Now)) {
			out = append(out, func(tx *store.Tx) error { return letterChanged(tx, r.Notice) })
		}
	}
	return out, nil
}

// shredsBehind are cases that are to be destroyed and have no row.
func shredsBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	all, err := collect(shreds.All(tx, nil), nil)
	for _, r := range all {
		if r.wants().Equal(r.Next) {
			continue
		}
		out = append(out, func(tx *store.Tx) error {
			now, err := shredOf(tx, r.Case)
			if err != nil || now.Case == "" {
				return err
			}
			return putShred(tx, now)
		})
	}
	return out, err
}

// casesBehind are cases whose case files were made by a program that knew no such
// rows, and those that leaked or are exploited and are not watched.
func (b *Base) casesBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	for row, err := range cases.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c := row.Value
		if !c.Started() || !c.Closed.IsZero() {
			continue
		}
		if !dayRows.Has(tx, dayKey(tx, c.ID)) {
			out = append(out, func(tx *store.Tx) error { b.moved(tx, c.ID); return nil })
		}
		if watched := c.Exploited != nil || len(c.Leaks) > 0; watched && !watchRows.Has(tx, watchKey(tx, c.ID)) {
			out = append(out, func(tx *store.Tx) error { return watch(tx, c.ID) })
		}
	}
	return out, nil
}

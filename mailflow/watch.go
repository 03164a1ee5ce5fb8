package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Of a case that leaked, or is exploited, the desk has tasks that follow from how
// it stands and from the clock: who was not handed the leak, what vendors owe the
// authorities. Such a case is watched. It is looked at when something of it
// changed, and at the instant at which a task reads differently by itself; no round
// of the clockwork reads cases in which nothing happens.

// watchRow is a case that is watched.
type watchRow struct {
	Case   cvd.CaseID
	Next   time.Time // of its row among the due ones; zero: when something changes
	Serial uint64    // of the last commit that changed something of the case
}

var (
	watchRows = store.Versioned[watchRow]("watches")
	watchDue  = store.WriteOnce[cvd.CaseID]("watchesdue")
)

func watchKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("watch", string(id)) }

// watch lets the clockwork look at a case now, and from now on.
func watch(tx *store.Tx, id cvd.CaseID) error {
	r, err := watchRows.Get(tx, watchKey(tx, id))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && r.Serial == tx.Serial() {
		return nil
	}
	r.Case, r.Serial = id, tx.Serial()
	return putWatch(tx, r, tx.Now)
}

// watchAgain is watch for a case of which something changed, if it is watched.
func watchAgain(tx *store.Tx, id cvd.CaseID) error {
	if !watchRows.Has(tx, watchKey(tx, id)) {
		return nil
	}
	return watch(tx, id)
}

func putWatch(tx *store.Tx, r watchRow, next time.Time) error {
	scope, key := caseScope(r.Case), watchKey(tx, r.Case)
	if err := moveDue(tx, watchDue, scope, key, r.Next, next, r.Case); err != nil {
		return err
	}
	r.Next = next
	return watchRows.Put(tx, scope, key, r)
}

// WatchedDue keeps the tasks of watched cases in step with the clock, with
// deliveries and with what was said since, and returns when it wants to be called
// next.
func (b *Base) WatchedDue(now time.Time) (next time.Time, err error) {
	var due []cvd.CaseID
	err = b.Store.View(func(tx *store.Tx) (err error) {
		due, err = collect(watchDue.Due(tx, now, &next), nil)
		return err
	})
	for _, id := range due {
		wants, failed := b.lookAfter(id, now)
		if failed != nil {
			wants, err = now.Add(time.Minute), errors.Join(err, fmt.Errorf("watch %s: %w", id, failed))
		}
		next = sooner(next, wants)
	}
	return next, err
}

// lookAfter puts the tasks of one case right. What is read keeps nobody from
// writing; where something changed meanwhile, it is read again.
func (b *Base) lookAfter(id cvd.CaseID, now time.Time) (next time.Time, err error) {
	var behind bool
	var serial uint64
	err = b.Store.View(func(tx *store.Tx) (err error) {
		serial = tx.Serial()
		next, behind, err = b.tasksBehind(tx, id, now)
		return err
	})
	if err != nil {
		return next, err
	}
	return next, b.Store.Update(func(tx *store.Tx) error {
		if behind {
			if err := b.showWatched(tx, id); err != nil {
				return err
			}
		}
		r, err := watchRows.Get(tx, watchKey(tx, id))
		if err != nil || r.Serial > serial {
			return err
		}
		return putWatch(tx, r, next)
	})
}

// tasksBehind says whether a task of a case reads otherwise than it should, and when
// one will by itself.
func (b *Base) tasksBehind(tx *store.Tx, id cvd.CaseID, now time.Time) (next time.Time, behind bool, err error) {
	c, err := CaseByID(tx, id)
	if err != nil {
		return next, false, err
	}
	stale, gone, _, next, err := b.clocks(tx, c, now)
	if err != nil {
		return next, false, err
	}
	behind = len(stale)+len(gone) > 0
	row, err := leakRows.Get(tx, leakKey(tx, id))
	if errors.Is(err, store.ErrNotFound) {
		return next, behind, nil
	}
	if err != nil {
		return next, false, err
	}
	w, err := b.leakWatch(tx, row, now)
	return sooner(next, w.next), behind || w.behind(), err
}

func (b *Base) showWatched(tx *store.Tx, id cvd.CaseID) error {
	c, err := CaseByID(tx, id)
	if err != nil {
		return err
	}
	if _, err := b.showClocks(tx, c); err != nil {
		return err
	}
	if !leakRows.Has(tx, leakKey(tx, id)) {
		return nil
	}
	return b.watchLeak(tx, c)
}

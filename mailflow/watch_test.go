package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// watched says when a case is looked at next: zero where it is not watched, or only
// when something changes.
func (w *world) watched(id cvd.CaseID) (r watchRow) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		if watchRows.Has(tx, watchKey(tx, id)) {
			r, err = watchRows.Get(tx, watchKey(tx, id))
		}
		return err
	})
	return r
}

// A case that leaked is looked at when something of it changed and at the instant
// at which its alarm falls due, and in no round between; so is one that is
// exploited, and one of a store that did not know yet, from the next start on.
func TestWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.leakCase()
	if got := w.watched(id); got.Case != "" {
		t.Fatalf("it is watched before anything leaked: %+v", got)
	}
	w.control("ben", true, "approve "+w.kitRequest().ID)
	w.fires("ana", id, "details")
	by := w.theCase(id).Leak().At.Add(w.theCase(id).Leak().Within)
	if got := w.watched(id); !got.Next.Equal(by) {
		t.Fatalf("it is looked at %s, not %s", got.Next, by)
	}
	if next, err := w.WatchedDue(w.clock.Now()); err != nil || !next.Equal(by) {
		t.Errorf("the round wants to look at %s: %v", next, err)
	}
	w.clock.Advance(by.Sub(w.clock.Now()))
	w.settle()
	if got := w.watched(id); !got.Next.IsZero() {
		t.Errorf("after the alarm it is looked at %s", got.Next)
	}
	w.update(func(tx *store.Tx) error { w.moved(tx, id); return nil })
	if got := w.watched(id); !got.Next.Equal(w.clock.Now()) {
		t.Errorf("something changed, and it is looked at %s", got.Next)
	}
	w.settle()
	w.in(id, `exploited source "telemetry"`)
	if got := w.watched(id); !got.Next.After(w.clock.Now()) {
		t.Errorf("no clock of a vendor ends: %s", got.Next)
	}
	was := w.watched(id)
	w.update(func(tx *store.Tx) error { // a store of before
		if err := watchDue.Delete(tx, append(store.Instant(was.Next), watchKey(tx, id)...)); err != nil {
			return err
		}
		return watchRows.Delete(tx, watchKey(tx, id))
	})
	w.restart()
	w.settle()
	if got := w.watched(id); got.Case != id || got.Next.IsZero() || got.Next.Sub(was.Next).Abs() > time.Second {
		t.Errorf("after a restart it is watched as %+v, before as %+v", got, was)
	}
}

package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func topics(changes []Change) (names []string) {
	for _, c := range changes {
		names = append(names, c.Topic)
	}
	return names
}

func woken(sub *Subscription) bool {
	select {
	case <-sub.C:
		return true
	default:
		return false
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	all, some, closed := s.Subscribe(), s.Subscribe("a", "c"), s.Subscribe("a")
	closed.Close()
	closed.Close()
	for i := range 3 {
		must(t, s.Update(func(tx *Tx) error {
			for _, topic := range []string{"a", "b", "c"} {
				tx.Changed(Change{Topic: fmt.Sprint(topic, i)})
				tx.Changed(Change{Topic: topic, UID: uint32(i)})
			}
			return nil
		}))
	}
	failed := errors.New("failed")
	wantErr(t, s.Update(func(tx *Tx) error { tx.Changed(Change{Topic: "a"}); return failed }), failed)
	if got := topics(all.Take()); len(got) != 18 || !slices.Equal(got[:4], []string{"a0", "a", "b0", "b"}) {
		t.Errorf("all: %v", got)
	}
	if got := topics(some.Take()); !slices.Equal(got, []string{"a", "c", "a", "c", "a", "c"}) {
		t.Errorf("some: %v", got)
	}
	if got := closed.Take(); got != nil {
		t.Errorf("closed: %v", got)
	}
	if !woken(some) || woken(some) {
		t.Error("want one token")
	}
	if some.Take() != nil {
		t.Error("taken twice")
	}
	must(t, s.Update(func(tx *Tx) error { tx.Changed(Change{Topic: "b"}); return nil }))
	if woken(some) || !woken(all) {
		t.Error("the wrong one was woken")
	}
}

// A snapshot and a subscription line up: every change is either in the snapshot or above its serial.
func TestSerial_LinesUp(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if s.Serial() != 1 {
		t.Errorf("serial %d after the first commit", s.Serial())
	}
	sub := s.Subscribe()
	change := func(n uint64) func(*Tx) error {
		return func(tx *Tx) error {
			tx.Changed(Change{Topic: "x", UID: uint32(n)})
			return putThing(n)(tx)
		}
	}
	for _, err := range together(t, s, change(1), change(2)) {
		must(t, err)
	}
	must(t, s.View(func(tx *Tx) error {
		seen := tx.Serial()
		if seen != s.Serial() {
			t.Errorf("serial %d in a snapshot, %d outside", seen, s.Serial())
		}
		must(t, s.Update(change(3)))
		for _, c := range sub.Take() {
			if in := things.Has(tx, Seq(uint64(c.UID))); in != (c.Serial <= seen) {
				t.Errorf("change %d has serial %d, the snapshot %d: in it %v", c.UID, c.Serial, seen, in)
			}
		}
		return nil
	}))
	must(t, s.Close())
	if again := reopen(t, s.dir); again.Serial() != s.Serial() {
		t.Errorf("serial %d after the restart, %d before", again.Serial(), s.Serial())
	}
}

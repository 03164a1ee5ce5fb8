package mailflow

import (
	"context"
	"testing"

	"parley/keyring"
	"parley/mailflow/store"
)

// sealedSeat gives ana a seat with a sealed view, and lists Intake there.
func (w *world) sealedSeat(s *Seats) *Seat {
	w.t.Helper()
	seat, err := s.SitAs(SeatFor{Coordinator: "ana", Login: "ana/phone", View: SealedView})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(seat.Close)
	win := w.windowOn(seat, "Intake")
	if err := win.Read([]int{0, 1}, func(*store.Tx, int, *store.Entry) error { return nil }); err != nil {
		w.t.Fatal(err)
	}
	return seat
}

// forms counts what was made for a seat of these messages.
func (w *world) forms(seat *Seat, ids []uint64) (n int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		for _, id := range ids {
			if tx.HasForm(seat.shown.kind, id) {
				n++
			}
		}
		return nil
	})
	return n
}

// What was sealed to a key that is another now, or to somebody who left, goes;
// who comes back gets it anew, in a mailbox with another UIDVALIDITY.
func TestA4_StaleFormsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seats := &Seats{Base: w.Base, Desk: w.desk}
	w.coordinator("ana")
	w.seatOf("ana")
	ids := w.filesInto("Intake", "desk", "one", "two")
	change := func(edit func(*Coordinator)) {
		t.Helper()
		w.update(func(tx *store.Tx) error {
			c, err := coordinators.Get(tx, tx.Name("coordinator", "ana"))
			edit(&c)
			if err != nil {
				return err
			}
			return PutCoordinator(tx, c)
		})
	}
	due := func() {
		t.Helper()
		if _, err := seats.RunDue(context.Background(), w.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	first := w.sealedSeat(seats)
	due()
	if n := w.forms(first, ids); n != 2 {
		t.Fatalf("%d forms", n)
	}
	other, err := keyring.Generate("Ana", "ana@desk.example", keyring.Ed25519, w.clock.Now())
	w.must(err)
	change(func(c *Coordinator) { c.Key = other.Certificate().Bytes() })
	due()
	if n := w.forms(first, ids); n != 0 {
		t.Errorf("after the key changed %d old forms", n)
	}
	second := w.sealedSeat(seats)
	due()
	if a, b := w.forms(first, ids), w.forms(second, ids); a != 0 || b != 2 {
		t.Errorf("after the key changed %d old forms and %d new", a, b)
	}
	change(func(c *Coordinator) { c.Ended = w.clock.Now() })
	due()
	if n := w.forms(second, ids); n != 0 {
		t.Errorf("after she left %d forms", n)
	}
	change(func(c *Coordinator) { c.Ended = (Coordinator{}).Ended })
	third := w.sealedSeat(seats)
	if third.shown.kind == second.shown.kind || third.shown.lift <= second.shown.lift || second.shown.lift <= first.shown.lift {
		t.Errorf("views %+v, %+v, %+v", first.shown.lift, second.shown.lift, third.shown.lift)
	}
	due()
	if n := w.forms(third, ids); n != 2 {
		t.Errorf("after she came back %d forms", n)
	}
}

package mailflow

import (
	"errors"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// supersededLife is how long the view of a mail of ours is kept after a newer one
// took its place. No UID serves it any more, but a client may give back the copy
// that it has (seat_append.go), which is known by the bytes kept here.
const supersededLife = 7 * cvd.Day

// superseded lists views of which newer ones say how it stands, by the instant at
// which they can go.
var superseded = store.Versioned[uint64]("superseded-views")

// supersede notes that a view is not needed any more; 0 is none.
func supersede(tx *store.Tx, view uint64) error {
	if view == 0 {
		return nil
	}
	key := append(store.Instant(tx.Now.Add(supersededLife)), store.Seq(view)...)
	return superseded.Put(tx, DeskScope, key, view)
}

// DropSuperseded removes views that newer ones took the place of, and returns when
// the next one can go. One that somebody keeps a copy of, or that a gesture can
// still be taken back on, stays as long.
func (s *Scheduler) DropSuperseded(now time.Time) (next time.Time, err error) {
	var due []store.Row[uint64]
	err = s.Store.View(func(tx *store.Tx) error {
		for row, err := range superseded.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			if due = append(due, row); len(due) == restateBatch {
				return nil
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return next, err
	}
	return next, s.Store.Update(func(tx *store.Tx) error {
		for _, row := range due {
			if err := superseded.Delete(tx, row.Key); err != nil {
				return err
			}
			if err := dropView(tx, row.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropView removes a view, or notes again that it can go where it is still used.
func dropView(tx *store.Tx, id uint64) error {
	for _, err := range receipts.All(tx, store.Seq(id)) {
		if errors.Is(err, store.ErrShredded) {
			return nil // gone with its case
		}
		return errors.Join(err, supersede(tx, id))
	}
	filed, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	if len(filed) > 0 {
		return supersede(tx, id)
	}
	err = tx.DropMessage(id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
		return nil // gone, or gone with its case
	}
	return err
}

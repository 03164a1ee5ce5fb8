package mailflow

import (
	"slices"
	"time"

	"parley/mailflow/store"
)

// moveDue keeps the row of something in step among those that are due: it stood
// under the instant was, followed by its name, and stands under next from now on; a
// zero instant is none.
func moveDue[V any](tx *store.Tx, t store.Table[V], scope store.Scope, name []byte, was, next time.Time, v V) error {
	if next.Equal(was) {
		return nil
	}
	if !was.IsZero() {
		if err := t.Delete(tx, slices.Concat(store.Instant(was), name)); err != nil {
			return err
		}
	}
	if next.IsZero() {
		return nil
	}
	tx.Changed(store.Change{Topic: "due"})
	return t.Put(tx, scope, slices.Concat(store.Instant(next), name), v)
}

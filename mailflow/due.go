package mailflow

import (
	"time"

	"parley/mailflow/store"
)

// moveDue is store.Table.MoveDue, and wakes the scheduler.
func moveDue[V any](tx *store.Tx, t store.Table[V], scope store.Scope, name []byte, was, next time.Time, v V) error {
	moved, err := t.MoveDue(tx, scope, name, was, next, v)
	if moved {
		tx.Changed(store.Change{Topic: "due"})
	}
	return err
}

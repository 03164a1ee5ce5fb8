package mailflow

import (
	"errors"
	"math"

	"parley/mailflow/store"
)

// Read calls fn for the messages at these positions as this seat is served them,
// in ascending order. One that left the folder is still served while its client
// was not told, as long as it exists and may be seen: a client that asked for the
// UIDs fetches them next, and many cannot do with less than they asked for (RFC
// 2180 section 4.1.1). The entry is valid until fn returns. A transaction is open
// meanwhile: fn must not write to a client.
//
// In a view that is not clear what was never served before is made first, which
// can take long.
func (w *Window) Read(at []int, fn func(tx *store.Tx, at int, e *store.Entry) error) error {
	s := w.seat
	if s.shown == nil {
		return w.Filed(at, fn)
	}
	if err := w.prepare(at); err != nil {
		return err
	}
	return w.Filed(at, func(tx *store.Tx, i int, e *store.Entry) error {
		if err := s.reshape(tx, e); err != nil {
			return err
		}
		return fn(tx, i, e)
	})
}

// Filed is Read of the messages as they are filed, whatever the view: only where
// nothing of Size, Served and Envelope is looked at.
func (w *Window) Filed(at []int, fn func(tx *store.Tx, at int, e *store.Entry) error) error {
	return w.seat.Store.View(func(tx *store.Tx) error {
		var failed error
		see := w.seat.view(tx, &failed)
		next := 0
		upTo := func(uid uint32) error { // those that left, in their places
			for ; next < len(at) && w.list.uid(at[next]) < uid; next++ {
				if err := w.readLeft(tx, at[next], see, fn); err != nil {
					return err
				}
			}
			return nil
		}
		err := tx.Entries(w.Number, w.uidsAt(at), func(e *store.Entry) error {
			if err := upTo(e.UID); err != nil {
				return err
			}
			next++
			return fn(tx, at[next-1], e)
		})
		if err == nil {
			err = upTo(math.MaxUint32)
		}
		return errors.Join(err, failed)
	})
}

// readLeft calls fn for a message that left the folder, unless it is gone
// altogether or out of sight.
func (w *Window) readLeft(tx *store.Tx, at int, see func(store.Scope) bool, fn func(tx *store.Tx, at int, e *store.Entry) error) error {
	id, ok := w.left[w.list.uid(at)]
	if !ok {
		return nil
	}
	m, err := tx.Message(id)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrShredded):
		return nil
	case err != nil:
		return err
	case !see(m.Scope):
		return nil
	}
	e := store.EntryOf(m, w.list.uid(at))
	return fn(tx, at, &e)
}

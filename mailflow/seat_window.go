package mailflow

import (
	"slices"

	"parley/mailflow/store"
)

// Window is a folder that a seat has open: the messages that its client knows
// of, by position from 0, which are the sequence numbers of IMAP less one.
//
// What happens in the store is taken in by Refresh, and stays back until the
// client was told: positions change only by Gone and Grown. The store's
// changes were subscribed to before the window was read, and those that the
// reading saw already are left out by their serial, so nothing is missed or
// told twice.
type Window struct {
	store.Mailbox        // as it was when opened
	Shown         string // its name in the view of the seat
	seat          *Seat
	serial        uint64
	pending       []store.Change

	list  listing
	told  int // how many of them the client knows; those after are new
	gone  map[uint32]bool
	left  map[uint32]uint64 // which message a UID was that left the folder; until Gone
	fresh map[uint32]bool   // UIDs whose marks changed since they were told
}

// Open opens a folder in place of the one that was open. ErrNoFolder if there
// is none.
func (s *Seat) Open(name string) (*Window, error) {
	s.Shut()
	box, err := s.find(name)
	if err != nil {
		return nil, err
	}
	w := &Window{seat: s, Shown: name, gone: map[uint32]bool{}, left: map[uint32]uint64{}, fresh: map[uint32]bool{}}
	err = s.Store.View(func(tx *store.Tx) error {
		if w.Mailbox, err = s.enter(tx, box.Number); err != nil {
			return err
		}
		w.serial = tx.Serial()
		uids, marks, err := s.uids(tx, box.Number)
		for i, uid := range uids {
			w.list.put(uid, 1, marks[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	w.told = w.list.len
	s.window = w
	return w, nil
}

// Shut closes the folder that is open, if one is.
func (s *Seat) Shut() { s.window = nil }

// Len is how many messages the client knows.
func (w *Window) Len() int { return w.told }

// UID is that of the message at a position.
func (w *Window) UID(at int) uint32 { return w.list.uid(at) }

// Marks are those of the message at a position, as far as they are known.
func (w *Window) Marks(at int) store.Marks { return w.list.marks(at) }

// Lost says whether the message at a position is gone already, which the
// client was not told yet.
func (w *Window) Lost(at int) bool { return len(w.gone) > 0 && w.gone[w.list.uid(at)] }

// Untold is how many messages are gone that the client was not told of.
func (w *Window) Untold() int { return len(w.gone) }

// Find gives the position of the first message whose UID is not below uid.
func (w *Window) Find(uid uint32) int {
	at, _ := w.list.find(uid)
	return min(at, w.told)
}

// Mark changes the marks of the messages at these positions: those in clear
// go, then those in set come. A message that is gone already takes them
// without effect.
func (w *Window) Mark(at []int, clear, set store.Marks) error {
	if len(at) == 0 {
		return nil
	}
	uids := make([]uint32, len(at))
	for i, p := range at {
		uids[i] = w.list.uid(p)
	}
	err := w.seat.Store.Update(func(tx *store.Tx) error {
		return tx.Mark(w.Number, w.seat.name, uids, clear, set)
	})
	if err != nil {
		return err
	}
	w.list = w.list.changed(slices.Compact(slices.Sorted(slices.Values(at))), func(out *listing, uid uint32, m store.Marks) {
		out.put(uid, 1, m&^clear|set)
	})
	return nil
}

// Expunge takes those of the messages at these positions out of the window
// that are marked as deleted by now, whatever this client was told: those in a
// private folder out of it, those of the desk out of this coordinator's sight
// only. No record is destroyed. Refresh and Gone tell the client.
func (w *Window) Expunge(at []int) error {
	for some := range slices.Chunk(at, atOnce) {
		err := w.seat.Store.Update(func(tx *store.Tx) error {
			mail, err := w.here(tx, some)
			var uids []uint32
			for _, m := range mail {
				if m.marks&store.MarkDeleted != 0 {
					uids = append(uids, m.uid)
				}
			}
			if err != nil || len(uids) == 0 {
				return err
			}
			return w.takeAway(tx, uids)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Window) takeAway(tx *store.Tx, uids []uint32) error {
	if w.Owner != "" {
		return discard(tx, w.Number, uids)
	}
	here := slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool { return !tx.Filed(w.Number, uid, nil) })
	return tx.Mark(w.Number, w.seat.name, here, store.MarkDeleted, store.MarkHidden)
}

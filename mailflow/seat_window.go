package mailflow

import (
	"errors"
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

// Refresh takes in what changed in the folder since the last time.
func (w *Window) Refresh() error {
	w.seat.take()
	if len(w.pending) == 0 {
		return nil
	}
	pending := w.pending
	w.pending = nil
	err := w.seat.Store.View(func(tx *store.Tx) error { return w.apply(tx, pending) })
	if err != nil {
		w.pending = append(pending, w.pending...)
	}
	return err
}

func (w *Window) apply(tx *store.Tx, changes []store.Change) error {
	var failed error
	see := w.seat.view(tx, &failed)
	blocks := map[uint32]bool{}
	for _, c := range changes {
		switch {
		case c.Mailbox == 0 || c.Kind == store.ChangeFolders:
			if err := w.recheck(tx, see); err != nil {
				return err
			}
		case c.Kind == store.ChangeFiled:
			if err := w.add(tx, c.UID, see); err != nil {
				return err
			}
		case c.Kind == store.ChangeUnfiled, c.Kind == store.ChangeScope:
			if !tx.Filed(w.Number, c.UID, see) {
				w.lose(c.UID)
				if c.Message != 0 {
					w.left[c.UID] = c.Message
				}
			}
		case c.Kind == store.ChangeMarked && (c.Seat == "" || c.Seat == w.seat.name):
			blocks[c.UID] = true
		}
	}
	for first := range blocks {
		if err := w.remark(tx, first); err != nil {
			return err
		}
	}
	return failed
}

// add takes in a new message. One that is hidden already never shows.
func (w *Window) add(tx *store.Tx, uid uint32, see func(store.Scope) bool) error {
	if n := w.list.len; n > 0 && w.list.uid(n-1) >= uid || !tx.Filed(w.Number, uid, see) {
		return nil
	}
	marks, err := tx.MarksOf(w.Number, w.seat.name, []uint32{uid})
	if err != nil || marks[0]&store.MarkHidden != 0 {
		return err
	}
	w.list.put(uid, 1, marks[0])
	return nil
}

// lose notes that a message is gone; the client learns it from Gone.
func (w *Window) lose(uid uint32) {
	if _, ok := w.list.find(uid); ok {
		w.gone[uid] = true
	}
}

// remark reads the marks again of the 256 UIDs from first on.
func (w *Window) remark(tx *store.Tx, first uint32) error {
	from, _ := w.list.find(first)
	to, _ := w.list.find(first + 256)
	return w.reread(tx, from, to)
}

func (w *Window) reread(tx *store.Tx, from, to int) error {
	uids := w.list.uids(from, to)
	now, err := tx.MarksOf(w.Number, w.seat.name, uids)
	if err != nil {
		return err
	}
	var at []int
	for i, m := range now {
		switch {
		case m&store.MarkHidden != 0:
			w.gone[uids[i]] = true
		case m != w.list.marks(from+i):
			at = append(at, from+i)
			w.fresh[uids[i]] = true
		}
	}
	w.list = w.list.changed(at, func(out *listing, uid uint32, _ store.Marks) {
		i, _ := slices.BinarySearch(uids, uid)
		out.put(uid, 1, now[i])
	})
	return nil
}

// recheck drops what may not be seen any more, after the folder or who may
// see a case changed. What may be seen only now shows when the folder is
// opened again, since its UIDs are lower than some that the client knows.
func (w *Window) recheck(tx *store.Tx, see func(store.Scope) bool) error {
	var now []uint32
	_, err := w.seat.enter(tx, w.Number)
	if err == nil {
		now, err = tx.UIDs(w.Number, see)
	}
	if err != nil && !errors.Is(err, ErrNoFolder) {
		return err
	}
	for _, uid := range w.list.uids(0, w.list.len) {
		if _, ok := slices.BinarySearch(now, uid); !ok {
			w.gone[uid] = true
		}
	}
	return nil
}

// Gone takes the messages out that are gone, and returns the positions that
// they had, from the last to the first: each counts as the client sees it
// when it is told one after the other.
func (w *Window) Gone() []int {
	if len(w.gone) == 0 {
		return nil
	}
	var at []int
	for uid := range w.gone {
		if i, ok := w.list.find(uid); ok {
			at = append(at, i)
		}
		delete(w.fresh, uid)
	}
	slices.Sort(at)
	w.list = w.list.changed(at, func(*listing, uint32, store.Marks) {})
	known, _ := slices.BinarySearch(at, w.told)
	at = at[:known]
	w.told -= known
	clear(w.gone)
	clear(w.left)
	slices.Reverse(at)
	return at
}

// Grown says how many messages there are, if the client does not know them
// all yet. Messages that are gone already still count until Gone.
func (w *Window) Grown() (int, bool) {
	if w.told == w.list.len {
		return w.told, false
	}
	for _, uid := range w.list.uids(w.told, w.list.len) {
		delete(w.fresh, uid)
	}
	w.told = w.list.len
	return w.told, true
}

// Marked returns the positions whose marks changed since the client was told.
func (w *Window) Marked() []int {
	if len(w.fresh) == 0 {
		return nil
	}
	var at []int
	for uid := range w.fresh {
		if i, ok := w.list.find(uid); ok && i < w.told && !w.gone[uid] {
			at = append(at, i)
			delete(w.fresh, uid)
		}
	}
	slices.Sort(at)
	return at
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

package mailflow

import (
	"errors"
	"slices"

	"parley/mailflow/store"
)

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

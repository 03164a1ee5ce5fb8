package mailflow

import (
	"context"
	"errors"
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// undo takes back what a receipt stands for, when it is moved to where the
// message came from within the undo window. Moved elsewhere or later it
// changes nothing.
func (s *Seat) undo(ctx context.Context, from, dest store.Mailbox, m sending) error {
	s.acting.Lock()
	defer s.acting.Unlock()
	var r receipt
	why := ""
	err := s.Store.View(func(tx *store.Tx) (err error) {
		r, why, err = s.undoable(tx, from, dest, m.message)
		return err
	})
	if err != nil {
		return err
	}
	if why != "" {
		return s.answer(dest, m.message, notDone("%s; nothing was changed", why))
	}
	g := Gesture{Message: m.message, From: r.From, Done: r.At}
	if g.Button = buttonOf(from); r.Stays {
		g.Button, g.Folder = "", from.Number
	}
	err = s.Desk.onMessage(ctx, s.actor(), g, func(d *sitting, g Gesture, msg store.Message) error {
		if err := d.takeBack(g, msg); err != nil {
			return err
		}
		if err := unfile(d.tx, r.Mailbox, r.UID); err != nil {
			return err
		}
		r.Spent = true
		return putReceipt(d.tx, r)
	})
	if err != nil {
		return s.answer(dest, m.message, err)
	}
	return nil
}

// undoable finds the receipt of a message, and says why it cannot be undone
// any more, or "".
func (s *Seat) undoable(tx *store.Tx, from, dest store.Mailbox, id uint64) (receipt, string, error) {
	r, err := receipts.Get(tx, receiptKey(id, from.Number))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r, "this receipt has expired", nil
	case err != nil:
		return r, "", err
	case r.By != s.name:
		return r, fmt.Sprintf("this is what %s did, and only %s can take it back so; give the command that does the opposite", r.By, r.By), nil
	case r.Spent || r.From != dest.Number:
		return r, "it did not come from " + dest.Name, nil
	case tx.Now.After(r.At.Add(s.Undo)):
		return r, fmt.Sprintf("the %s in which it could be undone are over", cvd.FormatDuration(s.Undo)), nil
	}
	return r, "", nil
}

// wasFiled says whether a message came into a folder of a case by hand, from
// the folder that it is moved to now.
func (s *Seat) wasFiled(from, dest store.Mailbox, id uint64) (ok bool, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		r, err := receipts.Get(tx, receiptKey(id, from.Number))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		ok = r.Stays && !r.Spent && r.From == dest.Number
		return err
	})
	return ok, err
}

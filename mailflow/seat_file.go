package mailflow

import (
	"context"

	"parley/mailflow/store"
)

// fileInCase puts a message into a folder of a case: a command, unless it is
// there already. The UID is 0 where it was filed in another folder of the case.
func (s *Seat) fileInCase(ctx context.Context, from, dest store.Mailbox, id uint64, then func(*store.Tx) error) (uid uint32, err error) {
	s.acting.Lock()
	defer s.acting.Unlock()
	show := func(tx *store.Tx) error {
		if uid, err = s.show(tx, dest, id); err != nil || uid == 0 {
			return err
		}
		return then(tx)
	}
	if err := s.Store.Update(show); err != nil || uid != 0 {
		return uid, err
	}
	g := Gesture{Folder: dest.Number, Message: id, From: from.Number}
	err = s.Desk.onMessage(ctx, s.actor(), g, func(d *sitting, g Gesture, m store.Message) error {
		if uid, err = s.show(d.tx, dest, m.ID); err != nil {
			return err
		}
		if uid == 0 { // else it was filed there before, from another folder
			filed, err := d.press(g, m)
			if err != nil {
				return err
			}
			if uid, err = s.filed(d.tx, from, dest, filed); err != nil {
				return err
			}
		}
		return then(d.tx)
	})
	if err != nil {
		return 0, s.answer(dest, id, err)
	}
	return uid, nil
}

// filed notes that a message was filed in a case by hand, so that it can be
// undone from where it is, and gives its UID in dest.
func (s *Seat) filed(tx *store.Tx, from, dest store.Mailbox, id uint64) (here uint32, err error) {
	places, err := tx.FiledIn(id)
	if err != nil {
		return 0, err
	}
	for _, at := range places {
		box, err := tx.Mailbox(at.Mailbox)
		if err != nil {
			return 0, err
		}
		if placeOf(box) != casePlace {
			continue
		}
		if at.Mailbox == dest.Number {
			here = at.UID
		}
		r := receipt{Message: id, Mailbox: at.Mailbox, UID: at.UID, From: from.Number, By: s.name, At: tx.Now, Stays: true}
		if err := putReceipt(tx, r); err != nil {
			return 0, err
		}
	}
	tx.Changed(store.Change{Topic: topicReceipt})
	return here, nil
}

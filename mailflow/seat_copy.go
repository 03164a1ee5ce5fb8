package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/store"
)

// Copied says under which UIDs messages arrived in a folder, one for one
// (RFC 4315). Both lists are empty where they did not stay in that folder.
type Copied struct {
	UIDValidity uint32
	From, To    []uint32
}

// Copy puts the messages at these positions into another folder too. In Do/
// and in folders of cases that is a command: *Refusal where it is refused. A
// message that is gone already is left out.
func (w *Window) Copy(ctx context.Context, at []int, to string) (Copied, error) {
	return w.send(ctx, at, to, false)
}

// Move is Copy, and takes the messages away from here: out of a private
// folder, or out of this coordinator's sight. Refresh and Gone tell the
// client.
func (w *Window) Move(ctx context.Context, at []int, to string) (Copied, error) {
	return w.send(ctx, at, to, true)
}

// sending is a message under way from one folder to another.
type sending struct {
	uid     uint32
	message uint64
	marks   store.Marks
}

func (w *Window) send(ctx context.Context, at []int, to string, move bool) (Copied, error) {
	dest, err := w.seat.find(to)
	if err != nil {
		return Copied{}, err
	}
	var mail []sending
	err = w.Filed(at, func(_ *store.Tx, i int, e *store.Entry) error {
		mail = append(mail, sending{e.UID, e.Message, w.marks[i]})
		return nil
	})
	if err != nil {
		return Copied{}, err
	}
	c := Copied{UIDValidity: dest.UIDValidity}
	switch {
	case move && dest.Number == w.Number:
		return c, nil // where they are already
	case placeOf(dest) == ownPlace:
		err = w.keepAll(dest, mail, move, &c)
	default:
		err = w.actAll(ctx, dest, mail, move, &c)
	}
	return c, err
}

// atOnce is how many messages are changed in one commit: other writers wait
// for it.
const atOnce = 500

// keepAll puts messages into a private folder.
func (w *Window) keepAll(dest store.Mailbox, mail []sending, move bool, c *Copied) error {
	for some := range slices.Chunk(mail, atOnce) {
		var from, to []uint32
		err := w.seat.Store.Update(func(tx *store.Tx) error {
			from, to = nil, nil
			for _, m := range some {
				uid, err := w.seat.keep(tx, dest, m.message, m.marks)
				if err != nil {
					return err
				}
				from, to = append(from, m.uid), append(to, uid)
			}
			if !move {
				return nil
			}
			return w.takeAway(tx, from)
		})
		if err != nil {
			return err
		}
		c.From, c.To = append(c.From, from...), append(c.To, to...)
	}
	return nil
}

// actAll puts messages, each a command of its own, into a folder of the desk.
func (w *Window) actAll(ctx context.Context, dest store.Mailbox, mail []sending, move bool, c *Copied) error {
	for i, m := range mail {
		uid, err := w.arrive(ctx, dest, m, move)
		var r *Refusal
		if errors.As(err, &r) && len(mail) > 1 {
			err = &Refusal{Sentence: fmt.Sprintf("%d of %d were done, then: %s", i, len(mail), r.Sentence)}
		}
		if err != nil {
			return err
		}
		if uid != 0 {
			c.From, c.To = append(c.From, m.uid), append(c.To, uid)
		}
	}
	return nil
}

// arrive puts one message into a folder of the desk, and says under which UID:
// 0 where it did not stay there.
func (w *Window) arrive(ctx context.Context, dest store.Mailbox, m sending, move bool) (uid uint32, err error) {
	if placeOf(dest) == buttonPlace {
		uid, err = w.seat.act(ctx, w.Mailbox, dest, m.message)
	} else {
		uid, err = w.seat.bringBack(ctx, w.Mailbox, dest, m)
	}
	if err != nil || !move {
		return uid, err
	}
	return uid, w.seat.Store.Update(func(tx *store.Tx) error { return w.takeAway(tx, []uint32{m.uid}) })
}

// keep files a message in a private folder with the marks that it had.
func (s *Seat) keep(tx *store.Tx, dest store.Mailbox, id uint64, marks store.Marks) (uint32, error) {
	uid, err := tx.File(dest.Number, id)
	if err != nil {
		return 0, err
	}
	marks &^= store.MarkHidden | store.MarkDeleted
	return uid, tx.Mark(dest.Number, s.name, []uint32{uid}, 0, marks)
}

// bringBack handles what is put into a folder of the desk or of a case. A
// receipt that comes back from Do/ undoes; what this coordinator had hidden
// shows again. Anything else is a command in a case, and refused elsewhere.
func (s *Seat) bringBack(ctx context.Context, from, dest store.Mailbox, m sending) (uid uint32, err error) {
	if placeOf(from) == buttonPlace {
		if err := s.undo(ctx, from, dest, m); err != nil {
			return 0, err
		}
	} else if placeOf(dest) == casePlace {
		return s.fileInCase(ctx, dest, m.message)
	}
	err = s.Store.Update(func(tx *store.Tx) error {
		uid, err = s.show(tx, dest, m.message)
		return err
	})
	if err == nil && uid == 0 && placeOf(from) != buttonPlace {
		err = &Refusal{Sentence: fmt.Sprintf("nothing can be put into %s by hand; nothing was changed", dest.Name)}
	}
	return uid, err
}

// show lets this coordinator see a message again in a folder where it was
// hidden, under a new UID; where it shows, it stays as it is. 0 if it is not
// filed there.
func (s *Seat) show(tx *store.Tx, dest store.Mailbox, id uint64) (uint32, error) {
	uid, err := filedIn(tx, dest.Number, id)
	if err != nil || uid == 0 {
		return 0, err
	}
	marks, err := tx.MarksOf(dest.Number, s.name, []uint32{uid})
	if err != nil || marks[0]&store.MarkHidden == 0 {
		return uid, err
	}
	return tx.Refile(dest.Number, uid, s.name)
}

// filedIn gives the UID of a message in a mailbox, the newest; 0 for none.
func filedIn(tx *store.Tx, box uint32, id uint64) (uint32, error) {
	filed, err := tx.FiledIn(id)
	for i := len(filed) - 1; i >= 0; i-- {
		if filed[i].Mailbox == box {
			return filed[i].UID, err
		}
	}
	return 0, err
}

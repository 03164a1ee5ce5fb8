package mailflow

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/mailflow/store"
)

// receiptLife is how long a receipt stays in Do/.
const receiptLife = 24 * time.Hour

// receipt is what shows in a folder Do/X that a message was put there: the
// message itself, under a UID of its own. While it is fresh, the same message
// put there again is the same command, and nothing further happens: mutt
// copies at once and deletes much later, mbsync pushes twice after a crash.
type receipt struct {
	Message uint64
	Mailbox uint32 // the folder Do/X
	UID     uint32
	From    uint32 // the mailbox that it came from, 0 for APPEND
	By      string
	At      time.Time
	Spent   bool // undone, or overtaken by another button: the next is a new command
	Stays   bool // it was filed in a folder of a case: the message stays there, and the receipt is only for undo
}

var receipts = store.Versioned[receipt]("receipts")

func receiptKey(id uint64, box uint32) []byte { return store.Seq(id, uint64(box)) }

// act does what it means to put a message into Do/, and gives the UID of its
// receipt there: gesture, receipt and what then does are one transaction. Where
// it means nothing new, the receipt that there is stands.
func (s *Seat) act(ctx context.Context, from, dest store.Mailbox, id uint64, then func(*store.Tx) error) (uid uint32, err error) {
	s.acting.Lock() // two clients of one coordinator may push the same message
	defer s.acting.Unlock()
	g := Gesture{Button: buttonOf(dest), Message: id, From: from.Number}
	err = s.Desk.onMessage(ctx, s.actor(), g, func(d *sitting, g Gesture, m store.Message) error {
		if _, err := d.press(g, m); err != nil {
			return err
		}
		if uid, err = s.giveReceipt(d.tx, from, dest, id); err != nil {
			return err
		}
		return then(d.tx)
	})
	var r *Refusal
	if errors.As(err, &r) && r.Already {
		before := s.Store.Update(func(tx *store.Tx) (err error) {
			if uid, err = given(tx, dest.Number, id); err != nil || uid == 0 {
				return err
			}
			return then(tx)
		})
		if before != nil || uid != 0 {
			return uid, before
		}
	}
	if err != nil {
		return 0, s.answer(dest, id, err)
	}
	return uid, nil
}

// buttonOf is what a folder Do/X means.
func buttonOf(box store.Mailbox) string {
	return strings.TrimPrefix(box.Name, buttonsFolder+delimiter)
}

// actor is this coordinator, moving messages.
func (s *Seat) actor() Actor { return Actor{Name: s.name, Via: ViaGesture} }

// given finds the fresh receipt of a message in Do/X; 0 if there is none.
func given(tx *store.Tx, box uint32, id uint64) (uint32, error) {
	r, err := receipts.Get(tx, receiptKey(id, box))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil || r.Spent || !tx.Filed(box, r.UID, nil) {
		return 0, err
	}
	return r.UID, nil
}

// answer returns an error of the desk. A refusal becomes a mail too, because
// some clients do not show the sentence.
func (s *Seat) answer(dest store.Mailbox, id uint64, err error) error {
	var r *Refusal
	if !errors.As(err, &r) {
		return err
	}
	m, failed := s.message(id)
	if failed != nil && !errors.Is(failed, store.ErrNotFound) {
		return failed
	}
	return s.refused(dest, m, r)
}

// giveReceipt files a message in Do/X and notes that it acted there. What
// other buttons did with it is overtaken: hold, release and hold again are
// three commands.
func (s *Seat) giveReceipt(tx *store.Tx, from, dest store.Mailbox, id uint64) (uint32, error) {
	if err := s.taskDone(tx, refusedKey(s.name, dest, id)); err != nil {
		return 0, err
	}
	for row, err := range receipts.All(tx, store.Seq(id)) {
		if err != nil {
			return 0, err
		}
		r := row.Value
		if r.Stays {
			continue // filed in a case, which no button overtakes
		}
		if r.Mailbox == dest.Number {
			if err := unfile(tx, r.Mailbox, r.UID); err != nil {
				return 0, err
			}
			continue
		}
		r.Spent = true
		if err := putReceipt(tx, r); err != nil {
			return 0, err
		}
	}
	uid, err := tx.File(dest.Number, id)
	if err != nil {
		return 0, err
	}
	if err := tx.Mark(dest.Number, s.name, []uint32{uid}, 0, store.MarkSeen); err != nil {
		return 0, err
	}
	tx.Changed(store.Change{Topic: topicReceipt})
	return uid, putReceipt(tx, receipt{Message: id, Mailbox: dest.Number, UID: uid, From: from.Number, By: s.name, At: tx.Now})
}

func putReceipt(tx *store.Tx, r receipt) error {
	m, err := tx.Message(r.Message)
	if err != nil {
		return err
	}
	return receipts.Put(tx, m.Scope, receiptKey(r.Message, r.Mailbox), r)
}

// unfile is Unfile of what may be gone already.
func unfile(tx *store.Tx, box, uid uint32) error {
	if err := tx.Unfile(box, uid); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

func (s *Seat) message(id uint64) (m store.Message, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		m, err = tx.Message(id)
		return err
	})
	return m, err
}

// RunDue takes receipts out of Do/ that are a day old, and says when the next
// one will be; the zero time if there is none. It drops what was encrypted to
// coordinators' former keys.
func (s *Seats) RunDue(ctx context.Context, now time.Time) (next time.Time, err error) {
	if err := s.dropOldForms(); err != nil {
		return next, err
	}
	return s.expireReceipts(ctx, now)
}

func (s *Seats) expireReceipts(ctx context.Context, now time.Time) (next time.Time, err error) {
	var old []receipt
	err = s.Store.View(func(tx *store.Tx) error {
		for row, err := range receipts.All(tx, nil) {
			if errors.Is(err, store.ErrShredded) {
				continue // gone with its case
			}
			if err != nil {
				return err
			}
			end := row.Value.At.Add(receiptLife)
			switch {
			case !end.After(now):
				old = append(old, row.Value)
			case next.IsZero() || end.Before(next):
				next = end
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 || ctx.Err() != nil {
		return next, err
	}
	return next, s.Store.Update(func(tx *store.Tx) error {
		for _, r := range old {
			if !r.Stays {
				if err := unfile(tx, r.Mailbox, r.UID); err != nil {
					return err
				}
			}
			if err := receipts.Delete(tx, receiptKey(r.Message, r.Mailbox)); err != nil {
				return err
			}
		}
		return nil
	})
}

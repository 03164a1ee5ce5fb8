package mailflow

import (
	"context"
	"errors"
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// undo takes back what a receipt stands for, when it is moved to where the
// message came from within the undo window, and shows the message there again,
// under the UID that it says: 0 where a newer one took its place. Moved elsewhere
// or later it changes nothing. All of it is one transaction, and then with it: a
// case file may be replaced, and be gone, between any two.
func (s *Seat) undo(ctx context.Context, from, dest store.Mailbox, m sending, then func(*store.Tx) error) (uid uint32, err error) {
	s.acting.Lock()
	defer s.acting.Unlock()
	var r receipt
	why := ""
	err = s.Store.View(func(tx *store.Tx) (err error) {
		r, why, err = s.undoable(tx, from, dest, m.message)
		return err
	})
	if err != nil {
		return 0, err
	}
	if why != "" {
		return 0, s.answer(dest, m.message, s.tooLate(from, m.message, why))
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
		if err := putReceipt(d.tx, r); err != nil {
			return err
		}
		if uid, err = s.show(d.tx, dest, m.message); err != nil {
			return err
		}
		return then(d.tx)
	})
	if err != nil {
		return 0, s.answer(dest, m.message, err)
	}
	return uid, nil
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
		return r, fmt.Sprintf("this is what %s did, and only %s can take it back by moving it; give the command that does the opposite", r.By, r.By), nil
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

// tooLate refuses to take a gesture back, and says what does the opposite.
func (s *Seat) tooLate(from store.Mailbox, id uint64, why string) error {
	m, err := s.message(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	tag, party := m.Case, m.Party
	if _, inReport := reportNumber(cvd.CaseID(tag)); inReport || tag == "" {
		tag = "TAG"
	}
	if party == "" {
		party = "case"
	}
	return toDo(notDone("%s; nothing was changed", why), "%s", s.opposite(buttonOf(from), tag, party, m.Report))
}

// opposite says how to do by mail what cannot be taken back any more: party is
// a participant of the case, or "case" for all of it.
func (s *Seat) opposite(button, tag, party string, report uint64) string {
	control := "a mail to control@" + s.DeskDomain + ":\n"
	switch button {
	case "Hold":
		return fmt.Sprintf("leave it there; what does the opposite is %s    case %s\n    release %s", control, tag, party)
	case "Release":
		return fmt.Sprintf("leave it there; what does the opposite is %s    case %s\n    hold %s because \"...\"", control, tag, party)
	case "Approve", "Acknowledge":
		return fmt.Sprintf("leave it there; stop what has not left yet by %s    case %s\n    hold %s because \"...\"", control, tag, party)
	case "New case":
		return fmt.Sprintf("leave it there; end the case by %s    case %s\n    case close", control, tag)
	case "Spam":
		return fmt.Sprintf("leave it there; bring the report back by %s    report %s reopen", control, reportOr(report, "N"))
	}
	return "leave it there; the commands are listed in the answer to " + control + "    help"
}

// reportOr is the number of a report, or a word where there is none.
func reportOr(n uint64, word string) string {
	if n == 0 {
		return word
	}
	return fmt.Sprint(n)
}

package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/cvd"
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
	c := Copied{UIDValidity: dest.UIDValidity}
	switch {
	case move && dest.Number == w.Number:
		return c, nil // where they are already
	case placeOf(dest) == ownPlace:
		err = w.keepAll(dest, at, move, &c)
	default:
		err = w.actAll(ctx, dest, at, move, &c)
	}
	return c, err
}

// here reads what is still to be seen of the messages at these positions, with
// the marks that they have now: since this client was told, another of this
// coordinator may have taken some away or marked them, and the desk may have
// restricted a case to others.
func (w *Window) here(tx *store.Tx, at []int) (mail []sending, err error) {
	var failed error
	see := w.seat.view(tx, &failed)
	uids := slices.DeleteFunc(w.uidsAt(at), func(uid uint32) bool { return !tx.Filed(w.Number, uid, see) })
	if failed != nil {
		return nil, failed
	}
	marks, err := tx.MarksOf(w.Number, w.seat.name, uids)
	if err != nil {
		return nil, err
	}
	next := 0
	err = tx.Entries(w.Number, uids, func(e *store.Entry) error {
		for uids[next] != e.UID {
			next++
		}
		if m := marks[next]; m&store.MarkHidden == 0 {
			mail = append(mail, sending{e.UID, e.Message, m})
		}
		return nil
	})
	return mail, err
}

// uidsAt are the UIDs at these positions, as far as they are not known to be
// gone.
func (w *Window) uidsAt(at []int) []uint32 {
	uids := make([]uint32, 0, len(at))
	for _, i := range at {
		if !w.Lost(i) {
			uids = append(uids, w.list.uid(i))
		}
	}
	return uids
}

// atOnce is how many messages are changed in one commit: other writers wait
// for it.
const atOnce = 500

// keepAll puts messages into a private folder. What is there is read in the
// transaction that files it, so that two clients that move the same message
// move it once.
func (w *Window) keepAll(dest store.Mailbox, at []int, move bool, c *Copied) error {
	for some := range slices.Chunk(at, atOnce) {
		var from, to []uint32
		err := w.seat.Store.Update(func(tx *store.Tx) error {
			from, to = nil, nil
			mail, err := w.here(tx, some)
			if err != nil {
				return err
			}
			for _, m := range mail {
				uid, err := w.seat.keep(tx, dest, m.message, m.marks&^store.MarkDeleted)
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
func (w *Window) actAll(ctx context.Context, dest store.Mailbox, at []int, move bool, c *Copied) error {
	var mail []sending
	err := w.seat.Store.View(func(tx *store.Tx) (err error) {
		mail, err = w.here(tx, at)
		return err
	})
	if err != nil {
		return err
	}
	if len(mail) == 0 && len(at) > 0 && placeOf(dest) == buttonPlace {
		if done, err := w.dealtWith(at, dest); err != nil || done {
			return err
		}
		return w.seat.refused(dest, store.Message{}, replaced(dest))
	}
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

// dealtWith says whether one of the messages that left these positions did so by
// the button that is pressed again, and what that did still stands: mutt copies at
// once and again, and mbsync after a crash.
func (w *Window) dealtWith(at []int, dest store.Mailbox) (done bool, err error) {
	if err := w.Refresh(); err != nil {
		return false, err
	}
	return done, w.seat.Store.View(func(tx *store.Tx) error {
		for _, i := range at {
			id := w.left[w.list.uid(i)]
			if id == 0 || done {
				continue
			}
			uid, err := given(tx, dest.Number, id)
			if err != nil || uid == 0 {
				return err
			}
			if done, err = stands(tx, buttonOf(dest), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// stands says whether what a button did with a message is so: a hold may have been
// released since, and who reads OK would take it for stopped.
func stands(tx *store.Tx, button string, id uint64) (bool, error) {
	if button != "Hold" {
		return true, nil
	}
	m, err := tx.Message(id)
	if err != nil || m.Case == "" {
		return false, err
	}
	c, err := CaseByID(tx, cvd.CaseID(m.Case))
	if err != nil || c.Hold != nil || m.Party == "" {
		return c.Hold != nil, err
	}
	p, err := ParticipantByID(tx, c.ID, cvd.PartyID(m.Party))
	return p.Hold != nil, err
}

// replaced refuses a button for messages that are all gone by now, such as a case
// file that a newer one took the place of, or a request that is void: whoever reads
// OK would take it for done.
func replaced(dest store.Mailbox) *Refusal {
	what := "did nothing"
	switch buttonOf(dest) {
	case "Hold", "Reject":
		what = "stopped nothing"
	case "Approve":
		what = "approved nothing"
	case "Release":
		what = "released nothing"
	}
	return &Refusal{Sentence: "this message is not here any more, so this " + what + "; take the newest one, if there is one",
		Next: "let your mail client read the folder anew, and drop the newest mail there into " + dest.Name + ". If none is there, somebody dealt with it, or it is void: Status says which"}
}

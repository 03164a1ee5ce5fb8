package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Append puts a message that a client wrote or kept into a folder. In a
// private folder it is the coordinator's own, served as it came unless the view
// is sealed: whoever steals that login's password must not read what its client
// stored, either (rule A4). In Do/ it counts only if we served it (rule A5), and
// is then the command that copying it there would be; so it is in folders of
// cases, where a new message is refused too. at is its date, the zero time for now. It returns UIDVALIDITY
// and UID of where it is; UID 0 where it did not stay.
func (s *Seat) Append(ctx context.Context, to string, raw []byte, marks store.Marks, at time.Time) (validity, uid uint32, err error) {
	dest, err := s.find(to)
	if err != nil {
		return 0, 0, err
	}
	if placeOf(dest) == ownPlace {
		uid, err = s.write(dest, raw, marks, at)
		return dest.UIDValidity, uid, err
	}
	id, err := s.served(raw)
	if err != nil {
		return 0, 0, err
	}
	from, err := s.cameFrom(dest, id)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case id == 0:
		err = s.refused(dest, store.Message{}, &Refusal{Sentence: fmt.Sprintf("only messages that Parley shows may be put into %s, unchanged; nothing was changed", dest.Name)})
	case placeOf(dest) == buttonPlace:
		uid, err = s.act(ctx, from, dest, id, nothingElse)
	default:
		uid, err = s.bringBack(ctx, from, dest, sending{message: id}, nothingElse)
	}
	return dest.UIDValidity, uid, err
}

// cameFrom guesses where a message stood that a client gives back, since APPEND
// does not say: where a gesture put it that goes back now, or in a folder of the
// desk or of a case; else it is taken to be from a private one.
func (s *Seat) cameFrom(dest store.Mailbox, id uint64) (store.Mailbox, error) {
	from := store.Mailbox{Owner: s.name}
	if id == 0 {
		return from, nil
	}
	err := s.Store.View(func(tx *store.Tx) error {
		for row, err := range receipts.All(tx, store.Seq(id)) {
			if err != nil {
				return err
			}
			if r := row.Value; !r.Spent && r.From == dest.Number && r.By == s.name {
				from, err = tx.Mailbox(r.Mailbox)
				return err
			}
		}
		places, err := tx.FiledIn(id)
		for _, at := range places {
			box, err := tx.Mailbox(at.Mailbox)
			if err != nil {
				return err
			}
			if p := placeOf(box); p == deskPlace || p == casePlace {
				from = box
				break
			}
		}
		return err
	})
	return from, err
}

// write stores a message of the coordinator's own.
func (s *Seat) write(dest store.Mailbox, raw []byte, marks store.Marks, at time.Time) (uid uint32, err error) {
	if err := s.Reserve.Takes(int64(len(raw))); err != nil {
		return 0, err
	}
	draft, err := s.Store.SealBytes(raw)
	if err != nil {
		return 0, err
	}
	defer draft.Drop()
	own := s.ownMail(raw)
	err = s.Store.Update(func(tx *store.Tx) error {
		m := own
		if m.Served, err = tx.Keep(draft); err != nil {
			return err
		}
		if m.At = at.UTC(); at.IsZero() {
			m.At = tx.Now
		}
		if m, err = tx.PutMessage(m); err != nil {
			return err
		}
		uid, err = s.keep(tx, dest, m.ID, marks)
		return err
	})
	return uid, err
}

// ownMail describes a message that a client wrote. What cannot be parsed is
// kept as one file, and comes back octet for octet like everything else.
func (s *Seat) ownMail(raw []byte) store.Message {
	m := store.Message{Scope: DeskScope, Direction: ownMail, Sender: s.name}
	if s.shown != nil {
		m.Ref = s.shown.mark()
	}
	tree, err := message.Parse(raw, ownLimits(s.Limits))
	if err != nil {
		m.Structure = &message.Structure{Type: "application", Subtype: "octet-stream", Encoding: "binary", Size: uint32(len(raw)), BodyEnd: int64(len(raw))}
		return m
	}
	m.Envelope, m.Structure = tree.Envelope(), tree.Structure()
	if about := s.about(m.Envelope); about != "" {
		m.Case, m.Scope = string(about), caseScope(about)
	}
	return m
}

// about finds the case that a coordinator's own mail is of, so that it is
// sealed, seen and shredded with it: by the desk addresses it goes to.
func (s *Seat) about(e message.Envelope) cvd.CaseID {
	for _, a := range slices.Concat(e.To, e.Cc, e.Bcc) {
		if d, ok := s.parseDeskAddress(a.Addr()); ok && d.Case != "" && s.seesCase(d.Case) {
			return d.Case
		}
	}
	return ""
}

func (s *Seat) seesCase(id cvd.CaseID) bool {
	var ok bool
	err := s.Store.View(func(tx *store.Tx) (err error) {
		if tx.HasScope(caseScope(id)) {
			ok, err = s.sees(tx, caseScope(id))
		}
		return err
	})
	return err == nil && ok
}

// served finds the message that a client gives back: one with the same
// Message-ID and the same body, which this seat sees, as its view serves it or as
// it is stored. Header lines that clients add, like the X-TUID of mbsync, do not
// matter. 0 if there is none.
func (s *Seat) served(raw []byte) (uint64, error) {
	tree, err := message.Parse(raw, ownLimits(s.Limits))
	if err != nil || tree.Header.MessageID() == "" {
		return 0, nil
	}
	var found []store.Message
	err = s.Store.View(func(tx *store.Tx) error {
		found, err = s.servedAs(tx, tree.Header.MessageID())
		return err
	})
	if err != nil {
		return 0, err
	}
	body := unixLines(tree.RawBody())
	for _, m := range slices.Backward(found) {
		if s.shown != nil && m.Envelope.Subject != tree.Header.Text("Subject") {
			continue // headlines have one body for all
		}
		ours, err := s.Store.Bytes(m.Served)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if bytes.Equal(unixLines(ours[m.Structure.HeaderEnd:]), body) {
			return m.ID, nil
		}
	}
	return 0, nil
}

// servedAs lists what this seat is or could be served under a Message-ID, with
// the bytes that it would be.
func (s *Seat) servedAs(tx *store.Tx, messageID string) ([]store.Message, error) {
	ids, err := tx.MessagesWithID(messageID)
	if err != nil {
		return nil, err
	}
	found, err := s.seen(tx, ids, nil)
	if err != nil || s.shown == nil {
		return found, err
	}
	if ids, err = tx.FormsWithID(s.shown.kind, messageID); err != nil {
		return nil, err
	}
	formed, err := s.seen(tx, ids, func(m *store.Message) error {
		form, err := tx.Form(s.shown.kind, m.ID)
		m.Served, m.Structure, m.Envelope = form.Served, form.Structure, form.Envelope
		return err
	})
	return append(found, formed...), err
}

// seen reads those messages that are the desk's and that this seat sees.
func (s *Seat) seen(tx *store.Tx, ids []uint64, change func(*store.Message) error) ([]store.Message, error) {
	var found []store.Message
	for _, id := range ids {
		m, err := tx.Message(id)
		if err != nil {
			return nil, err
		}
		ok, err := s.sees(tx, m.Scope)
		if err != nil {
			return nil, err
		}
		if !ok || m.Direction == ownMail {
			continue
		}
		if change != nil {
			if err := change(&m); err != nil {
				return nil, err
			}
		}
		found = append(found, m)
	}
	return found, nil
}

// unixLines lets bodies be compared that a client stored with line ends of
// its own.
func unixLines(b []byte) []byte {
	return bytes.TrimRight(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), "\n")
}

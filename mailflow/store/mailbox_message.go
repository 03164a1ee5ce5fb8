package store

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"parley/mailflow/message"
)

// A Message is a mail with what is known of it. Its bytes never change; it is filed in any number of mailboxes.
type Message struct {
	ID        uint64
	Scope     Scope     // whose key seals it, and so who may see it
	At        time.Time // when it came or was written: INTERNALDATE
	Raw       *Body     // the bytes received; nil for mail of our own
	Served    Body      // the exact bytes that every UID of it serves
	Size      int64     // of Served, in octets
	Envelope  message.Envelope
	Structure *message.Structure // of Served
	MessageID string             // of the mail received or sent, without brackets; that of Served stands in Envelope
	Case      string             // the case tag, or ""
	Party     string             // whose thread it belongs to, or ""
	Direction string             // "in", "out", "system"
	Report    uint64             // the number of the report it is or belongs to, or 0
	Sender    string             // the real address it came from, or ""
	Kind      string             // what it is: "report", "approval", "held" …
	Ref       string             // what a gesture on it means: an approval, a notice, a delivery
	Task      uint64             // the number of the task that it stands for, or 0
}

var (
	messages   = Versioned[Message]("messages")
	messageIDs = WriteOnce[[]byte]("messageids") // nothing, under the Message-ID served and the message's number
)

func (tx *Tx) messageIDKey(m Message) []byte {
	return append(tx.Name("message-id", m.Envelope.MessageID), Seq(m.ID)...)
}

// PutMessage stores a message under its Scope and gives it its ID. Served must be kept in the same update. Size and
// the order of everything else is the caller's; Structure must describe Served.
func (tx *Tx) PutMessage(m Message) (Message, error) {
	if err := tx.putMessage(&m); err != nil {
		return m, fmt.Errorf("put message: %w", err)
	}
	return m, nil
}

func (tx *Tx) putMessage(m *Message) error {
	if m.Structure == nil || m.Structure.BodyEnd > m.Served.Size {
		return errors.New("its structure does not describe the bytes it serves")
	}
	m.Size = m.Served.Size
	h, err := tx.headOf(*m)
	if err != nil {
		return err
	}
	if m.ID, err = tx.Next("message"); err != nil {
		return err
	}
	if err := messages.Put(tx, m.Scope, Seq(m.ID), *m); err != nil {
		return err
	}
	if err := heads.Put(tx, m.Scope, Seq(m.ID), h); err != nil {
		return err
	}
	if err := tx.putStructure(*m); err != nil {
		return err
	}
	return tx.indexMessageID(*m)
}

func (tx *Tx) indexMessageID(m Message) error {
	if m.Envelope.MessageID == "" {
		return nil
	}
	return messageIDs.Put(tx, m.Scope, tx.messageIDKey(m), nil)
}

// Message returns a message; ErrNotFound if there is none.
func (tx *Tx) Message(id uint64) (Message, error) {
	m, err := messages.Get(tx, Seq(id))
	if err != nil {
		return m, fmt.Errorf("message %d: %w", id, err)
	}
	return m, nil
}

// MessagesWithID lists the messages that are served under a Message-ID (without brackets), oldest first.
func (tx *Tx) MessagesWithID(id string) ([]uint64, error) {
	prefix := tx.Name("message-id", id)
	var found []uint64
	for row, err := range messageIDs.All(tx, prefix) {
		if errors.Is(err, ErrShredded) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("messages by Message-ID: %w", err)
		}
		found = append(found, keyNumber(row.Key[len(prefix):]))
	}
	return found, nil
}

// MoveMessage seals a message and all its places under another scope, and lets change alter what is known of it. Its bytes,
// envelope and structure stay, and so do its UIDs. change may be nil.
func (tx *Tx) MoveMessage(id uint64, to Scope, change func(*Message)) error {
	if err := tx.moveMessage(id, to, change); err != nil {
		return fmt.Errorf("move message %d: %w", id, err)
	}
	return nil
}

func (tx *Tx) moveMessage(id uint64, to Scope, change func(*Message)) error {
	old, err := tx.Message(id)
	if err != nil {
		return err
	}
	m := old
	if change != nil {
		change(&m)
	}
	m.ID, m.Scope, m.At, m.Raw, m.Served, m.Size = id, to, old.At, old.Raw, old.Served, old.Size
	m.Envelope, m.Structure = old.Envelope, old.Structure
	if err := messages.Put(tx, to, Seq(id), m); err != nil {
		return err
	}
	if to == old.Scope {
		return nil
	}
	if err := errors.Join(reseal(tx, heads, to, Seq(id)), tx.moveStructure(id, to)); err != nil {
		return err
	}
	if m.Envelope.MessageID != "" {
		if err := reseal(tx, messageIDs, to, tx.messageIDKey(m)); err != nil {
			return err
		}
	}
	if err := tx.moveForms(id, to); err != nil {
		return err
	}
	filed, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	for _, p := range filed {
		if err := reseal(tx, entries, to, entryKey(p.Mailbox, p.UID)); err != nil {
			return err
		}
		if err := reseal(tx, places, to, placeKey(id, p)); err != nil {
			return err
		}
		tx.Changed(Change{Topic: TopicMailbox, Mailbox: p.Mailbox, UID: p.UID, Kind: ChangeScope})
	}
	return nil
}

// reseal puts a write-once value under another scope.
func reseal[V any](tx *Tx, t Table[V], to Scope, key []byte) error {
	v, err := t.Get(tx, key)
	if err != nil {
		return err
	}
	if err := t.Delete(tx, key); err != nil {
		return err
	}
	return t.Put(tx, to, key, v)
}

// DropMessage removes a message that is filed nowhere, with its bytes. It is meant for what a coordinator wrote
// and threw away; what came in or went out is never dropped.
func (tx *Tx) DropMessage(id uint64) error {
	m, err := tx.Message(id)
	if err != nil {
		return err
	}
	filed, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	if len(filed) > 0 {
		return fmt.Errorf("drop message %d: it is filed in %d places", id, len(filed))
	}
	for _, kind := range tx.kindsOf(id) {
		if err := tx.dropForm(kind, id); err != nil {
			return err
		}
	}
	err = errors.Join(messages.Delete(tx, Seq(id)), heads.Delete(tx, Seq(id)), structures.Delete(tx, Seq(id)), tx.Forget(m.Served))
	if m.Raw != nil {
		err = errors.Join(err, tx.Forget(*m.Raw))
	}
	if m.Envelope.MessageID != "" {
		err = errors.Join(err, messageIDs.Delete(tx, tx.messageIDKey(m)))
	}
	return err
}

// MessagesFrom walks the messages from a number on, oldest first. One that does not open comes as its number and an error, and
// the walk goes on.
func (tx *Tx) MessagesFrom(id uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for row, err := range messages.From(tx, nil, Seq(id)) {
			if row.Value.ID = keyNumber(row.Key); !yield(row.Value, err) {
				return
			}
		}
	}
}

// MessagesIn walks what is filed in a mailbox, in the order of its UIDs. An error ends it.
func (tx *Tx) MessagesIn(number uint32) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		uids, err := tx.UIDs(number, nil)
		for _, uid := range uids {
			var m Message
			var e Entry
			if e, err = tx.Entry(number, uid); err == nil {
				m, err = tx.Message(e.Message)
			}
			if err != nil || !yield(m, nil) {
				break
			}
		}
		if err != nil {
			yield(Message{}, err)
		}
	}
}

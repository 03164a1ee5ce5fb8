package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// An Entry is a message in a mailbox: all that a list of messages shows, so that such a list opens one small row for each. It
// never changes.
type Entry struct {
	UID      uint32    // not stored: it is the key
	Message  uint64    // the Message
	At       time.Time // INTERNALDATE, to the second
	Size     int64     // RFC822.SIZE
	Served   Body      // without SHA256
	Envelope []byte    // as IMAP writes it, "(...)": EnvelopeLine
}

// A Place is where a message is filed.
type Place struct{ Mailbox, UID uint32 }

var (
	entries = WriteOnce[Entry]("entries") // mailbox number and UID, so that rows lie as they were inserted
	places  = WriteOnce[[]byte]("places") // nothing, under the message, mailbox and UID
)

func entryKey(mailbox, uid uint32) []byte {
	return binary.BigEndian.AppendUint32(boxKey(mailbox), uid)
}

func placeKey(id uint64, p Place) []byte { return append(Seq(id), entryKey(p.Mailbox, p.UID)...) }

// entryForm is the first byte of a stored entry.
const entryForm = 1

// MarshalBinary writes the stored form.
func (e Entry) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 1+3*binary.MaxVarintLen64+2+len(e.Served.Key)+len(e.Envelope))
	b = append(b, entryForm)
	b = binary.AppendUvarint(b, e.Message)
	b = binary.AppendVarint(b, e.At.Unix())
	b = binary.AppendUvarint(b, uint64(e.Size))
	b = binary.AppendUvarint(b, e.Served.ID)
	b = append(b, 0, byte(len(e.Served.Key)))
	if e.Served.Blob {
		b[len(b)-2] = 1
	}
	b = append(b, e.Served.Key...)
	return append(b, e.Envelope...), nil
}

// UnmarshalBinary reads the stored form.
func (e *Entry) UnmarshalBinary(b []byte) error {
	if err := e.alias(b); err != nil {
		return err
	}
	e.Served.Key = append([]byte(nil), e.Served.Key...)
	e.Envelope = append([]byte(nil), e.Envelope...)
	return nil
}

// alias reads the stored form without a copy: key and envelope are parts of b.
func (e *Entry) alias(b []byte) error {
	r := fieldReader{b: b}
	form := r.byte()
	e.Message = r.uvarint()
	e.At = time.Unix(r.varint(), 0).UTC()
	e.Size = int64(r.uvarint())
	e.Served = Body{ID: r.uvarint(), Size: e.Size, Blob: r.byte() == 1}
	e.Served.Key = r.bytes(int(r.byte()))
	e.Envelope = r.b
	if r.failed || form != entryForm {
		return errors.New("an entry of a mailbox does not have its form")
	}
	return nil
}

// A fieldReader takes a stored form apart. After it ran over the end everything it reads is zero.
type fieldReader struct {
	b      []byte
	failed bool
}

func (r *fieldReader) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.failed = nil, true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *fieldReader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *fieldReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return r.took(v, n)
}

func (r *fieldReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return int64(r.took(uint64(v), n))
}

// took moves on by the n octets that v stood in.
func (r *fieldReader) took(v uint64, n int) uint64 {
	if n <= 0 {
		r.b, r.failed = nil, true
		return 0
	}
	r.bytes(n)
	return v
}

// File puts a message into a mailbox and returns its UID there.
func (tx *Tx) File(mailbox uint32, id uint64) (uid uint32, err error) {
	box, err := tx.Mailbox(mailbox)
	if err != nil {
		return 0, err
	}
	m, err := tx.Message(id)
	if err != nil {
		return 0, err
	}
	return tx.FileIn(box, m)
}

// FileIn is File for who has read the mailbox, and read or put the message, in this update.
func (tx *Tx) FileIn(box Mailbox, m Message) (uid uint32, err error) {
	if uid, err = tx.file(box, m); err != nil {
		return 0, fmt.Errorf("file message %d in mailbox %d: %w", m.ID, box.Number, err)
	}
	return uid, nil
}

func (tx *Tx) file(box Mailbox, m Message) (uint32, error) {
	uid := box.UIDNext
	if uid == math.MaxUint32 {
		return 0, errors.New("no UID is left")
	}
	box.UIDNext++
	if err := mailboxes.Put(tx, box.Scope, boxKey(box.Number), box); err != nil {
		return 0, err
	}
	if err := entries.Put(tx, m.Scope, entryKey(box.Number, uid), EntryOf(m, uid)); err != nil {
		return 0, err
	}
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: box.Number, UID: uid, Kind: ChangeFiled})
	return uid, places.Put(tx, m.Scope, placeKey(m.ID, Place{box.Number, uid}), nil)
}

// EntryOf is the entry of a message that stands under a UID.
func EntryOf(m Message, uid uint32) Entry {
	return Entry{UID: uid, Message: m.ID, At: m.At, Size: m.Size, Served: m.Served, Envelope: EnvelopeLine(m.Envelope)}
}

// Unfile takes a message out of a mailbox, for everyone; ErrNotFound if it is not there. The message itself stays.
func (tx *Tx) Unfile(mailbox, uid uint32) error {
	e, err := tx.Entry(mailbox, uid)
	if err != nil {
		return err
	}
	if err := places.Delete(tx, placeKey(e.Message, Place{mailbox, uid})); err != nil {
		return err
	}
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: mailbox, UID: uid, Kind: ChangeUnfiled, Message: e.Message})
	return entries.Delete(tx, entryKey(mailbox, uid))
}

// Refile takes a message out of a mailbox and puts it back under a new UID with the marks it had, MarkHidden of seat excepted.
// It is how a message that was hidden comes back: a UID that a client saw go must not return.
func (tx *Tx) Refile(mailbox, uid uint32, seat string) (fresh uint32, err error) {
	e, err := tx.Entry(mailbox, uid)
	if err != nil {
		return 0, err
	}
	if fresh, err = tx.File(mailbox, e.Message); err != nil {
		return 0, err
	}
	if err := tx.copyMarks(mailbox, uid, fresh); err != nil {
		return 0, err
	}
	if err := tx.Mark(mailbox, seat, []uint32{fresh}, MarkHidden|MarkDeleted, 0); err != nil {
		return 0, err
	}
	return fresh, tx.Unfile(mailbox, uid)
}

// Replace puts another message in the place of one in a mailbox, under a new UID with the marks that the old one had: a message
// that says by now what it could not say before.
func (tx *Tx) Replace(mailbox, uid uint32, id uint64) (fresh uint32, err error) {
	if fresh, err = tx.File(mailbox, id); err != nil {
		return 0, err
	}
	if err := tx.copyMarks(mailbox, uid, fresh); err != nil {
		return 0, err
	}
	return fresh, tx.Unfile(mailbox, uid)
}

// FiledIn lists where a message is filed, by mailbox and UID.
func (tx *Tx) FiledIn(id uint64) ([]Place, error) {
	if err := tx.usable(false); err != nil {
		return nil, err
	}
	prefix := Seq(id)
	var filed []Place
	for w := newWalk(tx, places.rows, "", prefix, prefix); w.next(); {
		p := w.key[len(prefix):]
		if len(p) != 8 {
			return nil, ErrTampered
		}
		filed = append(filed, Place{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])})
	}
	return filed, nil
}

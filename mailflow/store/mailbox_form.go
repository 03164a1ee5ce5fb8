package store

import (
	"errors"
	"fmt"

	"parley/mailflow/message"
)

// A Form is a message in another shape than Message.Served, for seats that are not shown what it holds. A message has one for
// each Kind that was ever asked for; like Served it never changes. Forms are sealed, moved, shredded and dropped with their message.
type Form struct {
	Served    Body
	Envelope  message.Envelope
	Structure *message.Structure
}

// FormKind says for whom forms were made. What a number stands for is the caller's.
type FormKind uint64

var (
	forms     = WriteOnce[Form]("forms")      // by message and kind
	formLines = WriteOnce[Entry]("formlines") // likewise: what a list shows of it, which opens many times faster
	formHeads = WriteOnce[Head]("formheads")
	formIDs   = WriteOnce[[]byte]("formids") // nothing, under kind, the Message-ID that a form has and the message's number
)

func formKey(id uint64, kind FormKind) []byte { return Seq(id, uint64(kind)) }

func (tx *Tx) formIDKey(kind FormKind, messageID string, id uint64) []byte {
	return append(tx.Name("form-id", string(Seq(uint64(kind))), messageID), Seq(id)...)
}

// PutForm stores the form of a message, as it was read in this update: ErrExists if it has one of that kind. Served must be kept in the same update, and
// Structure must describe it.
func (tx *Tx) PutForm(kind FormKind, m Message, f Form) error {
	if err := tx.putForm(kind, m, f); err != nil {
		return fmt.Errorf("put form of message %d: %w", m.ID, err)
	}
	return nil
}

func (tx *Tx) putForm(kind FormKind, m Message, f Form) error {
	if f.Structure == nil || f.Structure.BodyEnd > f.Served.Size {
		return errors.New("its structure does not describe the bytes it serves")
	}
	h, err := tx.headOf(Message{Served: f.Served, Structure: f.Structure})
	if err != nil {
		return err
	}
	e := Entry{Message: m.ID, At: m.At, Size: f.Served.Size, Served: f.Served, Envelope: EnvelopeLine(f.Envelope)}
	key := formKey(m.ID, kind)
	err = errors.Join(forms.Put(tx, m.Scope, key, f), formLines.Put(tx, m.Scope, key, e), formHeads.Put(tx, m.Scope, key, h))
	if err != nil {
		return err
	}
	if f.Envelope.MessageID == "" {
		return nil
	}
	return formIDs.Put(tx, m.Scope, tx.formIDKey(kind, f.Envelope.MessageID, m.ID), nil)
}

// Form returns the form of a message; ErrNotFound if it has none of that kind.
func (tx *Tx) Form(kind FormKind, id uint64) (Form, error) {
	f, err := forms.Get(tx, formKey(id, kind))
	if err != nil {
		return f, fmt.Errorf("form of message %d: %w", id, err)
	}
	return f, nil
}

// FormLine returns what a list shows of the form of a message: Size, Served and Envelope. ErrNotFound if it has none of that kind.
func (tx *Tx) FormLine(kind FormKind, id uint64) (Entry, error) {
	e, err := formLines.Get(tx, formKey(id, kind))
	if err != nil {
		return e, fmt.Errorf("line of the form of message %d: %w", id, err)
	}
	return e, nil
}

// FormHeadIn is HeadIn for the form of a message.
func (tx *Tx) FormHeadIn(h *Head, kind FormKind, id uint64) error {
	return tx.headIn(h, formHeads.rows, formKey(id, kind))
}

// HasForm says whether a message has a form of that kind, without opening it.
func (tx *Tx) HasForm(kind FormKind, id uint64) bool { return forms.Has(tx, formKey(id, kind)) }

// FormsWithID lists the messages whose form of that kind is served under a Message-ID (without brackets), oldest first.
func (tx *Tx) FormsWithID(kind FormKind, messageID string) ([]uint64, error) {
	prefix := tx.Name("form-id", string(Seq(uint64(kind))), messageID)
	var found []uint64
	for row, err := range formIDs.All(tx, prefix) {
		if errors.Is(err, ErrShredded) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("forms by Message-ID: %w", err)
		}
		found = append(found, keyNumber(row.Key[len(prefix):]))
	}
	return found, nil
}

// kindsOf lists the kinds of forms that a message has.
func (tx *Tx) kindsOf(id uint64) []FormKind {
	var kinds []FormKind
	prefix := Seq(id)
	for w := newWalk(tx, forms.rows, "", prefix, prefix); w.next(); {
		kinds = append(kinds, FormKind(keyNumber(w.key[len(prefix):])))
	}
	return kinds
}

// moveForms seals the forms of a message under another scope.
func (tx *Tx) moveForms(id uint64, to Scope) error {
	for _, kind := range tx.kindsOf(id) {
		f, err := tx.Form(kind, id)
		if err != nil {
			return err
		}
		key := formKey(id, kind)
		if err := errors.Join(reseal(tx, forms, to, key), reseal(tx, formLines, to, key), reseal(tx, formHeads, to, key)); err != nil {
			return err
		}
		if f.Envelope.MessageID == "" {
			continue
		}
		if err := reseal(tx, formIDs, to, tx.formIDKey(kind, f.Envelope.MessageID, id)); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) dropForm(kind FormKind, id uint64) error {
	key := formKey(id, kind)
	f, err := tx.Form(kind, id)
	if err != nil && !errors.Is(err, ErrShredded) { // of a shredded one neither bytes nor Message-ID are known any more
		return err
	}
	err = errors.Join(forms.Delete(tx, key), formLines.Delete(tx, key), formHeads.Delete(tx, key))
	if f.Served.ID != 0 {
		err = errors.Join(err, tx.Forget(f.Served))
	}
	if f.Envelope.MessageID != "" {
		err = errors.Join(err, formIDs.Delete(tx, tx.formIDKey(kind, f.Envelope.MessageID, id)))
	}
	return err
}

// DropForms removes forms of a kind that nobody is served any more, at most so many, of the messages after one. It returns
// the message to go on after, and whether more may be left.
func (tx *Tx) DropForms(kind FormKind, after uint64, most int) (last uint64, more bool, err error) {
	if err := tx.usable(true); err != nil {
		return 0, false, err
	}
	last = after
	for w := newWalk(tx, forms.rows, "", nil, Seq(after+1)); w.next(); {
		if len(w.key) != 16 || FormKind(keyNumber(w.key[8:])) != kind {
			continue
		}
		if most--; most < 0 {
			return last, true, nil
		}
		last = keyNumber(w.key[:8])
		if err := tx.dropForm(kind, last); err != nil {
			return last, false, fmt.Errorf("drop form of message %d: %w", last, err)
		}
	}
	return last, false, nil
}

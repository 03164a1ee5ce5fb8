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
	Line      []byte // the envelope as IMAP writes it: EnvelopeLine
	Structure *message.Structure
	Head      Head
}

// FormKind says for whom forms were made. What a number stands for is the caller's.
type FormKind uint64

var (
	forms   = WriteOnce[Form]("forms")     // by message and kind
	formIDs = WriteOnce[[]byte]("formids") // nothing, under kind, the Message-ID that a form has and the message's number
)

func formKey(id uint64, kind FormKind) []byte { return Seq(id, uint64(kind)) }

func (tx *Tx) formIDKey(kind FormKind, messageID string, id uint64) []byte {
	return append(tx.Name("form-id", string(Seq(uint64(kind))), messageID), Seq(id)...)
}

// PutForm stores the form of a message: ErrExists if it has one of that kind. Served must be kept in the same update, and
// Structure must describe it; Line and Head are made from them.
func (tx *Tx) PutForm(kind FormKind, id uint64, f Form) error {
	if err := tx.putForm(kind, id, f); err != nil {
		return fmt.Errorf("put form of message %d: %w", id, err)
	}
	return nil
}

func (tx *Tx) putForm(kind FormKind, id uint64, f Form) error {
	if f.Structure == nil || f.Structure.BodyEnd > f.Served.Size {
		return errors.New("its structure does not describe the bytes it serves")
	}
	m, err := tx.Message(id)
	if err != nil {
		return err
	}
	if f.Head, err = tx.headOf(Message{Served: f.Served, Structure: f.Structure}); err != nil {
		return err
	}
	f.Line = EnvelopeLine(f.Envelope)
	if err := forms.Put(tx, m.Scope, formKey(id, kind), f); err != nil {
		return err
	}
	if f.Envelope.MessageID == "" {
		return nil
	}
	return formIDs.Put(tx, m.Scope, tx.formIDKey(kind, f.Envelope.MessageID, id), nil)
}

// Form returns the form of a message; ErrNotFound if it has none of that kind.
func (tx *Tx) Form(kind FormKind, id uint64) (Form, error) {
	f, err := forms.Get(tx, formKey(id, kind))
	if err != nil {
		return f, fmt.Errorf("form of message %d: %w", id, err)
	}
	return f, nil
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
		if err := reseal(tx, forms, to, formKey(id, kind)); err != nil {
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
	f, err := tx.Form(kind, id)
	if errors.Is(err, ErrShredded) {
		return forms.Delete(tx, formKey(id, kind)) // its bytes cannot be opened any more, nor named
	}
	if err != nil {
		return err
	}
	err = errors.Join(forms.Delete(tx, formKey(id, kind)), tx.Forget(f.Served))
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

package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"parley/mailflow/message"
)

// putForm gives a message a form of a kind.
func putForm(t testing.TB, s *Store, kind FormKind, id uint64, raw string) error {
	t.Helper()
	tree, err := message.Parse([]byte(raw), message.DefaultLimits())
	must(t, err)
	d, err := s.SealBytes([]byte(raw))
	must(t, err)
	defer d.Drop()
	return s.Update(func(tx *Tx) error {
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		return tx.PutForm(kind, m, Form{Served: body, Envelope: tree.Envelope(), Structure: tree.Structure()})
	})
}

// formIs reads a form back; "" for none.
func formIs(t testing.TB, s *Store, kind FormKind, id uint64) (raw string) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		f, err := tx.Form(kind, id)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrShredded) {
			return nil
		}
		must(t, err)
		b, err := tx.Bytes(f.Served)
		raw = string(b)
		line, err2 := tx.FormLine(kind, id)
		var head Head
		err3 := tx.FormHeadIn(&head, kind, id)
		if want := EnvelopeLine(f.Envelope); string(line.Envelope) != string(want) || line.Size != int64(len(raw)) || len(head.Header) == 0 {
			t.Errorf("line %+v, header %q", line, head.Header)
		}
		return errors.Join(err, err2, err3)
	}))
	return raw
}

// Forms are each there once, move with their message, and go with it.
func TestForms(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		return errors.Join(tx.NewScope("report-1"), tx.NewScope("PAR-2026-0001"))
	}))
	m, rest := putMail(t, s, "report-1", letter(1)), putMail(t, s, "desk", letter(2))
	must(t, putForm(t, s, 1, m.ID, letter(11)))
	must(t, putForm(t, s, 3, m.ID, letter(13)))
	must(t, putForm(t, s, 3, rest.ID, letter(23)))
	if err := putForm(t, s, 3, m.ID, letter(14)); !errors.Is(err, ErrExists) {
		t.Errorf("a second form of one kind: %v", err)
	}
	must(t, s.Update(func(tx *Tx) error { return tx.MoveMessage(m.ID, "PAR-2026-0001", nil) }))
	whole(t, s)
	must(t, s.Shred("report-1", testKey)) // nothing hangs on the old key
	if a, b := formIs(t, s, 1, m.ID), formIs(t, s, 3, m.ID); a != letter(11) || b != letter(13) {
		t.Errorf("after it moved: %q, %q", a, b)
	}
	must(t, s.View(func(tx *Tx) error {
		found, err := tx.FormsWithID(3, "m13@acme.example")
		if !slices.Equal(found, []uint64{m.ID}) || tx.HasForm(2, m.ID) {
			t.Errorf("found by Message-ID: %v", found)
		}
		other, err2 := tx.FormsWithID(1, "m13@acme.example")
		if len(other) > 0 {
			t.Errorf("found among those of another kind: %v", other)
		}
		return errors.Join(err, err2)
	}))
	must(t, s.Shred("PAR-2026-0001", testKey))
	if got := formIs(t, s, 1, m.ID); got != "" {
		t.Errorf("after the shred: %q", got)
	}
	must(t, s.Update(func(tx *Tx) error { return tx.DropMessage(rest.ID) }))
	if got := formIs(t, s, 3, rest.ID); got != "" {
		t.Errorf("after its message was dropped: %q", got)
	}
	whole(t, s)
}

// All forms of a kind go, some at a time, and no others.
func TestDropForms(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var ids []uint64
	for i := range 7 {
		m := putMail(t, s, "desk", letter(i))
		ids = append(ids, m.ID)
		must(t, putForm(t, s, 1, m.ID, letter(100+i)))
		must(t, putForm(t, s, 4, m.ID, letter(200+i)))
	}
	var last uint64
	rounds := 0
	for more := true; more; rounds++ {
		must(t, s.Update(func(tx *Tx) (err error) {
			last, more, err = tx.DropForms(4, last, 3)
			return err
		}))
	}
	if rounds != 3 {
		t.Errorf("%d rounds for 7 forms, 3 at a time", rounds)
	}
	for i, id := range ids {
		if a, b := formIs(t, s, 1, id), formIs(t, s, 4, id); a != letter(100+i) || b != "" {
			t.Errorf("message %d: %q, %q", id, a, b)
		}
	}
	must(t, s.View(func(tx *Tx) error {
		found, err := tx.FormsWithID(4, fmt.Sprintf("m%d@acme.example", 200))
		if len(found) > 0 {
			t.Errorf("still found by Message-ID: %v", found)
		}
		return err
	}))
	whole(t, s)
}

package store

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// structureOf reads the line of a message.
func structureOf(t testing.TB, s *Store, id uint64, wide bool) (line string, err error) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		var b []byte
		b, err = tx.AppendStructure([]byte("before "), id, wide)
		line = string(b)
		return nil
	}))
	return strings.TrimPrefix(line, "before "), err
}

// The line of a message follows it into a case, and goes with it.
func TestStructure(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		return errors.Join(tx.NewScope("report-1"), tx.NewScope("PAR-2026-0001"))
	}))
	m := putMail(t, s, "report-1", "Content-Type: application/pdf; name*=utf-8''%C3%9C.pdf\r\n\r\nx")
	narrow := `("application" "pdf" ("name" "=?utf-8?q?=C3=9C.pdf?=") NIL NIL "7bit" 1 NIL NIL NIL NIL)`
	wide := `("application" "pdf" ("name" "Ü.pdf") NIL NIL "7bit" 1 NIL NIL NIL NIL)`
	lines := func() {
		t.Helper()
		got, err := structureOf(t, s, m.ID, false)
		gotWide, err2 := structureOf(t, s, m.ID, true)
		must(t, errors.Join(err, err2))
		if got != narrow || gotWide != wide {
			t.Errorf("got %s and %s", got, gotWide)
		}
	}
	lines()
	must(t, s.Update(func(tx *Tx) error { return tx.MoveMessage(m.ID, "PAR-2026-0001", nil) }))
	must(t, s.Shred("report-1", testKey))
	lines()
	// A store from before there were such lines.
	must(t, s.Update(func(tx *Tx) error { return structures.Delete(tx, Seq(m.ID)) }))
	lines()
	must(t, s.Update(func(tx *Tx) error { return tx.MoveMessage(m.ID, "desk", nil) }))
	lines()
	whole(t, s)
	other := putMail(t, s, "PAR-2026-0001", letter(1))
	must(t, s.Update(func(tx *Tx) error { return tx.DropMessage(m.ID) }))
	_, err := structureOf(t, s, m.ID, false)
	wantErr(t, err, ErrNotFound)
	must(t, s.Shred("PAR-2026-0001", testKey))
	_, err = structureOf(t, s, other.ID, false)
	wantErr(t, err, ErrShredded)
}

// A dropped message leaves no line behind.
func TestStructure_Dropped(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := putMail(t, s, "desk", letter(1))
	must(t, s.Update(func(tx *Tx) error { return tx.DropMessage(m.ID) }))
	must(t, s.View(func(tx *Tx) error {
		if n := structures.Count(tx, nil); n != 0 {
			t.Errorf("%d lines are left", n)
		}
		return nil
	}))
}

// Whatever the order in which rows are asked for, there or not, a find is what
// a get is.
func TestFind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		for n := uint64(2); n <= 400; n += 1 + n%3 {
			if err := structures.Put(tx, "desk", Seq(n), []byte{lineForAll}); err != nil {
				return err
			}
		}
		return nil
	}))
	same := func(tx *Tx, n uint64) {
		t.Helper()
		key := Seq(n)
		if got, want := tx.find(structures.rows, key), tx.rows.get(structures.rows, key); !bytes.Equal(got, want) {
			t.Fatalf("row %d: found %x, not %x", n, got, want)
		}
	}
	must(t, s.View(func(tx *Tx) error {
		for n := range uint64(410) {
			same(tx, n)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			same(tx, r.Uint64N(410))
		}
		if tx.find("no such bucket", Seq(1)) != nil {
			t.Error("found a row of no bucket")
		}
		return nil
	}))
	must(t, s.Update(func(tx *Tx) error { // what it wrote itself is found too
		same(tx, 1)
		must(t, structures.Put(tx, "desk", Seq(1), []byte{lineForAll}))
		same(tx, 1)
		return nil
	}))
}

// One memory for message after message shows nothing of the one before.
func TestReadingInScratch(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	long := putMail(t, s, "desk", "Subject: "+strings.Repeat("long ", 100)+"\r\n\r\n"+strings.Repeat("words ", 900)+"\r\n")
	short := putMail(t, s, "desk", letter(1))
	tall := putMail(t, s, "desk", "Subject: a\r\n"+strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 100)+"\r\nwords\r\n")
	must(t, s.View(func(tx *Tx) error {
		var h Head
		var raw []byte
		for _, m := range []Message{long, short, tall, long, short} {
			must(t, tx.HeadIn(&h, m.ID))
			want, err := tx.Head(m.ID)
			must(t, err)
			if !bytes.Equal(h.Header, want.Header) || (h.Header == nil) != (want.Header == nil) || len(h.Words) != len(want.Words) || h.Words[0] != want.Words[0] {
				t.Errorf("message %d: head %+v, not %+v", m.ID, h, want)
			}
			all, err := tx.Bytes(m.Served)
			must(t, err)
			raw, err = tx.BytesIn(raw, m.Served)
			must(t, err)
			if !bytes.Equal(raw, all) {
				t.Errorf("message %d: other bytes", m.ID)
			}
		}
		wantErr(t, tx.HeadIn(&h, 99), ErrNotFound)
		return nil
	}))
}

package store

import (
	"slices"
	"testing"
)

// The messages of a mailbox come in the order of its UIDs, as long as each opens.
func TestMailbox_MessagesIn(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-1") }))
	box, other := makeBox(t, s, Mailbox{Name: "Inbox"}), makeBox(t, s, Mailbox{Name: "Other"})
	a, b, c := putMail(t, s, "desk", letter(1)), putMail(t, s, "par-1", letter(2)), putMail(t, s, "desk", letter(3))
	for _, m := range []Message{c, b, a} {
		file(t, s, box, m)
	}
	file(t, s, other, a)
	walk := func(most int) (ids []uint64, err error) {
		must(t, s.View(func(tx *Tx) error {
			for m, failed := range tx.MessagesIn(box.Number) {
				if err = failed; err != nil || len(ids) == most {
					break
				}
				ids = append(ids, m.ID)
			}
			return nil
		}))
		return ids, err
	}
	if ids, err := walk(9); err != nil || !slices.Equal(ids, []uint64{c.ID, b.ID, a.ID}) {
		t.Errorf("walked %d: %v", ids, err)
	}
	if ids, err := walk(1); err != nil || !slices.Equal(ids, []uint64{c.ID}) {
		t.Errorf("stopped after %d: %v", ids, err)
	}
	must(t, s.Shred("par-1", testKey))
	ids, err := walk(9)
	if wantErr(t, err, ErrShredded); !slices.Equal(ids, []uint64{c.ID}) {
		t.Errorf("walked %d before what does not open", ids)
	}
}

package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func addLinks(t *testing.T, s *Store, n int) {
	t.Helper()
	for range n {
		must(t, s.Update(func(tx *Tx) error {
			_, _, err := tx.AddLink("desk", []byte("record"))
			return err
		}))
	}
}

func TestT9_BrokenChain(t *testing.T) {
	t.Parallel()
	drop := func(tx *bbolt.Tx, n uint64) error { return tx.Bucket([]byte(chainBucket)).Delete(Seq(n)) }
	for name, c := range map[string]struct {
		spoil func(tx *bbolt.Tx) error
		says  string
		opens bool // Open sees only the end
	}{
		"a link changed": {func(tx *bbolt.Tx) error {
			row := rawGet(tx, chainBucket, Seq(3))
			row[0] ^= 1
			return rawPut(tx, chainBucket, Seq(3), row)
		}, "breaks at 3", true},
		"a record changed": {func(tx *bbolt.Tx) error {
			row := rawGet(tx, chainBucket, Seq(3))
			row[len(row)-1] ^= 1
			return rawPut(tx, chainBucket, Seq(3), row)
		}, "breaks at 3", true},
		"one removed":  {func(tx *bbolt.Tx) error { return drop(tx, 2) }, "breaks at 2", true},
		"two swapped":  {swapLinks, "breaks at 2", true},
		"last removed": {func(tx *bbolt.Tx) error { return drop(tx, 5) }, "", false},
		"all removed":  {func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(chainBucket)) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			addLinks(t, s, 5)
			must(t, s.Close())
			if !c.opens {
				rawUpdate(t, s, c.spoil)
				_, err := Open(Options{Dir: s.dir, Unlock: testKey})
				wantErr(t, err, ErrTampered)
				return
			}
			s = behind(t, s, c.spoil)
			r, err := s.Verify(context.Background())
			must(t, err)
			if !strings.Contains(strings.Join(r.Problems, "\n"), c.says) {
				t.Errorf("Verify says %q, want %q", r.Problems, c.says)
			}
		})
	}
}

func swapLinks(tx *bbolt.Tx) error {
	a, b := rawGet(tx, chainBucket, Seq(2)), rawGet(tx, chainBucket, Seq(3))
	return errors.Join(rawPut(tx, chainBucket, Seq(2), b), rawPut(tx, chainBucket, Seq(3), a))
}

func TestT9_Links(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.View(func(tx *Tx) error {
		seq, link, err := tx.LastLink()
		if seq != 0 || !bytes.Equal(link, make([]byte, linkBytes)) {
			t.Errorf("an empty journal ends at %d %x", seq, link)
		}
		return err
	}))
	failed := errors.New("failed")
	wantErr(t, s.Update(func(tx *Tx) error { _, _, err := tx.AddLink("desk", nil); must(t, err); return failed }), failed)
	addLinks(t, s, 3)
	must(t, s.View(func(tx *Tx) error {
		last := make([]byte, linkBytes)
		n := uint64(0)
		must(t, tx.Links(func(seq uint64, link, sealed []byte) error {
			n++
			if seq != n || !bytes.Equal(link, nextLink(last, seq, sealed)) {
				t.Errorf("link %d is wrong", seq)
			}
			last = bytes.Clone(link)
			record, shredded, err := tx.OpenLink(seq, sealed)
			if string(record) != "record" || shredded {
				t.Errorf("record %q, shredded %v", record, shredded)
			}
			_, _, elsewhere := tx.OpenLink(seq+1, sealed)
			wantErr(t, elsewhere, ErrTampered)
			return err
		}))
		seq, link, err := tx.LastLink()
		if seq != 3 || !bytes.Equal(link, last) {
			t.Errorf("ends at %d %x", seq, link)
		}
		_, _, inView := tx.AddLink("desk", nil)
		wantErr(t, inView, errReadOnly)
		return err
	}))
	wantErr(t, s.Update(func(tx *Tx) error { _, _, err := tx.AddLink("nobody", nil); return err }), ErrNotFound)
	if r := whole(t, s); r.Journal != 3 || len(r.Head) != 64 {
		t.Errorf("%+v", r)
	}
}

package store

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var (
	testKey = UnlockKey(bytes.Repeat([]byte{7}, keyBytes))
	testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// newStore makes a store with the scope "desk". When the test ends it must be whole.
func newStore(t testing.TB) *Store {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	if err := Create(dir, testKey); err != nil {
		t.Fatal(err)
	}
	s := reopen(t, dir)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("desk") }))
	return s
}

func reopen(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Unlock: testKey, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// whole fails the test unless Verify finds nothing.
func whole(t testing.TB, s *Store) Report {
	t.Helper()
	r, err := s.Verify(context.Background())
	must(t, err)
	if len(r.Problems) > 0 {
		t.Fatalf("problems: %q", r.Problems)
	}
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

type thing struct {
	Name string
	N    int
}

func putThing(n uint64) func(*Tx) error {
	return func(tx *Tx) error { return things.Put(tx, "desk", Seq(n), thing{"a", int(n)}) }
}

func TestTable_PutGetDelete(t *testing.T) {
	t.Parallel()
	for _, table := range []Table[thing]{Versioned[thing]("things"), WriteOnce[thing]("once")} {
		s := newStore(t)
		must(t, s.Update(func(tx *Tx) error {
			for _, n := range []uint64{3, 1, 2} {
				if err := table.Put(tx, "desk", Seq(1, n), thing{"a", int(n)}); err != nil {
					return err
				}
			}
			return table.Put(tx, "desk", Seq(2, 1), thing{"b", 9})
		}))
		must(t, s.View(func(tx *Tx) error {
			v, err := table.Get(tx, Seq(1, 2))
			must(t, err)
			if v != (thing{"a", 2}) {
				t.Errorf("got %v", v)
			}
			_, err = table.Get(tx, Seq(1, 4))
			wantErr(t, err, ErrNotFound)
			var got []int
			for row, err := range table.All(tx, Seq(1)) {
				must(t, err)
				got = append(got, row.Value.N)
			}
			if !slices.Equal(got, []int{1, 2, 3}) || table.Count(tx, Seq(1)) != 3 || table.Count(tx, nil) != 4 {
				t.Errorf("all: %v", got)
			}
			got = nil
			for row, err := range table.From(tx, Seq(1), Seq(1, 2)) {
				must(t, err)
				got = append(got, row.Value.N)
			}
			if !slices.Equal(got, []int{2, 3}) {
				t.Errorf("from 2: %v", got)
			}
			wantErr(t, table.Put(tx, "desk", Seq(1), thing{}), errReadOnly)
			return nil
		}))
		must(t, s.Update(func(tx *Tx) error {
			must(t, table.Delete(tx, Seq(7)))
			return table.Delete(tx, Seq(1, 2))
		}))
		must(t, s.View(func(tx *Tx) error {
			_, err := table.Get(tx, Seq(1, 2))
			wantErr(t, err, ErrNotFound)
			return nil
		}))
		whole(t, s)
	}
}

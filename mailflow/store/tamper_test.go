package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

// behind closes a store, lets fn at its bbolt file as somebody with the disk would, and opens it again.
func behind(t *testing.T, s *Store, fn func(tx *bbolt.Tx) error) *Store {
	t.Helper()
	must(t, s.Close())
	rawUpdate(t, s, fn)
	return reopen(t, s.dir)
}

// rawUpdate writes to the file of a closed store.
func rawUpdate(t *testing.T, s *Store, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(s.dir, dbName), 0o600, nil)
	must(t, err)
	must(t, db.Update(fn))
	must(t, db.Close())
}

func rawGet(tx *bbolt.Tx, bucket string, key []byte) []byte {
	return bytes.Clone(tx.Bucket([]byte(bucket)).Get(key))
}

func rawPut(tx *bbolt.Tx, bucket string, key, value []byte) error {
	return tx.Bucket([]byte(bucket)).Put(key, value)
}

// A raw row, remembered.
type rawRow struct {
	bucket string
	key    []byte
	value  []byte
}

func remember(tx *bbolt.Tx, bucket string, key []byte) rawRow {
	return rawRow{bucket, key, rawGet(tx, bucket, key)}
}

func (r rawRow) back(tx *bbolt.Tx) error { return rawPut(tx, r.bucket, r.key, r.value) }

var once = WriteOnce[thing]("once")

// getting is how a record is read: each way must notice.
func getting[V any](t *testing.T, s *Store, table Table[V], key []byte, want error) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		_, err := table.Get(tx, key)
		wantErr(t, err, want)
		seen := false
		for row, err := range table.All(tx, nil) {
			if bytes.Equal(row.Key, key) {
				seen = true
				wantErr(t, err, want)
			}
		}
		if !seen {
			t.Errorf("All passes over %x", key)
		}
		return nil
	}))
}

// unwhole fails the test unless Verify finds something.
func unwhole(t *testing.T, s *Store) {
	t.Helper()
	r, err := s.Verify(context.Background())
	must(t, err)
	if len(r.Problems) == 0 {
		t.Error("Verify finds nothing")
	}
}

func TestH1_MovedRecord(t *testing.T) {
	t.Parallel()
	other := Versioned[thing]("other")
	prepare := func(t *testing.T) *Store {
		s := newStore(t)
		must(t, s.Update(func(tx *Tx) error {
			must(t, tx.NewScope("par-1"))
			for _, table := range []Table[thing]{things, other, once} {
				must(t, table.Put(tx, "desk", Seq(1), thing{"first", 1}))
				must(t, table.Put(tx, "desk", Seq(2), thing{"second", 2}))
			}
			return nil
		}))
		return s
	}
	for name, c := range map[string]struct {
		from, to string
		table    Table[thing]
	}{
		"versioned, to another key":   {"t/things", "t/things", things},
		"versioned, to another table": {"t/other", "t/things", things},
		"once, to another key":        {"w/once", "w/once", once},
		"once, to another kind":       {"t/things", "w/once", once},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behind(t, prepare(t), func(tx *bbolt.Tx) error {
				return rawPut(tx, c.to, Seq(2), rawGet(tx, c.from, Seq(1)))
			})
			getting(t, s, c.table, Seq(2), ErrTampered)
			unwhole(t, s)
		})
	}
	t.Run("with its referring row", func(t *testing.T) {
		t.Parallel()
		s := behind(t, prepare(t), func(tx *bbolt.Tx) error {
			must(t, rawPut(tx, "v/things", Seq(2), rawGet(tx, "v/things", Seq(1))))
			return rawPut(tx, "t/things", Seq(2), rawGet(tx, "t/things", Seq(1)))
		})
		getting(t, s, things, Seq(2), ErrTampered)
		unwhole(t, s)
	})
	t.Run("scope number changed", func(t *testing.T) {
		t.Parallel()
		s := behind(t, prepare(t), func(tx *bbolt.Tx) error {
			row := rawGet(tx, "t/things", Seq(2))
			row[3] = 2 // par-1
			return rawPut(tx, "t/things", Seq(2), row)
		})
		getting(t, s, things, Seq(2), ErrTampered)
		unwhole(t, s)
	})
}

func TestH1_OlderRecord(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var old, ref rawRow
	s = behind(t, s, func(tx *bbolt.Tx) error {
		old, ref = remember(tx, "t/things", Seq(1)), remember(tx, "v/things", Seq(1))
		return nil
	})
	must(t, s.Update(func(tx *Tx) error { return things.Put(tx, "desk", Seq(1), thing{"newer", 2}) }))

	s = behind(t, s, old.back)
	getting(t, s, things, Seq(1), ErrTampered)
	unwhole(t, s)

	// With its referring row beside it the record opens; the whole does not add up.
	s = behind(t, s, ref.back)
	getting(t, s, things, Seq(1), nil)
	unwhole(t, s)
}

// A record that was deleted and put anew is at a later version than the first, not at the same.
func TestH1_OlderRecordAfterDelete(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var old rawRow
	s = behind(t, s, func(tx *bbolt.Tx) error { old = remember(tx, "t/things", Seq(1)); return nil })
	must(t, s.Update(func(tx *Tx) error {
		must(t, things.Delete(tx, Seq(1)))
		return putThing(1)(tx)
	}))
	s = behind(t, s, old.back)
	getting(t, s, things, Seq(1), ErrTampered)
}

func TestH1_RemovedRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		drop [][2]string // bucket and key
		get  error
	}{
		"the record":         {[][2]string{{"t/things", string(Seq(1))}}, ErrTampered},
		"its referring row":  {[][2]string{{"v/things", string(Seq(1))}}, ErrTampered},
		"both":               {[][2]string{{"t/things", string(Seq(1))}, {"v/things", string(Seq(1))}}, ErrNotFound},
		"a write-once row":   {[][2]string{{"w/once", string(Seq(1))}}, nil},
		"a counted sequence": {[][2]string{{"sequence", ""}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			var counted []byte
			must(t, s.Update(func(tx *Tx) error {
				must(t, putThing(1)(tx))
				must(t, once.Put(tx, "desk", Seq(1), thing{}))
				counted = tx.Name("sequence", "x")
				_, err := tx.Next("x")
				return err
			}))
			s = behind(t, s, func(tx *bbolt.Tx) error {
				for _, d := range c.drop {
					key := []byte(d[1])
					if len(key) == 0 {
						key = counted
					}
					must(t, tx.Bucket([]byte(d[0])).Delete(key))
				}
				return nil
			})
			must(t, s.View(func(tx *Tx) error {
				_, err := things.Get(tx, Seq(1))
				wantErr(t, err, c.get)
				return nil
			}))
			unwhole(t, s)
		})
	}
}

func TestH1_ChangedByte(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var whole []byte
	s = behind(t, s, func(tx *bbolt.Tx) error { whole = rawGet(tx, "t/things", Seq(1)); return nil })
	for _, i := range []int{0, scopeBytes, scopeBytes + nonceBytes, len(whole) - 1} {
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		s = behind(t, s, func(tx *bbolt.Tx) error { return rawPut(tx, "t/things", Seq(1), bad) })
		getting(t, s, things, Seq(1), ErrTampered)
	}
	for _, n := range []int{0, 1, sealOverhead - 1, len(whole) - 1} {
		s = behind(t, s, func(tx *bbolt.Tx) error { return rawPut(tx, "t/things", Seq(1), whole[:n]) })
		getting(t, s, things, Seq(1), ErrTampered)
	}
}

// A record that changes its scope does not open as what it was before.
func TestH1_ChangedScope(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var old rawRow
	s = behind(t, s, func(tx *bbolt.Tx) error { old = remember(tx, "t/things", Seq(1)); return nil })
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		return things.Put(tx, "par-1", Seq(1), thing{"moved", 1})
	}))
	getting(t, s, things, Seq(1), nil)
	s = behind(t, s, old.back)
	getting(t, s, things, Seq(1), ErrTampered)
}

// TestH1_StateOfTheStore puts back the store's own row: its tally is of an earlier commit.
func TestH1_StateOfTheStore(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	var old rawRow
	s = behind(t, s, func(tx *bbolt.Tx) error { old = remember(tx, metaBucket, stateKey); return nil })
	must(t, s.Update(putThing(2)))
	unwhole(t, behind(t, s, old.back))
}

func TestH1_WholeStorePutBack(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error { _, _, err := tx.AddLink("desk", []byte("one")); return err }))
	must(t, s.Close())
	path := filepath.Join(s.dir, dbName)
	old, err := os.ReadFile(path)
	must(t, err)
	s = reopen(t, s.dir)
	must(t, s.Update(func(tx *Tx) error { _, _, err := tx.AddLink("desk", []byte("two")); return err }))
	head := whole(t, s).Head
	must(t, s.Close())
	must(t, os.WriteFile(path, old, 0o600))
	s = reopen(t, s.dir)
	if r := whole(t, s); r.Head == head || r.Journal != 1 {
		t.Errorf("the head does not tell: %+v", r)
	}
}

func TestH1_Names(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.View(func(tx *Tx) error {
		one, two := tx.Name("p", "case"), tx.Name("p", "case", "party")
		if len(one) != 16 || len(two) != 32 || !bytes.HasPrefix(two, one) {
			t.Errorf("%x is no prefix of %x", one, two)
		}
		seen := map[string]string{}
		for _, parts := range [][]string{{"a"}, {"b"}, {"a", "b"}, {"b", "a"}, {"ab"}, {"", "ab"}, {"a", ""}, {"a", "b", "c"}, {"c", "b"}} {
			for _, kind := range []string{"p", "q", ""} {
				n := tx.Name(kind, parts...)
				last := string(n[len(n)-16:])
				id := fmt.Sprintf("%q %q", kind, parts)
				if seen[last] != "" {
					t.Errorf("%s ends as %s", id, seen[last])
				}
				seen[last] = id
			}
		}
		if !bytes.Equal(tx.Name("p", "case"), one) {
			t.Error("a name changes")
		}
		return nil
	}))
	other := newStore(t)
	must(t, s.View(func(a *Tx) error {
		return other.View(func(b *Tx) error {
			if bytes.Equal(a.Name("p", "x"), b.Name("p", "x")) {
				t.Error("two stores share a name")
			}
			return nil
		})
	}))
}

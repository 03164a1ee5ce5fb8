package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

// rotatable has more rows of a case than one update seals anew, of both kinds of table, a blob that one of them names, and links.
func rotatable(t *testing.T, rows uint64) *Store {
	t.Helper()
	s := newStore(t)
	d, err := s.SealBytes(pattern(smallBody + 1))
	must(t, err)
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope("par-1"))
		must(t, tx.NewScope("par-2"))
		blob, err := tx.Keep(d)
		must(t, err)
		must(t, holders.Put(tx, "par-1", Seq(1), holder{"mail", []part{{blob}}}))
		for n := range rows {
			must(t, things.Put(tx, "par-1", Seq(n), thing{"of par-1", int(n)}))
			must(t, scraps.Put(tx, "par-1", Seq(n), fmt.Appendf(nil, "of par-1: %d", n)))
		}
		must(t, things.Put(tx, "par-2", Seq(1<<32), thing{"of par-2", 2}))
		for _, scope := range []string{"par-1", "desk", "par-1"} {
			_, _, err := tx.AddLink(scope, []byte("link of "+scope))
			must(t, err)
		}
		return nil
	}))
	return s
}

// rotated checks that all of it opens, the links too, under one key for the case.
func rotated(t *testing.T, s *Store, rows uint64, head string) {
	t.Helper()
	if r := whole(t, s); r.Shredded != 0 || r.Head != head {
		t.Errorf("%d rows do not open, head %s, want %s", r.Shredded, r.Head, head)
	}
	must(t, s.View(func(tx *Tx) error {
		if n := len(tx.keys.allNamed("par-1")); n != 1 {
			t.Errorf("the case has %d keys", n)
		}
		for n := range rows {
			v, err := things.Get(tx, Seq(n))
			must(t, err)
			if v != (thing{"of par-1", int(n)}) {
				t.Errorf("row %d is %v", n, v)
			}
			_, err = scraps.Get(tx, Seq(n))
			must(t, err)
		}
		return tx.Links(func(seq uint64, _, sealed []byte) error {
			plain, shredded, err := tx.OpenLink(seq, sealed)
			if shredded || !bytes.HasPrefix(plain, []byte("link of ")) {
				t.Errorf("link %d: %q", seq, plain)
			}
			return err
		})
	}))
}

func freshKey(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Update(func(tx *Tx) error { return tx.FreshKey("par-1") }))
}

func rekey(s *Store) error { return s.Rekey(context.Background(), []Scope{"par-1"}, testKey, nil) }

// carryOver does one step of the rotation: some rows of one bucket.
func carryOver(t *testing.T, s *Store, bucket string) {
	t.Helper()
	must(t, s.Update(func(tx *Tx) error {
		fresh := tx.keys.byName("par-1")
		keys, _ := tx.older(bucket, fresh, nil)
		if len(keys) == 0 {
			t.Errorf("nothing of %s is to carry over", bucket)
		}
		return tx.resealRows(bucket, keys, fresh)
	}))
}

// A case gets a new key while its rows are written, replaced, deleted and read. Afterwards what free pages hold of it opens
// with no key of the store.
func TestH3_RekeyUnderLoad(t *testing.T) {
	t.Parallel()
	const rows = 3 * resealRows
	s := rotatable(t, rows)
	head := whole(t, s).Head
	old := [][]byte{raw(t, s, things.rows, Seq(0)), raw(t, s, scraps.rows, Seq(1))}
	freshKey(t, s)
	stop, written := make(chan struct{}), uint64(0)
	var wg sync.WaitGroup
	wg.Go(func() { // accepts
		for n := uint64(1 << 20); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			err := s.Update(func(tx *Tx) error {
				if n%3 == 0 {
					if err := things.Delete(tx, Seq(n-1)); err != nil {
						return err
					}
				}
				return errors.Join(things.Put(tx, "par-1", Seq(n), thing{"new", int(n)}), things.Put(tx, "par-1", Seq(n%rows), thing{"of par-1", int(n % rows)}))
			})
			if err != nil {
				t.Error(err)
				return
			}
			written++
		}
	})
	wg.Go(func() { // reads
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := s.View(func(tx *Tx) error {
				for row, err := range things.All(tx, nil) {
					if err != nil {
						return fmt.Errorf("%x: %w", row.Key, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		freshKey(t, s)
		must(t, rekey(s))
	}
	close(stop)
	wg.Wait()
	if written == 0 {
		t.Error("nothing was written meanwhile")
	}
	rotated(t, s, rows, head)

	must(t, s.Close())
	rawUpdate(t, s, func(tx *bbolt.Tx) error {
		return errors.Join(rawPut(tx, things.rows, Seq(0), old[0]), rawPut(tx, scraps.rows, Seq(1), old[1]))
	})
	s = reopen(t, s.dir)
	getting(t, s, things, Seq(0), ErrShredded)
	getting(t, s, scraps, Seq(1), ErrShredded)
}

// Cut short at each of its commits, before and after it wrote the key file, the rotation leaves a store that opens, all of it, and ends when
// it is called again.
func TestT2_RekeyCutShort(t *testing.T) {
	t.Parallel()
	const rows = resealRows + 1
	for step := 0; ; step++ {
		s := rotatable(t, rows)
		head := whole(t, s).Head
		left := step
		s.engine = commitsThenFails{s.engine, &left}
		err := s.Update(func(tx *Tx) error { return tx.FreshKey("par-1") })
		if err == nil {
			err = rekey(s)
		}
		if err == nil {
			if step < 6 {
				t.Errorf("only %d commits", step)
			}
			return
		}
		wantErr(t, err, ErrBroken)
		must(t, s.Close())
		s = reopen(t, s.dir)
		if r := whole(t, s); r.Shredded != 0 {
			t.Errorf("step %d: %d rows do not open", step, r.Shredded)
		}
		must(t, rekey(s))
		rotated(t, s, rows, head)
		must(t, s.Close())
		rotated(t, reopen(t, s.dir), rows, head)
	}
}

// A case that is shredded while it gets a new key is gone, and none of its keys stays.
func TestH3_ShredWinsOverRekey(t *testing.T) {
	t.Parallel()
	s := rotatable(t, 3*resealRows)
	freshKey(t, s)
	carryOver(t, s, things.rows)
	carryOver(t, s, chainBucket)
	must(t, s.Update(func(tx *Tx) error { return tx.Erase("par-1") }))
	must(t, s.ShredAll([]Scope{"par-1"}, nil, testKey))
	must(t, rekey(s))
	must(t, s.Close())
	s = reopen(t, s.dir)
	if r := whole(t, s); r.Shredded != 2 {
		t.Errorf("%d links do not open, want the 2 of the case", r.Shredded)
	}
	must(t, s.View(func(tx *Tx) error {
		if n := len(tx.keys.allNamed("par-1")); n != 0 || things.Count(tx, nil) != 1 || relinked.Count(tx, nil) != 0 {
			t.Errorf("%d keys, %d things, %d records of the journal are left", n, things.Count(tx, nil), relinked.Count(tx, nil))
		}
		return nil
	}))
}

// A row that does not open ends the rotation, and the older key stays: what can be mended is not destroyed.
func TestH3_RekeyStopsAtDamage(t *testing.T) {
	t.Parallel()
	s := rotatable(t, 3)
	s = behind(t, s, func(tx *bbolt.Tx) error {
		row := rawGet(tx, scraps.rows, Seq(2))
		row[len(row)-1] ^= 1
		return rawPut(tx, scraps.rows, Seq(2), row)
	})
	freshKey(t, s)
	wantErr(t, rekey(s), ErrTampered)
	must(t, s.View(func(tx *Tx) error {
		if n := len(tx.keys.allNamed("par-1")); n != 2 {
			t.Errorf("the case has %d keys", n)
		}
		return nil
	}))
}

func opens(t *testing.T, dir string, u Unlock) bool {
	t.Helper()
	s, err := Open(Options{Dir: dir, Unlock: u})
	if err == nil {
		whole(t, s)
		must(t, s.Close())
		return true
	}
	wantErr(t, err, ErrUnlock)
	return false
}

// After the rotation the credential of before opens nothing, what was written with it is there, and keys can be destroyed with the new one alone.
func TestH2_Rotate(t *testing.T) {
	t.Parallel()
	s := rotatable(t, 3)
	wantErr(t, s.Unlocks(otherKey), ErrUnlock)
	must(t, s.Rotate(otherKey, putThing(77)))
	must(t, s.Unlocks(otherKey))
	wantErr(t, s.Unlocks(testKey), ErrUnlock)
	wantErr(t, s.Shred("par-2", testKey), ErrUnlock)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("par-3") }))
	must(t, s.Shred("par-2", otherKey))
	must(t, s.Close())
	if opens(t, s.dir, testKey) || !opens(t, s.dir, otherKey) {
		t.Error("the wrong credential opens it")
	}
	if r := openRestored(t, s.dir, otherKey); whole(t, r).Journal != 3 {
		t.Error("links are missing")
	} else {
		getting(t, r, things, Seq(77), nil)
	}
}

// Cut short at each step, one of the two credentials opens the store, and the rotation can be done again.
func TestT2_RotateCutShort(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(s *Store) error{
		"while the key file is written": func(s *Store) error {
			return os.WriteFile(filepath.Join(s.dir, keysName+".new"), []byte("half"), 0o600)
		},
		"before the commit": func(s *Store) error {
			left := 0
			s.engine = commitsThenFails{s.engine, &left}
			if err := s.Rotate(otherKey, putThing(9)); !errors.Is(err, ErrBroken) {
				return fmt.Errorf("it was not cut short: %w", err)
			}
			return nil
		},
	} {
		s := rotatable(t, 3)
		must(t, cut(s))
		must(t, s.Close())
		u, before := testKey, opens(t, s.dir, testKey)
		if !before {
			u = otherKey
		}
		if before != (name == "while the key file is written") {
			t.Errorf("%s: the credential of before opens it: %t", name, before)
		}
		s, err := Open(Options{Dir: s.dir, Unlock: u})
		must(t, err)
		must(t, s.Rotate(otherKey, putThing(9)))
		must(t, s.Close())
		if opens(t, s.dir, testKey) || !opens(t, s.dir, otherKey) {
			t.Errorf("%s: the wrong credential opens it", name)
		}
	}
}

// Backups that were taken before a rotation, amid it and after it restore, all of it; the keys of the store have no part in it.
func TestBackup_AcrossRotation(t *testing.T) {
	t.Parallel()
	const rows = 2 * resealRows
	s := rotatable(t, rows)
	head := whole(t, s).Head
	var taken []kept
	take := func() {
		k, _ := backUp(t, s)
		taken = append(taken, k)
	}
	take()
	freshKey(t, s)
	take()
	carryOver(t, s, scraps.rows)
	take()
	must(t, rekey(s))
	must(t, s.Rotate(otherKey, nil))
	take()
	restoring := UnlockKey(bytes.Repeat([]byte{3}, keyBytes))
	for i, k := range taken {
		dir := filepath.Join(t.TempDir(), "restored")
		must(t, Restore(dir, restoring, k.next()))
		r := openRestored(t, dir, restoring)
		must(t, r.Rekey(context.Background(), []Scope{"par-1"}, restoring, nil)) // and goes on there
		rotated(t, r, rows, head)
		if t.Failed() {
			t.Fatalf("backup %d", i)
		}
	}
}

package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// bbolt's values die with the transaction, or with the next write in it: what the store hands out is the caller's own.
func TestTrapBbolt_ValuesAreCopies(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var first Row[[]byte]
	var got []byte
	fill := func(with byte) func(*Tx) error {
		return func(tx *Tx) error {
			for n := range uint64(500) {
				must(t, lines.Put(tx, "desk", Seq(n), bytes.Repeat([]byte{with, byte(n)}, 150)))
			}
			return nil
		}
	}
	must(t, s.Update(fill(1)))
	must(t, s.Update(func(tx *Tx) (err error) {
		got, err = lines.Get(tx, Seq(0))
		must(t, err)
		for row, err := range lines.All(tx, nil) {
			must(t, err)
			if first.Key == nil {
				first = row
			}
		}
		return fill(2)(tx)
	}))
	for range 5 {
		must(t, s.Update(fill(3)))
	}
	want := bytes.Repeat([]byte{1, 0}, 150)
	if !bytes.Equal(got, want) || !bytes.Equal(first.Value, want) || !bytes.Equal(first.Key, Seq(0)) {
		t.Error("a value changed after its transaction")
	}
}

// bbolt keeps a value that is put by reference until the commit, so what is put must not share the caller's memory.
func TestTrapBbolt_PutCopies(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		key, value := Seq(1), []byte("before")
		must(t, lines.Put(tx, "desk", key, value))
		copy(key, "xxxxxxxx")
		copy(value, "AFTER!")
		return nil
	}))
	must(t, s.View(func(tx *Tx) error {
		v, err := lines.Get(tx, Seq(1))
		if string(v) != "before" {
			t.Errorf("got %q", v)
		}
		return err
	}))
}

// bbolt's file never shrinks by itself: space that was given back returns to the disk at the next Open.
func TestTrapBbolt_DeletedSpace(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, dbName)
	size := func() int64 {
		info, err := os.Stat(path)
		must(t, err)
		return info.Size()
	}
	var kept Body
	var bodies []Body
	must(t, s.Update(func(tx *Tx) error {
		for range 400 {
			d, err := s.SealBytes(pattern(smallBody))
			must(t, err)
			b, err := tx.Keep(d)
			must(t, err)
			bodies = append(bodies, b)
		}
		return nil
	}))
	kept = keep(t, s, 1, pattern(1000))
	before := size()
	must(t, s.Update(func(tx *Tx) error {
		for _, b := range bodies {
			must(t, tx.Forget(b))
		}
		return nil
	}))
	if size() < before {
		t.Error("bbolt gives space back: the compaction is not needed any more")
	}
	must(t, s.Close())
	must(t, os.WriteFile(path+".new", []byte("left by a kill"), 0o600))
	s = reopen(t, s.dir)
	if after := size(); after > before/4 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("a copy is left")
	}
	got, err := s.Bytes(kept)
	must(t, err)
	if !bytes.Equal(got, pattern(1000)) {
		t.Error("the body that stays is another")
	}
	must(t, s.Update(putThing(1)))
	whole(t, s)
}

// A second process, or a second Open, waits a second for the lock and then says why, instead of waiting for ever.
func TestTrapBbolt_SecondOpen(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	done := make(chan error, 1)
	go func() {
		_, err := Open(Options{Dir: s.dir, Unlock: testKey})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("got %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("waits for ever")
	}
}

// Whoever waited for the lock of a file that was replaced meanwhile must not write to the one nobody sees.
func TestTrapBbolt_LockOfAReplacedFile(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, dbName)
	file, err := os.Open(path)
	must(t, err)
	defer func() { must(t, file.Close()) }()
	must(t, stillThere(file, path))
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, replaceFile(path, data))
	if stillThere(file, path) == nil {
		t.Error("takes the old file for the new one")
	}
}

// A reader that waits for a second one must not be caught between two remaps: the map is large from the beginning.
func TestTrapBbolt_ReaderInsideAReader(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := keep(t, s, 1, pattern(100))
	done := make(chan error, 1)
	go func() {
		done <- s.View(func(*Tx) error {
			grown := make(chan error, 1)
			go func() {
				for n := range uint64(8) { // 8 MiB: beyond the first maps of bbolt, which begin at 32 KiB
					if err := s.Update(func(tx *Tx) error {
						return lines.Put(tx, "desk", Seq(n), make([]byte, 1<<20))
					}); err != nil {
						grown <- err
						return
					}
				}
				grown <- nil
			}()
			if err := <-grown; err != nil {
				return err
			}
			_, err := s.Bytes(b)
			return err
		})
	}()
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("reader and writer wait for each other")
	}
}

func TestTrapBbolt_Options(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	db := s.engine.(boltEngine).db
	if db.FreelistType != bbolt.FreelistMapType || db.NoSync || db.NoGrowSync {
		t.Errorf("freelist %v, NoSync %v, NoGrowSync %v", db.FreelistType, db.NoSync, db.NoGrowSync)
	}
}

// Only two files may know bbolt.
func TestSeam_OnlyTheEngineKnowsBbolt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range files {
		source, err := os.ReadFile(name)
		must(t, err)
		if bytes.Contains(source, []byte(`"go.etcd.io/bbolt`)) && !strings.HasSuffix(name, "_test.go") && name != "bolt.go" && name != "compact.go" {
			t.Errorf("%s knows bbolt", name)
		}
	}
}

package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// appending tries to append, and returns the error.
func appending(t *testing.T, s *Store) error {
	t.Helper()
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	defer d.Drop()
	return comers.Append(s, "desk", d, "", func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} })
}

// A failed fsync of the file breaks the store for ever, and what was answered before is there at the next start.
func TestT1_FailedFsyncOfTheSpool(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, appending(t, s))
	stand(t, os.DevNull, descriptors(t, filepath.Join(s.dir, spoolName)))
	wantErr(t, appending(t, s), ErrBroken)
	wantErr(t, appending(t, s), ErrBroken)
	wantErr(t, s.Update(putThing(1)), ErrBroken)
	select {
	case <-s.Broken():
	default:
		t.Error("nobody was told")
	}
	must(t, s.Close())
	if n := len(absorbed(t, reopen(t, s.dir))); n != 1 {
		t.Errorf("%d are there, want the one that was answered", n)
	}
}

// The control: without fsync the same disk goes unnoticed.
func TestT1_ControlNoSyncOfTheSpool(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, appending(t, s))
	must(t, s.Close())
	s, err := Open(Options{Dir: s.dir, Unlock: testKey, NoSync: true})
	must(t, err)
	stand(t, os.DevNull, descriptors(t, filepath.Join(s.dir, spoolName)))
	must(t, appending(t, s))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := len(absorbed(t, reopen(t, s.dir))); n != 1 {
		t.Errorf("%d are there, though the disk took nothing", n)
	}
}

// On a full disk nothing is taken, and everything again when there is room.
func TestT1_FullSpool(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, appending(t, s))
	path := filepath.Join(s.dir, spoolName)
	fds := descriptors(t, path)
	stand(t, "/dev/full", fds)
	for range 2 {
		if err := appending(t, s); !errors.Is(err, ErrFull) || errors.Is(err, ErrBroken) {
			t.Errorf("a full disk: %v", err)
		}
	}
	stand(t, path, fds)
	must(t, appending(t, s))
	if n := len(absorbed(t, reopen(t, killed(t, s)))); n != 2 {
		t.Errorf("%d are there after a kill, not 2", n)
	}
	must(t, s.Absorb())
	whole(t, s)
}

// On a full disk what was appended stays where it is, the store opens, and the next body has a number of its own; with room all of
// it comes into the tree.
func TestT1_OpenOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var last uint64
	const many = 200 // more than the tree's file has room for
	for range many {
		last = appendOne(t, s, pattern(smallBody))
	}
	dir := onSmallDisk(t, killed(t, s), 0)
	filler := filepath.Join(filepath.Dir(dir), "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), fileMode); err == nil {
		t.Fatal("the disk was not full")
	}
	again, err := Open(Options{Dir: dir, Unlock: testKey})
	must(t, err)
	if n := again.Appended(); n == 0 || n == many {
		t.Errorf("%d of %d wait, though there was room for some", n, many)
	}
	wantErr(t, again.Absorb(), ErrFull)
	id := appendOne(t, again, nil) // there is room among the zeros of the file
	if id <= last {
		t.Errorf("number %d was given to body %d", id, last)
	}
	must(t, again.Close())
	more := filepath.Join(t.TempDir(), "more")
	must(t, os.CopyFS(more, os.DirFS(dir)))
	for _, name := range []string{"", blobsDir} {
		must(t, os.Chmod(filepath.Join(more, name), dirMode))
	}
	for path := range contents(t, more) {
		must(t, os.Chmod(path, fileMode))
	}
	after := reopen(t, more)
	if n := len(absorbed(t, after)); n != many+1 {
		t.Errorf("%d are there", n)
	}
	whole(t, after)
}

// The keys of what did not reach a full disk are given to others, also where the same commit changed the master key or destroyed
// keys: these do not come back, and the store opens again.
func TestT1_KeysAfterAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error { return errors.Join(tx.NewScope("kept"), tx.NewScope("gone")) }))
	fresh, err := newVault(filepath.Join(s.dir, keysName), testKey, scryptCost)
	must(t, err)
	path := filepath.Join(s.dir, dbName)
	fds := descriptors(t, path)
	stand(t, "/dev/full", fds)
	newScope := &request{func(tx *Tx) error { return tx.NewScope("new") }, newAnswered()}
	destroys := &request{func(tx *Tx) error {
		tx.keys = tx.keys.without(tx.keys.byName("gone"))
		tx.newVault, tx.newKeys, tx.changed = fresh, true, true
		return nil
	}, newAnswered()}
	s.commitAll([]*request{newScope, destroys})
	wantErr(t, <-newScope.done, ErrFull)
	wantErr(t, <-destroys.done, ErrFull)
	stand(t, path, fds)
	for _, keys := range []*keySet{s.keys.Load(), s.settled.Load()} {
		if keys.byName("gone") != nil || keys.byName("new") != nil || keys.byName("kept") == nil {
			t.Error("the keys are not those of before without the one that was destroyed")
		}
	}
	for _, name := range []Scope{"new", "newer"} {
		must(t, s.Update(func(tx *Tx) error { return tx.NewScope(name) }))
	}
	must(t, s.Close())
	whole(t, reopen(t, s.dir))
}

// Spare keys that a commit which did not reach a full disk replaced in the key file are given to nobody: what were sealed under one
// would not open after a restart.
func TestT1_SpareKeysAfterAFullDisk(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	path := filepath.Join(s.dir, dbName)
	fds := descriptors(t, path)
	stand(t, "/dev/full", fds)
	wantErr(t, s.Update(func(tx *Tx) error { return tx.FreshKey("desk") }), ErrFull)
	stand(t, path, fds)
	must(t, s.Update(func(tx *Tx) error { return tx.NewScope("new") }))
	d, err := s.SealBytes([]byte("x"))
	must(t, err)
	must(t, comers.Append(s, "new", d, "", func(b Body, _ time.Time) holder { return holder{"x", []part{{b}}} }))
	must(t, s.Close())
	again := reopen(t, s.dir)
	if n := len(absorbed(t, again)); n != 1 {
		t.Errorf("%d are there", n)
	}
	whole(t, again)
}

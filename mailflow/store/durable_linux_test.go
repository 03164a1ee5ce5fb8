package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// descriptors lists the open descriptors of a file.
func descriptors(t *testing.T, path string) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc/self/fd")
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && to == path {
			fd, err := strconv.Atoi(e.Name())
			must(t, err)
			fds = append(fds, fd)
		}
	}
	if len(fds) == 0 {
		t.Fatalf("no descriptor of %s", path)
	}
	return fds
}

// stand puts another file behind descriptors, as a disk that begins to fail does: what is mapped stays readable.
func stand(t *testing.T, by string, fds []int) {
	t.Helper()
	other, err := os.OpenFile(by, os.O_RDWR, 0)
	must(t, err)
	defer func() { must(t, other.Close()) }()
	for _, fd := range fds {
		must(t, syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC))
	}
}

// brokenDisk opens a store in which a row is kept, whose disk takes writes but fails every fsync: /dev/null does just that.
func brokenDisk(t *testing.T, noSync bool) *Store {
	t.Helper()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	if noSync {
		must(t, s.Close())
		var err error
		s, err = Open(Options{Dir: s.dir, Unlock: testKey, NoSync: true})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
	}
	stand(t, os.DevNull, descriptors(t, filepath.Join(s.dir, dbName)))
	return s
}

func TestT1_FailedFsyncBreaksForEver(t *testing.T) {
	t.Parallel()
	s := brokenDisk(t, false)
	wantErr(t, s.Update(putThing(2)), ErrBroken)
	select {
	case <-s.Broken():
	default:
		t.Error("nobody was told")
	}
	wantErr(t, s.Update(putThing(3)), ErrBroken)
	wantErr(t, s.View(func(*Tx) error { return nil }), ErrBroken)

	must(t, s.Close())
	again := reopen(t, s.dir)
	must(t, again.View(func(tx *Tx) error {
		if n := things.Count(tx, nil); n != 1 {
			t.Errorf("%d rows after the restart, want the one that was acknowledged", n)
		}
		return nil
	}))
	whole(t, again)
}

// TestT1_ControlNoSync shows that the test above sees the fsync and nothing else: without it the same disk goes unnoticed.
func TestT1_ControlNoSync(t *testing.T) {
	t.Parallel()
	s := brokenDisk(t, true)
	must(t, s.Update(putThing(2)))
}

func TestT1_NeighboursOfAFailedFsync(t *testing.T) {
	t.Parallel()
	s := brokenDisk(t, false)
	errs := together(t, s, putThing(2), func(*Tx) error { return errors.New("its own") }, putThing(3))
	for i, err := range errs {
		if i != 1 {
			wantErr(t, err, ErrBroken)
		}
	}
	if errs[1] == nil {
		t.Error("the failing one succeeded")
	}
}

func TestT1_DiskFull(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1)))
	db := filepath.Join(s.dir, dbName)
	fds := descriptors(t, db)
	stand(t, "/dev/full", fds)
	wantErr(t, s.Update(putThing(2)), ErrFull)
	select {
	case <-s.Broken():
		t.Error("a full disk broke the store")
	default:
	}
	must(t, s.View(func(tx *Tx) error {
		if things.Has(tx, Seq(2)) {
			t.Error("the row is there")
		}
		return nil
	}))
	// Space again: the store goes on.
	stand(t, db, fds)
	must(t, s.Update(putThing(3)))
	must(t, s.View(func(tx *Tx) error {
		if things.Has(tx, Seq(2)) || !things.Has(tx, Seq(3)) {
			t.Error("the wrong rows are there")
		}
		return nil
	}))
	whole(t, s)
}

// A commit whose last fsync fails may be on the disk, and name a body: its file must be there then. Where it is not, the next Open
// removes the file.
func TestT1_FailedFsyncKeepsTheBlob(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d, err := s.SealBytes(pattern(smallBody + 1))
	must(t, err)
	stand(t, os.DevNull, descriptors(t, filepath.Join(s.dir, dbName)))
	wantErr(t, s.Update(func(tx *Tx) error { _, err := tx.Keep(d); return err }), ErrBroken)
	d.Drop()
	if n := blobFiles(t, s); n != 1 {
		t.Errorf("%d blob files after the failed fsync, want the one that the disk may name", n)
	}
	must(t, s.Close())
	again := reopen(t, s.dir)
	if n := blobFiles(t, again); n != 0 {
		t.Errorf("%d blob files that nothing names are left", n)
	}
	whole(t, again)
}

// A file may end before the disk does: by a quota, or by a limit of the process (EFBIG).
func TestT1_FileMayNotGrow(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if !noSpace(&os.PathError{Op: "write", Path: dbName, Err: errno}) || !namesNoSpace("file resize error: truncate: "+errno.Error()) {
			t.Errorf("%v is not a full disk", errno)
		}
	}
	if noSpace(syscall.EIO) || namesNoSpace("file resize error: "+syscall.EIO.Error()) {
		t.Error("EIO is a full disk")
	}
}

// A reader that lets something happen once it was read beyond the size of a small body, when its blob file is open.
type interrupted struct {
	left int
	then func()
}

func (r *interrupted) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	r.left -= n
	if r.left < 2*chunkBytes && r.then != nil {
		r.then()
		r.then = nil
	}
	return n, nil
}

func TestT1_BlobDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		device string
		want   error
		broken bool
	}{
		{"/dev/full", ErrFull, false},
		{os.DevNull, ErrBroken, true}, // takes writes, fails fsync
	} {
		t.Run(filepath.Base(c.device), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			blob := s.blobPath(s.bodies.Load() + 1)
			_, err := s.Seal(&interrupted{5 * chunkBytes, func() { stand(t, c.device, descriptors(t, blob)) }})
			wantErr(t, err, c.want)
			if s.isBroken() != c.broken {
				t.Errorf("broken: %v", s.isBroken())
			}
			if n := blobFiles(t, s); n != 0 {
				t.Errorf("%d blob files are left", n)
			}
			if !c.broken {
				must(t, s.Update(putThing(1)))
			}
		})
	}
}

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of so many bytes.
func smallDisk(t *testing.T, size int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size+(8<<10)))
	if err == unix.EPERM || err == unix.EACCES {
		t.Skip("needs a privilege: to mount a small file system (tmpfs)")
	}
	must(t, err)
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// onSmallDisk puts a closed store on a disk with so many bytes to spare.
func onSmallDisk(t *testing.T, from string, spare int64) (dir string) {
	t.Helper()
	dir = filepath.Join(smallDisk(t, bytesIn(t, from)+spare), "store")
	must(t, os.CopyFS(dir, os.DirFS(from)))
	must(t, os.Chmod(dir, dirMode))
	must(t, os.MkdirAll(filepath.Join(dir, blobsDir), dirMode))
	must(t, os.Chmod(filepath.Join(dir, blobsDir), dirMode))
	for path := range contents(t, dir) {
		must(t, os.Chmod(path, fileMode))
	}
	return dir
}

// A disk that fills while the store is compacted leaves it as it was, whole, and in use; the next start tries again.
func TestT1_FullDiskWhileCompacting(t *testing.T) {
	t.Parallel()
	s := mostlyFreeStore(t)
	must(t, s.Update(func(tx *Tx) error { // what stays does not fit a second time
		for n := range uint64(256) {
			must(t, scraps.Put(tx, "desk", Seq(n), pattern(32<<10)))
		}
		return nil
	}))
	must(t, s.Close())
	dir := onSmallDisk(t, s.dir, 1<<20)
	before := bytesIn(t, dir)
	r := reopen(t, dir)
	if now := bytesIn(t, dir); now < before {
		t.Fatal("it was compacted: the disk was not full")
	}
	if _, err := os.Stat(filepath.Join(dir, dbName+".new")); err == nil {
		t.Error("half a copy is left on the full disk")
	}
	getting(t, r, things, Seq(1), nil)
	must(t, r.Update(putThing(2)))
	whole(t, r)
}

// A disk without room for a copy of the store keeps it at its schema, unchanged.
func TestSchema_FullDisk(t *testing.T) {
	t.Parallel()
	dir := onSmallDisk(t, firstSchema(t), 0)
	before := contents(t, dir)
	_, err := openWith(t, dir, []migration{tenfold})
	wantErr(t, err, ErrFull)
	same(t, "a full disk", before, contents(t, dir))
}

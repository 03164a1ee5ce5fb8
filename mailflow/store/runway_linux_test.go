package store

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// New pages go over blocks that the file has: behind the last page lies a runway without a hole, however often the store grew,
// and what was written before and after is whole.
func TestRunway(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(putThing(1))) // bbolt makes the file large, and then there is room for a runway
	for n := range uint64(300) {
		must(t, s.Update(func(tx *Tx) error { return scraps.Put(tx, "desk", Seq(n), pattern(32<<10)) }))
		must(t, s.Update(func(tx *Tx) error {
			hole, end := firstHole(t, s, tx.rows.size())
			if hole < min(end, tx.rows.size()+aheadBytes) {
				t.Fatalf("after %d puts the pages end at %d, the file at %d, and a hole is at %d", n+1, tx.rows.size(), end, hole)
			}
			return nil
		}))
	}
	must(t, s.Close())
	whole(t, reopen(t, s.dir))
}

// A store without fsync waits for no blocks, and takes none ahead.
func TestRunway_NotWithoutSync(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Close())
	s, err := Open(Options{Dir: s.dir, Unlock: testKey, NoSync: true})
	must(t, err)
	defer s.Close()
	for n := range uint64(3 * aheadBytes / (32 << 10)) { // past what Create and the first Open left
		must(t, s.Update(func(tx *Tx) error { return scraps.Put(tx, "desk", Seq(n), pattern(32<<10)) }))
	}
	must(t, s.Update(func(tx *Tx) error {
		if hole, end := firstHole(t, s, tx.rows.size()); hole >= min(end, tx.rows.size()+aheadBytes) {
			t.Errorf("the pages end at %d, the file at %d, and a hole is at %d only", tx.rows.size(), end, hole)
		}
		return nil
	}))
}

// firstHole is where the file has no blocks, from an offset on, and where it ends, which is a hole too.
func firstHole(t *testing.T, s *Store, from int64) (hole, end int64) {
	t.Helper()
	f, err := os.Open(filepath.Join(s.dir, dbName))
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	hole, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
	must(t, err)
	return hole, info.Size()
}

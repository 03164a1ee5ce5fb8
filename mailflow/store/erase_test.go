package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
)

var scraps = WriteOnce[[]byte]("scraps")

// absent checks that nothing stands under a key.
func absent[V any](t *testing.T, s *Store, table Table[V], key []byte) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		if _, err := table.Get(tx, key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s %x is there: %v", table.rows, key, err)
		}
		return nil
	}))
}

// erasable has rows of two cases and the desk, one of the desk's among them replaced and one deleted, and gives what these were.
func erasable(t *testing.T) (s *Store, replaced, deleted []byte, blob Body) {
	t.Helper()
	s = newStore(t)
	d, err := s.SealBytes(pattern(smallBody + 1))
	must(t, err)
	must(t, s.Update(func(tx *Tx) error {
		for _, scope := range []Scope{"par-1", "par-2", "spool", "log"} {
			must(t, tx.NewScope(scope))
		}
		blob, err = tx.Keep(d)
		must(t, err)
		must(t, holders.Put(tx, "par-1", Seq(1), holder{"mail", []part{{blob}}}))
		must(t, things.Put(tx, "par-1", Seq(1), thing{"gone", 1}))
		must(t, things.Put(tx, "par-2", Seq(2), thing{"other", 2}))
		must(t, things.Put(tx, "desk", Seq(3), thing{"words of par-1", 3}))
		must(t, scraps.Put(tx, "par-1", Seq(1), []byte("gone")))
		must(t, scraps.Put(tx, "spool", Seq(4), []byte("waits")))
		must(t, scraps.Put(tx, "desk", Seq(5), []byte("words of par-1")))
		for _, scope := range []string{"log", "par-1", "log"} {
			_, _, err := tx.AddLink(scope, []byte("x"))
			must(t, err)
		}
		return nil
	}))
	return s, raw(t, s, things.rows, Seq(3)), raw(t, s, scraps.rows, Seq(5)), blob
}

// raw is a row as it lies on the disk.
func raw(t *testing.T, s *Store, bucket string, key []byte) (row []byte) {
	t.Helper()
	must(t, s.View(func(tx *Tx) error {
		row = bytes.Clone(tx.rows.get(bucket, key))
		return nil
	}))
	return row
}

func erase(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Update(func(tx *Tx) error {
		must(t, things.Put(tx, "desk", Seq(3), thing{"nothing", 3}))
		must(t, scraps.Delete(tx, Seq(5)))
		return tx.Erase("par-1")
	}))
}

// erased checks that one case is gone and nothing else is.
func erased(t *testing.T, s *Store, head string) {
	t.Helper()
	absent(t, s, things, Seq(1))
	absent(t, s, scraps, Seq(1))
	absent(t, s, holders, Seq(1))
	getting(t, s, things, Seq(2), nil)
	getting(t, s, things, Seq(3), nil)
	getting(t, s, scraps, Seq(4), nil)
	if n := blobFiles(t, s); n != 0 {
		t.Errorf("%d blob files", n)
	}
	if r := whole(t, s); r.Shredded != 1 || r.Journal != 3 || r.Head != head {
		t.Errorf("%+v", r)
	}
	must(t, s.View(func(tx *Tx) error {
		if tx.HasScope("par-1") || !tx.HasScope("par-2") || !tx.HasScope("desk") || !tx.HasScope("spool") {
			t.Error("the wrong scope is gone")
		}
		if n := len(tx.keys.allNamed("desk")); n != 1 {
			t.Errorf("the desk has %d keys", n)
		}
		return nil
	}))
}

func TestH3_EraseAndShredAll(t *testing.T) {
	t.Parallel()
	s, replaced, deleted, _ := erasable(t)
	head := whole(t, s).Head
	old, err := os.ReadFile(filepath.Join(s.dir, keysName))
	must(t, err)
	erase(t, s)
	wantErr(t, s.ShredAll([]Scope{"par-1"}, nil, UnlockKey(make([]byte, keyBytes))), ErrUnlock)
	must(t, s.ShredAll([]Scope{"par-1", "par-9"}, []Scope{"desk", "spool", "none"}, testKey))
	erased(t, s, head)
	must(t, s.Close())
	s = reopen(t, s.dir)
	erased(t, s, head)

	// What free pages may still hold of the desk opens no more: put back where it stood, not even its key is there.
	must(t, s.Close())
	rawUpdate(t, s, func(tx *bbolt.Tx) error {
		return errors.Join(rawPut(tx, things.rows, Seq(3), replaced), rawPut(tx, scraps.rows, Seq(5), deleted))
	})
	s = reopen(t, s.dir)
	getting(t, s, things, Seq(3), ErrShredded)
	getting(t, s, scraps, Seq(5), ErrShredded)

	// A key file of before does not go with the store of after.
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(s.dir, keysName), old, 0o600))
	if s, err = Open(Options{Dir: s.dir, Unlock: testKey}); err == nil {
		t.Cleanup(func() { s.Close() })
		getting(t, s, scraps, Seq(4), ErrTampered)
		absent(t, s, things, Seq(1))
	}
}

// A row of the desk that was deleted opens from where it stood as long as the desk's key was not renewed: the control of the above.
func TestH3_ControlNotRenewed(t *testing.T) {
	t.Parallel()
	s, _, deleted, _ := erasable(t)
	erase(t, s)
	must(t, s.ShredAll([]Scope{"par-1"}, nil, testKey))
	must(t, s.Close())
	rawUpdate(t, s, func(tx *bbolt.Tx) error { return rawPut(tx, scraps.rows, Seq(5), deleted) })
	getting(t, reopen(t, s.dir), scraps, Seq(5), nil)
}

type commitsThenFails struct {
	engine
	left *int
}

func (e commitsThenFails) begin(write bool) (engineTx, error) {
	tx, err := e.engine.begin(write)
	if write && *e.left == 0 {
		return failingTx{tx}, err
	}
	if write {
		*e.left--
	}
	return tx, err
}

// Killed at each of its steps, after the key file was written and before its commit, ShredAll is done when it is called again.
func TestH3_ShredAllCutShort(t *testing.T) {
	t.Parallel()
	for step := range 3 {
		s, _, _, _ := erasable(t)
		head := whole(t, s).Head
		erase(t, s)
		left := step
		s.engine = commitsThenFails{s.engine, &left}
		wantErr(t, s.ShredAll([]Scope{"par-1"}, []Scope{"desk", "spool"}, testKey), ErrBroken)
		must(t, s.Close())
		s = reopen(t, s.dir)
		whole(t, s)
		getting(t, s, things, Seq(3), nil)
		getting(t, s, scraps, Seq(4), nil)
		must(t, s.ShredAll([]Scope{"par-1"}, []Scope{"desk", "spool"}, testKey))
		erased(t, s, head)
	}
}

// A scope that the journal has links of is sealed anew, too, and keeps the older key for them.
func TestH3_RenewedWithLinks(t *testing.T) {
	t.Parallel()
	s, _, _, _ := erasable(t)
	must(t, s.ShredAll(nil, []Scope{"par-2", "log"}, testKey))
	must(t, s.View(func(tx *Tx) error {
		if len(tx.keys.allNamed("log")) != 2 || len(tx.keys.allNamed("par-2")) != 1 {
			t.Error("the wrong keys are gone")
		}
		return tx.Links(func(seq uint64, _, sealed []byte) error {
			_, shredded, err := tx.OpenLink(seq, sealed)
			if shredded {
				t.Errorf("link %d is gone", seq)
			}
			return err
		})
	}))
	must(t, s.Close())
	whole(t, reopen(t, s.dir))
}

// Who reads while keys are renewed and destroyed reads what is there.
func TestH3_ReadersMeanwhile(t *testing.T) {
	t.Parallel()
	s, _, _, _ := erasable(t)
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			err := s.View(func(tx *Tx) error {
				_, err := scraps.Get(tx, Seq(4))
				return err
			})
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		must(t, s.ShredAll(nil, []Scope{"desk", "spool"}, testKey))
	}
	close(stop)
	must(t, <-done)
	whole(t, s)
}

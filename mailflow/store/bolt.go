package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"parley/mailflow/broken"
)

const (
	// lockWait is how long Open waits for another process to let go of the file; without a limit bbolt waits for ever.
	lockWait = time.Second
	// mapBytes is how much address space is mapped at once: 16 GiB where an int has 64 bits, else 256 MiB. Only addresses are
	// used, not memory. bbolt remaps when a file outgrows its map, and then stops every new reader until the last old one has
	// ended, which a reader that opens a second one would wait for in vain.
	mapBytes = 1 << (28 + 6*(^uint(0)>>63))
	// fullPages is how far a page is filled before it is split, where keys ascend. bbolt's own half is for keys that do not.
	fullPages = 0.95
)

// boltEngine is the embedded engine.
type boltEngine struct {
	db    *bbolt.DB
	path  string
	mode  boltMode
	ahead *runway
}

// boltMode is how a file is opened.
type boltMode struct {
	create   bool // else the file must exist
	noSync   bool
	readOnly bool // several processes may, while none writes; nothing of the file changes
}

// openBolt opens the file for this process alone.
func openBolt(path string, mode boltMode) (engine, error) {
	db, file, err := lockBolt(path, mode)
	if err != nil {
		return nil, err
	}
	return boltEngine{db, path, mode, &runway{file: file}}, nil
}

// compacted gives back most of the file's space if most of it is free; the engine that it returns takes the place of this
// one. On a full disk nothing changes. After an error this one is closed.
func (e boltEngine) compacted() (engine, error) {
	if e.mode.readOnly || !mostlyFree(e.db) {
		return e, nil
	}
	err := compactBolt(e.db, e.path)
	if errors.Is(err, ErrFull) {
		return e, nil // as it was
	}
	if err = errors.Join(err, e.close()); err != nil {
		return nil, err
	}
	return openBolt(e.path, boltMode{noSync: e.mode.noSync})
}

// lockBolt also gives the file, which is the database's: it closes it.
func lockBolt(path string, mode boltMode) (db *bbolt.DB, file *os.File, err error) {
	db, err = bbolt.Open(path, fileMode, &bbolt.Options{
		Timeout:         lockWait,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapBytes,
		NoSync:          mode.noSync,
		NoGrowSync:      mode.noSync,
		ReadOnly:        mode.readOnly,
		OpenFile: func(name string, flag int, perm os.FileMode) (f *os.File, err error) {
			if !mode.create {
				flag &^= os.O_CREATE
			}
			file, err = os.OpenFile(name, flag, perm)
			return file, err
		},
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, nil, ErrInUse
	}
	if err != nil {
		return nil, nil, err
	}
	if err := stillThere(file, path); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, file, nil
}

// stillThere makes sure that the file whose lock was waited for is the one that has the name now: the process that held it may
// have put a compacted one in its place.
func stillThere(file *os.File, path string) error {
	locked, err := file.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(locked, named) {
		return fmt.Errorf("%w, which replaced its file", ErrInUse)
	}
	return nil
}

func (e boltEngine) begin(write bool) (engineTx, error) {
	tx, err := e.db.Begin(write)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return nil, ErrClosed
	}
	if errors.Is(err, berrors.ErrDatabaseReadOnly) {
		return nil, errReadOnly
	}
	if err != nil {
		return nil, err
	}
	if write && !e.mode.noSync {
		e.ahead.extend(tx.Size())
	}
	return boltTx{tx}, nil
}

// check compares the pages that are in use with the list of free ones. That
// list is the live one whatever the transaction, so that writers wait
// meanwhile: beside a commit, sound pages would look lost.
func (e boltEngine) check(problem func(string)) error {
	tx, err := e.db.Begin(!e.mode.readOnly)
	if err != nil {
		return err
	}
	for err := range tx.Check() {
		problem(err.Error())
	}
	return tx.Rollback()
}

func (e boltEngine) close() error { return e.db.Close() }

type boltTx struct{ tx *bbolt.Tx }

func (t boltTx) get(bucket string, key []byte) []byte {
	b := t.tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return b.Get(key)
}

func (t boltTx) put(bucket string, key, value []byte) error {
	b := t.tx.Bucket([]byte(bucket))
	if b == nil {
		var err error
		if b, err = t.tx.CreateBucket([]byte(bucket)); err != nil {
			return err
		}
	}
	if ascends(bucket) {
		b.FillPercent = fullPages
	}
	return b.Put(key, value)
}

func (t boltTx) delete(bucket string, key []byte) error {
	b := t.tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return b.Delete(key)
}

func (t boltTx) cursor(bucket string) cursor {
	b := t.tx.Bucket([]byte(bucket))
	if b == nil {
		return nil
	}
	return boltCursor{b.Cursor()}
}

func (t boltTx) buckets() []string {
	var names []string
	c := t.tx.Cursor()
	for name, _ := c.First(); name != nil; name, _ = c.Next() {
		names = append(names, string(name))
	}
	return names
}

func (t boltTx) size() int64 { return t.tx.Size() }

func (t boltTx) copyTo(w io.Writer) error {
	_, err := t.tx.WriteTo(w)
	return err
}

// commit tells a full disk from a failed one. A page write that finds no space happens before the meta page names the new
// pages, so the file still says what it said before. A failed fsync may have dropped pages that later look written, and a
// retry would succeed without them: there is no going on from that.
func (t boltTx) commit() error {
	err := t.tx.Commit()
	if broken.Is(broken.ForgetErrors) {
		return nil
	}
	var wrote *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrote) && wrote.Op == "write" && noSpace(wrote.Err),
		// bbolt keeps only the text of a failed ftruncate.
		strings.HasPrefix(err.Error(), "file resize error") && namesNoSpace(err.Error()):
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// fullErrnos are what a write fails with where a file cannot grow: the disk has no more, or the owner or the process may have no more.
var fullErrnos = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

func noSpace(err error) bool {
	return slices.ContainsFunc(fullErrnos, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

func namesNoSpace(text string) bool {
	return slices.ContainsFunc(fullErrnos, func(e syscall.Errno) bool { return strings.Contains(text, e.Error()) })
}

func (t boltTx) rollback() { _ = t.tx.Rollback() } // the only error is that it ended already

type boltCursor struct{ c *bbolt.Cursor }

func (c boltCursor) seek(key []byte) (k, v []byte) { return c.c.Seek(key) }
func (c boltCursor) next() (k, v []byte)           { return c.c.Next() }

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// bbolt never makes its file smaller: pages of deleted rows wait to be used again. A file is written anew at Open when more
// than half of its pages and at least compactFrom bytes wait: not before its schema is known, nor where it is only read.
const (
	compactFrom = 32 << 20
	compactStep = 16 << 20 // bytes copied in one transaction
)

func mostlyFree(db *bbolt.DB) bool {
	tx, err := db.Begin(true) // only a writer's end counts the free pages
	if err != nil {
		return false
	}
	pages := tx.Size() / int64(db.Info().PageSize)
	_ = tx.Rollback() // the only error is that it ended already
	free := int64(db.Stats().FreePageN)
	return free > pages/2 && free*int64(db.Info().PageSize) >= compactFrom
}

// compactBolt copies what is in use to a new file and puts that in the place of the old one, which stays locked meanwhile. After
// a crash the name stands for one or the other whole. The old blocks are given back, not overwritten; they hold only
// sealed rows.
func compactBolt(db *bbolt.DB, path string) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := copyBolt(db, next); err != nil {
		return errors.Join(fmt.Errorf("compact: %w", err), os.Remove(next))
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func copyBolt(db *bbolt.DB, path string) error {
	to, err := bbolt.Open(path, fileMode, &bbolt.Options{NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return full(err)
	}
	err = full(bbolt.Compact(to, db, compactStep))
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

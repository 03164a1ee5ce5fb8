package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Before a store is brought to a new schema, a copy of it is set aside in its own directory, and tried: a store in all, with the
// key file as it is. Its name tells the schema and the commit. Blobs are never written again, and so they are linked where the
// file system can, which takes no space.

const asidePrefix = "set-aside-schema-"

// copyAside makes the copy, and returns where it is. One of the same commit that stands already was tried then. m are the
// migrations of a program that knows just this schema.
func (s *Store) copyAside(schema uint64, u Unlock, m []migration) (dir string, err error) {
	var serial uint64
	err = s.View(func(tx *Tx) error {
		serial = tx.Serial()
		return nil
	})
	if err != nil {
		return "", err
	}
	dir = filepath.Join(s.dir, fmt.Sprintf("%s%d-at-%d", asidePrefix, schema, serial))
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil { // what a kill left
		return "", err
	}
	if err = s.copyTo(part); err == nil {
		err = tryCopy(part, u, m)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(part))
	}
	return dir, errors.Join(os.Rename(part, dir), syncDir(s.dir))
}

// copyTo makes a durable copy of the store in a new directory.
func (s *Store) copyTo(dir string) error {
	if err := makeDir(dir); err != nil {
		return full(err)
	}
	keys, err := readLimited(filepath.Join(s.dir, keysName), keyLimit)
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(dir, keysName), keys); err != nil {
		return err
	}
	err = s.View(func(tx *Tx) error { return copyTree(tx, filepath.Join(dir, dbName)) })
	if err != nil {
		return err
	}
	blobs, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := linkOrCopy(filepath.Join(s.dir, blobsDir, b.Name()), filepath.Join(dir, blobsDir, b.Name())); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(filepath.Join(dir, blobsDir)), syncDir(dir))
}

// copyTree copies the tree as a transaction sees it. One that is too short must not be mapped.
func copyTree(tx *Tx, path string) error {
	if err := fillDurably(path, tx.rows.copyTo); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() != tx.rows.size() {
		err = fmt.Errorf("%s has %d bytes, not %d", path, info.Size(), tx.rows.size())
	}
	return err
}

func linkOrCopy(from, to string) (err error) {
	if os.Link(from, to) == nil {
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return copyDurably(to, f)
}

// tryCopy opens a copy and reads all of it.
func tryCopy(dir string, u Unlock, m []migration) error {
	s, err := open(Options{Dir: dir, Unlock: u, ReadOnly: true}, m)
	if err != nil {
		return err
	}
	report, err := s.Verify(context.Background())
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("it is damaged: %s", report.Problems[0])
	}
	return errors.Join(err, s.Close())
}

// Aside names the copies that were set aside in the store's directory. The credential of then opens them, and so they give
// back what was shredded since.
func (s *Store) Aside() (names []string, err error) {
	all, err := os.ReadDir(s.dir)
	for _, e := range all {
		if e.IsDir() && strings.HasPrefix(e.Name(), asidePrefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

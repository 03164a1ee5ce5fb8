package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// What lies in a store's directory.
const (
	dbName    = "parley.db"
	keysName  = "keys"
	blobsDir  = "blobs"
	spoolName = "spool" // where something was appended

	dirMode  = 0o700
	fileMode = 0o600
)

// checkPrivate refuses what others than its owner may read, write or enter (H5).
func checkPrivate(path string, want fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() != (want == dirMode), !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not what should be there", path)
	case info.Mode().Perm()&^want != 0:
		return fmt.Errorf("%s is open to others (mode %04o): want %04o", path, info.Mode().Perm(), want)
	}
	return nil
}

// checkDir checks the directory and all that a store keeps in it.
func checkDir(dir string) error {
	if dir, err := filepath.EvalSymlinks(dir); err != nil {
		return err
	} else if err := checkPrivate(dir, dirMode); err != nil {
		return err
	}
	for _, name := range []string{keysName, dbName} {
		if err := checkPrivate(filepath.Join(dir, name), fileMode); err != nil {
			return err
		}
	}
	if err := checkPrivate(filepath.Join(dir, spoolName), fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return checkPrivate(filepath.Join(dir, blobsDir), dirMode)
}

// makeDir makes the directory of a new store, or takes an empty one.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	if err := checkPrivate(dir, dirMode); err != nil {
		return err
	}
	for _, name := range []string{keysName, dbName, blobsDir, spoolName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s %w", name, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, blobsDir), dirMode); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// replaceFile writes a file whole, so that after a crash either the old or the new content stands there. It returns when the
// new content is durable.
func replaceFile(path string, data []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeDurably(next, data); err != nil {
		if errors.Is(err, ErrFull) {
			_ = os.Remove(next) // gives its blocks back; the next call would remove it anyway
		}
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeDurably makes a new file and fsyncs it; the directory is still the caller's to fsync.
func writeDurably(path string, data []byte) error { return copyDurably(path, bytes.NewReader(data)) }

// copyDurably is writeDurably of what r gives.
func copyDurably(path string, r io.Reader) error {
	return fillDurably(path, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// fillDurably is writeDurably of what fill writes.
func fillDurably(path string, fill func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return full(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := &noting{to: f}
	if err := fill(w); err != nil {
		return full(errors.Join(err, w.err))
	}
	return f.Sync()
}

// noting keeps the error of a write, of which bbolt hands on no more than the text.
type noting struct {
	to  io.Writer
	err error
}

func (n *noting) Write(b []byte) (int, error) {
	wrote, err := n.to.Write(b)
	if err != nil {
		n.err = err
	}
	return wrote, err
}

// full turns the error of a write or create that found no space into ErrFull. The error of an fsync never goes through here.
func full(err error) error {
	if noSpace(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

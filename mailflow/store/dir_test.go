package store

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestH5_Modes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := keep(t, s, 1, pattern(smallBody+1))
	must(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		want := fs.FileMode(fileMode)
		if d.IsDir() {
			want = dirMode
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return nil
	}))
	must(t, s.Close())
	for _, path := range []string{s.dir, filepath.Join(s.dir, blobsDir), filepath.Join(s.dir, dbName), filepath.Join(s.dir, keysName), s.blobPath(b.ID)} {
		info, err := os.Stat(path)
		must(t, err)
		for _, wider := range []fs.FileMode{0o040, 0o004, 0o010, 0o001, 0o020, 0o002} {
			must(t, os.Chmod(path, info.Mode().Perm()|wider))
			if s, err := Open(Options{Dir: s.dir, Unlock: testKey}); err == nil {
				t.Errorf("opens with %s wider by %04o", path, wider)
				must(t, s.Close())
			} else if text := err.Error(); !strings.Contains(text, path) || !strings.Contains(text, "open to others") {
				t.Errorf("says %q", text)
			}
		}
		must(t, os.Chmod(path, info.Mode().Perm()))
	}
	reopen(t, s.dir)
}

func TestH5_CreateInAWiderDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	if Create(dir, testKey) == nil {
		t.Error("created")
	}
	must(t, os.Chmod(dir, 0o700))
	must(t, Create(dir, testKey))
	reopen(t, dir)
}

// A store that lacks a part is refused, and no part is made anew.
func TestOpen_Incomplete(t *testing.T) {
	t.Parallel()
	for _, name := range []string{dbName, keysName, blobsDir, ""} {
		s := newStore(t)
		must(t, s.Close())
		path := filepath.Join(s.dir, name)
		must(t, os.RemoveAll(path))
		if s, err := Open(Options{Dir: s.dir, Unlock: testKey}); err == nil {
			t.Errorf("opens without %q", name)
			must(t, s.Close())
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%q was made anew", name)
		}
	}
}

// TestH4_Canary looks for what was put into every kind of place in every file of the store.
func TestH4_Canary(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-5d41402a"
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		must(t, tx.NewScope(canary))
		must(t, things.Put(tx, canary, tx.Name("p", canary), thing{canary, 1}))
		must(t, once.Put(tx, canary, tx.Name(canary, "x"), thing{canary, 1}))
		must(t, lines.Put(tx, canary, Seq(1), []byte(canary)))
		_, err := tx.Next(canary)
		must(t, err)
		tx.Changed(Change{Topic: canary})
		_, _, err = tx.AddLink(canary, []byte(canary))
		return err
	}))
	for i, size := range []int{100, smallBody + 1} {
		keep(t, s, uint64(i), bytes.Repeat([]byte(canary), 1+size/len(canary)))
	}
	d, err := s.SealBytes(bytes.Repeat([]byte(canary), smallBody))
	must(t, err)
	defer d.Drop()
	must(t, s.Update(func(tx *Tx) error { return things.Delete(tx, tx.Name("p", canary)) }))
	files := 0
	must(t, filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		if e.IsDir() {
			return nil
		}
		files++
		data, err := os.ReadFile(path)
		must(t, err)
		if bytes.Contains(data, []byte(canary[:8])) || strings.Contains(path, canary) {
			t.Errorf("%s holds the canary", path)
		}
		return nil
	}))
	if files != 4 {
		t.Errorf("%d files", files)
	}
}

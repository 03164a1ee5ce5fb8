package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"parley/mailflow/store"
)

// A backup is a tar archive (POSIX.1-2001, pax) inside of an age file: first the
// files of the configuration, then those of the store, and a head that says what
// it is at the end, where that is known.
const (
	archiveConfig = "config/"
	archiveState  = "state/"
	archiveHead   = "backup.json"
	archiveFormat = 1
)

// backupHead is what a backup says of itself.
type backupHead struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program
	Taken   time.Time `json:"taken"`
	Serial  uint64    `json:"serial"`
	Journal uint64    `json:"journal"` // links
	Head    string    `json:"head"`
}

// archiver writes the files of a backup, and keeps what they were.
type archiver struct {
	tar  *tar.Writer
	now  time.Time
	sums map[string]string // SHA-256 in hex, by name
}

func newArchiver(w io.Writer, now time.Time) *archiver {
	return &archiver{tar.NewWriter(w), now, map[string]string{}}
}

// put writes one file; a store.Put.
func (a *archiver) put(name string, size int64, content func(io.Writer) error) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.now, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if err := content(io.MultiWriter(a.tar, sum)); err != nil {
		return err
	}
	a.sums[name] = hex.EncodeToString(sum.Sum(nil))
	return nil
}

func (a *archiver) bytes(name string, data []byte) error {
	return a.put(name, int64(len(data)), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// all writes a whole backup, of configuration files by their names and of a store.
func (a *archiver) all(ctx context.Context, files map[string][]byte, st *store.Store) (backupHead, error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := a.bytes(archiveConfig+name, files[name]); err != nil {
			return backupHead{}, err
		}
	}
	snap, err := st.Backup(ctx, func(name string, size int64, content func(io.Writer) error) error {
		return a.put(archiveState+name, size, content)
	})
	if err != nil {
		return backupHead{}, err
	}
	head := backupHead{archiveFormat, versionWord(), snap.Taken, snap.Serial, snap.Journal, snap.Head}
	text, err := json.Marshal(head)
	if err != nil {
		return head, err
	}
	return head, errors.Join(a.bytes(archiveHead, text), a.tar.Close())
}

// check reads a backup again and compares every file with what was written.
func (a *archiver) check(sealed io.Reader, id age.Identity) error {
	plain, err := age.Decrypt(sealed, id)
	if err != nil {
		return err
	}
	left := maps.Clone(a.sums)
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		if left[h.Name] != hex.EncodeToString(sum.Sum(nil)) {
			return fmt.Errorf("%s is not what was written", h.Name)
		}
		delete(left, h.Name)
	}
	if _, err := io.Copy(io.Discard, plain); err != nil { // up to the end that age vouches for
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%s is missing", slices.Min(slices.Collect(maps.Keys(left))))
	}
	return nil
}

// localName says whether a file of an archive may be made below a directory.
func localName(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsAny(name, "\\\x00")
}

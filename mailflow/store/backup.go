package store

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"time"
)

// A Snapshot says which state of a store a backup holds.
type Snapshot struct {
	Taken   time.Time
	Serial  uint64 // of the last commit in it
	Journal uint64 // links of the journal
	Head    string // the newest link, in hex; empty for an empty journal
}

// A Put takes one file of a backup. Content writes just size bytes, and is called before Put returns.
type Put func(name string, size int64, content func(io.Writer) error) error

// Backup gives put every file of the store as the last commit left it: the keys, the tree with all that was appended before, and
// each blob. Commits go on meanwhile,
// but pages that they free stay in the file until it ends. What put gets are the keys themselves, for whoever restores has none
// of our credentials: put must seal what it gets.
func (s *Store) Backup(ctx context.Context, put Put) (Snapshot, error) {
	var snap Snapshot
	if err := s.Absorb(); err != nil {
		return snap, fmt.Errorf("back up the store: %w", err)
	}
	if s.spool.damage != nil {
		return snap, fmt.Errorf("back up the store: %w", s.spool.damage)
	}
	if n := s.Appended(); n > 0 && s.readOnly {
		return snap, fmt.Errorf("back up the store: %d records were appended that only a start brings in", n)
	}
	s.holdBlobs()
	defer s.releaseBlobs()
	err := s.View(func(tx *Tx) (err error) {
		if snap, err = tx.snapshot(); err != nil {
			return err
		}
		return tx.backup(ctx, put)
	})
	if err != nil {
		return snap, fmt.Errorf("back up the store: %w", err)
	}
	return snap, nil
}

func (tx *Tx) snapshot() (Snapshot, error) {
	st, err := tx.load()
	if err != nil {
		return Snapshot{}, err
	}
	snap := Snapshot{Taken: tx.Now, Serial: st.serial, Journal: st.chain}
	if st.chain > 0 {
		snap.Head = hex.EncodeToString(st.chainEnd[:])
	}
	return snap, tx.checkChainEnd()
}

func (tx *Tx) backup(ctx context.Context, put Put) error {
	keys := tx.keys.marshal()
	defer clear(keys)
	err := put(keysName, int64(len(keys)), func(w io.Writer) error {
		_, err := w.Write(keys)
		return err
	})
	if err == nil {
		err = put(dbName, tx.rows.size(), tx.rows.copyTo)
	}
	for w := newWalk(tx, blobBucket, "", nil, nil); err == nil && w.next(); {
		if err = ctx.Err(); err == nil {
			err = tx.store.backupBlob(w, put)
		}
	}
	return err
}

func (s *Store) backupBlob(w *walk, put Put) (err error) {
	plain, err := w.open()
	if err != nil {
		return err
	}
	var row blobRow
	if err := row.unmarshal(plain); err != nil {
		return err
	}
	id := binary.BigEndian.Uint64(w.key)
	f, err := os.Open(s.blobPath(id))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return put(blobName(id), row.size, func(to io.Writer) error {
		_, err := io.CopyN(to, f, row.size)
		return err
	})
}

// blobName is the path of a blob in a backup.
func blobName(id uint64) string { return path.Join(blobsDir, fmt.Sprintf("%016x", id)) }

// Restore makes a store, in a directory that does not exist or is empty of one, of the files that Backup gave. next returns them
// one after the other, and io.EOF at the end. The keys are wrapped anew, by u. It returns when all of it is durable; what fails
// leaves files behind, and no store: the key file comes last.
func Restore(dir string, u Unlock, next func() (name string, content io.Reader, err error)) error {
	if err := restore(dir, u, next); err != nil {
		return fmt.Errorf("restore a store to %q: %w", dir, err)
	}
	return nil
}

func restore(dir string, u Unlock, next func() (string, io.Reader, error)) error {
	keysPath := path.Join(dir, keysName)
	vault, err := newVault(keysPath, u, scryptCost)
	if err != nil {
		return err
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	var keys []byte
	for {
		name, content, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && name == keysName {
			keys, err = readKeys(content)
		} else if err == nil {
			err = restoreFile(dir, name, content)
		}
		if err != nil {
			return err
		}
	}
	if keys == nil {
		return errors.New("the keys are missing")
	}
	if _, err := os.Lstat(path.Join(dir, dbName)); err != nil {
		return err
	}
	for _, d := range []string{path.Join(dir, blobsDir), dir} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return vault.write(keys)
}

func readKeys(content io.Reader) ([]byte, error) {
	keys, err := io.ReadAll(io.LimitReader(content, keyLimit))
	if err == nil {
		_, _, err = parseKeys(keys)
	}
	return keys, err
}

func restoreFile(dir, name string, content io.Reader) error {
	id, err := strconv.ParseUint(path.Base(name), 16, 64)
	if name != dbName && (err != nil || name != blobName(id)) {
		return fmt.Errorf("%q is no file of a store", name)
	}
	return copyDurably(path.Join(dir, name), content)
}

// RaiseValidity gives every mailbox a UIDVALIDITY higher than any before, so that clients forget what they know of it: after a
// restore UIDs are given again that stood for other messages (RFC 9051 section 2.3.1.1).
func (tx *Tx) RaiseValidity() error {
	all, err := tx.Mailboxes()
	if err != nil {
		return fmt.Errorf("raise validity: %w", err)
	}
	for _, m := range all {
		if m.UIDValidity, err = tx.nextValidity(m.Scope); err != nil {
			return fmt.Errorf("raise validity: %w", err)
		}
		if err := mailboxes.Put(tx, m.Scope, boxKey(m.Number), m); err != nil {
			return fmt.Errorf("raise validity: %w", err)
		}
		tx.Changed(Change{Topic: TopicMailbox, Mailbox: m.Number, Kind: ChangeFolders})
	}
	return nil
}

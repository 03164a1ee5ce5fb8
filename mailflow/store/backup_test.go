package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// kept is a backup in memory.
type kept struct {
	names []string
	files map[string][]byte
}

func backUp(t testing.TB, s *Store) (kept, Snapshot) {
	t.Helper()
	k := kept{files: map[string][]byte{}}
	snap, err := s.Backup(context.Background(), k.put)
	must(t, err)
	return k, snap
}

func (k *kept) put(name string, size int64, content func(io.Writer) error) error {
	var b bytes.Buffer
	if err := content(&b); err != nil {
		return err
	}
	if int64(b.Len()) != size {
		return fmt.Errorf("%s has %d bytes, and %d were said", name, b.Len(), size)
	}
	k.names, k.files[name] = append(k.names, name), b.Bytes()
	return nil
}

func (k kept) next() func() (string, io.Reader, error) {
	i := 0
	return func() (string, io.Reader, error) {
		if i == len(k.names) {
			return "", nil, io.EOF
		}
		i++
		return k.names[i-1], bytes.NewReader(k.files[k.names[i-1]]), nil
	}
}

var otherKey = UnlockKey(bytes.Repeat([]byte{9}, keyBytes))

func openRestored(t testing.TB, dir string, u Unlock) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Unlock: u})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

var noted = Versioned[string]("noted")

// Ten backups, each taken while four writers commit twenty times, blobs among it:
// each restores to a whole store that has all that was acknowledged before it was
// begun, and opens under the new credential alone.
func TestBackup_UnderLoad(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var wg sync.WaitGroup
	var acked [4]atomic.Int64
	may := make(chan struct{}, 4*20)
	large := bytes.Repeat([]byte("blob"), smallBody)
	for w := range acked {
		wg.Go(func() {
			i := int64(0)
			for range may {
				i++
				d, err := s.SealBytes(large[:1000+(i%2)*int64(smallBody)])
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Update(func(tx *Tx) error {
					if _, err := tx.Keep(d); err != nil {
						return err
					}
					_, _, err := tx.AddLink("desk", fmt.Appendf(nil, "%d/%d", w, i))
					return errors.Join(err, noted.Put(tx, "desk", Seq(uint64(w)<<32|uint64(i)), "x"))
				})
				if err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(i)
			}
		})
	}
	for n := range 10 {
		var before [4]int64
		for w := range acked {
			before[w] = acked[w].Load()
		}
		for range cap(may) {
			may <- struct{}{}
		}
		k, snap := backUp(t, s)
		dir := filepath.Join(t.TempDir(), "restored")
		must(t, Restore(dir, otherKey, k.next()))
		r := openRestored(t, dir, otherKey)
		report := whole(t, r)
		if report.Head != snap.Head || report.Journal != snap.Journal {
			t.Errorf("backup %d says head %s, and holds %s", n, snap.Head, report.Head)
		}
		must(t, r.View(func(tx *Tx) error {
			for w, most := range before {
				for i := int64(1); i <= most; i++ {
					if !noted.Has(tx, Seq(uint64(w)<<32|uint64(i))) {
						return fmt.Errorf("backup %d lacks what writer %d was acknowledged as %d", n, w, i)
					}
				}
			}
			return nil
		}))
		if _, err := Open(Options{Dir: dir, Unlock: testKey}); err == nil {
			t.Error("the old credential opens a restored store")
		}
	}
	close(may)
	wg.Wait()
}

// What is shredded before a backup does not come back with it.
func TestBackup_Shredded(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Update(func(tx *Tx) error {
		return errors.Join(tx.NewScope("gone"), noted.Put(tx, "gone", Seq(1), "secret"))
	}))
	must(t, s.Shred("gone", testKey))
	k, _ := backUp(t, s)
	dir := filepath.Join(t.TempDir(), "restored")
	must(t, Restore(dir, otherKey, k.next()))
	must(t, openRestored(t, dir, otherKey).View(func(tx *Tx) error {
		if _, err := noted.Get(tx, Seq(1)); !errors.Is(err, ErrShredded) {
			t.Errorf("a shredded row came back: %v", err)
		}
		return nil
	}))
}

// Blobs that are forgotten while a backup runs are in it all the same.
func TestBackup_Forgotten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	d, err := s.SealBytes(make([]byte, 3*smallBody))
	must(t, err)
	var b Body
	must(t, s.Update(func(tx *Tx) (err error) { b, err = tx.Keep(d); return err }))
	k := kept{files: map[string][]byte{}}
	_, err = s.Backup(context.Background(), func(name string, size int64, content func(io.Writer) error) error {
		if name == dbName {
			must(t, s.Update(func(tx *Tx) error { return tx.Forget(b) }))
		}
		return k.put(name, size, content)
	})
	must(t, err)
	if k.files[blobName(b.ID)] == nil {
		t.Error("the blob is missing")
	}
	if _, err := os.Stat(s.blobPath(b.ID)); err == nil {
		t.Error("the forgotten blob stays after the backup")
	}
}

// A backup that lacks something, or holds something else, makes no store.
func TestRestore_Bad(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	good, _ := backUp(t, s)
	for name, spoil := range map[string]func(k *kept){
		"without keys":       func(k *kept) { k.names = k.names[1:] },
		"without a tree":     func(k *kept) { k.names = k.names[:1] },
		"damaged keys":       func(k *kept) { k.files[keysName] = k.files[keysName][:50] },
		"a path that climbs": func(k *kept) { k.names = append(k.names, "blobs/../../0000000000000001") },
		"another file":       func(k *kept) { k.names = append(k.names, "authorized_keys") },
		"the same twice":     func(k *kept) { k.names = append(k.names, dbName) },
	} {
		k := kept{append([]string(nil), good.names...), map[string][]byte{}}
		for n, b := range good.files {
			k.files[n] = b
		}
		spoil(&k)
		dir := filepath.Join(t.TempDir(), "restored")
		if err := Restore(dir, otherKey, k.next()); err == nil {
			t.Errorf("%s: it was restored", name)
		}
		if _, err := os.Stat(filepath.Join(dir, keysName)); err == nil {
			t.Errorf("%s: a key file was left", name)
		}
	}
	if err := Restore(filepath.Dir(s.blobPath(1)), otherKey, good.next()); err != nil {
		t.Errorf("into an empty directory: %v", err)
	}
	if err := Restore(s.dir, otherKey, good.next()); !errors.Is(err, ErrExists) {
		t.Errorf("over a store: %v", err)
	}
}

// Every mailbox has a higher UIDVALIDITY afterwards than any had.
func TestRaiseValidity(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	before := map[uint32]uint32{}
	var most uint32
	must(t, s.Update(func(tx *Tx) error {
		for i := range 20 {
			m, err := tx.CreateMailbox(Mailbox{Name: fmt.Sprint(i), Scope: "desk"})
			if err != nil {
				return err
			}
			before[m.Number], most = m.UIDValidity, max(most, m.UIDValidity)
		}
		return nil
	}))
	must(t, s.Update((*Tx).RaiseValidity))
	must(t, s.View(func(tx *Tx) error {
		all, err := tx.Mailboxes()
		for _, m := range all {
			if m.UIDValidity <= most {
				t.Errorf("mailbox %d has %d, and one had %d before", m.Number, m.UIDValidity, most)
			}
		}
		if len(all) != len(before) {
			t.Errorf("%d mailboxes of %d", len(all), len(before))
		}
		return err
	}))
}

// A backup of a store that is only read does not pass over what was appended and is damaged.
func TestH7_NoBackupOfADamagedSpool(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for n := range 3 {
		appendOne(t, s, pattern(n))
	}
	dir := killed(t, s)
	path := filepath.Join(dir, spoolName)
	file, err := os.ReadFile(path)
	must(t, err)
	file[frameHeader+9] ^= 1
	must(t, os.WriteFile(path, file, fileMode))
	read, err := Open(Options{Dir: dir, Unlock: testKey, ReadOnly: true})
	must(t, err)
	_, err = read.Backup(context.Background(), func(string, int64, func(io.Writer) error) error { return nil })
	wantErr(t, err, ErrTampered)
	must(t, read.Close())
}

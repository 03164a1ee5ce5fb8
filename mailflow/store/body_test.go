package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"go.etcd.io/bbolt"
)

// pattern makes n bytes of which no two chunks are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*101)
	}
	return b
}

// keep seals data and keeps it in a record under Seq(n).
func keep(t testing.TB, s *Store, n uint64, data []byte) Body {
	t.Helper()
	d, err := s.Seal(bytes.NewReader(data))
	must(t, err)
	var b Body
	must(t, s.Update(func(tx *Tx) error {
		if b, err = tx.Keep(d); err != nil {
			return err
		}
		return holders.Put(tx, "desk", Seq(n), holder{"mail", []part{{b}}})
	}))
	return b
}

type holder struct {
	Name  string
	Parts []part
}

type part struct{ Raw Body }

var holders = Versioned[holder]("holders")

func blobFiles(t testing.TB, s *Store) int {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	must(t, err)
	return len(files)
}

func TestBody_Sizes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	blobs := 0
	for i, size := range []int{0, 1, 4096, chunkBytes - 1, chunkBytes, chunkBytes + 1, smallBody, smallBody + 1, 3 * chunkBytes, 3*chunkBytes + 5} {
		data := pattern(size)
		b := keep(t, s, uint64(i), data)
		sum := sha256.Sum256(data)
		if b.Size != int64(size) || b.Blob != (size > smallBody) || !bytes.Equal(b.SHA256, sum[:]) {
			t.Errorf("%d bytes: %+v", size, b)
		}
		if b.Blob {
			blobs++
		}
		got, err := s.Bytes(b)
		must(t, err)
		r, err := s.Body(b)
		must(t, err)
		read, err := io.ReadAll(r)
		must(t, err)
		must(t, r.Close())
		if !bytes.Equal(got, data) || !bytes.Equal(read, data) {
			t.Errorf("%d bytes come back as others", size)
		}
		must(t, s.View(func(tx *Tx) error {
			if got, err := tx.Bytes(b); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes in a transaction: %v", size, err)
			}
			return nil
		}))
	}
	if n := blobFiles(t, s); n != blobs {
		t.Errorf("%d blob files, want %d", n, blobs)
	}
	if r := whole(t, s); r.Bodies != 10 {
		t.Errorf("%d bodies", r.Bodies)
	}
}

func TestBody_Reader(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for i, size := range []int{4096, 3*chunkBytes + 100} {
		data := pattern(size)
		r, err := s.Body(keep(t, s, uint64(i), data))
		must(t, err)
		must(t, iotest.TestReader(r, data))
		_, err = r.Seek(int64(size)+10, io.SeekStart)
		must(t, err)
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		if _, err = r.Seek(-1, io.SeekStart); err == nil {
			t.Error("before the beginning")
		}
		must(t, r.Close())
	}
}

func TestBody_SealFails(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	cut := errors.New("cut")
	for _, n := range []int{0, 10, smallBody, smallBody + 1, 4 * chunkBytes} {
		_, err := s.Seal(io.MultiReader(bytes.NewReader(pattern(n)), iotest.ErrReader(cut)))
		wantErr(t, err, cut)
	}
	if n := blobFiles(t, s); n != 0 {
		t.Errorf("%d blob files are left", n)
	}
}

func TestBody_DropAndForget(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, size := range []int{100, smallBody + 1} {
		d, err := s.SealBytes(pattern(size))
		must(t, err)
		d.Drop()
		d.Drop()
		wantErr(t, s.Update(func(tx *Tx) error { _, err := tx.Keep(d); return err }), ErrExists)

		b := keep(t, s, 1, pattern(size))
		must(t, s.Update(func(tx *Tx) error {
			must(t, tx.Forget(b))
			return holders.Delete(tx, Seq(1))
		}))
		_, err = s.Bytes(b)
		wantErr(t, err, ErrNotFound)
		_, err = s.Body(b)
		wantErr(t, err, ErrNotFound)
		must(t, s.Update(func(tx *Tx) error { return tx.Forget(b) }))
	}
	if n := blobFiles(t, s); n != 0 {
		t.Errorf("%d blob files are left", n)
	}
	whole(t, s)
}

func TestBody_KeptOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, size := range []int{100, smallBody + 1} {
		d, err := s.SealBytes(pattern(size))
		must(t, err)
		failed := errors.New("failed")
		wantErr(t, s.Update(func(tx *Tx) error { _, err := tx.Keep(d); must(t, err); return failed }), failed)
		var b Body
		must(t, s.Update(func(tx *Tx) (err error) {
			b, err = tx.Keep(d)
			_, again := tx.Keep(d)
			wantErr(t, again, ErrExists)
			return err
		}))
		wantErr(t, s.Update(func(tx *Tx) error { _, err := tx.Keep(d); return err }), ErrExists)
		d.Drop() // too late
		_, err = s.Bytes(b)
		must(t, err)
	}
	whole(t, s)
}

// What nothing named when the process ended goes at the next Open; what was named stays.
func TestBody_Orphans(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	kept := keep(t, s, 1, pattern(smallBody+1))
	_, err := s.SealBytes(pattern(smallBody + 2))
	must(t, err)
	if n := blobFiles(t, s); n != 2 {
		t.Fatalf("%d blob files", n)
	}
	must(t, s.Close())
	s = reopen(t, s.dir)
	if n := blobFiles(t, s); n != 1 {
		t.Errorf("%d blob files after the restart", n)
	}
	_, err = s.Bytes(kept)
	must(t, err)
	next := keep(t, s, 2, pattern(smallBody+3))
	if next.ID <= kept.ID {
		t.Errorf("body %d after %d", next.ID, kept.ID)
	}
	whole(t, s)
}

func TestH1_Bodies(t *testing.T) {
	t.Parallel()
	size := 3*chunkBytes + 10
	for name, spoil := range map[string]func([]byte) []byte{
		"a byte":         func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut by a byte":  func(b []byte) []byte { return b[:len(b)-1] },
		"cut by a chunk": func(b []byte) []byte { return b[:len(b)-10-tagBytes] },
		"a byte more":    func(b []byte) []byte { return append(b, 0) },
		"chunks swapped": func(b []byte) []byte {
			return append(append(bytes.Clone(b[sealedChunk:2*sealedChunk]), b[:sealedChunk]...), b[2*sealedChunk:]...)
		},
		"empty": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			b := keep(t, s, 1, pattern(size))
			path := s.blobPath(b.ID)
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, spoil(data), 0o600))
			spoiled(t, s, b)
		})
	}
	t.Run("another's", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		a, b := keep(t, s, 1, pattern(size)), keep(t, s, 2, pattern(size))
		data, err := os.ReadFile(s.blobPath(a.ID))
		must(t, err)
		must(t, os.WriteFile(s.blobPath(b.ID), data, 0o600))
		spoiled(t, s, b)
	})
	t.Run("in the tree", func(t *testing.T) {
		t.Parallel()
		s := newStore(t)
		a, b := keep(t, s, 1, pattern(100)), keep(t, s, 2, pattern(100))
		s = behind(t, s, func(tx *bbolt.Tx) error {
			return rawPut(tx, bodyBucket, Seq(b.ID), rawGet(tx, bodyBucket, Seq(a.ID)))
		})
		spoiled(t, s, b)
	})
}

func spoiled(t *testing.T, s *Store, b Body) {
	t.Helper()
	_, err := s.Bytes(b)
	wantErr(t, err, ErrTampered)
	r, err := s.Body(b)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		must(t, r.Close())
	}
	wantErr(t, err, ErrTampered)
	unwhole(t, s)
}

// A body whose record Verify cannot read is still checked against damage.
func TestVerify_BodyNamedNowhere(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, smallBody + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			d, err := s.SealBytes(pattern(size))
			must(t, err)
			var b Body
			must(t, s.Update(func(tx *Tx) error { b, err = tx.Keep(d); return err }))
			whole(t, s)
			if b.Blob {
				data, err := os.ReadFile(s.blobPath(b.ID))
				must(t, err)
				data[5] ^= 1
				must(t, os.WriteFile(s.blobPath(b.ID), data, 0o600))
			} else {
				s = behind(t, s, func(tx *bbolt.Tx) error {
					row := rawGet(tx, bodyBucket, Seq(b.ID))
					row[50] ^= 1
					return rawPut(tx, bodyBucket, Seq(b.ID), row)
				})
			}
			unwhole(t, s)
		})
	}
}

// A body that is forgotten while Verify runs is in its snapshot, and its file stays until it ends.
func TestVerify_WhileForgetting(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := keep(t, s, 1, pattern(smallBody+1))
	s.holdBlobs()
	s.holdBlobs()
	must(t, s.View(func(tx *Tx) error {
		must(t, s.Update(func(tx *Tx) error { return tx.Forget(b) }))
		s.releaseBlobs()
		_, err := tx.Bytes(b)
		return err
	}))
	s.releaseBlobs()
	if n := blobFiles(t, s); n != 0 {
		t.Errorf("%d blob files are left", n)
	}
}

// A record that names a forgotten body is a fault of ours, and Verify says so.
func TestVerify_DanglingBody(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	b := keep(t, s, 1, pattern(10))
	must(t, s.Update(func(tx *Tx) error { return tx.Forget(b) }))
	unwhole(t, s)
}

// A draft is read again before anybody knows whether it is kept.
func TestBody_DraftBytes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, size := range []int{0, 1, smallBody, smallBody + 1, 3 * smallBody} {
		want := bytes.Repeat([]byte{7}, size)
		d, err := s.Seal(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Bytes(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d octets: %d, %v", size, len(got), err)
		}
		d.Drop()
		if _, err := d.Bytes(); !errors.Is(err, ErrNotFound) {
			t.Errorf("%d octets, dropped: %v", size, err)
		}
	}
}

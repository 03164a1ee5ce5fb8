package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// A blob file holds the sealed chunks of one body and nothing else. Its name is the body's number, 16 hex digits. Its row in
// the tree says that a commit names it.

type blobRow struct {
	size int64 // of the file
	crc  uint32
}

func (r blobRow) marshal() []byte {
	return binary.BigEndian.AppendUint32(Seq(uint64(r.size)), r.crc)
}

func (r *blobRow) unmarshal(b []byte) error {
	if len(b) != 12 {
		return ErrTampered
	}
	r.size, r.crc = int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:])
	return nil
}

func (s *Store) blobPath(id uint64) string {
	return filepath.Join(s.dir, blobsDir, fmt.Sprintf("%016x", id))
}

// removeBlob needs no error: what stays behind is collected at the next Open.
func (s *Store) removeBlob(id uint64) { _ = os.Remove(s.blobPath(id)) }

// held keeps the files of forgotten bodies while somebody reads a snapshot that still names them.
type held struct {
	mu      sync.Mutex
	readers int
	ids     []uint64
}

func (s *Store) holdBlobs() {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	s.held.readers++
}

func (s *Store) releaseBlobs() {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	if s.held.readers--; s.held.readers > 0 {
		return
	}
	for _, id := range s.held.ids {
		s.removeBlob(id)
	}
	s.held.ids = nil
}

// removeForgotten removes blobs after the commit that forgot them.
func (s *Store) removeForgotten(ids []uint64) {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	if s.held.readers > 0 {
		s.held.ids = append(s.held.ids, ids...)
		return
	}
	for _, id := range ids {
		s.removeBlob(id)
	}
}

// sealBlob writes the file and fsyncs it and its directory: the commit that names it comes later.
func (d *Draft) sealBlob(head []byte, rest io.Reader) error {
	r := io.Reader(bytes.NewReader(head))
	if rest != nil {
		r = io.MultiReader(r, rest)
	}
	path := d.store.blobPath(d.body.ID)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return full(err)
	}
	d.body.Blob = true
	err = errors.Join(d.fill(f, r), f.Close())
	if err == nil {
		err = d.synced(syncDir(filepath.Dir(path)))
	}
	if err != nil {
		d.store.removeBlob(d.body.ID)
	}
	return err
}

func (d *Draft) fill(f *os.File, r io.Reader) (err error) {
	sum := sha256.New()
	d.body.Size, err = sealChunks(d.body.Key, d.body.ID, io.TeeReader(r, sum), func(chunk []byte) error {
		d.crc = crc32.Update(d.crc, castagnoli, chunk)
		_, err := f.Write(chunk)
		return full(err)
	})
	if err != nil {
		return err
	}
	d.body.SHA256 = sum.Sum(nil)
	return d.synced(f.Sync())
}

// synced breaks the store after a failed fsync (T1): the disk cannot be trusted with the next one either.
func (d *Draft) synced(err error) error {
	if err == nil {
		return nil
	}
	d.store.breakDown()
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// openBlob opens the file of a body.
func (s *Store) openBlob(b Body) (*bodyReader, error) {
	f, err := os.Open(s.blobPath(b.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (b.Size < 0 || info.Size() != sealedSize(b.Size)) {
		err = ErrTampered
	}
	var r *bodyReader
	if err == nil {
		r, err = newBodyReader(b, f, f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (s *Store) blobBytes(b Body) ([]byte, error) {
	r, err := s.openBlob(b)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, b.Size)
	_, err = io.ReadFull(r, plain)
	return plain, errors.Join(err, r.Close())
}

// dropOrphans removes the blob files that no commit names: drafts of a process that ended, and forgotten bodies.
func (s *Store) dropOrphans(tx *Tx) error {
	files, err := os.ReadDir(filepath.Join(s.dir, blobsDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(s.dir, blobsDir, f.Name())
		id, err := strconv.ParseUint(f.Name(), 16, 64)
		if err != nil || f.Name() != fmt.Sprintf("%016x", id) {
			return fmt.Errorf("%s does not belong there", path)
		}
		if tx.rows.get(blobBucket, Seq(id)) == nil {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := checkPrivate(path, fileMode); err != nil {
			return err
		}
	}
	return nil
}

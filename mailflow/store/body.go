package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"
)

// smallBody is the size up to which a body lies in the tree. Larger values cost bbolt three times what a file costs.
const smallBody = 128 << 10

// A Body names stored bytes and holds the only key that opens them, so it belongs inside a record, where it is sealed. Verify
// opens the bodies it finds in records that are JSON.
type Body struct {
	ID     uint64
	Key    []byte
	Size   int64 // of the plain bytes
	Blob   bool  // lies in a file of its own
	SHA256 []byte
}

// A Draft is a body that nothing names yet. It must be kept in an Update or dropped; one that a crash leaves behind is
// collected at the next Open.
type Draft struct {
	SHA256 []byte // of the plain bytes
	Size   int64

	store  *Store
	body   Body
	sealed []byte // for the tree
	crc    uint32
	state  atomic.Int32
}

const (
	draftOpen = iota
	draftKept
	draftDropped
)

// Seal reads r to its end and seals it under a key of its own. Up to 128 KiB stay in memory until Keep; more goes into a
// file, 64 KiB at a time, which is durable when Seal returns. It is called outside transactions, so that nobody waits for it.
func (s *Store) Seal(r io.Reader) (*Draft, error) {
	head, err := io.ReadAll(io.LimitReader(r, smallBody+1))
	if err != nil {
		return nil, fmt.Errorf("seal a body: %w", err)
	}
	return s.seal(head, r)
}

// SealBytes is Seal of bytes in memory.
func (s *Store) SealBytes(b []byte) (*Draft, error) { return s.seal(b, nil) }

// seal takes head, and what r gives after it if head is too large for the tree.
func (s *Store) seal(head []byte, r io.Reader) (d *Draft, err error) {
	d = &Draft{store: s, body: Body{ID: s.bodies.Add(1), Key: newKey()}}
	if len(head) <= smallBody {
		err = d.sealSmall(head)
	} else {
		err = d.sealBlob(head, r)
	}
	if err != nil {
		return nil, fmt.Errorf("seal a body: %w", err)
	}
	d.SHA256, d.Size = d.body.SHA256, d.body.Size
	return d, nil
}

func (d *Draft) sealSmall(b []byte) error {
	sealed := make([]byte, crcBytes, crcBytes+sealedSize(int64(len(b))))
	sealed, err := sealAll(sealed, d.body.Key, d.body.ID, b)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(sealed, crc32.Checksum(sealed[crcBytes:], castagnoli))
	sum := sha256.Sum256(b)
	d.sealed, d.body.Size, d.body.SHA256 = sealed, int64(len(b)), sum[:]
	return nil
}

// A checksum of the sealed bytes lets Verify find damage in bodies whose key it does not come across.
const crcBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bytes opens the draft again, for whoever reads all of a stream before it is
// known whether it is kept.
func (d *Draft) Bytes() ([]byte, error) {
	if d.state.Load() != draftOpen {
		return nil, fmt.Errorf("read a draft: %w", ErrNotFound)
	}
	plain, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("read a draft: %w", err)
	}
	return plain, nil
}

func (d *Draft) open() ([]byte, error) {
	if d.body.Blob {
		return d.store.blobBytes(d.body)
	}
	return openAll(nil, d.body, d.sealed[crcBytes:])
}

// settle notes that the commit which keeps the draft is durable.
func (d *Draft) settle() { d.state.Store(draftKept) }

// Drop gives the bytes up. After Keep was committed it does nothing. Where the store is broken a file stays: the commit that failed
// may name it on the disk all the same, which shows when the store is opened again; Open removes it if none does.
func (d *Draft) Drop() {
	if d.state.CompareAndSwap(draftOpen, draftDropped) && d.body.Blob && !d.store.isBroken() {
		d.store.removeBlob(d.body.ID)
	}
}

// Keep makes the draft a body that stays; the record that holds what Keep returns must be put in the same update. A draft is
// kept once.
func (tx *Tx) Keep(d *Draft) (Body, error) {
	if err := tx.keep(d); err != nil {
		return Body{}, fmt.Errorf("keep a body: %w", err)
	}
	return d.body, nil
}

func (tx *Tx) keep(d *Draft) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	if d.store != tx.store || d.state.Load() != draftOpen {
		return fmt.Errorf("the draft is not open in this store: %w", ErrExists)
	}
	tx.state.body = max(tx.state.body, d.body.ID)
	key := Seq(d.body.ID)
	if tx.rows.get(d.bucket(), key) != nil {
		return ErrExists // kept in this very update
	}
	tx.kept = append(tx.kept, d)
	if !d.body.Blob {
		return tx.put(bodyBucket, key, d.sealed)
	}
	return tx.seal(tx.keys.root(), place{blobBucket, key, 0}, blobRow{sealedSize(d.body.Size), d.crc}.marshal())
}

func (d *Draft) bucket() string {
	if d.body.Blob {
		return blobBucket
	}
	return bodyBucket
}

// Forget removes a body; the record that names it must go or change in the same update. It is no error if the body is gone.
func (tx *Tx) Forget(b Body) error {
	if !b.Blob {
		return tx.remove(bodyBucket, Seq(b.ID))
	}
	if err := tx.remove(blobBucket, Seq(b.ID)); err != nil {
		return err
	}
	tx.forgotten = append(tx.forgotten, b.ID)
	return nil
}

// Bytes returns all of a body: ErrNotFound if it was forgotten, ErrTampered if it does not open.
func (tx *Tx) Bytes(b Body) ([]byte, error) {
	return tx.BytesIn(nil, b)
}

// BytesIn is Bytes in the memory of scratch where that has the room, for whoever reads one body after the other.
func (tx *Tx) BytesIn(scratch []byte, b Body) ([]byte, error) {
	plain, err := tx.bytes(scratch, b)
	if err != nil {
		return nil, fmt.Errorf("read body %d: %w", b.ID, err)
	}
	return plain, nil
}

func (tx *Tx) bytes(scratch []byte, b Body) ([]byte, error) {
	if b.Blob {
		return tx.store.blobBytes(b)
	}
	if err := tx.usable(false); err != nil {
		return nil, err
	}
	row := tx.find(bodyBucket, Seq(b.ID))
	if row == nil {
		return nil, ErrNotFound
	}
	if len(row) < crcBytes {
		return nil, ErrTampered
	}
	return openAll(scratch, b, row[crcBytes:])
}

// Bytes is Tx.Bytes with a snapshot of its own, and so not for use inside View or Update.
func (s *Store) Bytes(b Body) (plain []byte, err error) {
	if b.Blob {
		if plain, err = s.blobBytes(b); err != nil {
			return nil, fmt.Errorf("read body %d: %w", b.ID, err)
		}
		return plain, nil
	}
	err = s.View(func(tx *Tx) error {
		plain, err = tx.Bytes(b)
		return err
	})
	return plain, err
}

// Body opens a body for reading and seeking. A blob is read from its file as it is asked for, 64 KiB at a time, and holds no
// transaction; a read that meets bytes which do not open returns ErrTampered. It is not for use inside View or Update.
func (s *Store) Body(b Body) (io.ReadSeekCloser, error) {
	if b.Blob {
		r, err := s.openBlob(b)
		if err != nil {
			return nil, fmt.Errorf("read body %d: %w", b.ID, err)
		}
		return r, nil
	}
	plain, err := s.Bytes(b)
	if err != nil {
		return nil, err
	}
	return memoryBody{bytes.NewReader(plain)}, nil
}

type memoryBody struct{ *bytes.Reader }

func (memoryBody) Close() error { return nil }

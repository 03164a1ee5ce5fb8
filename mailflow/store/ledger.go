package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The journal's rows stand under their sequence number: the link (32 bytes), then the sealed record. The link of a row is
// SHA-256(link before | sequence number, 8 bytes big-endian | sealed record), and 32 zeros before the first (T9). It needs no key
// to check, and still holds when a record's key is gone.

const linkBytes = sha256.Size

func nextLink(before []byte, seq uint64, sealed []byte) []byte {
	h := sha256.New()
	h.Write(before)
	h.Write(Seq(seq))
	h.Write(sealed)
	return h.Sum(nil)
}

// AddLink appends a record to the journal, sealed under a scope that must exist.
func (tx *Tx) AddLink(scope string, record []byte) (seq uint64, link []byte, err error) {
	if err := tx.usable(true); err != nil {
		return 0, nil, err
	}
	k, err := tx.scope(Scope(scope))
	if err != nil {
		return 0, nil, err
	}
	if err := tx.checkChainEnd(); err != nil {
		return 0, nil, err
	}
	seq = tx.state.chain + 1
	p := place{chainBucket, Seq(seq), 0}
	tx.bound = p.bind(tx.bound[:0], k.number)
	sealed := k.seal(tx.bound, record)
	link = nextLink(tx.state.chainEnd[:], seq, sealed)
	if err := tx.put(p.bucket, p.key, append(bytes.Clone(link), sealed...)); err != nil {
		return 0, nil, err
	}
	tx.state.chain = seq
	copy(tx.state.chainEnd[:], link)
	return seq, link, nil
}

// LastLink returns the newest link of the journal: 0 and 32 zeros if it is empty.
func (tx *Tx) LastLink() (seq uint64, link []byte, err error) {
	if err := tx.usable(false); err != nil {
		return 0, nil, err
	}
	s, err := tx.load()
	if err != nil {
		return 0, nil, err
	}
	return s.chain, bytes.Clone(s.chainEnd[:]), tx.checkChainEnd()
}

// checkChainEnd compares the last row with what the store's state says of it: a journal cut short does not grow on.
func (tx *Tx) checkChainEnd() error {
	s, err := tx.load()
	if err != nil {
		return err
	}
	row := tx.rows.get(chainBucket, Seq(s.chain))
	if s.chain == 0 && row == nil {
		return nil
	}
	if len(row) < linkBytes || !bytes.Equal(row[:linkBytes], s.chainEnd[:]) {
		return fmt.Errorf("the journal does not end with link %d: %w", s.chain, ErrTampered)
	}
	return nil
}

// Links walks the journal from its beginning. What fn gets is valid until it returns.
func (tx *Tx) Links(fn func(seq uint64, link, sealed []byte) error) error {
	if err := tx.usable(false); err != nil {
		return err
	}
	for w := newWalk(tx, chainBucket, "", nil, nil); w.next(); {
		if len(w.key) != 8 || len(w.sealed) < linkBytes {
			return fmt.Errorf("a row of the journal is none: %w", ErrTampered)
		}
		if err := fn(binary.BigEndian.Uint64(w.key), w.sealed[:linkBytes], w.sealed[linkBytes:]); err != nil {
			return err
		}
	}
	return nil
}

// OpenLink opens a sealed record of the journal. shredded says that its key was destroyed on purpose.
func (tx *Tx) OpenLink(seq uint64, sealed []byte) (record []byte, shredded bool, err error) {
	if err := tx.usable(false); err != nil {
		return nil, false, err
	}
	plain, err := tx.unseal(place{chainBucket, Seq(seq), 0}, sealed)
	if errors.Is(err, ErrShredded) {
		if plain, err = relinked.Get(tx, Seq(seq)); errors.Is(err, ErrNotFound) || errors.Is(err, ErrShredded) {
			return nil, true, nil
		}
	}
	if err != nil {
		return nil, false, err
	}
	return bytes.Clone(plain), false, nil
}

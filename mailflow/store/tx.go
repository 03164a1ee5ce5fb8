package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"
)

// A Tx is one transaction: a snapshot, and in an Update what is written on top of it. It belongs to the one call it was given
// to, and ends with it.
type Tx struct {
	// Now is the instant of the transaction, in UTC. It does not move while the transaction runs.
	Now time.Time

	store    *Store
	rows     engineTx
	keys     *keySet
	state    *state // nil in a View until somebody asks
	writable bool
	ended    bool

	finders   map[string]*finder
	writes    uint64 // rows put or deleted: cursors look whether they must seek again
	changed   bool   // something is there to commit
	newKeys   bool   // keys must reach the key file first
	newVault  *keyVault
	changes   []Change
	kept      []*Draft
	forgotten []uint64 // blobs to remove after the commit

	names   hash.Hash
	bound   []byte // scratch: associated data
	plain   []byte // scratch: one opened row
	counted []byte // scratch: the tally's input
}

func (s *Store) newTx(rows engineTx, now time.Time, writable bool) *Tx {
	return &Tx{Now: instant(now), store: s, rows: rows, keys: s.keys.Load(), writable: writable}
}

// instant is what records hold of an instant: without a zone, and without a reading of the machine's own clock.
func instant(now time.Time) time.Time { return now.UTC().Round(0) }

// load reads the state row once.
func (tx *Tx) load() (*state, error) {
	if tx.state != nil {
		return tx.state, nil
	}
	plain, err := tx.open(place{metaBucket, stateKey, 0})
	if err != nil {
		return nil, fmt.Errorf("read the state of the store: %w", err)
	}
	s := &state{}
	if err := s.unmarshal(plain); err != nil {
		return nil, err
	}
	tx.state = s
	return s, nil
}

// Serial is the number of the commit this transaction sees or, in an Update, will be. Updates that were committed together
// share one. A Change carries the same number: one with a higher serial is not in this snapshot.
func (tx *Tx) Serial() uint64 {
	s, err := tx.load()
	if err != nil {
		return 0
	}
	return s.serial
}

// Writable says that this is an Update: what it reads may never be committed.
func (tx *Tx) Writable() bool { return tx.writable }

// usable says whether the transaction may read, or write.
func (tx *Tx) usable(write bool) error {
	if tx.ended {
		return ErrClosed
	}
	if write && !tx.writable {
		return errReadOnly
	}
	return nil
}

// open returns the plaintext of the row at p, which is valid until the next call of a method of tx.
func (tx *Tx) open(p place) ([]byte, error) {
	if err := tx.usable(false); err != nil {
		return nil, err
	}
	sealed := tx.rows.get(p.bucket, p.key)
	if sealed == nil {
		return nil, ErrNotFound
	}
	return tx.unseal(p, sealed)
}

func (tx *Tx) unseal(p place, sealed []byte) ([]byte, error) {
	plain, err := tx.keys.open(tx.plain[:0], &tx.bound, p, sealed)
	if err != nil {
		return nil, err
	}
	tx.plain = plain
	return plain, nil
}

// seal puts a sealed row.
func (tx *Tx) seal(k *scopeKey, p place, plain []byte) error {
	tx.bound = p.bind(tx.bound[:0], k.number)
	return tx.put(p.bucket, p.key, k.seal(tx.bound, plain))
}

// put writes a row as it stands and keeps the tally.
func (tx *Tx) put(bucket string, key, row []byte) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	old := tx.rows.get(bucket, key)
	sum := tx.state.tally
	if old != nil {
		sum.take(tx.keys.count(&tx.counted, bucket, key, old))
	}
	sum.add(tx.keys.count(&tx.counted, bucket, key, row))
	if err := tx.rows.put(bucket, key, row); err != nil {
		return fmt.Errorf("put a row in %s: %w", bucket, err)
	}
	tx.state.tally = sum
	tx.writes++
	tx.changed = true
	return nil
}

// remove deletes a row and keeps the tally.
func (tx *Tx) remove(bucket string, key []byte) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	old := tx.rows.get(bucket, key)
	if old == nil {
		return nil
	}
	item := tx.keys.count(&tx.counted, bucket, key, old)
	if err := tx.rows.delete(bucket, key); err != nil {
		return fmt.Errorf("delete a row of %s: %w", bucket, err)
	}
	tx.state.tally.take(item)
	tx.writes++
	tx.changed = true
	return nil
}

// nameBytes is the length of one part of a Name.
const nameBytes = 16

// Name makes a lookup key that gives nothing away: 16 bytes of HMAC-SHA256 for each part. Each binds kind and the parts before
// it, so Name("p", c) is a prefix of Name("p", c, d), while d alone looks different under every c.
func (tx *Tx) Name(kind string, parts ...string) []byte {
	if tx.names == nil {
		tx.names = hmac.New(sha256.New, tx.keys.names)
	}
	out := make([]byte, 0, nameBytes*len(parts)+sha256.Size)
	for i := range parts {
		tx.names.Reset()
		writePart(tx.names, kind)
		for _, p := range parts[:i+1] {
			writePart(tx.names, p)
		}
		out = tx.names.Sum(out)[:nameBytes*(i+1)]
	}
	return out
}

func writePart(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

// Seq makes a key of plain numbers, 8 bytes big-endian each, so that keys sort as the numbers do.
func Seq(n ...uint64) []byte {
	b := make([]byte, 0, 8*len(n))
	for _, v := range n {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// Instant makes a key of 8 bytes that sorts as the instants do, to the nanosecond, from 1678 to 2262. Instants outside go to
// the nearest end.
func Instant(t time.Time) []byte {
	var n int64
	switch first, last := time.Unix(0, -1<<63), time.Unix(0, 1<<63-1); {
	case t.Before(first):
		n = -1 << 63
	case t.After(last):
		n = 1<<63 - 1
	default:
		n = t.UnixNano()
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63)
}

// ParseInstant reads the instant back from the first 8 bytes of a key that Instant made.
func ParseInstant(key []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(key)^1<<63)).UTC()
}

// Next counts a sequence: 1, 2, 3. A number that was committed never comes again; one whose update failed does.
func (tx *Tx) Next(sequence string) (uint64, error) {
	if err := tx.usable(true); err != nil {
		return 0, err
	}
	p := place{seqBucket, tx.Name("sequence", sequence), 0}
	var last uint64
	switch plain, err := tx.open(p); {
	case err == nil && len(plain) == 8:
		last = binary.BigEndian.Uint64(plain)
	case err == nil:
		return 0, fmt.Errorf("next of a sequence: %w", ErrTampered)
	case !errors.Is(err, ErrNotFound):
		return 0, fmt.Errorf("next of a sequence: %w", err)
	}
	if err := tx.seal(tx.keys.root(), p, Seq(last+1)); err != nil {
		return 0, err
	}
	return last + 1, nil
}

// A mark is a place in an Update to which it can go back as long as no row was written since.
type mark struct {
	writes                   uint64
	state                    state
	keys                     *keySet
	newVault                 *keyVault
	changed, newKeys         bool
	changes, kept, forgotten int
}

func (tx *Tx) mark() mark {
	return mark{tx.writes, *tx.state, tx.keys, tx.newVault, tx.changed, tx.newKeys, len(tx.changes), len(tx.kept), len(tx.forgotten)}
}

// goBack says whether it could.
func (tx *Tx) goBack(m mark) bool {
	if tx.writes != m.writes {
		return false
	}
	*tx.state, tx.keys, tx.newVault = m.state, m.keys, m.newVault
	tx.changed, tx.newKeys = m.changed, m.newKeys
	tx.changes, tx.kept, tx.forgotten = tx.changes[:m.changes], tx.kept[:m.kept], tx.forgotten[:m.forgotten]
	return true
}

// hasPrefix treats a nil key, the end of a cursor, as having none.
func hasPrefix(key, prefix []byte) bool { return key != nil && bytes.HasPrefix(key, prefix) }

package store

import (
	"bytes"
	"fmt"
	"iter"
)

// A Row is a key and what stands under it.
type Row[V any] struct {
	Key   []byte
	Value V
}

// All walks the rows whose keys begin with prefix, in ascending order of keys. A row that does not open comes as its key and an
// error, and the walk goes on. The loop may put and delete rows of the table: it goes on after the key it was at.
func (t Table[V]) All(tx *Tx, prefix []byte) iter.Seq2[Row[V], error] {
	return t.From(tx, prefix, prefix)
}

// From is All beginning at the first key that is not below start.
func (t Table[V]) From(tx *Tx, prefix, start []byte) iter.Seq2[Row[V], error] {
	return func(yield func(Row[V], error) bool) {
		if err := tx.usable(false); err != nil {
			yield(Row[V]{}, err)
			return
		}
		if bytes.Compare(start, prefix) < 0 {
			start = prefix
		}
		w := newWalk(tx, t.rows, t.versions, prefix, start)
		for w.next() {
			row := Row[V]{Key: bytes.Clone(w.key)}
			plain, err := w.open()
			if err == nil {
				row.Value, err = decode[V](plain)
			}
			if err != nil {
				err = fmt.Errorf("get from %s: %w", t.rows, err)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Count counts the keys that begin with prefix, without opening anything.
func (t Table[V]) Count(tx *Tx, prefix []byte) int {
	if tx.usable(false) != nil {
		return 0
	}
	n := 0
	for w := newWalk(tx, t.rows, "", prefix, prefix); w.next(); {
		n++
	}
	return n
}

// A walk goes through a bucket and, beside it, the bucket of its referring rows, merging both by key.
type walk struct {
	tx             *Tx
	rows, versions side
	key            []byte // where it is; a copy
	sealed, refers []byte // what stands there in each; nil if missing
}

// A side is one of the two cursors, which lies one row ahead.
type side struct {
	bucket string
	prefix []byte
	at     cursor
	k, v   []byte
	seen   uint64 // tx.writes when k and v were read
}

func newWalk(tx *Tx, rows, versions string, prefix, start []byte) *walk {
	w := &walk{tx: tx, rows: side{bucket: rows, prefix: prefix}, versions: side{bucket: versions, prefix: prefix}}
	w.rows.begin(tx, start)
	if versions != "" {
		w.versions.begin(tx, start)
	}
	return w
}

func (s *side) begin(tx *Tx, start []byte) {
	s.seen = tx.writes
	if s.at = tx.rows.cursor(s.bucket); s.at != nil {
		s.set(s.at.seek(start))
	}
}

func (s *side) set(k, v []byte) {
	if !hasPrefix(k, s.prefix) {
		k, v = nil, nil
	}
	s.k, s.v = k, v
}

// catchUp reads the row ahead again if the transaction wrote meanwhile: memory and cursor are not valid any more, and the row
// may be gone or a new one be before it.
func (s *side) catchUp(tx *Tx, after []byte) {
	if s.seen == tx.writes {
		return
	}
	s.seen = tx.writes
	if s.at = tx.rows.cursor(s.bucket); s.at == nil {
		return
	}
	s.set(s.at.seek(after))
	if after != nil && bytes.Equal(s.k, after) {
		s.set(s.at.next())
	}
}

func (s *side) step() { s.set(s.at.next()) }

// next moves on and says whether there is a row.
func (w *walk) next() bool {
	if w.tx.usable(false) != nil {
		return false
	}
	if w.key != nil {
		w.rows.catchUp(w.tx, w.key)
		if w.versions.bucket != "" {
			w.versions.catchUp(w.tx, w.key)
		}
	}
	k := w.rows.k
	if k == nil || w.versions.k != nil && bytes.Compare(w.versions.k, k) < 0 {
		k = w.versions.k
	}
	w.sealed, w.refers = nil, nil
	if k == nil {
		return false
	}
	w.key = append(w.key[:0], k...)
	if bytes.Equal(w.rows.k, w.key) && w.rows.k != nil {
		w.sealed = w.rows.v
		w.rows.step()
	}
	if bytes.Equal(w.versions.k, w.key) && w.versions.k != nil {
		w.refers = w.versions.v
		w.versions.step()
	}
	return true
}

// open returns the plaintext of the row the walk is at, valid until the next call of a method of the transaction.
func (w *walk) open() ([]byte, error) {
	if w.sealed == nil {
		return nil, ErrTampered // its referring row alone is there
	}
	version, err := w.version()
	if err != nil {
		return nil, err
	}
	return w.tx.unseal(place{w.rows.bucket, w.key, version}, w.sealed)
}

// version is what the referring row says, 0 in a write-once table.
func (w *walk) version() (uint64, error) {
	if w.versions.bucket == "" {
		return 0, nil
	}
	if w.refers == nil {
		return 0, ErrTampered
	}
	plain, err := w.tx.unseal(place{w.versions.bucket, w.key, 0}, w.refers)
	if err != nil {
		return 0, err
	}
	return readVersion(plain)
}

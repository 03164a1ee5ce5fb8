package store

import "bytes"

// A finder looks up rows of one bucket. Where the keys asked for ascend, the row after the last is mostly the one, and costs no
// search of the tree.
type finder struct {
	at   cursor // nil where the bucket does not exist
	k, v []byte // where it is; nil before the first and at the end
}

// row returns nil where the key does not exist.
func (f *finder) row(key []byte) []byte {
	if f.at == nil {
		return nil
	}
	if f.k != nil && bytes.Compare(f.k, key) < 0 {
		f.k, f.v = f.at.next()
	}
	if !bytes.Equal(f.k, key) {
		f.k, f.v = f.at.seek(key)
	}
	if !bytes.Equal(f.k, key) {
		return nil
	}
	return f.v
}

// find is get of the engine for rows that are read one after the other.
func (tx *Tx) find(bucket string, key []byte) []byte {
	if tx.usable(false) != nil {
		return nil
	}
	if tx.writable { // a write would leave a cursor astray
		return tx.rows.get(bucket, key)
	}
	f := tx.finders[bucket]
	if f == nil {
		f = &finder{at: tx.rows.cursor(bucket)}
		if tx.finders == nil {
			tx.finders = map[string]*finder{}
		}
		tx.finders[bucket] = f
	}
	return f.row(key)
}

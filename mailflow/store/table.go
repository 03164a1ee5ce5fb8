package store

import (
	"encoding/binary"
	"fmt"
)

// A Table holds sealed values of one kind under keys of 1 to 32,768 bytes. The value is stored as JSON; a V that is []byte or
// has MarshalBinary and UnmarshalBinary is stored as those bytes, which opens many times faster. Values are for
// records; what may exceed some hundred kilobytes belongs in a Body.
type Table[V any] struct {
	rows     string // bucket of the sealed values
	versions string // bucket of the referring rows; "" for a write-once table
}

// Versioned is a table whose values may be put again and deleted. Each put has a new version, which stands in the value's
// associated data and in a sealed row that refers to it, so that an older value put back does not open (H1).
func Versioned[V any](name string) Table[V] {
	return Table[V]{recordPrefix + name, versionPrefix + name}
}

// WriteOnce is a table whose keys are put once. Such values cost half of versioned ones to write and to open.
func WriteOnce[V any](name string) Table[V] { return Table[V]{rows: oncePrefix + name} }

// Get returns the value under a key: ErrNotFound if there is none, ErrTampered if it does not open, ErrShredded if its scope was.
func (t Table[V]) Get(tx *Tx, key []byte) (V, error) {
	var none V
	version, err := t.version(tx, key)
	if err != nil {
		return none, fmt.Errorf("get from %s: %w", t.rows, err)
	}
	plain, err := tx.open(place{t.rows, key, version})
	if err != nil {
		if version != 0 && tx.usable(false) == nil && tx.rows.get(t.rows, key) == nil {
			err = ErrTampered // its referring row is there
		}
		return none, fmt.Errorf("get from %s: %w", t.rows, err)
	}
	v, err := decode[V](plain)
	if err != nil {
		return none, fmt.Errorf("get from %s: %w", t.rows, err)
	}
	return v, nil
}

// Has says whether something stands under a key, without opening it.
func (t Table[V]) Has(tx *Tx, key []byte) bool {
	return tx.usable(false) == nil && tx.rows.get(t.rows, key) != nil
}

// version reads the referring row: 0 where there is none to read.
func (t Table[V]) version(tx *Tx, key []byte) (uint64, error) {
	if t.versions == "" {
		return 0, nil
	}
	plain, err := tx.open(place{t.versions, key, 0})
	if err == nil {
		return readVersion(plain)
	}
	if t.Has(tx, key) {
		return 0, ErrTampered
	}
	return 0, err
}

func readVersion(plain []byte) (uint64, error) {
	if len(plain) != 8 {
		return 0, ErrTampered
	}
	return binary.BigEndian.Uint64(plain), nil
}

// Put seals a value under the key of a scope, which must exist. A versioned table replaces what was there, and may change its
// scope; a write-once table returns ErrExists.
func (t Table[V]) Put(tx *Tx, scope Scope, key []byte, v V) error {
	if err := t.put(tx, scope, key, v); err != nil {
		return fmt.Errorf("put in %s: %w", t.rows, err)
	}
	return nil
}

func (t Table[V]) put(tx *Tx, scope Scope, key []byte, v V) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	k, err := tx.scope(scope)
	if err != nil {
		return err
	}
	plain, err := encode(v)
	if err != nil {
		return err
	}
	if t.versions == "" {
		if t.Has(tx, key) {
			return ErrExists
		}
		return tx.seal(k, place{t.rows, key, 0}, plain)
	}
	tx.state.version++
	version := tx.state.version
	if err := tx.seal(tx.keys.root(), place{t.versions, key, 0}, Seq(version)); err != nil {
		return err
	}
	return tx.seal(k, place{t.rows, key, version}, plain)
}

// Delete removes what stands under a key; it is no error if nothing does.
func (t Table[V]) Delete(tx *Tx, key []byte) error {
	if err := tx.remove(t.rows, key); err != nil {
		return fmt.Errorf("delete from %s: %w", t.rows, err)
	}
	if t.versions == "" {
		return nil
	}
	if err := tx.remove(t.versions, key); err != nil {
		return fmt.Errorf("delete from %s: %w", t.rows, err)
	}
	return nil
}

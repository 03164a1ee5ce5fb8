package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A Scope names whose key seals a value: "desk" (directory, coordinators, the gateway's own settings), "spool", "report-17",
// or a case tag. Names of scopes stand sealed; the store shows a number in their place.
type Scope string

// maxScope is the longest name of a scope, in bytes.
const maxScope = 255

// NewScope makes the key of a scope. The key is durable before the commit that uses it. It is no error if the scope exists.
// A scope's name has 1 to 255 bytes.
func (tx *Tx) NewScope(s Scope) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	if tx.HasScope(s) {
		return nil
	}
	if err := tx.newScope(s); err != nil {
		return fmt.Errorf("new scope: %w", err)
	}
	return nil
}

func (tx *Tx) newScope(s Scope) error {
	if s == "" || len(s) > maxScope {
		return fmt.Errorf("its name has %d bytes, not 1 to %d", len(s), maxScope)
	}
	keys := tx.keys
	if len(keys.spare) == 0 {
		keys = keys.stocked()
		tx.newKeys = true
	}
	keys, err := keys.with(s)
	if err != nil {
		return err
	}
	number := uint64(keys.next - 1)
	if err := tx.seal(keys.root(), place{scopeBucket, Seq(number), 0}, []byte(s)); err != nil {
		return err
	}
	tx.keys, tx.state.scopes = keys, number
	return nil
}

// HasScope says whether the scope has a key.
func (tx *Tx) HasScope(s Scope) bool { return tx.keys.byName(s) != nil }

func (tx *Tx) scope(s Scope) (*scopeKey, error) {
	k := tx.keys.byName(s)
	if k == nil {
		return nil, fmt.Errorf("scope: %w", ErrNotFound)
	}
	return k, nil
}

// nameKeys gives the keys of the file to the scopes that rows name. What is left are spare keys.
func (tx *Tx) nameKeys(keys [][]byte) error {
	st, err := tx.load()
	if err != nil {
		return err
	}
	if st.scopes > uint64(len(keys)) {
		return fmt.Errorf("the key file has %d keys for %d scopes: %w", len(keys), st.scopes, ErrTampered)
	}
	ks := tx.keys
	for w := newWalk(tx, scopeBucket, "", nil, nil); w.next(); {
		number := keyNumber(w.key)
		if number > st.scopes || number < uint64(ks.next) {
			return fmt.Errorf("row %x of the scopes does not belong there: %w", w.key, ErrTampered)
		}
		plain, err := w.open()
		if err != nil {
			return fmt.Errorf("read the name of scope %d: %w", number, err)
		}
		if err := ks.fill(keys, number, Scope(plain)); err != nil {
			return err
		}
	}
	if err := ks.fill(keys, st.scopes, ""); err != nil {
		return err
	}
	for _, key := range keys[st.scopes:] {
		ks.spare = append(ks.spare, bytes.Clone(key))
	}
	return nil
}

// fill goes on to a number, which has that name; those before it that have none were destroyed.
func (ks *keySet) fill(keys [][]byte, number uint64, name Scope) error {
	for uint64(ks.next) <= number {
		n := ks.next
		key := keys[n-1]
		if key == nil {
			ks.add(nil)
			continue
		}
		if uint64(n) < number || name == "" {
			return fmt.Errorf("the name of scope %d is missing: %w", n, ErrTampered)
		}
		k, err := newScopeKey(n, name, key)
		if err != nil {
			return err
		}
		ks.add(k)
		ks.index.set(name, n)
	}
	return nil
}

// keyNumber reads a key of one number; 0 if it is none.
func keyNumber(key []byte) uint64 {
	if len(key) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}

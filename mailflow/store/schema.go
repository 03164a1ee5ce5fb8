package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A migration brings a store from one schema to the next, within one transaction.
type migration func(*Tx) error

// migrations[i] leads from schema i+1 to i+2. The first schema is 1. None is ever changed or taken away.
var migrations = []migration{
	// A program of before does not know the file of what was appended, and would leave lying what was accepted.
	func(*Tx) error { return nil },
}

// found writes the first rows of an empty store.
func (s *Store) found() error {
	rows, err := s.engine.begin(true)
	if err != nil {
		return err
	}
	tx := &Tx{store: s, rows: rows, keys: s.keys.Load(), state: &state{}, writable: true}
	if err := tx.setSchema(1 + uint64(len(migrations))); err != nil {
		rows.rollback()
		return err
	}
	return s.write(tx)
}

func (tx *Tx) setSchema(n uint64) error {
	return tx.seal(tx.keys.root(), place{metaBucket, schemaKey, 0}, Seq(n))
}

func (tx *Tx) schema() (uint64, error) {
	plain, err := tx.open(place{metaBucket, schemaKey, 0})
	if err != nil {
		return 0, fmt.Errorf("read the schema: %w", err)
	}
	if len(plain) != 8 {
		return 0, errors.New("read the schema: not a number")
	}
	return binary.BigEndian.Uint64(plain), nil
}

// checkSchema refuses what a newer program wrote.
func (tx *Tx) checkSchema(m []migration) error {
	have, err := tx.schema()
	if err != nil {
		return err
	}
	if newest := 1 + uint64(len(m)); have < 1 || have > newest {
		return fmt.Errorf("%w: it has schema %d, and this one knows up to %d; nothing was changed. Install that version again, or restore a backup that this one made", ErrNewer, have, newest)
	}
	return nil
}

// migrate applies what is missing, all in one transaction, once a copy of the store as it was lies beside it.
func (s *Store) migrate(u Unlock, m []migration) error {
	newest := 1 + uint64(len(m))
	var have uint64
	err := s.View(func(tx *Tx) (err error) {
		have, err = tx.schema()
		return err
	})
	if err != nil || have == newest {
		return err
	}
	if s.readOnly {
		return fmt.Errorf("it has schema %d and is only read: the next start of the daemon brings it to %d", have, newest)
	}
	if n := s.Appended(); n > 0 {
		return fmt.Errorf("it has schema %d and was not brought to %d, for %d records that were appended do not go into it: %w", have, newest, n, ErrFull)
	}
	if s.setAside, err = s.copyAside(have, u, m[:have-1]); err != nil {
		return fmt.Errorf("it has schema %d and was not brought to %d, for no copy of it could be set aside first: %w", have, newest, err)
	}
	return s.Update(func(tx *Tx) error {
		for i, step := range m[have-1:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("migrate to schema %d: %w", have+1+uint64(i), err)
			}
		}
		return tx.setSchema(newest)
	})
}

// SetAside is where Open put a copy of the store as it was, because it had an older schema: a directory within the store's own.
// It is empty where there was no need. The copy opens with the same credential, and stays until somebody removes it.
func (s *Store) SetAside() string { return s.setAside }

package store

import (
	"fmt"
	"path/filepath"
)

// Shred destroys the key of a scope: what is sealed under it is gone, from free pages too (H3). The rest is put under a new
// master key, so that no older key file found on this disk goes with the new one; the credential stays. Rows of the scope remain and
// answer with ErrShredded until they are deleted. Copies of the store made before still open. u must be the
// store's credential (else ErrUnlock); a scope that does not exist is ErrNotFound.
func (s *Store) Shred(scope Scope, u Unlock) error {
	if err := s.shred(scope, u); err != nil {
		return fmt.Errorf("shred a scope: %w", err)
	}
	return nil
}

func (s *Store) shred(scope Scope, u Unlock) error {
	path := filepath.Join(s.dir, keysName)
	if _, _, err := openVault(path, u); err != nil {
		return err
	}
	fresh, err := newVault(path, u, scryptCost)
	if err != nil {
		return err
	}
	return s.Update(func(tx *Tx) error {
		k, err := tx.scope(scope)
		if err != nil {
			return err
		}
		if err := tx.remove(scopeBucket, Seq(uint64(k.number))); err != nil {
			return err
		}
		tx.keys, tx.newVault, tx.newKeys = tx.keys.without(k), fresh, true
		return nil
	})
}

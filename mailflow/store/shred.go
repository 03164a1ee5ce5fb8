package store

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Shred destroys the key of a scope: what is sealed under it is gone, from free pages too (H3). The rest is put under a new
// master key, so that no older key file found on this disk goes with the new one; the credential stays. Rows of the scope remain and
// answer with ErrShredded until they are deleted. Copies of the store made before still open. u must be the
// store's credential (else ErrUnlock); a scope that does not exist is ErrNotFound.
func (s *Store) Shred(scope Scope, u Unlock) error {
	err := s.dropKeys(u, func(tx *Tx) ([]*scopeKey, error) {
		k, err := tx.scope(scope)
		return []*scopeKey{k}, err
	})
	if err != nil {
		return fmt.Errorf("shred a scope: %w", err)
	}
	return nil
}

// ShredAll destroys the keys of the scopes that are gone, as Shred does, and those that the renewed ones had: whatever these have
// is first sealed anew under a fresh key, so that a row of theirs which was deleted or replaced opens no more from
// free pages either. A scope that the journal has links of keeps its older keys for them. Scopes that do not exist are passed
// over. It may be killed at any instant and called again; until it returns, the older keys may still be there.
func (s *Store) ShredAll(gone, renewed []Scope, u Unlock) error {
	if err := s.shredAll(gone, renewed, u); err != nil {
		return fmt.Errorf("shred scopes: %w", err)
	}
	return nil
}

func (s *Store) shredAll(gone, renewed []Scope, u Unlock) error {
	if err := s.Unlocks(u); err != nil {
		return err
	}
	// The rows come first, and are durable before a key goes: the key file is written ahead of the rows of its commit.
	for _, scope := range renewed {
		if err := s.Update(func(tx *Tx) error { return tx.renew(scope) }); err != nil {
			return err
		}
	}
	return s.dropKeys(u, func(tx *Tx) ([]*scopeKey, error) {
		var drop []*scopeKey
		for _, scope := range gone {
			drop = append(drop, tx.keys.allNamed(scope)...)
		}
		for _, scope := range renewed {
			if all := tx.keys.allNamed(scope); len(all) > 1 {
				drop = append(drop, all[:len(all)-1]...)
			}
		}
		return slices.DeleteFunc(drop, func(k *scopeKey) bool { return !slices.Contains(gone, k.name) && tx.hasLinks(k) }), nil
	})
}

// Unlocks says whether u is the store's credential: nil, or ErrUnlock.
func (s *Store) Unlocks(u Unlock) error {
	_, keys, err := openVault(filepath.Join(s.dir, keysName), u)
	clear(keys)
	return err
}

// dropKeys writes a key file with a new master key and without some keys.
func (s *Store) dropKeys(u Unlock, choose func(*Tx) ([]*scopeKey, error)) error {
	s.vaulting.Lock() // or the credential that was looked at is not the one of the key file any more
	defer s.vaulting.Unlock()
	path := filepath.Join(s.dir, keysName)
	if err := s.Unlocks(u); err != nil {
		return err
	}
	fresh, err := newVault(path, u, scryptCost)
	if err != nil {
		return err
	}
	// What was appended under a key that goes is first sealed under the one that stays.
	if err := s.Absorb(); err != nil {
		return err
	}
	return s.Update(func(tx *Tx) error {
		drop, err := choose(tx)
		if err != nil {
			return err
		}
		for _, k := range drop {
			tx.keys = tx.keys.without(k)
		}
		tx.newVault, tx.newKeys, tx.changed = fresh, true, true
		return tx.forgetNames()
	})
}

// forgetNames removes the names of keys that were destroyed, now or by a process that was killed over it.
func (tx *Tx) forgetNames() error {
	for w := newWalk(tx, scopeBucket, "", nil, nil); w.next(); {
		if n := keyNumber(w.key); tx.keys.numbered(uint32(n)) == nil {
			if err := tx.remove(scopeBucket, Seq(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasLinks says whether the journal has a record that only this key opens.
func (tx *Tx) hasLinks(k *scopeKey) bool {
	for w := newWalk(tx, chainBucket, "", nil, nil); w.next(); {
		if len(w.sealed) < linkBytes {
			continue
		}
		if n, ok := scopeOf(w.sealed[linkBytes:]); ok && n == k.number && !relinked.Has(tx, w.key) {
			return true
		}
	}
	return false
}

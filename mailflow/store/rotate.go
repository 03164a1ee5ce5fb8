package store

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// Keys change while everything runs on. A new credential takes one commit (Rotate). A new key of a scope takes three steps, each
// of which may be cut short and done again: FreshKey, after which all that is written goes under the new key; Reseal, which
// carries over what stands there, in small updates; and the end of the older key (Rekey does both). Until then the key file has
// the older and the new one, so that a kill at any instant leaves a store that opens, all of it.

const (
	// resealRows and resealBytes bound what one update seals anew, so that writers wait for some milliseconds.
	resealRows  = 128
	resealBytes = 1 << 20
	// resealLooks is how many rows one snapshot looks at.
	resealLooks = 1 << 14
)

// relinked holds records of the journal whose key was replaced, by their sequence number, under the scope's new key. Their sealed
// bytes stay in the chain, which is over them, and open no more.
var relinked = Versioned[[]byte]("relinked")

// Rotate puts all keys of the store under a new master key that the credential next opens, in the same commit as what with
// writes; with nil keeps none. The credential of before opens the key file no more. The key file is written ahead of
// the commit: after an error it may be the new credential that opens the store, which Unlocks tells. Whoever has a key file of
// before and its credential has the keys of then, and those that did not change since.
func (s *Store) Rotate(next Unlock, with func(*Tx) error) error {
	s.vaulting.Lock()
	defer s.vaulting.Unlock()
	fresh, err := newVault(filepath.Join(s.dir, keysName), next, scryptCost)
	if err != nil {
		return fmt.Errorf("rotate the master key: %w", err)
	}
	err = s.Update(func(tx *Tx) error {
		tx.newVault, tx.newKeys, tx.changed = fresh, true, true
		if with == nil {
			return nil
		}
		return with(tx)
	})
	if err != nil {
		return fmt.Errorf("rotate the master key: %w", err)
	}
	return nil
}

// FreshKey gives a scope a new key, which no key file of before holds, for all that is written under it from this update on. What
// stands there stays under the older one until Rekey. A scope that does not exist is ErrNotFound.
func (tx *Tx) FreshKey(scope Scope) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	if _, err := tx.scope(scope); err != nil {
		return err
	}
	tx.keys, tx.newKeys = tx.keys.stocked(), true
	if err := tx.newScope(scope); err != nil {
		return fmt.Errorf("fresh key: %w", err)
	}
	return nil
}

// Rekey seals anew, under the newest key of each scope, what stands under its older ones, and destroys those at the end; the key
// file is written under a new master key, as Shred does, in the same commit as what with writes. It may be killed or
// cancelled at any instant and called again. A row that does not open ends it, and the older keys stay. Scopes that were
// shredded, before or meanwhile, are passed over. u must be the store's credential (else ErrUnlock). It must not run twice
// at once for a scope.
func (s *Store) Rekey(ctx context.Context, scopes []Scope, u Unlock, with func(*Tx) error) error {
	if err := s.rekey(ctx, scopes, u, with); err != nil {
		return fmt.Errorf("give scopes new keys: %w", err)
	}
	return nil
}

func (s *Store) rekey(ctx context.Context, scopes []Scope, u Unlock, with func(*Tx) error) error {
	if err := s.Unlocks(u); err != nil {
		return err
	}
	var done []*scopeKey // the newest of each: only older ones have nothing left
	for _, scope := range scopes {
		fresh, err := s.reseal(ctx, scope)
		if err != nil {
			return err
		}
		if fresh != nil {
			done = append(done, fresh)
		}
	}
	return s.dropKeys(u, func(tx *Tx) ([]*scopeKey, error) {
		var drop []*scopeKey
		for _, fresh := range done {
			for _, k := range tx.keys.allNamed(fresh.name) {
				if k.number < fresh.number {
					drop = append(drop, k)
				}
			}
		}
		if with == nil {
			return drop, nil
		}
		return drop, with(tx)
	})
}

// reseal carries a scope over to its newest key, which it returns: nil where the scope has none.
func (s *Store) reseal(ctx context.Context, scope Scope) (fresh *scopeKey, err error) {
	var buckets []string
	err = s.View(func(tx *Tx) error {
		fresh, buckets = tx.keys.byName(scope), tx.rows.buckets()
		return nil
	})
	if err != nil || fresh == nil {
		return nil, err
	}
	for _, b := range buckets {
		if _, ok := versionsOf(b); !ok && b != chainBucket {
			continue
		}
		if err := s.resealIn(ctx, b, fresh); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

func (s *Store) resealIn(ctx context.Context, bucket string, fresh *scopeKey) error {
	for start := []byte(nil); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var keys [][]byte
		err := s.View(func(tx *Tx) error {
			keys, start = tx.older(bucket, fresh, start)
			return nil
		})
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := s.Update(func(tx *Tx) error { return tx.resealRows(bucket, keys, fresh) }); err != nil {
				return err
			}
		}
		if start == nil {
			return nil
		}
	}
}

// older finds the next rows of a bucket that stand under an older key of a scope, and where to go on: nil at the end.
func (tx *Tx) older(bucket string, fresh *scopeKey, start []byte) (keys [][]byte, next []byte) {
	looks, size := 0, 0
	for w := newWalk(tx, bucket, "", nil, start); w.next(); {
		if looks++; looks > resealLooks || len(keys) == resealRows || size > resealBytes {
			return keys, bytes.Clone(w.key)
		}
		if tx.isOlder(bucket, w.key, w.sealed, fresh) {
			keys, size = append(keys, bytes.Clone(w.key)), size+len(w.sealed)
		}
	}
	return keys, nil
}

// isOlder says whether a row has to be sealed anew.
func (tx *Tx) isOlder(bucket string, key, row []byte, fresh *scopeKey) bool {
	if bucket == chainBucket {
		row = row[min(linkBytes, len(row)):]
	}
	n, ok := scopeOf(row)
	if !ok || n >= fresh.number {
		return false
	}
	k := tx.keys.numbered(n)
	return k != nil && k.name == fresh.name && (bucket != chainBucket || !relinked.Has(tx, key))
}

// resealRows seals rows under the scope's newest key as it is by now: nothing once the scope was shredded.
func (tx *Tx) resealRows(bucket string, keys [][]byte, fresh *scopeKey) error {
	if tx.keys.numbered(fresh.number) == nil {
		return nil
	}
	for _, key := range keys {
		row := bytes.Clone(tx.rows.get(bucket, key))
		if row == nil || !tx.isOlder(bucket, key, row, fresh) {
			continue // deleted or replaced meanwhile
		}
		if err := tx.resealRow(bucket, key, row, fresh); err != nil {
			return fmt.Errorf("%s %x: %w", bucket, key, err)
		}
	}
	return nil
}

func (tx *Tx) resealRow(bucket string, key, row []byte, fresh *scopeKey) error {
	if bucket == chainBucket {
		plain, err := tx.unseal(place{chainBucket, key, 0}, row[linkBytes:])
		if err != nil {
			return err
		}
		return relinked.Put(tx, fresh.name, key, slices.Clone(plain))
	}
	versions, _ := versionsOf(bucket)
	version, err := Table[[]byte]{bucket, versions}.version(tx, key)
	if err != nil {
		return err
	}
	plain, err := tx.unseal(place{bucket, key, version}, row)
	if err != nil {
		return err
	}
	return tx.seal(fresh, place{bucket, key, version}, plain)
}

package store

import (
	"bytes"
	"fmt"
	"strings"
)

// Erase removes every row that is sealed under one of some scopes, whatever its table, and the bodies that such rows name. Links of the
// journal stay, since its chain is over them. It reads the whole store. What is to be told to clients (Unfile, DeleteMailbox)
// is done before. A scope that does not exist has no rows.
func (tx *Tx) Erase(scopes ...Scope) error {
	if err := tx.usable(true); err != nil {
		return err
	}
	var keys []*scopeKey
	for _, s := range scopes {
		keys = append(keys, tx.keys.allNamed(s)...)
	}
	for _, b := range tx.rows.buckets() {
		if _, ok := versionsOf(b); !ok || len(keys) == 0 {
			continue
		}
		if err := tx.eraseIn(b, keys); err != nil {
			return fmt.Errorf("erase scopes: %w", err)
		}
	}
	return nil
}

// versionsOf names the bucket of the referring rows of a table's bucket, "" for a write-once table; false where it is none.
func versionsOf(bucket string) (versions string, ok bool) {
	if name, versioned := strings.CutPrefix(bucket, recordPrefix); versioned {
		return versionPrefix + name, true
	}
	return "", strings.HasPrefix(bucket, oncePrefix)
}

func (tx *Tx) eraseIn(bucket string, keys []*scopeKey) error {
	versions, _ := versionsOf(bucket)
	for w := newWalk(tx, bucket, versions, nil, nil); w.next(); {
		if !under(keys, w.sealed) {
			continue
		}
		key := bytes.Clone(w.key)
		plain, err := w.open()
		if err != nil {
			plain = nil // it does not open, and goes all the same
		}
		for _, b := range bodiesIn(plain) {
			if err := tx.Forget(b); err != nil {
				return err
			}
		}
		if err := tx.remove(bucket, key); err != nil {
			return err
		}
		if versions == "" {
			continue
		}
		if err := tx.remove(versions, key); err != nil {
			return err
		}
	}
	return nil
}

// under says whether a row is sealed under one of these keys.
func under(keys []*scopeKey, sealed []byte) bool {
	n, ok := scopeOf(sealed)
	for _, k := range keys {
		if ok && k.number == n {
			return true
		}
	}
	return false
}

// renew gives a scope a new key, which no key file of before holds, and seals all rows under it that stand under an older one.
// The older ones are still there.
func (tx *Tx) renew(scope Scope) error {
	old := tx.keys.allNamed(scope)
	if len(old) == 0 {
		return nil
	}
	if err := tx.FreshKey(scope); err != nil {
		return err
	}
	fresh := tx.keys.byName(scope)
	for _, b := range tx.rows.buckets() {
		if _, ok := versionsOf(b); !ok {
			continue
		}
		if err := tx.renewIn(b, old, fresh); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) renewIn(bucket string, old []*scopeKey, fresh *scopeKey) error {
	versions, _ := versionsOf(bucket)
	for w := newWalk(tx, bucket, versions, nil, nil); w.next(); {
		if !under(old, w.sealed) {
			continue
		}
		key := bytes.Clone(w.key)
		version, err := w.version()
		if err != nil {
			return err
		}
		plain, err := w.open()
		if err != nil {
			return err
		}
		if err := tx.seal(fresh, place{bucket, key, version}, plain); err != nil {
			return err
		}
	}
	return nil
}

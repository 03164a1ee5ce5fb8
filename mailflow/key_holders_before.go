package mailflow

import (
	"parley/keyring"
	"parley/mailflow/store"
)

// holdersBehind are keys of finders as a program of before entered them, one by one.
// Until they are brought along they are found as they stand.
func (b *Base) holdersBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	seen := map[keyOwner]bool{}
	for row, err := range keyOwners.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		o := row.Value
		if !isFinder(o.Owner) || seen[o] {
			continue
		}
		seen[o] = true
		out = append(out, func(tx *store.Tx) error { return b.bringAlong(tx, o) })
	}
	return out, nil
}

func (b *Base) bringAlong(tx *store.Tx, o keyOwner) error {
	if !heldAsBefore(tx, o.Owner, o.Fingerprint) {
		return nil // destroyed or brought along meanwhile
	}
	k, err := pinnedKeys.Get(tx, keyKey(tx, o.Owner, o.Fingerprint))
	if err != nil {
		return err
	}
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return err
	}
	return b.finderHolds(tx, o.Owner, cert, true)
}

// heldAsBefore says whether a program of before entered a finder as the holder of a
// key, and nobody brought it along.
func heldAsBefore(tx *store.Tx, owner string, f keyring.Fingerprint) bool {
	return isFinder(owner) && keyOwners.Has(tx, append(fprPrefix(tx, f), holderName(tx, owner, f)...))
}

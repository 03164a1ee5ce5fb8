package mailflow

import (
	"errors"
	"slices"

	"parley/keyring"
	"parley/mailflow/store"
)

// candidates finds the certificates that have a component key of this ID, whoever holds
// them, the best trusted first: only a few are tried. Where the component is one that
// does not sign, the certificate stands behind: it may be somebody else's key.
func (b *Base) candidates(id uint64) []*keyring.Certificate {
	var signing, others []*keyring.Certificate
	err := b.Store.View(func(tx *store.Tx) error {
		copies, err := copiesByID(tx, id)
		for _, c := range copies {
			cert, err := b.Certs.Certificate(c)
			switch {
			case err != nil:
			case slices.Contains(cert.SignerIDs(), id):
				signing = append(signing, cert)
			default:
				others = append(others, cert)
			}
		}
		return err
	})
	if err != nil {
		b.Log.Error("look up key", "err", err)
	}
	return append(signing, others...)
}

// copiesByID are the parties' copies, the best trusted first, and after them what is
// known of finders'.
func copiesByID(tx *store.Tx, id uint64) (out [][]byte, err error) {
	owners, err := collect(keyOwners.All(tx, keyIDPrefix(tx, id)), nil)
	if err != nil {
		return nil, err
	}
	var keys []PinnedKey
	for _, o := range owners {
		k, err := pinnedKeys.Get(tx, keyKey(tx, o.Owner, o.Fingerprint))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortStableFunc(keys, func(a, b PinnedKey) int { return standingOf(b.Trust) - standingOf(a.Trust) })
	for _, k := range keys {
		out = append(out, k.Cert)
	}
	for row, err := range keyOwners.All(tx, finderIDPrefix(tx, id)) {
		if err != nil || len(out) == len(keys)+maxFinderKeys {
			return out, err
		}
		k, err := finderKeys.Get(tx, finderKeyKey(tx, row.Value.Fingerprint))
		if errors.Is(err, store.ErrNotFound) {
			continue // its certificate could not be read when it was forgotten
		}
		if err != nil {
			return nil, err
		}
		out = append(out, k.Cert)
	}
	return out, nil
}

// standingOf orders trust with what is rejected last.
func standingOf(t keyring.Trust) int {
	if t == keyring.Rejected {
		return 0
	}
	return int(t)
}

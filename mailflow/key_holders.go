package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"parley/keyring"
	"parley/mailflow/store"
)

// Who holds which key is asked of each signature that comes. Of parties each is on
// record, with its own copy of the certificate; they are few. Of finders every report
// is a holder of its own, so that whoever reports a thousand times would be one a
// thousand times: their copies of one key stand together in one row, and beside it
// how many they are.

// finderKey is what the copies of one key that finders hold say together. Its
// encryption subkeys are those of the first.
type finderKey struct {
	Fingerprint keyring.Fingerprint
	Cert        []byte
	Holders     int `json:",omitempty"` // how many hold it, as a program of before counted; where finderCounts has a row, that counts
}

// maxFinderKeys bounds the finders' certificates that are read for one key ID. Only
// the holder of a signing key can bind it to several (keyring.Certificate.SignerIDs), so
// that nobody hides somebody else's among many.
const maxFinderKeys = 16

// holds enters a key of a party or finder into what it is found by; held says whether
// this owner had it before.
func (b *Base) holds(tx *store.Tx, owner string, cert *keyring.Certificate, held bool) error {
	if isFinder(owner) {
		return b.finderHolds(tx, owner, cert, held)
	}
	f := cert.Fingerprint()
	for _, key := range holderRows(tx, owner, f, cert.KeyIDs()) {
		if err := putOnce(tx, key, keyOwner{Owner: owner, Fingerprint: f}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Base) finderHolds(tx *store.Tx, owner string, cert *keyring.Certificate, held bool) error {
	f := cert.Fingerprint()
	row, err := finderKeys.Get(tx, finderKeyKey(tx, f))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		if cert, err = b.joined(row.Cert, cert); err != nil {
			return err
		}
	}
	if err := countFinder(tx, owner, cert, held); err != nil {
		return err
	}
	if bytes.Equal(cert.Bytes(), row.Cert) {
		return nil
	}
	for _, id := range cert.SignerIDs() {
		if err := putOnce(tx, finderIDKey(tx, id, f), keyOwner{Fingerprint: f}); err != nil {
			return err
		}
	}
	row.Fingerprint, row.Cert = f, cert.Bytes()
	return finderKeys.Put(tx, DeskScope, finderKeyKey(tx, f), row)
}

// countFinder adds a finder to those who hold a key, unless it is one of them.
func countFinder(tx *store.Tx, owner string, cert *keyring.Certificate, held bool) error {
	f := cert.Fingerprint()
	if held {
		if !heldAsBefore(tx, owner, f) {
			return nil
		}
		if err := deleteRows(tx, holderRows(tx, owner, f, cert.KeyIDs())); err != nil {
			return err
		}
	}
	n, err := findersOf(tx, f)
	if err != nil {
		return err
	}
	return finderCounts.Put(tx, DeskScope, finderKeyKey(tx, f), n+1)
}

// findersOf is how many reports have a finder who holds a key, without those that a
// program of before entered one by one.
func findersOf(tx *store.Tx, f keyring.Fingerprint) (int, error) {
	n, err := finderCounts.Get(tx, finderKeyKey(tx, f))
	if !errors.Is(err, store.ErrNotFound) {
		return n, err
	}
	row, err := finderKeys.Get(tx, finderKeyKey(tx, f))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return row.Holders, err
}

// joined adds a copy of a certificate to what is known of it.
func (b *Base) joined(known []byte, more *keyring.Certificate) (*keyring.Certificate, error) {
	have, err := b.Certs.Certificate(known)
	if err != nil {
		return nil, err
	}
	merged, _, err := keyring.Merge(have, more)
	return merged, err
}

// holdsNoMore takes a key of an owner out of what it is found by. What another
// finder's copy said of the same key stays known while anybody holds it: a
// revocation is not forgotten.
func (b *Base) holdsNoMore(tx *store.Tx, owner string, k keyring.Pinned) error {
	counted := isFinder(owner) && !heldAsBefore(tx, owner, k.Fingerprint)
	var ids []uint64
	if cert := b.readable(k.Cert); cert != nil {
		ids = cert.KeyIDs() // all of them: a program of before put a row for each
	}
	if err := deleteRows(tx, holderRows(tx, owner, k.Fingerprint, ids)); err != nil || !counted {
		return err
	}
	n, err := findersOf(tx, k.Fingerprint)
	if err != nil {
		return err
	}
	if n > 1 {
		return finderCounts.Put(tx, DeskScope, finderKeyKey(tx, k.Fingerprint), n-1)
	}
	return b.nobodyHolds(tx, k)
}

// nobodyHolds forgets what finders' copies of a key said.
func (b *Base) nobodyHolds(tx *store.Tx, k keyring.Pinned) error {
	row, err := finderKeys.Get(tx, finderKeyKey(tx, k.Fingerprint))
	if errors.Is(err, store.ErrNotFound) { // what is to be destroyed does not hang on that
		row, err = finderKey{Cert: k.Cert}, nil
	}
	if err != nil {
		return err
	}
	if cert := b.readable(row.Cert); cert != nil {
		for _, id := range cert.SignerIDs() {
			if err := keyOwners.Delete(tx, finderIDKey(tx, id, k.Fingerprint)); err != nil {
				return err
			}
		}
	}
	if err := finderCounts.Delete(tx, finderKeyKey(tx, k.Fingerprint)); err != nil {
		return err
	}
	return finderKeys.Delete(tx, finderKeyKey(tx, k.Fingerprint))
}

// readable is the certificate in a record, or nil: what cannot be read any more must
// be possible to destroy.
func (b *Base) readable(cert []byte) *keyring.Certificate {
	c, err := b.Certs.Certificate(cert)
	if err != nil {
		return nil
	}
	return c
}

func deleteRows(tx *store.Tx, keys [][]byte) error {
	for _, key := range keys {
		if err := keyOwners.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// holdersOf are the parties that hold a key; and finders, as a program of before
// entered them.
func holdersOf(tx *store.Tx, f keyring.Fingerprint) ([]keyOwner, error) {
	return collect(keyOwners.All(tx, fprPrefix(tx, f)), nil)
}

// otherOwner finds who else holds a key: a party of the directory before a finder,
// who may be the same people.
func (in *Intake) otherOwner(tx *store.Tx, not string) func(keyring.Fingerprint) (string, bool) {
	return func(f keyring.Fingerprint) (string, bool) {
		all, err := holdersOf(tx, f)
		if err != nil {
			return "", false
		}
		found := ""
		for _, o := range all {
			if o.Owner != not && (found == "" || isFinder(found)) {
				found = o.Owner
			}
		}
		if found == "" && otherFinders(tx, not, f) {
			found = FinderOwner("")
		}
		return found, found != ""
	}
}

// otherFinders says whether a finder who is not this owner holds a key.
func otherFinders(tx *store.Tx, not string, f keyring.Fingerprint) bool {
	n, err := findersOf(tx, f)
	if err != nil {
		return false
	}
	if isFinder(not) && pinnedKeys.Has(tx, keyKey(tx, not, f)) && !heldAsBefore(tx, not, f) {
		n--
	}
	return n > 0
}

// holderRows are the keys of the rows by which an owner of its own is found.
func holderRows(tx *store.Tx, owner string, f keyring.Fingerprint, ids []uint64) [][]byte {
	name := holderName(tx, owner, f)
	out := [][]byte{append(fprPrefix(tx, f), name...)}
	for _, id := range ids {
		out = append(out, append(keyIDPrefix(tx, id), name...))
	}
	return out
}

func putOnce(tx *store.Tx, key []byte, o keyOwner) error {
	if keyOwners.Has(tx, key) {
		return nil
	}
	return keyOwners.Put(tx, DeskScope, key, o)
}

func isFinder(owner string) bool { return strings.HasPrefix(owner, FinderOwner("")) }

func holderName(tx *store.Tx, owner string, f keyring.Fingerprint) []byte {
	return tx.Name("owner", owner, string(f))
}

func fprPrefix(tx *store.Tx, f keyring.Fingerprint) []byte { return tx.Name("keyfpr", string(f)) }

func keyIDPrefix(tx *store.Tx, id uint64) []byte { return tx.Name("keyid", fmt.Sprintf("%016X", id)) }

func finderKeyKey(tx *store.Tx, f keyring.Fingerprint) []byte { return tx.Name("finderkey", string(f)) }

func finderIDPrefix(tx *store.Tx, id uint64) []byte {
	return tx.Name("finderkeyid", fmt.Sprintf("%016X", id))
}

func finderIDKey(tx *store.Tx, id uint64, f keyring.Fingerprint) []byte {
	return tx.Name("finderkeyid", fmt.Sprintf("%016X", id), string(f))
}

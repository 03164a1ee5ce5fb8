package mailflow

import (
	"errors"
	"fmt"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// ownerKeys lists the keys that are known of a party or finder.
func ownerKeys(tx *store.Tx, owner string) ([]keyring.Pinned, error) {
	all, err := collect(pinnedKeys.All(tx, tx.Name("key", owner)), nil)
	if err != nil {
		return nil, err
	}
	out := make([]keyring.Pinned, len(all))
	for i, k := range all {
		out[i] = k.Pinned
	}
	return out, nil
}

// ownerName is how the holder of a key is called in views and errors: the
// token of a finder is nobody's business.
func ownerName(owner string) string {
	if strings.HasPrefix(owner, FinderOwner("")) {
		return string(cvd.Finder)
	}
	return owner
}

// addKey pins a certificate to its owner. What is claimed or found never
// replaces what is confirmed, nor does anything revive what was rejected
// (rule S7); a better trust raises, and a newer copy of a certificate brings
// its revocations and extensions.
func (b *Base) addKey(tx *store.Tx, owner string, k keyring.Pinned) error {
	certs, err := keyring.ParseCertificates(k.Cert)
	if err != nil {
		return fmt.Errorf("read key of %s: %w", ownerName(owner), err)
	}
	if len(certs) != 1 || certs[0].Fingerprint() != k.Fingerprint {
		return fmt.Errorf("key of %s: expected exactly the certificate %s", ownerName(owner), k.Fingerprint)
	}
	cert := certs[0]
	old, err := pinnedKeys.Get(tx, keyKey(tx, owner, k.Fingerprint))
	switch {
	case errors.Is(err, store.ErrNotFound):
		k.Since = tx.Now
	case err != nil:
		return err
	default:
		if cert, err = b.refresh(old.Pinned, cert, &k); err != nil {
			return err
		}
	}
	k.Cert = cert.Bytes()
	return b.pin(tx, owner, k, cert)
}

// refresh lets k keep what is already known of the same certificate.
func (b *Base) refresh(old keyring.Pinned, fresh *keyring.Certificate, k *keyring.Pinned) (*keyring.Certificate, error) {
	known, err := b.Certs.Certificate(old.Cert)
	if err != nil {
		return nil, err
	}
	merged, _, err := keyring.Merge(known, fresh)
	if err != nil {
		return nil, err
	}
	k.Since = old.Since
	if old.Trust >= k.Trust {
		k.Trust, k.Evidence, k.ConfirmedBy = old.Trust, old.Evidence, old.ConfirmedBy
	}
	return merged, nil
}

func (b *Base) pin(tx *store.Tx, owner string, k keyring.Pinned, cert *keyring.Certificate) error {
	scope := DeskScope
	if err := pinnedKeys.Put(tx, scope, keyKey(tx, owner, k.Fingerprint), PinnedKey{Owner: owner, Pinned: k}); err != nil {
		return err
	}
	prefixes := [][]byte{fprPrefix(tx, k.Fingerprint)}
	for _, id := range cert.KeyIDs() {
		prefixes = append(prefixes, keyIDPrefix(tx, id))
	}
	for _, prefix := range prefixes {
		key := append(prefix, tx.Name("owner", owner, string(k.Fingerprint))...)
		if _, err := keyOwners.Get(tx, key); err == nil {
			continue
		}
		if err := keyOwners.Put(tx, scope, key, keyOwner{Owner: owner, Fingerprint: k.Fingerprint}); err != nil {
			return err
		}
	}
	err := record(tx, journal.Record{Party: owner, Kind: "key." + k.Trust.String(), Ref: string(k.Fingerprint), Detail: k.Evidence, Actor: k.ConfirmedBy})
	if err != nil {
		return err
	}
	return b.wakeOwner(tx, owner)
}

func keyIDPrefix(tx *store.Tx, id uint64) []byte { return tx.Name("keyid", fmt.Sprintf("%016X", id)) }

func fprPrefix(tx *store.Tx, f keyring.Fingerprint) []byte { return tx.Name("keyfpr", string(f)) }

// confirmKey records that a coordinator compared the fingerprint of a known
// key another way.
func (b *Base) confirmKey(tx *store.Tx, owner string, f keyring.Fingerprint, evidence, by string) error {
	return b.judgeKey(tx, owner, f, keyring.Confirmed, evidence, by)
}

// rejectKey records that a key is not to be used, for ever.
func (b *Base) rejectKey(tx *store.Tx, owner string, f keyring.Fingerprint, why, by string) error {
	return b.judgeKey(tx, owner, f, keyring.Rejected, why, by)
}

func (b *Base) judgeKey(tx *store.Tx, owner string, f keyring.Fingerprint, t keyring.Trust, evidence, by string) error {
	k, err := pinnedKeys.Get(tx, keyKey(tx, owner, f))
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no key %s of %s is known; import it first", f, ownerName(owner))
	}
	if err != nil {
		return err
	}
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return err
	}
	k.Trust, k.Evidence, k.ConfirmedBy = t, evidence, by
	if err := b.taskDone(tx, keyTask(owner)); err != nil {
		return err
	}
	return b.pin(tx, owner, k.Pinned, cert)
}

// wakeOwner asks the gate again wherever the owner takes part.
func (b *Base) wakeOwner(tx *store.Tx, owner string) error {
	if strings.HasPrefix(owner, "finder/") {
		row, err := tokens.Get(tx, tokenKey(tx, strings.TrimPrefix(owner, "finder/")))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return b.wakeNotices(tx, row.Case, row.Party)
	}
	all, err := Cases(tx)
	if err != nil {
		return err
	}
	for _, c := range all {
		_, err := ParticipantByID(tx, c.ID, cvd.PartyID(owner))
		if errors.Is(err, ErrNoParticipant) {
			continue
		}
		if err != nil {
			return err
		}
		if err := b.wakeNotices(tx, c.ID, cvd.PartyID(owner)); err != nil {
			return err
		}
	}
	return nil
}

// candidates finds every certificate that has a component key of this ID,
// whoever holds it.
func (b *Base) candidates(id uint64) []*keyring.Certificate {
	var out []*keyring.Certificate
	err := b.Store.View(func(tx *store.Tx) error {
		owners, err := collect(keyOwners.All(tx, keyIDPrefix(tx, id)), nil)
		if err != nil {
			return err
		}
		for _, o := range owners {
			k, err := pinnedKeys.Get(tx, keyKey(tx, o.Owner, o.Fingerprint))
			if err != nil {
				return err
			}
			if c, err := b.Certs.Certificate(k.Cert); err == nil {
				out = append(out, c)
			}
		}
		return nil
	})
	if err != nil {
		b.Log.Error("look up key", "err", err)
	}
	return out
}

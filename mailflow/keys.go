package mailflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// PinnedKey is a certificate with who holds it and how far it is trusted.
type PinnedKey struct {
	Owner string // a PartyID, or FinderOwner
	keyring.Pinned
}

// UnmarshalJSON also reads a record from before all evidence was kept: its one
// word on how the key came is the first voucher.
func (k *PinnedKey) UnmarshalJSON(b []byte) error {
	type plain PinnedKey
	var old struct {
		Evidence    string `json:"evidence"`
		ConfirmedBy string `json:"confirmed_by"`
	}
	if err := errors.Join(json.Unmarshal(b, (*plain)(k)), json.Unmarshal(b, &old)); err != nil {
		return err
	}
	if len(k.Evidence) == 0 && k.Trust != 0 {
		k.Evidence = []keyring.Voucher{{By: old.ConfirmedBy, At: k.Since, Trust: k.Trust, Words: old.Evidence}}
	}
	return nil
}

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
	if isFinder(owner) {
		return string(cvd.Finder)
	}
	return owner
}

// addKey pins a certificate to its owner. k.Evidence says how it came; what a
// voucher leaves out of its trust and instant is k's, and now. What is claimed
// or found never replaces what is confirmed, nor does anything revive what was
// rejected (rule S7); a better trust raises, and a newer copy of a certificate
// brings its revocations and extensions. What brings nothing new changes
// nothing.
func (b *Base) addKey(tx *store.Tx, owner string, k keyring.Pinned) error {
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return fmt.Errorf("read key of %s: %w", ownerName(owner), err)
	}
	if cert.Fingerprint() != k.Fingerprint {
		return fmt.Errorf("key of %s: expected exactly the certificate %s", ownerName(owner), k.Fingerprint)
	}
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return err
	}
	old, known := keyOf(keys, k.Fingerprint)
	rec, news := old, refreshed{cert: cert}
	if !known {
		rec = keyring.Pinned{Fingerprint: k.Fingerprint, Address: k.Address, Since: tx.Now, Cert: cert.Bytes()}
	} else if news, err = b.refresh(&rec, cert, tx.Now); err != nil {
		return err
	}
	if k.Address != "" && (rec.Address == "" || k.Trust > old.Trust && old.Trust != keyring.Rejected) {
		rec.Address = k.Address
	}
	if old.Trust != keyring.Rejected {
		vouchAll(&rec, k, tx)
	}
	if known && reflect.DeepEqual(rec, old) {
		return nil
	}
	if err := b.mayBegin(tx, owner, keys, &rec); err != nil {
		return err
	}
	if err := b.pin(tx, owner, rec, news.cert); err != nil {
		return err
	}
	return b.tellRefreshed(tx, owner, old, rec, news)
}

// vouchAll adds to a record how its key came this time.
func vouchAll(rec *keyring.Pinned, k keyring.Pinned, tx *store.Tx) {
	said := k.Evidence
	if len(said) == 0 {
		said = []keyring.Voucher{{}}
	}
	for _, v := range said {
		if v.Trust == 0 {
			v.Trust = k.Trust
		}
		if v.At.IsZero() {
			v.At = tx.Now
		}
		rec.Vouch(v)
	}
}

// keyOf finds a key among those of one owner.
func keyOf(keys []keyring.Pinned, f keyring.Fingerprint) (keyring.Pinned, bool) {
	for _, k := range keys {
		if k.Fingerprint == f {
			return k, true
		}
	}
	return keyring.Pinned{}, false
}

// pin writes a key and what it is found by, and asks the gate again wherever
// its owner takes part.
func (b *Base) pin(tx *store.Tx, owner string, k keyring.Pinned, cert *keyring.Certificate) error {
	if !bytes.Equal(k.Cert, cert.Bytes()) {
		return fmt.Errorf("key of %s: the record holds another certificate than was read", ownerName(owner))
	}
	if err := b.holds(tx, owner, cert, pinnedKeys.Has(tx, keyKey(tx, owner, k.Fingerprint))); err != nil {
		return err
	}
	if err := putKey(tx, owner, k); err != nil {
		return err
	}
	var last keyring.Voucher
	if n := len(k.Evidence); n > 0 {
		last = k.Evidence[n-1]
	}
	err := recordKey(tx, owner, journal.Record{Kind: "key." + k.Trust.String(), Ref: string(k.Fingerprint), Detail: last.Words, Actor: last.By})
	if err != nil {
		return err
	}
	return b.wakeOwner(tx, owner, last.By)
}

// recordKey tells of somebody's key in the journal: of a finder's with its case,
// with which it is read and destroyed.
func recordKey(tx *store.Tx, owner string, r journal.Record) error {
	r.Party = owner
	if token, ok := strings.CutPrefix(owner, FinderOwner("")); ok {
		row, err := tokens.Get(tx, tokenKey(tx, token))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		r.Case, r.Party = string(row.Case), string(cvd.Finder)
		if row.Party != "" {
			r.Party = string(row.Party)
		}
	}
	return record(tx, r)
}

func putKey(tx *store.Tx, owner string, k keyring.Pinned) error {
	return pinnedKeys.Put(tx, DeskScope, keyKey(tx, owner, k.Fingerprint), PinnedKey{Owner: owner, Pinned: k})
}

// seats are the places of a party in cases that are open and from which it was
// not withdrawn; of a finder, that of its report.
func seats(tx *store.Tx, owner string) ([]cvd.Participant, error) {
	if token, ok := strings.CutPrefix(owner, FinderOwner("")); ok {
		row, err := tokens.Get(tx, tokenKey(tx, token))
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		who, err := ParticipantByID(tx, row.Case, row.Party)
		if errors.Is(err, ErrNoParticipant) {
			return nil, nil
		}
		return []cvd.Participant{who}, err
	}
	return placesOf(tx, cvd.PartyID(owner), func(c cvd.Case, who cvd.Participant) bool { return c.Closed.IsZero() && who.Withdrawn == nil })
}

// placesOf are those places of a party in all cases that keep is true of.
func placesOf(tx *store.Tx, p cvd.PartyID, keep func(cvd.Case, cvd.Participant) bool) ([]cvd.Participant, error) {
	all, err := Cases(tx)
	if err != nil {
		return nil, err
	}
	var out []cvd.Participant
	for _, c := range all {
		who, err := ParticipantByID(tx, c.ID, p)
		switch {
		case errors.Is(err, ErrNoParticipant):
		case err != nil:
			return nil, err
		case keep(c, who):
			out = append(out, who)
		}
	}
	return out, nil
}

// wakeOwner asks the gate again wherever the owner takes part, also about what
// is queued.
func (b *Base) wakeOwner(tx *store.Tx, owner, by string) error {
	all, err := seats(tx, owner)
	if err != nil {
		return err
	}
	for _, who := range all {
		if err := b.recallMislaid(tx, who, by); err != nil {
			return err
		}
		if err := b.wakeNotices(tx, who.Case, who.Party); err != nil {
			return err
		}
	}
	return b.keepKeyAsks(tx, owner)
}

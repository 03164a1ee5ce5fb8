package mailflow

import (
	"errors"
	"slices"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/store"
)

// keepCame keeps the keys that came with a vendor's letter, as claimed: mail
// raises no trust. What came inside the encryption of a letter that is signed
// by a pinned key is kept with that as its evidence; of any other letter only
// the Autocrypt field, and only where it speaks for the sender.
func (in *Intake) keepCame(tx *store.Tx, a *arrival, p place) error {
	party, err := PartyByID(tx, p.Party)
	if errors.Is(err, ErrNoParty) {
		return nil // a finder: report.go says which key of it is kept
	}
	if err != nil {
		return err
	}
	var all []arrivedKey
	if p.Verdict.Valid() && a.encrypted() {
		for _, c := range a.opened.Inside {
			all = append(all, arrivedKey{Words: "came in a mail signed by " + p.Verdict.Key().Spaced(), Cert: c})
		}
	}
	if c := a.autocrypt(); c != nil && !slices.ContainsFunc(all, func(k arrivedKey) bool { return k.Cert.Fingerprint() == c.Fingerprint() }) {
		all = append(all, arrivedKey{Words: "came in the Autocrypt field of a mail", Cert: c})
	}
	for _, k := range all {
		address, own := serves(party, k.Cert)
		if !own {
			continue
		}
		k.Trust, k.Address = keyring.Claimed, address
		if err := in.keepArrived(tx, string(party.ID), k); err != nil {
			return err
		}
	}
	return nil
}

// autocrypt is the certificate in the Autocrypt field of a mail, if it is for the
// sender.
func (a *arrival) autocrypt() *keyring.Certificate {
	for _, c := range a.opened.Certificates {
		if c.Origin == pgpmime.InAutocrypt && c.Certificate.Names(a.sender(), a.row.At) {
			return c.Certificate
		}
	}
	return nil
}

package mailflow

import (
	"errors"
	"slices"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// receiptKey is the key that a receipt is encrypted to, with the evidence for it,
// or nil: the one that came inside the encryption and signed all of it, or one
// that is confirmed for the party whose address the report came from and signed it
// (rule S7). Of a report that is one encrypted file that is asked of the file.
func (in *Intake) receiptKey(tx *store.Tx, a *arrival, finder cvd.Participant) (*keyring.Pinned, error) {
	sound := soundSignatures(a)
	if a.opened.Sole {
		sound = withoutSpoiled(a.opened.Documents[0].Signatures)
	}
	for _, s := range sound {
		if pin, err := in.confirmedFor(tx, s.Signer, finder.Address); err != nil || pin != nil {
			return pin, err
		}
	}
	if !a.encrypted() && !a.opened.Sole {
		return nil, nil
	}
	for _, s := range sound {
		if s.CertInside && s.Cert.CanEncrypt(a.row.At) == nil && !slices.Contains(a.secretKeys(), s.Signer) {
			return &keyring.Pinned{Fingerprint: s.Signer, Trust: keyring.Claimed, Evidence: []keyring.Voucher{{Words: "came inside the encrypted report that it signed"}},
				Address: finder.Address, Cert: s.Cert.Bytes()}, nil
		}
	}
	return nil, nil
}

// soundSignatures are the signatures over the whole mail whose maker made no bad
// one beside it (rule S4).
func soundSignatures(a *arrival) []pgpmime.Signature {
	if !a.opened.WholeSigned || !a.opened.FromAgrees(a.from()) {
		return nil
	}
	return withoutSpoiled(a.opened.Signatures)
}

func withoutSpoiled(all []pgpmime.Signature) (out []pgpmime.Signature) {
	for _, s := range all {
		spoiled := slices.ContainsFunc(all, func(o pgpmime.Signature) bool {
			return o.Err != nil && (o.Signer == s.Signer || errors.Is(o.Err, keyring.FaultTooMany))
		})
		if s.Err == nil && s.Cert != nil && !spoiled {
			out = append(out, s)
		}
	}
	return out
}

// confirmedFor finds a key that a coordinator confirmed for a party with that
// address, as it is to be kept for the report.
func (in *Intake) confirmedFor(tx *store.Tx, f keyring.Fingerprint, address string) (*keyring.Pinned, error) {
	owners, err := holdersOf(tx, f)
	if err != nil {
		return nil, err
	}
	for _, o := range owners {
		if isFinder(o.Owner) {
			continue
		}
		k, err := in.usableOf(tx, o.Owner, f)
		if err != nil {
			return nil, err
		}
		party, err := PartyByID(tx, cvd.PartyID(o.Owner))
		if errors.Is(err, ErrNoParty) {
			continue
		}
		if err != nil {
			return nil, err
		}
		own := slices.ContainsFunc(party.Addresses(), func(x string) bool { return keyring.SameAddress(x, address) })
		if k == nil || !own {
			continue
		}
		k.Vouch(keyring.Voucher{At: tx.Now, Trust: keyring.Confirmed, Words: "confirmed for " + o.Owner + ", whose address the report came from"})
		return &keyring.Pinned{Fingerprint: f, Trust: k.Trust, Evidence: k.Evidence, Address: address, Cert: k.Cert}, nil
	}
	return nil, nil
}

// usableOf is a key of a party as it is pinned, or nil where it is not confirmed,
// another took its place, or it cannot be encrypted to.
func (in *Intake) usableOf(tx *store.Tx, owner string, f keyring.Fingerprint) (*keyring.Pinned, error) {
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return nil, err
	}
	k, known := keyOf(keys, f)
	if !known || !slices.Contains(in.inForce(keys, "", tx.Now), f) {
		return nil, nil
	}
	cert, err := in.Certs.Certificate(k.Cert)
	if err != nil || cert.CanEncrypt(tx.Now) != nil {
		return nil, nil // for certain: what cannot be used is not
	}
	return &k, nil
}

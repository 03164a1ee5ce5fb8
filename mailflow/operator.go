package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Setup makes what a store must hold before anything runs on it: the scopes
// that belong to no case, and the desk's folders. It changes nothing where
// they exist.
func (b *Base) Setup() error {
	return b.Store.Update(func(tx *store.Tx) error {
		for _, s := range []store.Scope{DeskScope, spoolScope} {
			if err := tx.NewScope(s); err != nil {
				return err
			}
		}
		return b.ensureFolders(tx)
	})
}

// ImportKeys pins certificates that came in a file to a party of the
// directory. They are claimed, except for the one whose fingerprint the actor
// typed out, if any, which is confirmed at once. It gives what is on record of
// each afterwards, which may be more than claimed, or rejected.
func (d *Desk) ImportKeys(by Actor, id cvd.PartyID, certs []*keyring.Certificate, typed keyring.Fingerprint) ([]keyring.Pinned, error) {
	if typed != "" && !slices.ContainsFunc(certs, func(c *keyring.Certificate) bool { return c.Fingerprint() == typed }) {
		return nil, fmt.Errorf("the file holds no key with the fingerprint %s", typed)
	}
	var out []keyring.Pinned
	err := d.Store.Update(func(tx *store.Tx) error {
		out = nil
		p, err := PartyByID(tx, id)
		if err != nil {
			return err
		}
		for _, c := range certs {
			k, err := d.importKey(tx, by, p, c, typed)
			if err != nil {
				return err
			}
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

func (d *Desk) importKey(tx *store.Tx, by Actor, p cvd.Party, c *keyring.Certificate, typed keyring.Fingerprint) (keyring.Pinned, error) {
	k := keyring.Pinned{
		Fingerprint: c.Fingerprint(), Trust: keyring.Claimed, Evidence: "from a file", Address: p.Address, Cert: c.Bytes(),
	}
	if own := p.Addresses(); !slices.Contains(c.Addresses(), strings.ToLower(p.Address)) {
		if i := slices.IndexFunc(own, func(a string) bool { return slices.Contains(c.Addresses(), strings.ToLower(a)) }); i >= 0 {
			k.Address = own[i] // a member's key
		}
	}
	if k.Fingerprint == typed {
		k.Trust, k.Evidence, k.ConfirmedBy = keyring.Confirmed, "fingerprint typed out beside the file", by.Name
	}
	if err := d.addKey(tx, string(p.ID), k); err != nil {
		return k, err
	}
	all, err := ownerKeys(tx, string(p.ID))
	if err != nil {
		return k, err
	}
	now := all[slices.IndexFunc(all, func(o keyring.Pinned) bool { return o.Fingerprint == k.Fingerprint })]
	if k.Fingerprint == typed && now.Trust != keyring.Confirmed {
		return now, fmt.Errorf("key %s of %s is %s; typing its fingerprint does not undo that", typed, p.ID, now.Trust)
	}
	return now, nil
}

package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// burntAdvice is what is to be done about a secret key that was passed on.
const burntAdvice = "treat it as burnt: revoke it and make a new one"

// ReadKeyFile takes the one certificate that is meant out of a file: the only
// one, or that with the fingerprint which was typed; the others are named. The
// error is one sentence for whoever imports it, and nothing is taken then.
func ReadKeyFile(party cvd.PartyID, data []byte, typed keyring.Fingerprint) (*keyring.Certificate, []keyring.Fingerprint, error) {
	certs, unread, err := keyring.ParseKeyFile(data)
	all := fingerprints(certs)
	at := slices.Index(all, typed)
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil, fmt.Errorf("the file is empty; nothing was imported: ask %s for its public key", party)
	case errors.Is(err, keyring.ErrSecretKey):
		return nil, nil, fmt.Errorf("%w; nothing was imported or kept: tell %s to %s, and ask it for the public key", keyring.ErrSecretKey, party, burntAdvice)
	case errors.Is(err, keyring.ErrNoCertificate):
		return nil, nil, fmt.Errorf("the file holds no OpenPGP key%s; nothing was imported: ask %s for its public key", insteadOf(data), party)
	case err != nil:
		return nil, nil, fmt.Errorf("the file cannot be read as an OpenPGP key (%v); nothing was imported: ask %s for its public key", err, party)
	case typed != "" && at < 0:
		return nil, nil, fmt.Errorf("the file holds no key with the fingerprint %s%s; nothing was imported: compare it with %s again", typed.Spaced(), only(all), party)
	case typed != "":
		return certs[at], slices.Delete(all, at, at+1), nil
	case len(certs) == 0:
		return nil, nil, fmt.Errorf("the key of %s cannot be used: %v; nothing was imported: ask %s for another key", party, unread[0], party)
	case len(certs)+len(unread) > 1:
		return nil, nil, fmt.Errorf("the file holds %d keys (%s); nothing was imported: name %s's with --confirm FINGERPRINT, or split the file",
			len(certs)+len(unread), strings.Join(append(spaced(all), refused(unread)...), "; "), party)
	}
	return certs[0], nil, nil
}

// insteadOf says what an armored file holds that is no key.
func insteadOf(data []byte) string {
	blocks := keyring.FindArmor(data)
	if len(blocks) == 0 {
		return ""
	}
	return ", but a " + blocks[0].Kind
}

func only(all []keyring.Fingerprint) string {
	if len(all) == 0 {
		return ""
	}
	return ", only " + strings.Join(spaced(all), "; ")
}

func refused(unread []error) []string {
	var out []string
	for _, err := range unread {
		out = append(out, "one that cannot be used: "+err.Error())
	}
	return out
}

func fingerprints(certs []*keyring.Certificate) []keyring.Fingerprint {
	var out []keyring.Fingerprint
	for _, c := range certs {
		out = append(out, c.Fingerprint())
	}
	return out
}

func spaced(all []keyring.Fingerprint) []string {
	var out []string
	for _, f := range all {
		out = append(out, f.Spaced())
	}
	return out
}

// fitness says in a sentence what a key of a party cannot be used for, and what
// to do; empty where nothing ails it. The error says that it is of no use at
// all.
func fitness(party cvd.PartyID, c *keyring.Certificate, now time.Time) (string, error) {
	cannot := c.CanEncrypt(now)
	switch {
	case cannot == nil:
		return "", nil
	case c.CanVerify(now) != nil:
		return "", fmt.Errorf("%w; it can neither be encrypted to nor verify anything: ask %s for another key", cannot, party)
	}
	return fmt.Sprintf("nothing can be encrypted to it (%v); it only verifies what %s signs: ask %s for another key", cannot, party, party), nil
}

// stranger says that none of a key's user IDs has an address of the party's.
func stranger(p cvd.Party, c *keyring.Certificate) string {
	if _, told := serves(p, c); told {
		return ""
	}
	of := "no mail address"
	if a := c.Addresses(); len(a) > 0 {
		of = strings.Join(a, ", ")
	}
	return fmt.Sprintf("its user IDs name %s, and none of %s's addresses (%s): make sure that it is %s's key", of, p.ID, strings.Join(p.Addresses(), ", "), p.ID)
}

// Imported is what became of a key file.
type Imported struct {
	Key  keyring.Pinned // as it is on record now, which may be more than claimed
	Said []string       // what a person should know of it, one sentence each
}

// ImportKey pins the key in a file to a party of the directory. It is claimed,
// or confirmed at once where the actor typed its fingerprint out. What is wrong
// with the file is one sentence, and nothing is kept then.
func (d *Desk) ImportKey(by Actor, id cvd.PartyID, data []byte, typed keyring.Fingerprint) (Imported, error) {
	var out Imported
	err := d.Store.Update(func(tx *store.Tx) error {
		out = Imported{}
		p, err := PartyByID(tx, id)
		if errors.Is(err, ErrNoParty) {
			return fmt.Errorf("%w; `vendor add %s ADDRESS` puts it into the directory", err, id)
		}
		if err != nil {
			return err
		}
		cert, left, err := ReadKeyFile(id, data, typed)
		if err != nil {
			return err
		}
		if out, err = d.importKey(tx, by, p, cert, typed != ""); err == nil && len(left) > 0 {
			out.Said = append(out.Said, "left out: "+strings.Join(spaced(left), "; "))
		}
		return err
	})
	return out, err
}

func (d *Desk) importKey(tx *store.Tx, by Actor, p cvd.Party, c *keyring.Certificate, confirm bool) (out Imported, err error) {
	owner := string(p.ID)
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return out, err
	}
	old, known := keyOf(keys, c.Fingerprint())
	if confirm && old.Trust == keyring.Rejected {
		return out, fmt.Errorf("key %s of %s is rejected, and a file does not undo that; `key confirm` does", old.Fingerprint.Spaced(), p.ID)
	}
	fit, err := fitness(p.ID, c, tx.Now)
	if err != nil && !known { // of one that is known, its end is news
		return out, fmt.Errorf("%w; nothing was imported", err)
	}
	if err != nil {
		fit = err.Error()
	}
	k := keyring.Pinned{Fingerprint: c.Fingerprint(), Trust: keyring.Claimed, Evidence: []keyring.Voucher{{Words: "from a file"}}, Cert: c.Bytes()}
	k.Address, _ = serves(p, c)
	if err := d.addKey(tx, owner, k); err != nil {
		return out, err
	}
	if confirm {
		err := d.confirmKey(tx, confirmation{Owner: owner, Key: k.Fingerprint, Evidence: "fingerprint typed out beside the file", By: by.Name})
		if err != nil {
			return out, err
		}
	}
	return d.imported(tx, p, c, fit)
}

// imported gathers what is to be known of a key that was taken.
func (d *Desk) imported(tx *store.Tx, p cvd.Party, c *keyring.Certificate, fit string) (out Imported, err error) {
	keys, err := ownerKeys(tx, string(p.ID))
	if err != nil {
		return out, err
	}
	out.Key, _ = keyOf(keys, c.Fingerprint())
	pending, err := d.pending(out.Key, tx.Now)
	if err != nil {
		return out, err
	}
	said := []string{fit, stranger(p, c)}
	if out.Key.Trust == keyring.Rejected {
		said = append(said, fmt.Sprintf("a coordinator rejected it, and it is not used; if that was wrong: key confirm %s %s evidence \"...\"", p.ID, out.Key.Fingerprint))
	}
	for _, f := range pending {
		said = append(said, fmt.Sprintf("it offers the new encryption subkey %s, which is not used before: key adopt %s %s evidence \"...\"", f.Spaced(), p.ID, f))
	}
	if ch := out.Key.Change; ch != nil && tx.Now.Before(ch.At.Add(ch.Pause)) {
		said = append(said, fmt.Sprintf("another key of %s is confirmed: from scope on nothing goes to it before %s, and its addresses are told of the change", p.ID, utc(ch.At.Add(ch.Pause))))
	}
	shared, err := sharedLine(tx, string(p.ID), c.Fingerprint())
	if err != nil {
		return out, err
	}
	out.Said = slices.DeleteFunc(append(said, shared), func(s string) bool { return s == "" })
	return out, nil
}

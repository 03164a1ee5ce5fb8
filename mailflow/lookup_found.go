package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/keyring/discover"
	"parley/mailflow/store"
)

// maxClaimed is how many keys that nobody vouches for are kept of one holder:
// whoever knows an address of ours could send more. Of those that its own
// domain vouches for maxFound are.
const (
	maxClaimed = 8
	maxFound   = 32
)

// arrivedKey is a certificate that came by itself, and how.
type arrivedKey struct {
	Trust   keyring.Trust
	Words   string // how it came
	Address string // of the party, that it is for
	Cert    *keyring.Certificate
}

func (k arrivedKey) pinned() keyring.Pinned {
	return keyring.Pinned{Fingerprint: k.Cert.Fingerprint(), Trust: k.Trust, Evidence: []keyring.Voucher{{Words: k.Words}}, Address: k.Address, Cert: k.Cert.Bytes()}
}

// took keeps the keys that a look-up found, and tells the desk where that needs
// a person. A look-up that finds nothing needs none.
func (l *Lookups) took(tx *store.Tx, o lookup, found discover.Finding, missed discover.Fault) error {
	owner := string(o.Party)
	burnt := keyTask(owner) + ":secret:" + o.where()
	if missed == discover.SecretKey {
		return l.askOnce(tx, owner, "secret:"+o.where(), burnt,
			fmt.Sprintf("%s publishes its secret key", owner),
			"Nothing of it was kept, and no key was taken from there.",
			fmt.Sprintf("%s: %s", o.where(), missed.Sentence()),
			fmt.Sprintf("tell %s to revoke that key and to make a new one: whoever read it can read what was encrypted to it and sign in its name", owner))
	}
	before, err := ownerKeys(tx, owner)
	if err != nil {
		return err
	}
	for _, k := range found.Keys {
		if err := l.keepArrived(tx, owner, arrivedKey{keyring.Found, found.Evidence, k.Address, k.Certificate}); err != nil {
			return err
		}
	}
	if missed == "" {
		if err := l.taskDone(tx, burnt); err != nil {
			return err
		}
	}
	found.Keys = slices.DeleteFunc(found.Keys, func(k discover.Key) bool {
		_, known := keyOf(before, k.Certificate.Fingerprint())
		return known
	})
	return l.tellUseless(tx, o, found)
}

// tellUseless asks for another key where none of a party can be used and what
// was found, of which nothing was known, cannot be either.
func (l *Lookups) tellUseless(tx *store.Tx, o lookup, found discover.Finding) error {
	owner := string(o.Party)
	task := keyTask(owner) + ":useless"
	keys, err := ownerKeys(tx, owner)
	if err != nil || len(found.Keys) == 0 {
		return err
	}
	if len(keyring.Select(l.Certs, keys, keyring.Need{Trust: keyring.Found}, tx.Now).Certificates) > 0 {
		return l.taskDone(tx, task)
	}
	var why []string
	for _, k := range found.Keys {
		if err := k.Certificate.CanEncrypt(tx.Now); err != nil {
			why = append(why, err.Error())
		}
	}
	if len(why) == 0 {
		return nil // it is on record as rejected
	}
	said := strings.Join(why, "; ")
	return l.askOnce(tx, owner, "useless:"+said, task,
		fmt.Sprintf("the key that %s publishes cannot be used", owner),
		"Nothing can be encrypted to it. What needs a key is held, sealed, until there is a good one.",
		fmt.Sprintf("%s found: %s", o.where(), said),
		fmt.Sprintf("ask %s for a key that can be used, or to renew that one where it is published; write to control@%s\n    key find %s\nto look again at once", owner, l.DeskDomain, owner))
}

// keepArrived puts a key on record where it says anything new, and asks the
// desk where it is not the one that is confirmed (rule S7).
func (b *Base) keepArrived(tx *store.Tx, owner string, k arrivedKey) error {
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(keys, func(o keyring.Pinned) bool { return o.Fingerprint == k.Cert.Fingerprint() })
	switch {
	case at >= 0 && keys[at].Trust == keyring.Rejected:
		return nil
	case at < 0 && k.Trust == keyring.Claimed && countOf(keys, k.Trust) >= maxClaimed, at < 0 && countOf(keys, keyring.Found) >= maxFound:
		return nil
	}
	if err := b.addKey(tx, owner, k.pinned()); err != nil {
		return err
	}
	if at >= 0 && keys[at].Trust == keyring.Confirmed {
		return nil
	}
	return b.askAboutOther(tx, owner, keys, k)
}

func countOf(keys []keyring.Pinned, t keyring.Trust) int {
	n := 0
	for _, k := range keys {
		if k.Trust == t {
			n++
		}
	}
	return n
}

// askAboutOther asks which key is a party's, where another one than the
// confirmed key of the same address came; once for each key.
func (b *Base) askAboutOther(tx *store.Tx, owner string, keys []keyring.Pinned, k arrivedKey) error {
	f := k.Cert.Fingerprint()
	var confirmed []string
	for _, o := range keys {
		if o.Trust == keyring.Confirmed && o.Fingerprint != f && (o.Address == "" || strings.EqualFold(o.Address, k.Address)) {
			confirmed = append(confirmed, o.Fingerprint.Spaced())
		}
	}
	if len(confirmed) == 0 {
		return nil
	}
	return b.askOnce(tx, owner, "other:"+string(f), questionTask(owner, f),
		fmt.Sprintf("Which key is %s's? Another than the confirmed one came", owner),
		"Nothing is encrypted to the new key, and no signature of it counts. The confirmed one goes on being used.",
		fmt.Sprintf("confirmed is\n    %s\nand what came is\n    %s\n(%s)", strings.Join(confirmed, "\n    "), f.Spaced(), k.Words),
		fmt.Sprintf("compare the fingerprint with %s another way, and say which it is in a signed mail to control@%s\n    key confirm %s %s evidence \"...\"\nor\n    key reject %s %s because \"...\"",
			owner, b.DeskDomain, owner, f, owner, f))
}

// askOnce puts a key question before the desk unless it was asked before.
func (b *Base) askOnce(tx *store.Tx, owner, about, task, subject, state, why, next string) error {
	fresh, err := askedFirst(tx, owner, about)
	if err != nil || !fresh {
		return err
	}
	return b.keyTask(tx, owner, task, subject, state, why, next)
}

// questionTask names the mail in Keys that the judgement of one key answers.
func questionTask(owner string, f keyring.Fingerprint) string {
	return keyTask(owner) + ":question:" + string(f)
}

// askedKeys remembers which key questions were asked: each is one mail, not one
// for every time that the key comes again.
var askedKeys = store.WriteOnce[askedKey]("askedkeys")

type askedKey struct{ At time.Time }

func askedFirst(tx *store.Tx, owner, about string) (bool, error) {
	key := tx.Name("askedkey", owner, about)
	if askedKeys.Has(tx, key) {
		return false, nil
	}
	return true, askedKeys.Put(tx, DeskScope, key, askedKey{tx.Now})
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// confirmation is a coordinator's word that it learned the fingerprint of a
// known key another way.
type confirmation struct {
	Owner    string
	Key      keyring.Fingerprint
	Replaces keyring.Fingerprint // the key that it takes the place of, or empty: it is used beside others
	Address  string              // of the member that it serves, where its user IDs do not tell
	Evidence string
	By       string
}

// confirmKey records a confirmation, and begins the pause that follows a
// change of keys.
func (b *Base) confirmKey(tx *store.Tx, c confirmation) error {
	k, err := b.theKey(tx, c.Owner, c.Key)
	if err != nil {
		return err
	}
	if c.Replaces != "" {
		if err := b.replaceKey(tx, c); err != nil {
			return err
		}
	}
	keys, err := ownerKeys(tx, c.Owner)
	if err != nil {
		return err
	}
	k.Vouch(keyring.Voucher{By: c.By, At: tx.Now, Trust: keyring.Confirmed, Words: c.Evidence})
	k.Replaced = nil // whoever types it again wants it
	if c.Address != "" {
		k.Address = c.Address
	}
	if err := b.mayBegin(tx, c.Owner, keys, &k); err != nil {
		return err
	}
	return b.judged(tx, c.Owner, k)
}

// replaceKey ends the use of a key: it is kept, and what it signed before
// still counts.
func (b *Base) replaceKey(tx *store.Tx, c confirmation) error {
	old, err := b.theKey(tx, c.Owner, c.Replaces)
	if err != nil {
		return err
	}
	old.Replaced = &keyring.Replacement{By: c.Key, At: tx.Now}
	return putKey(tx, c.Owner, old)
}

// rejectKey records that a key is not to be used, until a person confirms it.
// What it had taken the place of is in force again where revive says so.
func (b *Base) rejectKey(tx *store.Tx, owner string, f keyring.Fingerprint, why, by string, revive bool) ([]keyring.Fingerprint, error) {
	k, err := b.theKey(tx, owner, f)
	if err != nil {
		return nil, err
	}
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return nil, err
	}
	var back []keyring.Fingerprint
	for _, o := range keys {
		if o.Replaced == nil || o.Replaced.By != f || k.Replaced != nil { // else it was no mistake that another followed
			continue
		}
		back = append(back, o.Fingerprint)
		if o.Replaced = nil; !revive {
			continue
		}
		if err := putKey(tx, owner, o); err != nil {
			return nil, err
		}
	}
	k.Vouch(keyring.Voucher{By: by, At: tx.Now, Trust: keyring.Rejected, Words: why})
	k.Change = nil
	if err := b.cancelNotes(tx, owner, f); err != nil {
		return nil, err
	}
	return back, b.judged(tx, owner, k)
}

func (b *Base) theKey(tx *store.Tx, owner string, f keyring.Fingerprint) (keyring.Pinned, error) {
	k, err := pinnedKeys.Get(tx, keyKey(tx, owner, f))
	if errors.Is(err, store.ErrNotFound) {
		return k.Pinned, fmt.Errorf("no key %s of %s is known; import it first", f, ownerName(owner))
	}
	return k.Pinned, err
}

// judged writes a key after a person's word on it, and ends the questions that
// it answers.
func (b *Base) judged(tx *store.Tx, owner string, k keyring.Pinned) error {
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return err
	}
	for _, task := range []string{keyTask(owner), questionTask(owner, k.Fingerprint), secondTask(owner, k.Fingerprint)} {
		if err := b.taskDone(tx, task); err != nil {
			return err
		}
	}
	if err := b.askSecond(tx, owner, k); err != nil {
		return err
	}
	return b.pin(tx, owner, k, cert)
}

func secondTask(owner string, f keyring.Fingerprint) string {
	return keyTask(owner) + ":second:" + string(f)
}

// askSecond keeps the question about a key open while a policy of an open case
// asks for more people than have typed its fingerprint.
func (b *Base) askSecond(tx *store.Tx, owner string, k keyring.Pinned) error {
	missing, policy, err := confirmersMissing(tx, owner, k)
	if err != nil || missing == 0 {
		return err
	}
	name := ownerName(owner)
	return b.keyTask(tx, owner, secondTask(owner, k.Fingerprint),
		fmt.Sprintf("%s's key: another coordinator must confirm it too", name),
		fmt.Sprintf("It is confirmed by %s, and counts for less in cases of policy %s until %s typed its fingerprint too.", strings.Join(k.Confirmers(), " and "), policy, people(missing)),
		fmt.Sprintf("policy %s asks for %d people to confirm each key", policy, len(k.Confirmers())+missing),
		fmt.Sprintf("learn the fingerprint yourself, and write in a signed mail to control@%s\n    key confirm %s %s evidence \"...\"", b.DeskDomain, name, k.Fingerprint))
}

func people(n int) string {
	if n == 1 {
		return "one more person"
	}
	return fmt.Sprintf("%d more people", n)
}

// confirmersMissing is how many more people the strictest policy of the open
// cases of a party asks for, and which policy that is.
func confirmersMissing(tx *store.Tx, owner string, k keyring.Pinned) (missing int, policy string, err error) {
	if k.Trust != keyring.Confirmed {
		return 0, "", nil
	}
	all, err := seats(tx, owner)
	if err != nil {
		return 0, "", err
	}
	for _, who := range all {
		c, err := CaseByID(tx, who.Case)
		if errors.Is(err, ErrNoCase) {
			continue
		}
		if err != nil {
			return 0, "", err
		}
		if m := c.Policy.KeyConfirmers() - len(k.Confirmers()); m > missing {
			missing, policy = m, c.Policy.Name
		}
	}
	return missing, policy, nil
}

// serves names the address of a party that a certificate serves by its user
// IDs; told is false where they match none of them, and it is taken for the
// party's own.
func serves(p cvd.Party, c *keyring.Certificate) (address string, told bool) {
	own := c.Addresses()
	for _, a := range p.Addresses() {
		if slices.Contains(own, strings.ToLower(a)) {
			return a, true
		}
	}
	return p.Address, false
}

// inForce are the keys of an owner that count as confirmed at an instant, a
// certain one excepted.
func (b *Base) inForce(keys []keyring.Pinned, not keyring.Fingerprint, at time.Time) []keyring.Fingerprint {
	var out []keyring.Fingerprint
	all := keyring.Stand(b.Certs, keys, 1, at)
	for _, k := range keys {
		if s := all[k.Fingerprint]; k.Fingerprint != not && s.Trust == keyring.Confirmed && s.Replaced == nil {
			out = append(out, k.Fingerprint)
		}
	}
	return out
}

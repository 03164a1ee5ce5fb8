package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// refreshed is what a newer copy of a certificate brought.
type refreshed struct {
	cert    *keyring.Certificate
	ended   error                 // why it cannot be encrypted to any more, where it could before
	offered []keyring.Fingerprint // encryption subkeys that it did not offer before
}

// refresh takes into a record what a newer copy of its certificate says. New
// encryption subkeys are kept beside it until a person agrees (rule S7).
func (b *Base) refresh(rec *keyring.Pinned, fresh *keyring.Certificate, now time.Time) (refreshed, error) {
	known, err := b.Certs.Certificate(rec.Cert)
	if err != nil {
		return refreshed{}, err
	}
	before, err := b.pending(*rec, now)
	if err != nil {
		return refreshed{}, err
	}
	merged, _, err := keyring.Merge(known, fresh)
	if err != nil {
		return refreshed{}, err
	}
	rec.Cert = merged.Bytes()
	if err := b.offer(rec, merged, fresh); err != nil {
		return refreshed{}, err
	}
	after, err := b.pending(*rec, now)
	if err != nil {
		return refreshed{}, err
	}
	if len(after) == 0 {
		rec.Offered = nil
	}
	out := refreshed{cert: merged, offered: slices.DeleteFunc(after, func(f keyring.Fingerprint) bool { return slices.Contains(before, f) })}
	if known.CanEncrypt(now) == nil {
		out.ended = merged.CanEncrypt(now)
	}
	return out, nil
}

// offer keeps a copy with all encryption subkeys that nobody agreed to.
func (b *Base) offer(rec *keyring.Pinned, merged, fresh *keyring.Certificate) error {
	all := fresh
	if len(rec.Offered) > 0 {
		was, err := b.Certs.Certificate(rec.Offered)
		if err != nil {
			return err
		}
		if all, _, err = keyring.Adopt(was, fresh, keyring.NewEncryptionSubkeys(was, fresh)...); err != nil {
			return err
		}
	}
	rec.Offered = nil
	if len(keyring.NewEncryptionSubkeys(merged, all)) > 0 {
		rec.Offered = all.Bytes()
	}
	return nil
}

// pending lists the encryption subkeys of a key that could be used and that
// nobody agreed to.
func (b *Base) pending(k keyring.Pinned, now time.Time) ([]keyring.Fingerprint, error) {
	if len(k.Offered) == 0 {
		return nil, nil
	}
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return nil, err
	}
	offered, err := b.Certs.Certificate(k.Offered)
	if err != nil {
		return nil, err
	}
	useless := func(f keyring.Fingerprint) bool { return offered.CanEncryptWith(f, now) != nil }
	return slices.DeleteFunc(keyring.NewEncryptionSubkeys(cert, offered), useless), nil
}

// tellRefreshed puts before the desk what a newer copy of a key brought that
// needs a person, and asks the party where it has no usable key left.
func (b *Base) tellRefreshed(tx *store.Tx, owner string, old, rec keyring.Pinned, news refreshed) error {
	if old.Trust == 0 || rec.Trust == keyring.Rejected {
		return nil
	}
	name, control := ownerName(owner), "control@"+b.DeskDomain
	if len(news.offered) > 0 {
		var lines []string
		for _, f := range news.offered {
			lines = append(lines, fmt.Sprintf("    key adopt %s %s evidence \"...\"", name, f))
		}
		err := b.keyTask(tx, owner, subkeyTask(owner, rec.Fingerprint),
			fmt.Sprintf("%s's key has a new encryption subkey", name),
			"Nothing is encrypted to the new subkey. What goes to them is encrypted to the old one, or held if that one has ended.",
			fmt.Sprintf("the key\n    %s\noffers\n    %s\nWhoever had the primary key for an hour could have added it", rec.Fingerprint.Spaced(), strings.Join(spaced(news.offered), "\n    ")),
			"compare the fingerprint with them another way, and agree to it in a signed mail to "+control+"\n"+strings.Join(lines, "\n"))
		if err != nil {
			return err
		}
	}
	if news.ended == nil {
		return nil
	}
	err := b.keyTask(tx, owner, endedTask(owner, rec.Fingerprint),
		fmt.Sprintf("%s's key can no longer be used", name),
		"Nothing is encrypted to it any more. What has no other key to go to is held, sealed, and the party is asked for one.",
		news.ended.Error(),
		fmt.Sprintf("ask %s why, and for a good key; import it on the server,\n    parley key import FILE --party %s --config FILE\nand confirm it once you have compared its fingerprint another way", name, name))
	if err != nil {
		return err
	}
	return b.askOwner(tx, owner)
}

func subkeyTask(owner string, f keyring.Fingerprint) string {
	return keyTask(owner) + ":subkey:" + string(f)
}

func endedTask(owner string, f keyring.Fingerprint) string {
	return keyTask(owner) + ":ended:" + string(f)
}

// keyTask puts a question about the keys of one holder into Keys.
func (b *Base) keyTask(tx *store.Tx, owner, task, subject, state, why, next string) error {
	r, err := b.Templates.Refusal(refusal(subject, subject+". "+state, why, next))
	if err != nil {
		return err
	}
	name := ownerName(owner)
	return b.task(tx, task, Post{Folder: "Keys", Kind: "key", Ref: name, From: name, Subject: subject, Text: r.Text})
}

// askOwner asks a party for a good key, where something is to go to it and it has
// none left. A finder writes again by itself.
func (b *Base) askOwner(tx *store.Tx, owner string) error {
	who, waits, err := b.waitsForKey(tx, owner)
	if err != nil || !waits || who.Party.IsFinder() {
		return err
	}
	return b.askForKey(tx, who)
}

// adoptSubkey takes an encryption subkey that a key offers, on a person's word.
func (b *Base) adoptSubkey(tx *store.Tx, owner string, f keyring.Fingerprint, evidence, by string) (keyring.Pinned, error) {
	keys, err := ownerKeys(tx, owner)
	if err != nil {
		return keyring.Pinned{}, err
	}
	var offers []string
	for _, k := range keys {
		pending, err := b.pending(k, tx.Now)
		if err != nil {
			return k, err
		}
		if slices.Contains(pending, f) {
			return k, b.adopt(tx, owner, k, f, evidence, by)
		}
		for _, o := range pending {
			offers = append(offers, o.Spaced())
		}
	}
	if len(offers) > 0 {
		return keyring.Pinned{}, notDone("%s is none of the encryption subkeys that keys of %s offer (%s); nothing was changed", f.Spaced(), ownerName(owner), strings.Join(offers, "; "))
	}
	return keyring.Pinned{}, notDone("no key of %s offers a new encryption subkey; nothing was changed. `key confirm` is for a key of its own", ownerName(owner))
}

func (b *Base) adopt(tx *store.Tx, owner string, k keyring.Pinned, f keyring.Fingerprint, evidence, by string) error {
	cert, err := b.Certs.Certificate(k.Cert)
	if err != nil {
		return err
	}
	offered, err := b.Certs.Certificate(k.Offered)
	if err != nil {
		return err
	}
	merged, _, err := keyring.Adopt(cert, offered, f)
	if err != nil {
		return err
	}
	k.Cert = merged.Bytes()
	// Of the subkey, not of the key: it confirms nothing.
	k.Vouch(keyring.Voucher{By: by, At: tx.Now, Trust: keyring.Claimed, Words: "subkey " + f.Spaced() + ": " + evidence})
	left, err := b.pending(k, tx.Now)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		k.Offered = nil
		if err := b.taskDone(tx, subkeyTask(owner, k.Fingerprint)); err != nil {
			return err
		}
	}
	if err := recordKey(tx, owner, journal.Record{Kind: "key.subkey", Ref: string(f), Detail: evidence, Actor: by}); err != nil {
		return err
	}
	return b.pin(tx, owner, k, merged)
}

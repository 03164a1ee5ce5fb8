package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// A party of which no key can be used is asked for one, in clear and with nothing of
// any case: each of its contacts once for each reason why none can, however many
// notices wait for it, and then as the policy reminds. Whatever the gate says
// meanwhile, that is all.

// keyAsk is what one contact was asked last.
type keyAsk struct {
	Party   cvd.PartyID
	Owner   string // of the keys
	Address string
	Reason  string    // digest of why none of the keys that somebody confirmed can be used
	Since   time.Time // when it was first asked for that reason
	Notice  uint64    // the mail that asks
	Next    time.Time // when it is asked once more; zero: it is not
}

// keyAskDue says whose turn it is to be asked once more.
type keyAskDue struct {
	Owner   string
	Address string
}

var (
	keyAsks    = store.Versioned[keyAsk]("keyasks")
	keyAskRows = store.Versioned[keyAskDue]("keyasksdue")
)

func keyAskPrefix(tx *store.Tx, owner string) []byte { return tx.Name("keyask", owner) }

func keyAskKey(tx *store.Tx, owner, address string) []byte {
	return append(keyAskPrefix(tx, owner), tx.Name("contact", keyring.FoldAddress(address))...)
}

// askForKey asks the contacts of a participant who were not asked yet for the
// reason why none of its keys can be used now. Nobody is asked who is told by hand,
// and nothing goes to whoever was withdrawn.
func (b *Base) askForKey(tx *store.Tx, who cvd.Participant) error {
	party, keys, err := b.keyHolder(tx, who)
	if err != nil || who.Withdrawn != nil || party.Channel == cvd.ChannelHand {
		return err
	}
	reason := b.keyless(keys, tx.Now)
	for _, address := range contacts(who, party, keys) {
		row, err := keyAsks.Get(tx, keyAskKey(tx, OwnerOf(who), address))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && row.Reason == reason {
			continue
		}
		next := keyAsk{Party: who.Party, Owner: OwnerOf(who), Address: address, Reason: reason, Since: tx.Now}
		if err := b.askContact(tx, who, party, row, next); err != nil {
			return err
		}
	}
	return nil
}

// keyHolder reads what is known of a participant and its keys. A finder is in no
// directory.
func (b *Base) keyHolder(tx *store.Tx, who cvd.Participant) (cvd.Party, []keyring.Pinned, error) {
	party, err := PartyByID(tx, who.Party)
	if err != nil && !errors.Is(err, ErrNoParty) {
		return party, nil, err
	}
	keys, err := ownerKeys(tx, OwnerOf(who))
	return party, keys, err
}

// contacts are the addresses at which a participant is asked for a key: not one
// that it revoked.
func contacts(who cvd.Participant, party cvd.Party, keys []keyring.Pinned) []string {
	if party.ID == "" {
		return []string{who.Address}
	}
	known := knownAddresses(party, keys)
	if party.Revoked != nil {
		known = slices.DeleteFunc(known, func(a string) bool { return keyring.SameAddress(a, party.Address) })
	}
	return known
}

// keyless digests why none of the keys can be used that a person ever confirmed, or
// that such a one certifies. What somebody sent or a server gave, and nobody
// compared, is no other reason.
func (b *Base) keyless(keys []keyring.Pinned, at time.Time) string {
	all := keyring.Stand(b.Certs, keys, 1, at)
	confirmed := slices.DeleteFunc(slices.Clone(keys), func(k keyring.Pinned) bool {
		return !k.Known() && all[k.Fingerprint].Trust != keyring.Confirmed
	})
	return digestAll(keyring.Select(b.Certs, confirmed, keyring.Need{Trust: keyring.Confirmed}, at).Why)
}

// askContact writes to one contact: before the first stage the question which key to
// use, later a note that something waits.
func (b *Base) askContact(tx *store.Tx, who cvd.Participant, party cvd.Party, was, row keyAsk) error {
	kind, to := cvd.KindContact, spoken(who, party)
	text, err := b.Templates.Contact(templates.Contact{Us: b.us(), To: to, ReplyTo: b.ReportAddress()})
	if who.Reached != "" {
		kind = cvd.KindNote
		text, err = b.Templates.Note(templates.Note{Us: b.us(), To: to})
	}
	if err != nil {
		return err
	}
	n := cvd.Notice{Case: who.Case, Party: who.Party, Kind: kind}
	if !keyring.SameAddress(row.Address, who.Address) {
		n.To = row.Address
	}
	if n, err = b.newNotice(tx, n, &Letter{Subject: text.Subject, Text: text.Text}); err != nil {
		return err
	}
	row.Notice = n.ID
	return b.putKeyAsk(tx, who, party, was, row)
}

// putKeyAsk writes a row in the place of what it was, with the instant at which its
// contact is asked once more.
func (b *Base) putKeyAsk(tx *store.Tx, who cvd.Participant, party cvd.Party, was, row keyAsk) error {
	c, err := CaseByID(tx, who.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return err
	}
	row.Next = time.Time{}
	for _, at := range c.Policy.Reminders(row.Since, c.Embargo().End, cvd.ZoneOf(party.Zone)) {
		if row.Next.IsZero() && at.After(tx.Now) && !who.Party.IsFinder() {
			row.Next = at
		}
	}
	scope, key := keyAskScope(who), keyAskKey(tx, row.Owner, row.Address)
	if err := moveDue(tx, keyAskRows, scope, key, was.Next, row.Next, keyAskDue{row.Owner, row.Address}); err != nil {
		return err
	}
	return keyAsks.Put(tx, scope, key, row)
}

// keyAskScope is the desk's for a party, as the directory is, and of a finder that of
// its case.
func keyAskScope(who cvd.Participant) store.Scope {
	if who.Party.IsFinder() {
		return caseScope(who.Case)
	}
	return DeskScope
}

// forgetKeyAsk ends what is kept of a contact that is not asked any more.
func forgetKeyAsk(tx *store.Tx, row keyAsk) error {
	key := keyAskKey(tx, row.Owner, row.Address)
	if !row.Next.IsZero() {
		if err := keyAskRows.Delete(tx, slices.Concat(store.Instant(row.Next), key)); err != nil {
			return err
		}
	}
	return keyAsks.Delete(tx, key)
}

package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// keepKeyAsks ends what asks an owner for a key where nothing waits for one any
// more, with the mail that did not leave yet, and asks contacts that are new where
// something does.
func (b *Base) keepKeyAsks(tx *store.Tx, owner string) error {
	rows, err := collect(keyAsks.All(tx, keyAskPrefix(tx, owner)), nil)
	if err != nil || len(rows) == 0 {
		return err
	}
	who, waits, err := b.waitsForKey(tx, owner)
	if err != nil {
		return err
	}
	var still []string
	if waits {
		party, keys, err := b.keyHolder(tx, who)
		if err != nil {
			return err
		}
		still = contacts(who, party, keys)
	}
	for _, row := range rows {
		if slices.ContainsFunc(still, func(a string) bool { return keyring.SameAddress(a, row.Address) }) {
			continue
		}
		if err := b.endKeyAsk(tx, row); err != nil {
			return err
		}
	}
	if !waits {
		return nil
	}
	return b.askForKey(tx, who)
}

// endKeyAsk forgets a contact, and takes back the mail to it if that did not leave yet.
func (b *Base) endKeyAsk(tx *store.Tx, row keyAsk) error {
	n, waiting, err := keyAskWaiting(tx, row)
	if err != nil {
		return err
	}
	if waiting {
		return b.cancel(tx, n, "no key is asked for any more") // which forgets it, too
	}
	return forgetKeyAsk(tx, row)
}

// keyAskWaiting is the mail that asks a contact, where that has not left.
func keyAskWaiting(tx *store.Tx, row keyAsk) (n cvd.Notice, waiting bool, err error) {
	all, err := seats(tx, row.Owner)
	if err != nil {
		return n, false, err
	}
	for _, who := range all {
		n, err := notices.Get(tx, noticeKey(tx, who.Case, who.Party, row.Notice))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		return n, err == nil && !n.State.Over(), err
	}
	return n, false, nil
}

// keyAskCancelled forgets the contact whose mail will not leave: it was not asked.
func keyAskCancelled(tx *store.Tx, n cvd.Notice) error {
	if !clearKind(n.Kind) {
		return nil
	}
	who, err := ParticipantByID(tx, n.Case, n.Party)
	if err != nil {
		return err
	}
	rows, err := collect(keyAsks.All(tx, keyAskPrefix(tx, OwnerOf(who))), nil)
	for _, row := range rows {
		if row.Notice == n.ID {
			return forgetKeyAsk(tx, row)
		}
	}
	return err
}

// waitsForKey finds a participant of an owner of keys to whom something is to go that
// no key can be used for, first of all one that nobody holds.
func (b *Base) waitsForKey(tx *store.Tx, owner string) (who cvd.Participant, waits bool, err error) {
	all, err := seats(tx, owner)
	if err != nil {
		return who, false, err
	}
	for _, p := range all {
		c, err := CaseByID(tx, p.Case)
		if errors.Is(err, ErrNoCase) {
			continue
		}
		if err != nil {
			return who, false, err
		}
		lacks, err := b.lacksKey(tx, c, p)
		switch {
		case err != nil:
			return who, false, err
		case lacks && c.Hold == nil && p.Hold == nil:
			return p, true, nil
		case lacks && !waits:
			who, waits = p, true
		}
	}
	return who, waits, nil
}

// lacksKey says whether something is to go to a participant that no key can be used
// for now: of what is held, with the trust that it asks for; of what is to come, with
// any that the first stage may ask for.
func (b *Base) lacksKey(tx *store.Tx, c cvd.Case, who cvd.Participant) (bool, error) {
	party, keys, err := b.keyHolder(tx, who)
	if err != nil || !c.Started() || party.Channel == cvd.ChannelHand {
		return false, err
	}
	all, err := Notices(tx, who.Case, who.Party)
	if err != nil {
		return false, err
	}
	for _, n := range all {
		if n.State.Over() || !disclosing(n) {
			continue
		}
		q := Question{Notice: n, Participant: who, Party: party, Case: c, Now: tx.Now}
		must := need(q)
		if n.State != cvd.Held {
			must.Trust = min(must.Trust, keyring.Found)
		}
		q.Keys = keyring.Select(b.Certs, keys, must, tx.Now)
		if len(q.Keys.Certificates) == 0 && !clearForm(q) {
			return true, nil
		}
	}
	return false, nil
}

// KeyAsksDue asks contacts once more that did not send a key, and says when the next
// one is due. While sending is paused it waits.
func (b *Base) KeyAsksDue(now time.Time) (next time.Time, err error) {
	var due []keyAskDue
	err = b.Store.View(func(tx *store.Tx) error {
		if state, err := sendingNow(tx); err != nil || state.Paused {
			return err
		}
		due, err = collect(keyAskRows.Due(tx, now, &next), nil)
		return err
	})
	for _, d := range due {
		failed := b.Store.Update(func(tx *store.Tx) error { return b.askKeyAgain(tx, d) })
		if failed != nil {
			next, err = sooner(next, now.Add(time.Minute)), errors.Join(err, failed)
		}
	}
	return next, err
}

// askKeyAgain asks one contact once more, if its key is still wanted, the mail before
// has left, and nobody holds what would go there.
func (b *Base) askKeyAgain(tx *store.Tx, d keyAskDue) error {
	if err := b.keepKeyAsks(tx, d.Owner); err != nil {
		return err
	}
	row, err := keyAsks.Get(tx, keyAskKey(tx, d.Owner, d.Address))
	if errors.Is(err, store.ErrNotFound) || err == nil && (row.Next.IsZero() || row.Next.After(tx.Now)) {
		return nil
	}
	if err != nil {
		return err
	}
	who, _, err := b.waitsForKey(tx, d.Owner)
	if err != nil {
		return err
	}
	c, err := CaseByID(tx, who.Case)
	if err != nil {
		return err
	}
	party, err := PartyByID(tx, who.Party)
	if err != nil {
		return err
	}
	_, waiting, err := keyAskWaiting(tx, row)
	if err != nil {
		return err
	}
	if waiting || c.Hold != nil || who.Hold != nil {
		return b.putKeyAsk(tx, who, party, row, row) // one that a hold left out is not made up for
	}
	return b.askContact(tx, who, party, row, row)
}

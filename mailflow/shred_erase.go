package mailflow

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Words of a case stand under these keys: its own and those of the cases and
// reports that became part of it, whose rows all go; and, as far as they tell of
// it, those that the desk shares: the desk's, each coordinator's, the spool's.

// eraseCase removes every row of a case, and takes its mails out of every folder,
// so that clients hear of it. What is left is the row that says so.
func (b *Base) eraseCase(tx *store.Tx, c cvd.Case, r *shredRow) error {
	f, err := familyOf(tx, c.ID)
	if err != nil {
		return err
	}
	r.Erased, r.Restricted, r.By, r.Scopes = tx.Now, c.Restricted, "", f.scopes()
	for _, step := range []func(*store.Tx, family) error{b.forgetFinders, b.dropTold, unfileAll, deleteFolders} {
		if err := step(tx, f); err != nil {
			return err
		}
	}
	tx.Changed(store.Change{Topic: store.TopicMailbox, Kind: store.ChangeFolders})
	return tx.Erase(r.Scopes...)
}

// forgetFinders removes what stands with the desk of those who reported: their
// keys, and their addresses among what is remembered against replays.
func (b *Base) forgetFinders(tx *store.Tx, f family) error {
	all, err := collect(participants.All(tx, nil), nil)
	if err != nil {
		return err
	}
	gone, elsewhere := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		address := strings.ToLower(p.Address)
		if !slices.Contains(f.ids(), p.Case) {
			elsewhere[address] = true
		} else if p.Party.IsFinder() {
			gone[address] = true
			if err := b.forgetKeys(tx, OwnerOf(p)); err != nil {
				return err
			}
		}
	}
	maps.DeleteFunc(gone, func(address string, _ bool) bool { return elsewhere[address] })
	return forgetSenders(tx, gone)
}

// forgetSenders takes the addresses off what is remembered of mails. What comes
// again then counts as somebody else's, and so for nothing (rule S6).
func forgetSenders(tx *store.Tx, gone map[string]bool) error {
	for r, err := range seen.All(tx, nil) {
		if err != nil {
			return err
		}
		if !gone[strings.ToLower(r.Value.From)] {
			continue
		}
		r.Value.From = ""
		if err := seen.Put(tx, DeskScope, r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

// forgetKeys removes the keys of an owner, and what they are found by.
func (b *Base) forgetKeys(tx *store.Tx, owner string) error {
	known, err := ownerKeys(tx, owner)
	if err != nil {
		return err
	}
	for _, k := range known {
		if err := b.holdsNoMore(tx, owner, k); err != nil {
			return err
		}
		if err := pinnedKeys.Delete(tx, keyKey(tx, owner, k.Fingerprint)); err != nil {
			return err
		}
	}
	return nil
}

// unfileAll takes the mails of a case out of every folder.
func unfileAll(tx *store.Tx, f family) error {
	var ids []uint64
	scopes := f.scopes()
	for m, err := range tx.MessagesFrom(0) {
		if unreadableMessage(err) {
			continue
		}
		if err != nil {
			return err
		}
		if slices.Contains(scopes, m.Scope) {
			ids = append(ids, m.ID)
		}
	}
	for _, id := range ids {
		if err := unfileEverywhere(tx, id); err != nil {
			return err
		}
	}
	return nil
}

func unfileEverywhere(tx *store.Tx, id uint64) error {
	places, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	for _, at := range places {
		if err := tx.Unfile(at.Mailbox, at.UID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

func deleteFolders(tx *store.Tx, f family) error {
	all, err := tx.Mailboxes()
	if err != nil {
		return err
	}
	for _, m := range all {
		if !f.has(cvd.CaseID(m.Case)) {
			continue
		}
		if err := tx.DeleteMailbox(m.Number); err != nil {
			return err
		}
	}
	return nil
}

package mailflow

import (
	"context"
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// RotateStore puts all keys of the store under a new master key, which the
// credential next alone opens from then on, and records that.
func (b *Base) RotateStore(next store.Unlock) error {
	return b.Store.Rotate(next, func(tx *store.Tx) error {
		return record(tx, journal.Record{Kind: "store.rotated", Actor: Operator})
	})
}

// RotateCase gives a case new keys, with the cases and reports that became part
// of it: what comes goes under them at once, what is there is carried over in
// small updates while everything runs on, and the older keys are destroyed at the
// end. It returns then. Where it is cut short both stay, everything opens, and it
// is called again. A case that is shredded meanwhile is gone. u is the store's
// credential.
func (b *Base) RotateCase(ctx context.Context, id cvd.CaseID, u store.Unlock) error {
	if err := b.Store.Unlocks(u); err != nil {
		return err
	}
	var scopes []store.Scope
	err := b.Store.Update(func(tx *store.Tx) (err error) {
		if scopes, err = freshKeys(tx, id); err != nil {
			return err
		}
		return record(tx, journal.Record{Case: string(id), Kind: "case.key-rotating", Actor: Operator})
	})
	if err != nil {
		return err
	}
	return b.Store.Rekey(ctx, scopes, u, func(tx *store.Tx) error {
		if !tx.HasScope(caseScope(id)) {
			return fmt.Errorf("%s was destroyed meanwhile, with all of its keys", id)
		}
		return record(tx, journal.Record{Case: string(id), Kind: "case.key-rotated", Actor: Operator})
	})
}

// freshKeys gives a new key to each scope that a case has.
func freshKeys(tx *store.Tx, id cvd.CaseID) ([]store.Scope, error) {
	c, err := CaseByID(tx, id)
	if err != nil {
		return nil, err
	}
	if c.Merged != "" {
		return nil, notDone("%s was merged into %s: rotate the key of that one, which carries over both", id, c.Merged)
	}
	f, err := familyOf(tx, id)
	if err != nil {
		return nil, err
	}
	var scopes []store.Scope
	for _, s := range f.scopes() {
		if !tx.HasScope(s) {
			continue
		}
		if err := tx.FreshKey(s); err != nil {
			return nil, err
		}
		scopes = append(scopes, s)
	}
	return scopes, nil
}

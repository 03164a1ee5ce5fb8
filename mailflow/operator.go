package mailflow

import "parley/mailflow/store"

// Setup makes what a store must hold before anything runs on it: the scopes
// that belong to no case, the desk's folders, and where keys are looked for, an
// order for each address that was never looked for: the directory may be from
// before that. It changes nothing where they exist.
func (b *Base) Setup() error {
	return b.Store.Update(func(tx *store.Tx) error {
		for _, s := range []store.Scope{DeskScope, spoolScope} {
			if err := tx.NewScope(s); err != nil {
				return err
			}
		}
		if err := b.ensureFolders(tx); err != nil || !b.Discovery {
			return err
		}
		all, err := Parties(tx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if _, err := b.seekParty(tx, p, false); err != nil {
				return err
			}
		}
		return nil
	})
}

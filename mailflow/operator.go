package mailflow

import "parley/mailflow/store"

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

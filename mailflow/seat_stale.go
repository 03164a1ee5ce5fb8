package mailflow

import (
	"crypto/sha256"
	"errors"
	"slices"

	"parley/mailflow/store"
)

// dropOldForms removes what was encrypted to keys that coordinators do not have
// any more, and to coordinators who left.
func (s *Seats) dropOldForms() error {
	stale, err := s.staleForms()
	for _, kind := range stale {
		err = errors.Join(err, s.dropForms(kind))
	}
	if err != nil || len(stale) == 0 {
		return err
	}
	return s.Store.Update(func(tx *store.Tx) error { return forgetOld(tx, stale) })
}

// staleForms lists the forms that nobody is served any more.
func (s *Seats) staleForms() ([]store.FormKind, error) {
	var stale []store.FormKind
	err := s.Store.View(func(tx *store.Tx) error {
		stale = nil
		for row, err := range sealings.All(tx, nil) {
			if err != nil {
				return err
			}
			stale = append(stale, row.Value.Old...)
			old, err := row.Value.outdated(tx)
			if err != nil {
				return err
			}
			if old {
				stale = append(stale, row.Value.Kind)
			}
		}
		return nil
	})
	return stale, err
}

// outdated says that a view is sealed to somebody who is not of the desk any more
// or has another key, and that this was not noted yet.
func (r sealing) outdated(tx *store.Tx) (bool, error) {
	if r.Hash == [32]byte{} {
		return false, nil
	}
	c, err := CoordinatorByName(tx, r.Coordinator)
	if errors.Is(err, ErrNoCoordinator) {
		return true, nil
	}
	return sha256.Sum256(c.Key) != r.Hash, err
}

func (s *Seats) dropForms(kind store.FormKind) error {
	var last uint64
	for more := true; more; {
		var at uint64
		err := s.Store.Update(func(tx *store.Tx) (err error) {
			at, more, err = tx.DropForms(kind, last, atOnce)
			return err
		})
		if err != nil {
			return err
		}
		last = at
	}
	return nil
}

// forgetOld notes that forms are gone. Who left and comes back gets new ones: the
// bytes of a UID must not be others.
func forgetOld(tx *store.Tx, gone []store.FormKind) error {
	for row, err := range sealings.All(tx, nil) {
		if err != nil {
			return err
		}
		r := row.Value
		r.Old = slices.DeleteFunc(slices.Clone(r.Old), func(k store.FormKind) bool { return slices.Contains(gone, k) })
		old, err := r.outdated(tx)
		if err != nil {
			return err
		}
		if old && slices.Contains(gone, r.Kind) {
			r.Hash = [32]byte{}
		}
		if len(r.Old) == len(row.Value.Old) && r.Hash == row.Value.Hash {
			continue
		}
		if err := sealings.Put(tx, DeskScope, row.Key, r); err != nil {
			return err
		}
	}
	return nil
}

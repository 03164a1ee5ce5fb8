package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"parley/gateway/auth"
	"parley/gateway/monitor"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// app is a gateway without its ports and loops: what commands work on.
type app struct {
	set    *settings
	log    *slog.Logger
	store  *store.Store
	base   *mailflow.Base
	desk   *mailflow.Desk
	logins *auth.Logins
	counts *monitor.Counts
	// policies are those that a reload brought.
	policies atomic.Pointer[map[string]cvd.Policy]
	kept     atomic.Pointer[store.Unlock] // the credential, where it cannot be read again, or is another than the settings say
	dns      resolver
	ports    *ports         // nil where no daemon serves
	close    []func() error // last first
}

// Close lets go of everything, the store at last.
func (a *app) Close() error {
	var errs []error
	for i := len(a.close) - 1; i >= 0; i-- {
		errs = append(errs, a.close[i]())
	}
	return errors.Join(errs...)
}

// unlock reads the credential of the store.
func (s *settings) unlock(ask asker) (store.Unlock, error) {
	text, err := s.Unlock.read(ask.unlock)
	if err != nil {
		return store.Unlock{}, err
	}
	u, err := parseUnlock(text)
	if err != nil {
		return u, fmt.Errorf("read secret %s: %w", s.Unlock, err)
	}
	return u, nil
}

// keepUnlock keeps the credential in memory where it cannot be read again: it was
// typed, or only root could read it.
func (a *app) keepUnlock(u store.Unlock) {
	if _, err := a.set.unlockAgain(); err != nil {
		a.kept.Store(&u)
	}
}

// credential is what opens the store, to destroy keys with.
func (a *app) credential() (store.Unlock, error) {
	if u := a.kept.Load(); u != nil {
		return *u, nil
	}
	return a.set.unlockAgain()
}

// unlockAgain reads the credential where nobody is there to type it.
func (s *settings) unlockAgain() (store.Unlock, error) {
	if s.Unlock.kind == fromPrompt {
		return store.Unlock{}, errors.New("read secret prompt: nobody is there to type it")
	}
	return s.unlock(asker{})
}

// openStore opens the store of a configuration, and says in one sentence why
// it cannot.
func openStore(set *settings, with given) (*store.Store, error) {
	st, err := store.Open(store.Options{Dir: set.StateDir, Unlock: with.unlock, Now: with.clock.Now, ReadOnly: with.readOnly})
	switch {
	case errors.Is(err, store.ErrInUse):
		return nil, fmt.Errorf("%w: one gateway serves a state directory, and another parley works with this one", err)
	case errors.Is(err, store.ErrUnlock):
		return nil, fmt.Errorf("%w; it was read from %s", err, set.Unlock)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w; parley init makes a store", err)
	}
	return st, err
}

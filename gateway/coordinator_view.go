package main

import (
	"context"
	"errors"
	"fmt"

	"parley/gateway/auth"
	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/store"
)

type coordinatorView struct {
	configFlag
	Login string `arg:"" help:"NAME or NAME/DEVICE."`
	View  string `arg:"" enum:"clear,headlines,sealed" help:"clear, headlines or sealed."`
}

func (c coordinatorView) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "coordinator view", Args: []string{c.Login, c.View}})
}

type coordinatorKey struct {
	configFlag
	Name string `arg:"" help:"NAME of the coordinator."`
	File string `arg:"" placeholder:"FILE" help:"The coordinator's own OpenPGP certificate; - for standard input."`
}

func (c coordinatorKey) Run(ctx context.Context, w world) error {
	key, err := w.input(c.File)
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	return c.call(ctx, w, ctl.Request{Command: "coordinator key", Args: []string{c.Name}, Files: map[string][]byte{"key": key}})
}

// mayShow refuses a login with a sealed view to whom nothing can be encrypted:
// there is no other view that it could be served instead.
func (a *app) mayShow(tx *store.Tx, login, name, view string) error {
	if view != auth.ViewSealed {
		return nil
	}
	c, err := mailflow.CoordinatorByName(tx, name)
	if err != nil {
		return err
	}
	if err := a.base.CanSeal(tx, c); err != nil {
		return fmt.Errorf("%w; the login %s is as it was. Put a key on file first: parley coordinator key %s FILE", err, login, name)
	}
	return nil
}

// setView lets a login see another view.
func setView(_ context.Context, a *app, r ctl.Request) (string, error) {
	login, view := r.Args[0], r.Args[1]
	err := a.store.Update(func(tx *store.Tx) error {
		l, err := a.loginNamed(tx, login)
		if err != nil {
			return err
		}
		if err := a.mayShow(tx, login, l.Coordinator, view); err != nil {
			return err
		}
		return errors.Join(a.logins.SetView(tx, login, view), note(tx, "login.view", login))
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("the login %s now sees the view %s; its open sessions end\n", login, view), nil
}

func (a *app) loginNamed(tx *store.Tx, login string) (auth.Login, error) {
	all, err := a.logins.List(tx)
	for _, l := range all {
		if l.Name == login {
			return l, err
		}
	}
	return auth.Login{}, errors.Join(err, fmt.Errorf("find login %q: %w", login, auth.ErrNoLogin))
}

// setKey puts another certificate of a coordinator on file. What sealed views
// were served is encrypted to the one before, and is made anew.
func setKey(_ context.Context, a *app, r ctl.Request) (string, error) {
	name := r.Args[0]
	certs, err := keyring.ParseCertificates(r.Files["key"])
	if err != nil {
		return "", fmt.Errorf("read the coordinator's key: %w", err)
	}
	if len(certs) != 1 {
		return "", fmt.Errorf("the key file holds %d certificates: export only the coordinator's own", len(certs))
	}
	err = a.store.Update(func(tx *store.Tx) error {
		c, err := mailflow.CoordinatorByName(tx, name)
		if err != nil {
			return err
		}
		c.Key = certs[0].Bytes()
		if err := a.keepsSealed(tx, c); err != nil {
			return err
		}
		return errors.Join(mailflow.PutCoordinator(tx, c), note(tx, "coordinator.key", name))
	})
	if err != nil {
		return "", fmt.Errorf("change the key of %s: %w", name, err)
	}
	return fmt.Sprintf("the key of %s is now %s; its open sessions end\n", name, certs[0].Fingerprint().Spaced()), nil
}

// keepsSealed refuses a key that the sealed logins of its coordinator could not
// be served with.
func (a *app) keepsSealed(tx *store.Tx, c mailflow.Coordinator) error {
	all, err := a.logins.List(tx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Coordinator != c.Name || l.View != auth.ViewSealed {
			continue
		}
		if err := a.base.CanSeal(tx, c); err != nil {
			return fmt.Errorf("%w, as %s is; the key that was on file stays", err, l.Name)
		}
	}
	return nil
}

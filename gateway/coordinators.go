package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/gateway/auth"
	"parley/gateway/ctl"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// note puts into the journal what the operator did to the desk.
func note(tx *store.Tx, kind, ref string) error {
	if err := tx.NewScope(mailflow.JournalScope); err != nil {
		return err
	}
	return journal.Append(tx, string(mailflow.JournalScope), journal.Record{At: tx.Now, Actor: mailflow.Operator, Kind: kind, Ref: ref})
}

// newCoordinator checks what is asked of the store; the name stands in
// addresses and folders, so it follows the rules for names there.
func (a *app) newCoordinator(name string, r ctl.Request) (mailflow.Coordinator, error) {
	c := mailflow.Coordinator{Name: name, Address: r.Flags["address"]}
	if id, err := cvd.ParsePartyID(name); err != nil || string(id) != name {
		return c, fmt.Errorf("%q cannot name a coordinator: use a-z, 0-9 and -, and no word with a meaning of its own", name)
	}
	if c.Address == "" {
		c.Address = name + "@" + a.set.DeskDomain
	}
	list, err := message.ParseAddressList(c.Address)
	if err != nil || len(list) != 1 || list[0].Addr() != c.Address {
		return c, fmt.Errorf("%q is not a mail address", c.Address)
	}
	if zone := r.Flags["zone"]; zone != "" {
		loc, err := cvd.ParseZone(zone)
		if err != nil {
			return c, err
		}
		c.Zone = loc.String()
	}
	if key := r.Files["key"]; key != nil {
		certs, err := keyring.ParseCertificates(key)
		if err != nil {
			return c, fmt.Errorf("read the coordinator's key: %w", err)
		}
		if len(certs) != 1 {
			return c, fmt.Errorf("the key file holds %d certificates: export only the coordinator's own", len(certs))
		}
		c.Key = certs[0].Bytes()
	}
	return c, nil
}

// addCoordinator makes a coordinator with a first login, or a further login.
func addCoordinator(_ context.Context, a *app, r ctl.Request) (string, error) {
	login := r.Args[0]
	name, device, further := strings.Cut(login, "/")
	c, err := a.newCoordinator(name, r)
	if err != nil {
		return "", err
	}
	p, err := a.logins.NewPassword(string(r.Files["password"]))
	if err != nil {
		return "", err
	}
	err = a.store.Update(func(tx *store.Tx) error {
		if further {
			if r.Files["key"] != nil || r.Flags["address"] != "" || r.Flags["zone"] != "" {
				return fmt.Errorf("%s is a further login of %s: address, zone and key belong to the coordinator", login, name)
			}
			if device == "" {
				return auth.ErrName
			}
		} else if err := a.putCoordinator(tx, c); err != nil {
			return err
		}
		if err := a.noLogin(tx, login); err != nil {
			return err
		}
		if err := a.mayShow(tx, login, name, r.Flags["view"]); err != nil {
			return err
		}
		if err := a.logins.Set(tx, login, name, r.Flags["view"], p); err != nil {
			return err
		}
		return note(tx, "login.added", login)
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("added %s, view %s\n", login, r.Flags["view"]), nil
}

func (a *app) putCoordinator(tx *store.Tx, c mailflow.Coordinator) error {
	if _, err := mailflow.CoordinatorByName(tx, c.Name); !errors.Is(err, mailflow.ErrNoCoordinator) {
		return errors.Join(err, fmt.Errorf("there is a coordinator %s", c.Name))
	}
	if _, err := mailflow.PartyByID(tx, cvd.PartyID(c.Name)); !errors.Is(err, mailflow.ErrNoParty) {
		return errors.Join(err, fmt.Errorf("a party of the directory is named %s", c.Name))
	}
	c.Added = tx.Now
	return mailflow.PutCoordinator(tx, c)
}

// noLogin refuses a login that exists: only `coordinator password` changes one.
func (a *app) noLogin(tx *store.Tx, login string) error {
	all, err := a.logins.List(tx)
	for _, l := range all {
		if l.Name == login {
			return fmt.Errorf("there is a login %s; `coordinator password` changes its password", login)
		}
	}
	return err
}

// listCoordinators shows who may log in, and how.
func listCoordinators(_ context.Context, a *app, _ ctl.Request) (string, error) {
	rows := [][]string{{"LOGIN", "COORDINATOR", "VIEW", "ADDRESS", "KEY"}}
	err := a.store.View(func(tx *store.Tx) error {
		people, err := mailflow.Coordinators(tx)
		if err != nil {
			return err
		}
		logins, err := a.logins.List(tx)
		for _, c := range people {
			rows = append(rows, loginRows(c, logins)...)
		}
		return err
	})
	return table(rows), err
}

func loginRows(c mailflow.Coordinator, logins []auth.Login) [][]string {
	key := "none"
	if certs, err := keyring.ParseCertificates(c.Key); err == nil && len(certs) == 1 {
		key = string(certs[0].Fingerprint())
	}
	var rows [][]string
	for _, l := range logins {
		if l.Coordinator == c.Name {
			rows = append(rows, []string{l.Name, c.Name, l.View, c.Address, key})
		}
	}
	if rows == nil {
		rows = [][]string{{"none", c.Name, "", c.Address, key}}
	}
	return rows
}

func setPassword(_ context.Context, a *app, r ctl.Request) (string, error) {
	p, err := a.logins.NewPassword(string(r.Files["password"]))
	if err != nil {
		return "", err
	}
	err = a.store.Update(func(tx *store.Tx) error {
		return errors.Join(a.logins.SetPassword(tx, r.Args[0], p), note(tx, "login.password", r.Args[0]))
	})
	if err != nil {
		return "", err
	}
	return "the password of " + r.Args[0] + " is changed\n", nil
}

func endLogin(_ context.Context, a *app, r ctl.Request) (string, error) {
	err := a.store.Update(func(tx *store.Tx) error {
		return errors.Join(a.logins.End(tx, r.Args[0]), note(tx, "login.ended", r.Args[0]))
	})
	if err != nil {
		return "", err
	}
	return "the login " + r.Args[0] + " is ended\n", nil
}

// removeCoordinator ends a coordinator; what it did stays on record.
func removeCoordinator(_ context.Context, a *app, r ctl.Request) (string, error) {
	err := a.store.Update(func(tx *store.Tx) error {
		c, err := mailflow.CoordinatorByName(tx, r.Args[0])
		if err != nil {
			return err
		}
		c.Ended = tx.Now
		if err := mailflow.PutCoordinator(tx, c); err != nil {
			return err
		}
		return errors.Join(a.logins.EndAll(tx, c.Name), note(tx, "coordinator.removed", c.Name))
	})
	if err != nil {
		return "", fmt.Errorf("remove %s: %w", r.Args[0], err)
	}
	return r.Args[0] + " is no longer a coordinator; all logins are ended\n", nil
}

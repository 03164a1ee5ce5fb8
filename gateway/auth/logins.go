package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"parley/mailflow"
	"parley/mailflow/store"
)

// record is a login as the store keeps it.
type record struct {
	Name        string
	Coordinator string
	View        string
	Password    Password

	key [sha256.Size]byte // of the coordinator, not stored here
}

var logins = store.Versioned[record]("logins")

func loginKey(tx *store.Tx, name string) []byte { return tx.Name("login", name) }

func (r record) login() Login {
	return Login{Name: r.Name, Coordinator: r.Coordinator, View: r.View, password: r.Password.fingerprint(), key: r.key}
}

// Sentinels of keeping logins.
var (
	ErrNoLogin = errors.New("no such login")
	ErrName    = errors.New("a login is the coordinator's name, or NAME/DEVICE with a device of a-z, 0-9 and -")
	ErrView    = errors.New("a view is clear, headlines or sealed")
)

var device = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// Set makes a login, or gives an existing one another view and password. It
// works in the caller's transaction and holds from its commit on, without a
// restart (rule A6). It returns ErrName, ErrView, or
// mailflow.ErrNoCoordinator.
func (l *Logins) Set(tx *store.Tx, login, coordinator, view string, p Password) error {
	name := l.canonical(login)
	if !belongs(name, coordinator) {
		return fmt.Errorf("set login %q: %w", login, ErrName)
	}
	if view != ViewClear && view != ViewHeadlines && view != ViewSealed {
		return fmt.Errorf("set login %q to view %q: %w", login, view, ErrView)
	}
	if _, err := mailflow.CoordinatorByName(tx, coordinator); err != nil {
		return fmt.Errorf("set login %q: %w", login, err)
	}
	return put(tx, record{Name: name, Coordinator: coordinator, View: view, Password: p})
}

// belongs tells whether a coordinator may have a login of that name.
func belongs(name, coordinator string) bool {
	rest, ok := strings.CutPrefix(name, coordinator)
	if !ok || coordinator == "" {
		return false
	}
	dev, further := strings.CutPrefix(rest, "/")
	return rest == "" || (further && device.MatchString(dev))
}

// SetPassword gives a login another password; sessions that came in with the
// old one are no longer Current. ErrNoLogin when there is no such login.
func (l *Logins) SetPassword(tx *store.Tx, login string, p Password) error {
	rec, err := find(tx, l.canonical(login))
	if err != nil {
		return err
	}
	rec.Password = p
	return put(tx, rec)
}

// SetView lets a login see another view; sessions that came in before are no
// longer Current. ErrNoLogin, ErrView.
func (l *Logins) SetView(tx *store.Tx, login, view string) error {
	rec, err := find(tx, l.canonical(login))
	if err != nil {
		return err
	}
	return l.Set(tx, rec.Name, rec.Coordinator, view, rec.Password)
}

// End removes a login; its sessions are no longer Current. ErrNoLogin when
// there is no such login.
func (l *Logins) End(tx *store.Tx, login string) error {
	rec, err := find(tx, l.canonical(login))
	if err != nil {
		return err
	}
	return end(tx, rec)
}

// EndAll removes every login of a coordinator, and is content with none.
func (l *Logins) EndAll(tx *store.Tx, coordinator string) error {
	all, err := records(tx)
	if err != nil {
		return err
	}
	for _, rec := range all {
		if rec.Coordinator != coordinator {
			continue
		}
		if err := end(tx, rec); err != nil {
			return err
		}
	}
	return nil
}

// List gives all logins by name.
func (l *Logins) List(tx *store.Tx) ([]Login, error) {
	all, err := records(tx)
	list := make([]Login, 0, len(all))
	for _, rec := range all {
		list = append(list, rec.login())
	}
	return list, err
}

// Topic is the topic of the store's changes that say a login was set or
// ended; Change.Seat is its name.
const Topic = "logins"

func put(tx *store.Tx, rec record) error {
	tx.Changed(store.Change{Topic: Topic, Kind: "set", Seat: rec.Name})
	return logins.Put(tx, mailflow.DeskScope, loginKey(tx, rec.Name), rec)
}

func end(tx *store.Tx, rec record) error {
	tx.Changed(store.Change{Topic: Topic, Kind: "ended", Seat: rec.Name})
	return logins.Delete(tx, loginKey(tx, rec.Name))
}

func find(tx *store.Tx, name string) (record, error) {
	rec, err := logins.Get(tx, loginKey(tx, name))
	if errors.Is(err, store.ErrNotFound) {
		return rec, fmt.Errorf("find login %q: %w", name, ErrNoLogin)
	}
	return rec, err
}

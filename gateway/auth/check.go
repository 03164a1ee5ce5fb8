package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"parley/mailflow"
	"parley/mailflow/store"
)

// Check answers one try to log in. The login may be written as "ana",
// "ana/phone" or with @DeskDomain behind it; remote is the address of the
// client, without its port. A login or coordinator that does not exist costs
// the same time as a wrong password.
//
// It returns ErrDenied, ErrThrottled once the login is closed to that address
// (the right password does not open it either, or the throttle would be an
// oracle; from another address it does), the context's error, or an error of
// the store.
//
// Tries from one address wait for each other, and only a few passwords are
// hashed at a time in all (see Cost): a flood from one address delays others
// by one hash at most, and one from many addresses delays only those that no good
// login is known of (see Known).
func (l *Logins) Check(ctx context.Context, login, password, remote string) (Login, error) {
	l.start()
	from := source(remote)
	done, err := l.line.enter(ctx, from)
	if err != nil {
		return Login{}, err
	}
	defer done()

	name := l.canonical(login)
	try := attempt{login: digest(l.key, name), from: from}
	if l.throttle.closed(try, l.Now()) {
		l.tried("throttled")
		return Login{}, ErrThrottled
	}
	rec, known, err := l.record(name)
	if err != nil {
		return Login{}, fmt.Errorf("check login: %w", err)
	}
	ok, err := l.matches(ctx, rec, try, password)
	if err != nil {
		return Login{}, err
	}
	if !ok || !known {
		l.throttle.failed(try, l.Now())
		l.tried("bad")
		return Login{}, ErrDenied
	}
	l.throttle.forget(try)
	l.known.add(from, l.Now())
	l.tried("good")
	return rec.login(), nil
}

func (l *Logins) tried(result string) {
	if l.Tried != nil {
		l.Tried(result)
	}
}

// Current tells whether a login that once passed Check still stands, with the
// same password, view and coordinator, who has the same OpenPGP key: a session
// asks before it acts (rule A6).
func (l *Logins) Current(g Login) bool {
	l.start()
	rec, known, err := l.record(g.Name)
	return err == nil && known && rec.login() == g
}

// record reads a login and whether it may be used. One that may not has a
// password that nobody knows, of the cost of any other.
func (l *Logins) record(name string) (record, bool, error) {
	nobody := record{Password: Password{Cost: l.Cost, Salt: l.key[:saltLen], Hash: make([]byte, hashLen)}}
	rec, known := nobody, false
	err := l.Store.View(func(tx *store.Tx) error {
		found, err := logins.Get(tx, loginKey(tx, name))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		c, err := mailflow.CoordinatorByName(tx, found.Coordinator)
		if err != nil {
			if errors.Is(err, mailflow.ErrNoCoordinator) {
				return nil
			}
			return err
		}
		rec, known = found, true
		rec.key = sha256.Sum256(c.Key)
		return nil
	})
	return rec, known, err
}

// matches compares a password, from memory where the same one passed a short
// while ago and the record has not changed since.
func (l *Logins) matches(ctx context.Context, rec record, try attempt, password string) (bool, error) {
	plain, wellFormed := prepare(password)
	if l.passed.has(try.login, plain, rec.Password, l.Now()) {
		return true, nil
	}
	free, err := l.line.hash(ctx, l.known.has(try.from, l.Now()))
	if err != nil {
		return false, err
	}
	got := rec.Password.Cost.hash(plain, rec.Password.Salt)
	free()
	if subtle.ConstantTimeCompare(got, rec.Password.Hash) != 1 || !wellFormed {
		return false, nil
	}
	l.passed.add(try.login, plain, rec.Password, l.Now())
	return true, nil
}

// passedFor is how long a password that was right is remembered, so that a
// mail client with five connections costs one hash and not five.
const passedFor = 5 * time.Minute

// fingerprint names a stored password without giving it away.
func (p Password) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	h.Write(p.Salt)
	h.Write(p.Hash)
	return [sha256.Size]byte(h.Sum(nil))
}

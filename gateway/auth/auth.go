// Package auth knows the coordinators' logins: who may come in, how often a
// wrong password may be tried, and how many connections one address may hold.
//
// It decides nothing about what a coordinator may do once inside.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"parley/mailflow"
	"parley/mailflow/store"
)

// Sentinels of logging in. Their texts are fit for strangers: neither tells a
// wrong password from a login that does not exist (rule A1).
var (
	ErrDenied    = errors.New("login or password is wrong")
	ErrThrottled = errors.New("too many failed logins from this address, try again in ten minutes")
)

// Views of a login: what IMAP serves to the device that uses it.
const (
	ViewClear     = string(mailflow.ClearView)     // decrypted
	ViewHeadlines = string(mailflow.HeadlinesView) // subjects and senders, no bodies
	ViewSealed    = string(mailflow.SealedView)    // encrypted again to the coordinator's own key
)

// Login is one device of one coordinator.
type Login struct {
	Name        string // "ana" for the first, "ana/phone" for a further one
	Coordinator string // "ana"
	View        string // ViewClear, ViewHeadlines or ViewSealed

	password [sha256.Size]byte // which password it came in with: see Current
	key      [sha256.Size]byte // which OpenPGP key the coordinator had
}

// defaultFailures is how many failures close one login to one address.
const defaultFailures = 10

// Logins checks passwords against the store. Set the exported fields before
// the first use; the zero value of the optional ones means the default. It
// must not be copied, and is safe for concurrent use.
type Logins struct {
	Store      *store.Store
	DeskDomain string           // "ana@DeskDomain" is taken for "ana"
	Failures   int              // per login and address in ten minutes; 10 where zero
	Now        func() time.Time // time.Now where nil
	Cost       Cost             // of new passwords; DefaultCost where zero
	// Tried hears how each try ended, "good", "bad" or "throttled"; nil is nobody.
	Tried func(result string)

	setup    sync.Once
	key      [32]byte // of this process: names in memory and cached passwords are HMACs under it
	throttle *throttle
	line     *line
	passed   *passed
	known    *known
}

// start makes what only lives as long as the process.
func (l *Logins) start() {
	l.setup.Do(func() {
		_, _ = rand.Read(l.key[:]) // never fails (package crypto/rand)
		if l.Failures == 0 {
			l.Failures = defaultFailures
		}
		if l.Now == nil {
			l.Now = time.Now
		}
		if l.Cost == (Cost{}) {
			l.Cost = DefaultCost
		}
		l.throttle = newThrottle(l.Failures)
		l.line = newLine()
		l.passed = newPassed(l.key)
		l.known = newKnown()
	})
}

// canonical gives the name under which a login is kept: lower case, and
// without our own domain behind it.
func (l *Logins) canonical(login string) string {
	name := strings.ToLower(strings.TrimSpace(login))
	return strings.TrimSuffix(name, "@"+strings.ToLower(l.DeskDomain))
}

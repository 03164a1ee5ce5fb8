package auth

import (
	"sync"
	"time"
)

// knownFor is how long an address is known from its last good login: longer than
// somebody is on leave.
const knownFor = 30 * 24 * time.Hour

// maxKnown bounds how many addresses are known: many times what a desk comes from.
const maxKnown = 1000

// known remembers the addresses that good logins came from, for the life of the
// process. It holds for every login from there, whether it exists or not, so that
// nobody learns from it which do (rule A1).
type known struct {
	mu   sync.Mutex
	last map[string]time.Time // good login, by source
}

func newKnown() *known { return &known{last: make(map[string]time.Time)} }

func (k *known) has(from string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.last[from]
	return ok && now.Sub(at) < knownFor
}

// add takes the place of the address that was seen longest ago where there is no room.
func (k *known) add(from string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.last[from]; !ok && len(k.last) >= maxKnown {
		oldest := from
		for f, at := range k.last {
			if oldest == from || at.Before(k.last[oldest]) {
				oldest = f
			}
		}
		delete(k.last, oldest)
	}
	k.last[from] = now
}

// Known tells whether a good login came from an address (without its port) in the
// last 30 days and since the program began. Strangers who try passwords or hold
// connections from elsewhere do not keep out who comes from there: its passwords are
// hashed beside theirs, and a Limiter lets it in where they fill a port.
func (l *Logins) Known(host string) bool {
	l.start()
	return l.known.has(source(host), l.Now())
}

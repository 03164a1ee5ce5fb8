package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"time"
)

// passed remembers, for each login, the password that was last right, as an
// HMAC under a key of this process. It counts only against the same stored
// password, so a change or an end of the login holds at once.
type passed struct {
	key [32]byte

	mu   sync.Mutex
	last map[[32]byte]pass // by login
}

type pass struct {
	mac    [sha256.Size]byte
	stored [sha256.Size]byte
	until  time.Time
}

func newPassed(key [32]byte) *passed {
	return &passed{key: key, last: make(map[[32]byte]pass)}
}

func (p *passed) has(login [32]byte, password string, stored Password, now time.Time) bool {
	mac := digest(p.key, "password", string(login[:]), password)
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.last[login]
	return ok && hmac.Equal(mac[:], last.mac[:]) && last.stored == stored.fingerprint() && now.Before(last.until)
}

// add remembers a password. There are as many entries as logins that ever
// passed, so the map needs no bound of its own.
func (p *passed) add(login [32]byte, password string, stored Password, now time.Time) {
	mac := digest(p.key, "password", string(login[:]), password)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[login] = pass{mac: mac, stored: stored.fingerprint(), until: now.Add(passedFor)}
}

// digest is an HMAC over parts that cannot run into each other.
func digest(key [32]byte, parts ...string) [sha256.Size]byte {
	h := hmac.New(sha256.New, key[:])
	for _, s := range parts {
		sum := sha256.Sum256([]byte(s))
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

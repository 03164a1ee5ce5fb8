package auth

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// ErrTooMany says that an address, or everybody together, holds as many
// connections to a port as it may (rule M8).
var ErrTooMany = errors.New("too many connections, try again later")

// Limiter counts the connections of one port, per address and in all: ports that
// share one could starve each other. No address is exempt, loopback neither. An IPv6 client counts by its
// /64, which is what one subscriber gets.
type Limiter struct {
	total, perAddress int

	// Known tells of an address that it comes in, perAddress times at most, also where
	// others hold total: see Logins.Known. Set it before the first use; nil is nobody.
	Known func(host string) bool

	mu   sync.Mutex
	all  int
	from map[string]int
}

// NewLimiter allows so many connections at the same time.
func NewLimiter(total, perAddress int) *Limiter {
	return &Limiter{total: total, perAddress: perAddress, from: make(map[string]int)}
}

// Enter counts a connection in, until leave is called; calling it again does
// nothing. ErrTooMany where there is no room.
func (l *Limiter) Enter(remote net.Addr) (leave func(), err error) {
	from := source(Host(remote))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from[from] >= l.perAddress {
		return nil, ErrTooMany
	}
	if l.all >= l.total && (l.Known == nil || !l.Known(Host(remote))) {
		return nil, ErrTooMany
	}
	l.all++
	l.from[from]++
	return sync.OnceFunc(func() { l.leave(from) }), nil
}

// Open is how many connections there are.
func (l *Limiter) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

func (l *Limiter) leave(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
	}
}

// Host gives the address of a client without its port, as Check takes it.
func Host(remote net.Addr) string {
	if host, _, err := net.SplitHostPort(remote.String()); err == nil {
		return host
	}
	return remote.String()
}

// source is what counts as one place: an IPv4 address or an IPv6 /64.
func source(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // an IPv6 address has one
	return p.Masked().String()
}

package auth_test

import (
	"errors"
	"net"
	"testing"

	"parley/gateway/auth"
)

func tcp(host string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: 4711} }

func TestM8_ConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what          string
		first, second string
		same          bool
	}{
		{"one address", "192.0.2.1", "192.0.2.1", true},
		{"two addresses", "192.0.2.1", "192.0.2.2", false},
		{"loopback", "127.0.0.1", "127.0.0.1", true},
		{"loopback, IPv6", "::1", "::1", true},
		{"one IPv6 subnet", "2001:db8::1", "2001:db8::ffff:1", true},
		{"two IPv6 subnets", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"IPv4 in IPv6", "::ffff:192.0.2.1", "192.0.2.1", true},
	} {
		l := auth.NewLimiter(10, 1)
		leave, err := l.Enter(tcp(c.first))
		must(t, err)
		_, err = l.Enter(tcp(c.second))
		if c.same != errors.Is(err, auth.ErrTooMany) {
			t.Errorf("%s: %v", c.what, err)
		}
		leave()
		leave() // counts once
		if _, err := l.Enter(tcp(c.first)); err != nil {
			t.Errorf("%s: after leaving: %v", c.what, err)
		}
		if _, err := l.Enter(tcp(c.first)); !errors.Is(err, auth.ErrTooMany) {
			t.Errorf("%s: a second leave made room: %v", c.what, err)
		}
	}
}

func TestM8_ConnectionsInAll(t *testing.T) {
	t.Parallel()
	l := auth.NewLimiter(3, 3)
	leave, err := l.Enter(tcp("192.0.2.1"))
	must(t, err)
	for _, host := range []string{"192.0.2.2", "192.0.2.3"} {
		_, err := l.Enter(tcp(host))
		must(t, err)
	}
	if _, err := l.Enter(tcp("192.0.2.4")); !errors.Is(err, auth.ErrTooMany) {
		t.Errorf("a fourth: %v", err)
	}
	leave()
	if _, err := l.Enter(tcp("192.0.2.4")); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

// Package discover looks for the certificates of an address where its own
// domain publishes them: in a Web Key Directory (WKD, draft-koch-openpgp-
// webkey-service) and in a signed security.txt (RFC 9116) that somebody named.
//
// Whom it asks is in the hands of strangers, so it trusts nobody on the way:
// see Client. It decides nothing about trust, and reads no clock.
package discover

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"time"

	"parley/keyring"
)

// Resolver resolves host names; *net.Resolver is one. A name that does not
// exist gives a *net.DNSError with IsNotFound.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Limits bound what one look-up may cost. A zero field means its default.
type Limits struct {
	Body   int64         // bytes of one response; 256 KiB
	Header int64         // bytes of its header; 16 KiB
	Time   time.Duration // of all of it, from resolving to the last byte; 15 s
}

func (l Limits) withDefaults() Limits {
	if l.Body <= 0 {
		l.Body = 256 << 10
	}
	if l.Header <= 0 {
		l.Header = 16 << 10
	}
	if l.Time <= 0 {
		l.Time = 15 * time.Second
	}
	return l
}

// Client asks over HTTPS, port 443, TLS 1.2 or newer with a verified name. It
// connects to no address that is not of the public Internet, follows at most
// three redirects and none to another host, asks no proxy, keeps no cookie and
// no connection, unpacks nothing, and says nothing of itself. The zero Client
// is ready. It is safe for concurrent use.
type Client struct {
	Resolver Resolver // nil: the system's
	Limits   Limits

	// For tests only.
	Private bool           // connects to private and loopback addresses, too
	Port    uint16         // in place of 443
	Roots   *x509.CertPool // in place of the system's
}

// Key is a certificate with the address that it was found for.
type Key struct {
	Address     string // in lower case
	Certificate *keyring.Certificate
}

// Finding is what a look-up brought.
type Finding struct {
	Evidence string // where it was found: "WKD, openpgpkey.acme.example"
	// Keys carry a user ID with exactly their address. Expired and revoked ones
	// are among them, since that is news as well.
	Keys []Key
	Said []string // sentences about what was left out or cannot be used
}

// maxKeys is how many certificates of one address are taken.
const maxKeys = 4

// take adds those of certs that are the address's.
func (f *Finding) take(a address, certs []*keyring.Certificate, at time.Time) {
	n := 0
	for _, c := range certs {
		name := "key " + c.Fingerprint().Spaced()
		switch {
		case !a.namedBy(c, at):
			f.say("%s: no user ID of it is <%s>, so it is left out", name, a.text)
			continue
		case n == maxKeys:
			f.say("%s: more than %d keys for one address, so it is left out", name, maxKeys)
			continue
		}
		n++
		f.Keys = append(f.Keys, Key{a.text, c})
		if err := c.CanEncrypt(at); err != nil {
			f.say("%s", err)
		}
	}
}

func (f *Finding) say(format string, a ...any) { f.Said = append(f.Said, fmt.Sprintf(format, a...)) }

// Package origin looks up what DNS says of where a mail came from: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489).
//
// It is for people to read. Nothing of it says who wrote a mail, and nothing is decided by it (rule S8).
//
// The questions are asked while the mail comes in, in a bounded time, and only their answers are kept; what they mean for the
// mail is found later, without a network.
package origin

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"

	"parley/keyring/discover"
)

// Resolver is what is asked of DNS; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

// What one mail may cost.
const (
	maxQuestions = 40      // to DNS, of all kinds; SPF alone may need some thirty
	maxAnswer    = 4 << 10 // octets of all TXT records of a name
	maxName      = 253     // octets of a name (RFC 1035 section 2.3.4)
)

// guard asks a resolver for strangers, who choose what is asked.
type guard struct {
	dns    Resolver
	secret string // stands for the sender's local part; a name with it is not asked

	mu    sync.Mutex
	asked int
	told  bool // a policy wanted the sender's local part
}

func newGuard(dns Resolver) *guard {
	return &guard{dns: dns, secret: strings.ToLower(rand.Text())}
}

var (
	errTooMany = errors.New("too many questions")
	errPrivate = errors.New("it asks for the name of who wrote")
)

// may says whether a name may be asked, and under which absolute form: a search list must not lead it into our own network.
// Names of no public server do not exist.
func (g *guard) may(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.Contains(strings.ToLower(name), g.secret) {
		g.told = true
		return "", errPrivate
	}
	_, ip := netip.ParseAddr(name)
	if len(name) > maxName || !strings.Contains(name, ".") || ip == nil || strings.ContainsFunc(name, notInNames) || discover.Nowhere(name) {
		return "", notFound(name)
	}
	if g.asked++; g.asked > maxQuestions {
		return "", errTooMany
	}
	return name + ".", nil
}

// notInNames finds what no name of a host or record has.
func notInNames(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\@:;,"'()<>[]`, r) }

func notFound(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (g *guard) LookupTXT(ctx context.Context, name string) ([]string, error) {
	name, err := g.may(name)
	if err != nil {
		return nil, err
	}
	all, err := g.dns.LookupTXT(ctx, name)
	size := 0
	for _, s := range all {
		size += len(s)
	}
	if size > maxAnswer {
		return nil, errors.New("the answer is too large")
	}
	return all, err
}

func (g *guard) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	name, err := g.may(name)
	if err != nil {
		return nil, err
	}
	return g.dns.LookupMX(ctx, name)
}

// LookupIPAddr leaves out what is not of the public Internet: a stranger's record must not say that a machine of ours is his.
func (g *guard) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	asked, err := g.may(name)
	if err != nil {
		return nil, err
	}
	all, err := g.dns.LookupIPAddr(ctx, asked)
	var out []net.IPAddr
	for _, a := range all {
		// SPF's exists: is answered from 127.0.0.0/8 by custom (RFC 7208 section 5.7), and says nothing of a machine.
		if ip, ok := netip.AddrFromSlice(a.IP); ok && (discover.Public(ip) || ip.Unmap().IsLoopback() && ip.Unmap().Is4()) {
			out = append(out, a)
		}
	}
	return out, err
}

func (g *guard) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	g.mu.Lock()
	g.asked++
	over := g.asked > maxQuestions
	g.mu.Unlock()
	if over {
		return nil, errTooMany
	}
	return g.dns.LookupAddr(ctx, addr)
}

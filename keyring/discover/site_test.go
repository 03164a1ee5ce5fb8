package discover_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/discover"
)

// noon is when the tests happen.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// hosts is a resolver that knows these names only.
type hosts map[string][]string

func (h hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	name, absolute := strings.CutSuffix(host, ".")
	all, ok := h[name]
	switch {
	case !absolute:
		return nil, &net.DNSError{Err: "asked with the search list", Name: host}
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case len(all) > 0 && all[0] == "fails":
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	var out []netip.Addr
	for _, a := range all {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

// site is an HTTPS server for example.com and the hosts below it.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]http.HandlerFunc // by host and path
	asked []*http.Request
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{files: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	f := s.files[r.Host+r.URL.Path]
	s.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	f(w, r)
}

func (s *site) handle(where string, f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[where] = f
}

func (s *site) serve(where string, data []byte) {
	s.handle(where, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
}

// requests lists what was asked for so far, as host and path with query.
func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.asked {
		out = append(out, r.Host+r.URL.RequestURI())
	}
	return out
}

// client reaches the site under these names and no other.
func (s *site) client(names ...string) *discover.Client {
	h := hosts{}
	for _, n := range names {
		h[n] = []string{"127.0.0.1"}
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	return &discover.Client{Resolver: h, Roots: roots, Private: true, Port: port}
}

// person is somebody with a key.
type person struct {
	t testing.TB
	*openpgp.Entity
}

func newPerson(t testing.TB, addresses ...string) *person {
	t.Helper()
	no := false
	c := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA256, Time: func() time.Time { return noon.Add(-time.Hour) },
		NonDeterministicSignaturesViaNotation: &no}
	e, err := openpgp.NewEntity("", "", addresses[0], c)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses[1:] {
		if err := e.AddUserId("", "", a, c); err != nil {
			t.Fatal(err)
		}
	}
	return &person{t, e}
}

func (p *person) bytes() []byte {
	p.t.Helper()
	var b bytes.Buffer
	if err := p.Serialize(&b); err != nil {
		p.t.Fatal(err)
	}
	return b.Bytes()
}

func (p *person) certificate() *keyring.Certificate {
	p.t.Helper()
	certs, err := keyring.ParseCertificates(p.bytes())
	if err != nil {
		p.t.Fatal(err)
	}
	return certs[0]
}

func (p *person) secret() []byte {
	p.t.Helper()
	var b bytes.Buffer
	if err := p.SerializePrivateWithoutSigning(&b, nil); err != nil {
		p.t.Fatal(err)
	}
	return b.Bytes()
}

// signs is a text that these people sign in the clear.
func signs(t testing.TB, text string, people ...*person) []byte {
	t.Helper()
	var keys []*packet.PrivateKey
	for _, p := range people {
		keys = append(keys, p.PrivateKey)
	}
	var b bytes.Buffer
	w, err := clearsign.EncodeMulti(&b, keys, &packet.Config{Time: func() time.Time { return noon.Add(-time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func joined(people ...*person) []byte {
	var out []byte
	for _, p := range people {
		out = append(out, p.bytes()...)
	}
	return out
}

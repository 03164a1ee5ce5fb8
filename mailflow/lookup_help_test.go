package mailflow

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/discover"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// outside is the web server of every vendor, with its DNS.
type outside struct {
	*Lookups
	w      *world
	mu     sync.Mutex
	served func(host, path string) []byte // nil: 404
	before func()                         // runs before every answer
	asked  []string
	names  map[string]bool
}

// looksOutside lets a world look for keys on a server of the test's.
func (w *world) looksOutside(names ...string) *outside {
	w.t.Helper()
	ca, err := mailtest.NewAuthority()
	if err != nil {
		w.t.Fatal(err)
	}
	o := &outside{w: w, names: map[string]bool{}, served: func(string, string) []byte { return nil }}
	for _, n := range names {
		o.names[n] = true
	}
	s := httptest.NewUnstartedServer(o)
	if s.TLS, err = ca.Server(time.Now(), names...); err != nil {
		w.t.Fatal(err)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	w.t.Cleanup(s.Close)
	o.Lookups = &Lookups{Base: w.Base, Client: &discover.Client{Resolver: o, Roots: ca.Roots().RootCAs, Private: true,
		Port: netip.MustParseAddrPort(s.Listener.Addr().String()).Port()}}
	w.Discovery = true
	return o
}

func (o *outside) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if !o.names[strings.TrimSuffix(host, ".")] {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.Host+r.URL.Path)
	serve, before := o.served, o.before
	o.mu.Unlock()
	if before != nil {
		before()
	}
	if data := serve(r.Host, r.URL.Path); data != nil {
		_, _ = w.Write(data)
		return
	}
	http.NotFound(w, r)
}

// serves lets the directory of a domain answer with these keys.
func (o *outside) serves(domain string, keys ...*mailtest.Person) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var data []byte
	for _, p := range keys {
		data = append(data, o.w.bytes(p)...)
	}
	was := o.served
	o.served = func(host, path string) []byte {
		if (host == domain || host == "openpgpkey."+domain) && strings.Contains(path, "/openpgpkey/") {
			return data
		}
		return was(host, path)
	}
}

func (o *outside) puts(where string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.served
	o.served = func(host, path string) []byte {
		if host+path == where {
			return data
		}
		return was(host, path)
	}
}

func (o *outside) requests() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

// looks makes what is due now, and gives when the next is.
func (o *outside) looks() time.Time {
	o.w.t.Helper()
	o.Lookups.Base = o.w.Base
	next, err := o.RunDue(context.Background(), o.w.clock.Now())
	if err != nil {
		o.w.t.Fatal(err)
	}
	o.w.settle()
	return next
}

// onRecord is what is kept of a person's key.
func (w *world) onRecord(party string, p *mailtest.Person) (keyring.Pinned, bool) {
	w.t.Helper()
	var all []keyring.Pinned
	w.view(func(tx *store.Tx) (err error) {
		all, err = ownerKeys(tx, party)
		return err
	})
	i := slices.IndexFunc(all, func(k keyring.Pinned) bool { return string(k.Fingerprint) == p.Fingerprint() })
	if i < 0 {
		return keyring.Pinned{}, false
	}
	return all[i], true
}

// trusted wants a key on record with a trust and words of its evidence.
func (w *world) trusted(party string, p *mailtest.Person, trust keyring.Trust, words string) {
	w.t.Helper()
	k, ok := w.onRecord(party, p)
	if !ok || k.Trust != trust || !slices.ContainsFunc(k.Evidence, func(v keyring.Voucher) bool { return strings.Contains(v.Words, words) }) {
		w.t.Fatalf("key of %s: %v, %s, %q; want %s, %q", party, ok, k.Trust, k.Evidence, trust, words)
	}
}

// textIn is the text of the first mail of a folder with these words in its
// Subject.
func (w *world) textIn(folder, subject string) string {
	w.t.Helper()
	for _, m := range w.filed(folder) {
		if strings.Contains(m.Envelope.Subject, subject) {
			raw, err := w.Store.Bytes(m.Served)
			if err != nil {
				w.t.Fatal(err)
			}
			return strings.ReplaceAll(string(raw), "\r\n", "\n")
		}
	}
	return ""
}

// wkdPath is where psirt@ of a domain lies: the z-base-32 of SHA-1("psirt").
func wkdPath(domain string) string {
	return "/.well-known/openpgpkey/" + domain + "/hu/" + psirtFile
}

const psirtFile = "4tz7q7ge5mwz5sjx4yatrzhqs37873ts"

// signedTxt is a security.txt in the clear, signed.
func signedTxt(t *testing.T, p *mailtest.Person, text string) []byte {
	t.Helper()
	var b strings.Builder
	w, err := clearsign.Encode(&b, p.Entity.PrivateKey, &packet.Config{Time: p.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

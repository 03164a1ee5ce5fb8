package discover_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/keyring/discover"
)

// TestRefusedAddresses: a name that leads to an address which is not public is
// not connected to, whatever else it leads to.
func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(direct, newPerson(t, "joe.doe@example.com").bytes())
	control := s.client("example.com")
	if _, err := s.wkd(t, control); err != nil || len(s.requests()) != 1 {
		t.Fatalf("the control did not reach the server: %v", err)
	}
	for _, ip := range []string{
		"127.0.0.1", "127.255.0.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
		"64:ff9b:1::1", "100::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001::1", "2001:0:5ef5:79fd::1",
		"2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:0a00:1::", "3fff::1", "5f00::1", "4000::1",
	} {
		for _, all := range [][]string{{ip}, {"93.184.215.14", ip}} {
			c := *control
			c.Private = false
			c.Resolver = hosts{"example.com": all}
			if _, err := s.wkd(t, &c); !errors.Is(err, discover.Refused) {
				t.Errorf("%s: %v", all, err)
			}
		}
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests arrived", n-1)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.1", "192.0.1.1",
		"198.17.0.1", "223.255.255.255", "::ffff:8.8.8.8", "2606:4700::1111", "2001:200::1", "2a00::1", "2003::1"} {
		if !discover.Public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is refused", ip)
		}
	}
	if discover.Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// TestReservedDomains: nobody is asked for a name that no public server has.
func TestReservedDomains(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"acme.example", "a.test", "a.INVALID", "a.localhost", "printer.local", "abc.onion", "db.internal", "x.home.arpa", "a.alt"} {
		asked := false
		c := &discover.Client{Resolver: resolverFunc(func() { asked = true })}
		if _, err := c.WKD(context.Background(), "joe@"+domain, noon); !errors.Is(err, discover.NoHost) || asked {
			t.Errorf("%s: %v, asked %v", domain, err, asked)
		}
	}
	asked := false
	c := &discover.Client{Resolver: resolverFunc(func() { asked = true })}
	if _, err := c.WKD(context.Background(), "joe@notexample.org", noon); !errors.Is(err, discover.NoAnswer) || !asked {
		t.Errorf("the control: %v, asked %v", err, asked)
	}
}

// resolverFunc fails after it was told.
type resolverFunc func()

func (f resolverFunc) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	f()
	return nil, errors.New("no network")
}

// TestHostileServers: whatever a server does costs no more than the limits, and
// gives one word.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "joe.doe@example.com")
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	for name, row := range map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"to another host":   {redirect("https://www.example.com/key"), discover.BadRedirect},
		"to a host below":   {redirect("https://openpgpkey.example.com/key"), discover.BadRedirect},
		"to an address":     {redirect("https://127.0.0.1/key"), discover.BadRedirect},
		"without TLS":       {redirect("http://example.com/key"), discover.BadRedirect},
		"to another port":   {redirect("https://example.com:8443/key"), discover.BadRedirect},
		"with a login":      {redirect("https://a:b@example.com/key"), discover.BadRedirect},
		"to a file":         {redirect("file:///etc/passwd"), discover.BadRedirect},
		"in a circle":       {redirect("https://example.com/.well-known/openpgpkey/hu/" + joeFile), discover.BadRedirect},
		"three on the host": {redirect("/1"), nil},
		"four on the host":  {redirect("/0"), discover.BadRedirect},
		"too large":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 256<<10+1)) }, discover.TooLarge},
		"endless":           {endless, discover.TooLarge},
		"large header":      {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 17<<10)) }, discover.NoAnswer},
		"forbidden":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, discover.BadStatus},
		"broken":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, discover.BadStatus},
		"gone":              {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, discover.NotFound},
		"nowhere":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, discover.BadStatus},
		"cut off":           {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "100") }, discover.NoAnswer},
		"any content type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(p.bytes())
		}, nil},
		"a bomb is not unpacked":   {bomb, discover.NoCertificate},
		"packed keys are not read": {packed(p.bytes()), discover.NoCertificate},
		"to another scheme's host": {redirect("//evil.example/key"), discover.BadRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.handle(direct, row.serve)
			for i := range 3 {
				s.handle(fmt.Sprintf("example.com/%d", i), redirect(fmt.Sprintf("/%d", i+1)))
			}
			s.serve("example.com/3", p.bytes())
			s.serve("example.com/key", p.bytes())
			s.serve("www.example.com/key", p.bytes())
			s.serve("openpgpkey.example.com/key", p.bytes())
			c := s.client("example.com", "www.example.com")
			if _, err := s.wkd(t, c); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v; asked %q", err, row.want, s.requests())
			}
		})
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 32<<10)); err != nil {
			return
		}
	}
}

func packed(data []byte) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

func bomb(w http.ResponseWriter, r *http.Request) { packed(make([]byte, 64<<20))(w, r) }

// TestSlowServers: one that does not end, at any step, is left within the time.
func TestSlowServers(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "joe.doe@example.com")
	for name, serve := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(p.bytes()[:10])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		s := newSite(t)
		s.handle(direct, serve)
		c := s.client("example.com")
		c.Limits.Time = 50 * time.Millisecond
		if _, err := s.wkd(t, c); !errors.Is(err, discover.TooSlow) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing: no handshake
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	c := &discover.Client{Resolver: hosts{"example.com": {"127.0.0.1"}}, Private: true, Port: netip.MustParseAddrPort(mute.Addr().String()).Port(),
		Limits: discover.Limits{Time: 50 * time.Millisecond}}
	if _, err := c.WKD(context.Background(), joe, noon); !errors.Is(err, discover.TooSlow) {
		t.Errorf("mute: %v", err)
	}
}

// TestStopped: a caller who stops waiting gets its own error, not a verdict.
func TestStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.handle(direct, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, err := s.client("example.com").WKD(ctx, joe, noon); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "joe.doe@example.com")
	s := newSite(t)
	s.serve(direct, p.bytes())
	c := s.client("example.com")
	c.Roots = nil
	if _, err := s.wkd(t, c); !errors.Is(err, discover.BadTLS) {
		t.Errorf("of an unknown authority: %v", err)
	}
	if _, err := s.client("example.org").WKD(context.Background(), "joe.doe@example.org", noon); !errors.Is(err, discover.BadTLS) {
		t.Errorf("for another name: %v", err)
	}
	old := &site{files: s.files}
	old.Server = httptest.NewUnstartedServer(old)
	old.Config.ErrorLog = s.Config.ErrorLog
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	if _, err := old.wkd(t, old.client("example.com")); !errors.Is(err, discover.BadTLS) {
		t.Errorf("TLS 1.1: %v", err)
	}
	bare := httptest.NewServer(s)
	defer bare.Close()
	c = s.client("example.com")
	c.Port = netip.MustParseAddrPort(bare.Listener.Addr().String()).Port()
	if _, err := s.wkd(t, c); !errors.Is(err, discover.BadTLS) {
		t.Errorf("without TLS: %v", err)
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// TestNoProxy: what the environment says of proxies is not followed.
func TestNoProxy(t *testing.T) {
	s := newSite(t)
	s.serve(direct, newPerson(t, "joe.doe@example.com").bytes())
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://127.0.0.1:" + strconv.Itoa(int(netip.MustParseAddrPort(closed.Addr().String()).Port()))
	closed.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"} {
		t.Setenv(name, at)
	}
	if _, err := s.wkd(t, s.client("example.com")); err != nil {
		t.Error(err)
	}
}

// TestH6_WordsOnly: no error of a look-up holds an address or a host.
func TestH6_WordsOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []*discover.Client{s.client(), s.client("example.com"), s.client("openpgpkey.example.com")} {
		_, err := s.wkd(t, c)
		if err == nil || strings.Contains(strings.ToLower(err.Error()), "joe") || strings.Contains(err.Error(), "example") {
			t.Errorf("%v", err)
		}
		var f discover.Fault
		if !errors.As(err, &f) || f.Sentence() == "" {
			t.Errorf("%v is no word with a sentence", err)
		}
	}
}

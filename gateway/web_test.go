package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/discover"
)

// website has a running gateway make the files.
func (d *demo) website(t *testing.T) website {
	t.Helper()
	var w website
	if err := json.Unmarshal([]byte(d.ask(t, "web", map[string]string{"expires": "180d", "languages": "en,de"})), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// local resolves these names to this machine, and no others.
type local []string

func (l local) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if !slices.Contains(l, strings.TrimSuffix(host, ".")) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// keysHost is where the advanced method of the Web Key Directory looks.
const keysHost = "openpgpkey." + demoDomain

// webServer is a plain file server with a certificate for both hosts that keys
// are looked for at.
func webServer(t *testing.T, dir string) (*httptest.Server, []byte) {
	t.Helper()
	cert, key, err := selfSigned(&settings{Domain: demoDomain, DeskDomain: keysHost}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.FileServer(http.Dir(dir)))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return s, cert
}

// visitor reaches a file server for a folder under these names.
func visitor(t *testing.T, dir string, names ...string) *discover.Client {
	t.Helper()
	s, cert := webServer(t, dir)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return &discover.Client{Resolver: local(names), Roots: roots, Private: true, Port: netip.MustParseAddrPort(s.Listener.Addr().String()).Port()}
}

func fingerprintsOf[T any](all []T, of func(T) *keyring.Certificate) []keyring.Fingerprint {
	var out []keyring.Fingerprint
	for _, x := range all {
		out = append(out, of(x).Fingerprint())
	}
	return out
}

func ofKey(k discover.Key) *keyring.Certificate            { return k.Certificate }
func ofItself(c *keyring.Certificate) *keyring.Certificate { return c }
func found(f discover.Finding) []keyring.Fingerprint       { return fingerprintsOf(f.Keys, ofKey) }
func prints(certs []*keyring.Certificate) []keyring.Fingerprint {
	return fingerprintsOf(certs, ofItself)
}

// What a running gateway publishes leads to the keys that others need today: by
// both layouts of the directory and by security.txt, before and in a rotation.
func TestWebLeadsToOurKeys(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	dir := filepath.Join(t.TempDir(), "site")
	want := prints(d.exported(t))
	for _, round := range []string{"one key", "with a next one"} {
		if len(want) == 1 && round != "one key" {
			d.ask(t, "key rotate", map[string]string{"algorithm": "ed25519", "expires": "2y", "from": "7d"})
			want = prints(d.exported(t))
		}
		if _, err := writeSite(dir, d.website(t).Files); err != nil {
			t.Fatal(err)
		}
		now := d.clock.Now()
		for _, host := range []string{keysHost, demoDomain} {
			f, err := visitor(t, dir, host).WKD(t.Context(), "report@"+demoDomain, now)
			if err != nil || !slices.Equal(found(f), want) || f.Evidence != "WKD, "+host {
				t.Errorf("%s, %s: %v, %+v", round, host, err, f)
			}
		}
		c := visitor(t, dir, demoDomain)
		f, err := c.SecurityTxt(t.Context(), "https://"+demoDomain+"/.well-known/security.txt", []string{"report@" + demoDomain}, nil, now)
		if err != nil || !slices.Equal(found(f), want) || !strings.Contains(f.Evidence, "signed by "+want[0].Spaced()) {
			t.Errorf("%s, security.txt: %v, %+v", round, err, f)
		}
		if _, err := c.WKD(t.Context(), "nobody@"+demoDomain, now); err == nil {
			t.Error("it has a key for somebody else")
		}
	}
	if len(want) != 2 {
		t.Errorf("%d keys", len(want))
	}
}

// A key that is old or retired is not published, and its files go.
func TestWebAfterARotation(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	old := d.exported(t)[0]
	d.ask(t, "key rotate", map[string]string{"algorithm": "ed25519", "expires": "2y", "from": "7d"})
	if files := d.website(t).Files; files["key/next.svg"] == nil || !strings.Contains(string(files["key/index.html"]), "Our next key") {
		t.Error("the next key is not shown")
	}
	d.fast.setSpeed(float64(7*24*time.Hour) / float64(time.Second))
	next := d.exported(t)[1]
	d.switches(t, next)
	d.fast.setSpeed(1)
	files := d.website(t).Files
	certs, err := keyring.ParseCertificates(files["key.asc"])
	if err != nil || !slices.Equal(prints(certs), []keyring.Fingerprint{next.Fingerprint()}) {
		t.Errorf("key.asc holds %s, %v", prints(certs), err)
	}
	for path, data := range files {
		if strings.Contains(string(data), string(old.Fingerprint())) {
			t.Errorf("%s names the old key", path)
		}
	}
	if files["key/next.svg"] != nil {
		t.Error("a picture of no key")
	}
}

// server is one server of Thunderbird's configuration.
type server struct {
	Type     string `xml:"type,attr"`
	Host     string `xml:"hostname"`
	Port     int    `xml:"port"`
	Socket   string `xml:"socketType"`
	Auth     string `xml:"authentication"`
	Username string `xml:"username"`
}

// Names with marks of their own stay names.
func TestWebSettingsForClients(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	site, _, err := d.app.site(map[string]string{"expires": "1d", "languages": "en"})
	if err != nil {
		t.Fatal(err)
	}
	site.Name, site.IMAP, site.Submission = `Ana & "Ben" <CERT>`, 4993, 4465
	text, err := site.Autoconfig()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Provider struct {
			Domain string `xml:"domain"`
			Name   string `xml:"displayName"`
			In     server `xml:"incomingServer"`
			Out    server `xml:"outgoingServer"`
		} `xml:"emailProvider"`
	}
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	desk := "desk." + demoDomain
	p := got.Provider
	if p.Name != site.Name+", desk" || p.Domain != desk ||
		p.In != (server{"imap", desk, 4993, "SSL", "password-cleartext", "%EMAILLOCALPART%"}) ||
		p.Out != (server{"smtp", desk, 4465, "SSL", "password-cleartext", "%EMAILLOCALPART%"}) {
		t.Errorf("autoconfig says %+v", p)
	}
	pages, err := site.Pages()
	if err != nil {
		t.Fatal(err)
	}
	for path, page := range pages {
		if strings.Contains(string(page), "<CERT>") {
			t.Errorf("%s has a name unescaped", path)
		}
	}
	profile, err := site.Profile()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(profile))); ; {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(string(profile), "Password</key><string>") || site.ProfileUUID == site.MailUUID {
		t.Errorf("the profile is\n%s", profile)
	}
}

// Pages load nothing from elsewhere, and hold no script of their own.
func TestWebPagesStandAlone(t *testing.T) {
	t.Parallel()
	files := benchGateway(t).website(t).Files
	n := 0
	for path, data := range files {
		text := string(data)
		if strings.HasSuffix(path, ".html") {
			n++
			for _, bad := range []string{`src="http`, `href="http`, "<style", " style=", " onclick", "<script>", "javascript:"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s has %q", path, bad)
				}
			}
		}
		if strings.HasSuffix(path, ".css") && (strings.Contains(text, "url(") || strings.Contains(text, "@import")) {
			t.Errorf("%s loads something", path)
		}
	}
	if n != 3 {
		t.Errorf("%d pages", n)
	}
	if text := string(files[".well-known/security.txt"]); !strings.Contains(text, "\nPreferred-Languages: en, de\n") || !strings.Contains(string(files["index.html"]), "English and German") {
		t.Errorf("languages:\n%s", text)
	}
}

func TestWebDates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{"180d": now.AddDate(0, 0, 180), "1y": now.AddDate(1, 0, 0), "2027-01-01": time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, err := securityTxtEnd(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for in, why := range map[string]string{"2y": "a year at most", "0s": "expired already", "2026-11-30": "expired already", "never": "neither a duration", "": "neither a duration"} {
		if got, err := securityTxtEnd(in, now); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is read as %v, %v", in, got, err)
		}
	}
}

// stopAt lets the clock stand at an instant.
func (c *fastClock) stopAt(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.real, c.speed = at, time.Now(), 0
}

// security.txt does not outlive the key that signs it, and a key that has ended
// signs none.
func TestWebEndsWithOurKey(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	flags := map[string]string{"expires": "180d", "languages": "en"}
	end := d.exported(t)[0].Expires()
	d.fast.stopAt(end.Add(-10 * 24 * time.Hour))
	if s, cut, err := d.app.site(flags); err != nil || !cut || !s.Expires.Equal(end) {
		t.Errorf("10 days before: until %v, %v, %v", s.Expires, cut, err)
	}
	d.fast.stopAt(end)
	if _, _, err := d.app.site(flags); err == nil || !strings.Contains(err.Error(), "signs nothing") {
		t.Errorf("at its end: %v", err)
	}
}

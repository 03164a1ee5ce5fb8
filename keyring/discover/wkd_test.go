package discover_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/discover"
)

const (
	joe      = "Joe.Doe@Example.com"
	joeFile  = "iy9q119eutrkn8s1mk4r39qejnbu3n5q" // draft-koch-openpgp-webkey-service, section 3.1
	advanced = "openpgpkey.example.com/.well-known/openpgpkey/example.com/hu/" + joeFile
	direct   = "example.com/.well-known/openpgpkey/hu/" + joeFile
)

func (s *site) wkd(t testing.TB, c *discover.Client) (discover.Finding, error) {
	t.Helper()
	return c.WKD(context.Background(), joe, noon)
}

func fingerprints(f discover.Finding) []keyring.Fingerprint {
	var out []keyring.Fingerprint
	for _, k := range f.Keys {
		out = append(out, k.Certificate.Fingerprint())
	}
	return out
}

func TestWKD(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "joe.doe@example.com")
	for name, row := range map[string]struct {
		names    []string
		at       string
		evidence string
		asked    []string
	}{
		"advanced": {[]string{"openpgpkey.example.com", "example.com"}, advanced, "WKD, openpgpkey.example.com", []string{advanced + "?l=Joe.Doe"}},
		"direct":   {[]string{"example.com"}, direct, "WKD, example.com", []string{direct + "?l=Joe.Doe"}},
	} {
		s := newSite(t)
		s.serve(row.at, p.bytes())
		f, err := s.wkd(t, s.client(row.names...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(f.Keys) != 1 || f.Keys[0].Address != "joe.doe@example.com" || f.Keys[0].Certificate.Fingerprint() != p.certificate().Fingerprint() || len(f.Said) != 0 {
			t.Errorf("%s: %+v", name, f)
		}
		if f.Evidence != row.evidence || !slices.Equal(s.requests(), row.asked) {
			t.Errorf("%s: %q by %q", name, f.Evidence, s.requests())
		}
	}
}

// TestWKD_NoDirectBesideAdvanced: where the host for the advanced method exists,
// whatever it says, the direct method is not tried.
func TestWKD_NoDirectBesideAdvanced(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.serve(direct, newPerson(t, "joe.doe@example.com").bytes())
	if _, err := s.wkd(t, s.client("openpgpkey.example.com", "example.com")); !errors.Is(err, discover.NotFound) {
		t.Errorf("%v, asked %q", err, s.requests())
	}
	c := s.client("example.com")
	c.Resolver.(hosts)["openpgpkey.example.com"] = []string{"fails"}
	if _, err := s.wkd(t, c); !errors.Is(err, discover.NoAnswer) || len(s.requests()) != 1 {
		t.Errorf("resolver fails: %v, asked %q", err, s.requests())
	}
}

// TestV3_WKDSaysNothing: the request tells who is looked for and nothing of us.
func TestV3_WKDSaysNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.handle(direct, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, "/there", http.StatusFound)
	})
	if _, err := s.wkd(t, s.client("example.com")); !errors.Is(err, discover.NotFound) {
		t.Fatal(err)
	}
	if len(s.asked) != 2 || s.asked[1].URL.Path != "/there" {
		t.Fatalf("asked %q", s.requests())
	}
	for _, r := range s.asked {
		for name := range r.Header {
			if name != "Connection" {
				t.Errorf("%s has a header %s: %q", r.URL, name, r.Header[name])
			}
		}
		if r.ProtoMajor != 1 || !r.Close {
			t.Errorf("%s: HTTP/%d, close %v", r.URL, r.ProtoMajor, r.Close)
		}
	}
}

func TestWKD_Keys(t *testing.T) {
	t.Parallel()
	mine, other, stranger := newPerson(t, "joe.doe@example.com"), newPerson(t, "x@example.com", "joe.doe@example.com"), newPerson(t, "joe.doe@example.org")
	revoked := newPerson(t, "joe.doe@example.com")
	if err := revoked.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return noon.Add(-time.Minute) }}); err != nil {
		t.Fatal(err)
	}
	withdrawn := newPerson(t, "x@example.com", "joe.doe@example.com")
	withdrawn.withdraw("joe.doe@example.com")
	var many []*person
	for range 6 {
		many = append(many, newPerson(t, "joe.doe@example.com"))
	}
	for name, row := range map[string]struct {
		served []byte
		want   []*person
		said   string
		err    error
	}{
		"several":            {joined(stranger, other, mine), []*person{other, mine}, "no user ID of it is <joe.doe@example.com>", nil},
		"wrong user ID":      {stranger.bytes(), nil, "no user ID of it is <joe.doe@example.com>", discover.NoCertificate},
		"user ID taken back": {withdrawn.bytes(), nil, "no user ID of it is", discover.NoCertificate},
		"revoked":            {revoked.bytes(), []*person{revoked}, "revoked on 2026-12-01", nil},
		"too many":           {joined(many...), many[:4], "more than 4 keys", nil},
		"secret key":         {mine.secret(), nil, "", discover.SecretKey},
		"secret among":       {append(other.bytes(), mine.secret()...), nil, "", discover.SecretKey},
		"nothing":            {nil, nil, "", discover.NoCertificate},
		"a page":             {[]byte("<html>welcome</html>"), nil, "", discover.NoCertificate},
	} {
		s := newSite(t)
		s.serve(direct, row.served)
		f, err := s.wkd(t, s.client("example.com"))
		if !errors.Is(err, row.err) {
			t.Errorf("%s: %v", name, err)
		}
		var want []keyring.Fingerprint
		for _, p := range row.want {
			want = append(want, p.certificate().Fingerprint())
		}
		if !slices.Equal(fingerprints(f), want) {
			t.Errorf("%s: found %s, want %s", name, fingerprints(f), want)
		}
		if said := strings.Join(f.Said, "\n"); !strings.Contains(said, row.said) || row.said == "" && said != "" {
			t.Errorf("%s: said %q", name, said)
		}
	}
}

// withdraw revokes one user ID.
func (p *person) withdraw(address string) {
	p.t.Helper()
	for id, identity := range p.Identities {
		if identity.UserId.Email != address {
			continue
		}
		sig := &packet.Signature{Version: p.PrimaryKey.Version, SigType: packet.SigTypeCertificationRevocation, PubKeyAlgo: p.PrimaryKey.PubKeyAlgo,
			Hash: identity.SelfSignature.Hash, CreationTime: noon.Add(-time.Minute), IssuerKeyId: &p.PrimaryKey.KeyId, IssuerFingerprint: p.PrimaryKey.Fingerprint}
		if err := sig.SignUserId(id, p.PrimaryKey, p.PrivateKey, nil); err != nil {
			p.t.Fatal(err)
		}
		identity.Signatures = append(identity.Signatures, sig)
	}
}

// TestWKD_Addresses: what is asked for which address, and what is not looked for.
func TestWKD_Addresses(t *testing.T) {
	t.Parallel()
	for mail, want := range map[string]string{
		"a@b.example.com": "b.example.com", "A@EXAMPLE.COM": "example.com", "a@bücher.example": "xn--bcher-kva.example",
		"a@xn--bcher-kva.example": "xn--bcher-kva.example", "a@b@c.example": "c.example",
		"": "", "a": "", "@example.com": "", "a@": "", "a@localhost": "", "a@127.0.0.1": "", "a@[127.0.0.1]": "", "a@::1": "", "a@example.com.": "",
		"a b@example.com": "", "a@exa mple.com": "", "a@example.com/x": "", "a@example.com:25": "", strings.Repeat("a", 65) + "@example.com": "",
	} {
		if got := discover.Domain(mail); got != want {
			t.Errorf("%q: %q, want %q", mail, got, want)
		}
		if want == "" {
			if _, err := new(discover.Client).WKD(context.Background(), mail, noon); !errors.Is(err, discover.BadAddress) {
				t.Errorf("%q: %v", mail, err)
			}
		}
	}
	s := newSite(t)
	if _, err := s.client("example.com").WKD(context.Background(), "a+b&c/d@example.com", noon); !errors.Is(err, discover.NotFound) {
		t.Fatal(err)
	}
	if got := s.asked[0].URL.Query().Get("l"); got != "a+b&c/d" || strings.Contains(s.asked[0].URL.RawQuery, "&c") {
		t.Errorf("asked for %q", s.requests())
	}
}

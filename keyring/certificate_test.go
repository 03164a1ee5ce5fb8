package keyring_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

func TestCertificate(t *testing.T) {
	t.Parallel()
	s, err := keyring.Generate("Example CERT", "Report@VDP.Example.org", keyring.Ed25519, noon)
	if err != nil {
		t.Fatal(err)
	}
	armor, err := s.Certificate().Armor()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"binary":      s.Certificate().Bytes(),
		"armor":       armor,
		"text around": slices.Concat([]byte("Our key:\n"), armor, []byte("bye\n")),
	} {
		c := parseOne(t, data)
		if c.Fingerprint() != s.Certificate().Fingerprint() || len(c.Fingerprint()) != 40 {
			t.Errorf("%s: fingerprint %s", name, c.Fingerprint())
		}
		if got := c.UserIDs(); !reflect.DeepEqual(got, []string{"Example CERT <Report@VDP.Example.org>"}) {
			t.Errorf("%s: user IDs %q", name, got)
		}
		if got := c.Addresses(); !reflect.DeepEqual(got, []string{"report@vdp.example.org"}) {
			t.Errorf("%s: addresses %q", name, got)
		}
		if len(c.KeyIDs()) != 2 || fmt.Sprintf("%016X", c.KeyIDs()[0]) != string(c.Fingerprint())[24:] {
			t.Errorf("%s: key IDs %x", name, c.KeyIDs())
		}
		if err := errors.Join(c.CanEncrypt(noon), c.CanVerify(noon)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.Expires().IsZero() {
			t.Errorf("%s: expires %v", name, c.Expires())
		}
		if !bytes.Equal(c.Bytes(), s.Certificate().Bytes()) {
			t.Errorf("%s: other bytes", name)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	for _, id := range []struct{ name, address string }{{"plain@example.org", ""}, {"Two Words", "Two@Example.ORG"}, {"no address", ""}, {"x", "two@example.org"}} {
		c.must(c.AddUserId(id.name, "", id.address, c.config))
	}
	got := c.certificate().Addresses()
	slices.Sort(got)
	if want := []string{"crafted@example.org", "plain@example.org", "two@example.org"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// gopenpgp, trap 7: a file with several certificates is read whole.
func TestTrap7_SeveralCertificates(t *testing.T) {
	t.Parallel()
	a, b := secret(t, "a@example.org").Certificate(), secret(t, "b@example.org").Certificate()
	armorA, _ := a.Armor()
	armorB, _ := b.Armor()
	for name, data := range map[string][]byte{
		"binary": slices.Concat(a.Bytes(), b.Bytes()),
		"marked": slices.Concat([]byte("\ufeff"), armorA, armorB),
		"a text": slices.Concat([]byte("\u00dcbrigens\n"), armorA, armorB),
		"blocks": slices.Concat(armorA, []byte("\nand\n"), armorB),
	} {
		certs, err := keyring.ParseCertificates(data)
		if err != nil || len(certs) != 2 || certs[0].Fingerprint() != a.Fingerprint() || certs[1].Fingerprint() != b.Fingerprint() {
			t.Errorf("%s: %d certificates, %v", name, len(certs), err)
		}
	}
}

func TestParseCertificatesRefuses(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@example.org")
	armored, err := keyring.EncodeArmor(keyring.ArmorSecretKey, s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	public := s.Certificate().Bytes()
	for name, data := range map[string][]byte{
		"secret":           s.Bytes(),
		"armored secret":   armored,
		"secret, damaged":  []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n!!!!\n-----END PGP PRIVATE KEY BLOCK-----\n"),
		"secret in a text": slices.Concat([]byte("\u00dcbrigens\n"), armored),
		"secret behind":    slices.Concat(public, s.Bytes()),
		"nothing":          nil,
		"text":             []byte("no key in here"),
		"cut":              public[:len(public)/3],
		"signature first":  {0xc2, 1, 4},
		"too large":        append(bytes.Clone(public), make([]byte, 3<<20)...),
		"subkey only":      {0xce, 6, 4, 0, 0, 0, 0, 1},
		"unknown version":  {0xc6, 8, 3, 0, 0, 0, 0, 1, 0, 0},
		"truncated packet": {0xc6, 200, 3},
	} {
		certs, err := keyring.ParseCertificates(data)
		if err == nil {
			t.Errorf("%s: read %d certificates", name, len(certs))
		}
		if secret := strings.Contains(name, "secret"); secret != errors.Is(err, keyring.ErrSecretKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Strangers may hang any number of certifications on a certificate.
func TestP5_FloodedCertificate(t *testing.T) {
	t.Parallel()
	c, stranger := craft(t, nil), craft(t, nil)
	id := c.identity()
	for range 300 {
		c.must(c.SignIdentity(id.Name, stranger.Entity, stranger.config))
		stranger.config.Time = func() time.Time { return noon.Add(-time.Duration(len(id.Signatures)) * time.Minute) }
	}
	cert := c.certificate()
	if err := cert.CanEncrypt(noon); err != nil {
		t.Error(err)
	}
	if n := len(cert.Bytes()); n > 20_000 {
		t.Errorf("%d bytes are kept", n)
	}
}

// What a component says about itself counts only if the primary key signed it.
func TestS3_UnsignedComponents(t *testing.T) {
	t.Parallel()
	c, other := craft(t, nil), craft(t, nil)
	c.Identities["eve@evil.example"] = other.identity()
	c.Subkeys = append(c.Subkeys, other.Subkeys...)
	cert := c.certificate()
	if got := cert.UserIDs(); len(got) != 1 || got[0] != "Crafted <crafted@example.org>" {
		t.Errorf("user IDs %q", got)
	}
	if slices.Contains(cert.KeyIDs(), other.Subkeys[0].PublicKey.KeyId) {
		t.Error("a subkey without a binding was taken")
	}
}

func TestMinimal(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	c.must(c.AddUserId("Second", "", "second@example.org", c.config))
	c.must(c.AddSigningSubkey(c.config))
	later := *c.config
	later.Time = func() time.Time { return noon.Add(-days) }
	c.must(c.AddEncryptionSubkey(&later))
	full := c.certificate()
	small := parseOne(t, full.Minimal())
	if small.Fingerprint() != full.Fingerprint() || len(small.UserIDs()) != 1 || len(small.KeyIDs()) != 2 {
		t.Errorf("%d user IDs, %d keys", len(small.UserIDs()), len(small.KeyIDs()))
	}
	if err := small.CanEncrypt(noon); err != nil {
		t.Error(err)
	}
	if small.KeyIDs()[1] != c.Subkeys[2].PublicKey.KeyId {
		t.Error("not the encryption subkey in use")
	}
	if got := craft(t, nil).revoke(packet.KeyCompromised, noon.Add(-hour)).certificate().Minimal(); got != nil {
		t.Error("a revoked certificate has a minimal form")
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	made := noon.Add(-30 * days)
	for name, c := range map[string]struct {
		cert *keyring.Certificate
		want time.Time
	}{
		"never":   {craft(t, nil).certificate(), time.Time{}},
		"primary": {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 40 }).certificate(), made.Add(40 * days)},
		"subkey": {craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 40 }).
			resignSubkey(0, func(s *packet.Signature) { s.KeyLifetimeSecs = lifetime(86400 * 35) }).certificate(), made.Add(35 * days)},
		"binding signature": {craft(t, nil).resignSubkey(0, func(s *packet.Signature) { s.SigLifetimeSecs = lifetime(86400 * 33) }).certificate(), made.Add(33 * days)},
		"self-signature":    {craft(t, nil).resignUser(func(s *packet.Signature) { s.SigLifetimeSecs = lifetime(86400 * 34) }).certificate(), made.Add(34 * days)},
		"revoked":           {craft(t, nil).revoke(packet.KeyRetired, noon).certificate(), noon},
	} {
		if got := c.cert.Expires(); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if c.want.IsZero() {
			continue
		}
		if err := c.cert.CanEncrypt(c.want); err == nil {
			t.Errorf("%s: usable when it has ended", name)
		}
		if err := c.cert.CanEncrypt(c.want.Add(-time.Second)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func lifetime(n uint32) *uint32 { return &n }

func TestCache(t *testing.T) {
	t.Parallel()
	cache := keyring.NewCache(2)
	var raw [][]byte
	for i := range 3 {
		raw = append(raw, secret(t, fmt.Sprintf("k%d@example.org", i)).Certificate().Bytes())
	}
	first, err := cache.Certificate(raw[0])
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := cache.Certificate(bytes.Clone(raw[0])); again != first {
		t.Error("parsed twice")
	}
	for _, r := range raw[1:] {
		if _, err := cache.Certificate(r); err != nil {
			t.Fatal(err)
		}
	}
	if again, _ := cache.Certificate(raw[0]); again == first {
		t.Error("three certificates in a cache of two")
	}
	if _, err := cache.Certificate(slices.Concat(raw[0], raw[1])); err == nil {
		t.Error("two certificates as one")
	}
	if _, err := cache.Certificate([]byte("x")); err == nil {
		t.Error("no certificate as one")
	}
}

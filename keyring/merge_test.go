package keyring_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

func later(c *crafted, d time.Duration) *packet.Config {
	conf := *c.config
	conf.Time = func() time.Time { return noon.Add(d) }
	return &conf
}

func TestS7_MergeRevocation(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	old := c.certificate()
	fresh := c.revoke(packet.KeyCompromised, noon.Add(-hour)).certificate()
	m, said, err := keyring.Merge(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if m.CanEncrypt(noon) == nil || !slices.Contains(said, "the key is revoked") {
		t.Errorf("said %q", said)
	}
	// Leaving the revocation out of the next copy does not take it back.
	if m, _, err = keyring.Merge(m, old); err != nil || m.CanEncrypt(noon) == nil {
		t.Errorf("an old copy took the revocation back: %v", err)
	}
}

// A copy that says nothing new, as nearly every mail brings one, is not worked
// through again.
func TestS7_MergeNothingNew(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	old := c.certificate()
	small := parseOne(t, old.Minimal())
	for _, fresh := range []*keyring.Certificate{old, small} {
		if m, said, err := keyring.Merge(old, fresh); err != nil || m != old || len(said) > 0 {
			t.Errorf("%p, %q, %v; want %p as it was", m, said, err, old)
		}
	}
	if m, _, err := keyring.Merge(small, c.revoke(packet.KeyCompromised, noon.Add(-hour)).certificate()); err != nil || m.CanEncrypt(noon) == nil {
		t.Errorf("a revocation is not news: %v", err)
	}
}

func TestS7_MergeExtension(t *testing.T) {
	t.Parallel()
	c := craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 * 29 })
	old := c.certificate()
	conf := later(c, -hour)
	id := c.identity()
	longer := *id.SelfSignature
	longer.CreationTime, longer.KeyLifetimeSecs = conf.Now(), lifetime(86400*365)
	c.must(longer.SignUserId(id.UserId.Id, c.PrimaryKey, c.PrivateKey, conf))
	id.Signatures = append(id.Signatures, &longer)
	m, said, err := keyring.Merge(old, c.certificate())
	if err != nil {
		t.Fatal(err)
	}
	if old.CanEncrypt(noon) == nil || m.CanEncrypt(noon) != nil {
		t.Errorf("before %v, after %v", old.CanEncrypt(noon), m.CanEncrypt(noon))
	}
	if !slices.Contains(said, "it expires on 2027-11-01") {
		t.Errorf("said %q", said)
	}
}

// A new encryption subkey is not used before a person agreed.
func TestS7_MergeNewEncryptionSubkey(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	old := c.certificate()
	c.must(c.AddEncryptionSubkey(later(c, -hour)))
	fresh := c.certificate()
	want := fresh.KeyFingerprints()[2]
	if got := keyring.NewEncryptionSubkeys(old, fresh); !slices.Equal(got, []keyring.Fingerprint{want}) {
		t.Errorf("new encryption subkeys: %q", got)
	}
	m, said, err := keyring.Merge(old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Bytes(), old.Bytes()) {
		t.Error("it was taken silently")
	}
	if len(said) != 1 || !strings.Contains(said[0], want.Spaced()) {
		t.Errorf("said %q", said)
	}
	m, said, err = keyring.Adopt(old, fresh, want)
	if err != nil || len(m.KeyIDs()) != 3 || len(said) != 1 || len(keyring.NewEncryptionSubkeys(m, fresh)) != 0 {
		t.Errorf("adopt: %d keys, said %q, %v", len(m.KeyIDs()), said, err)
	}
}

func TestMergeRest(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	old := c.certificate()
	c.must(c.AddUserId("Second", "", "second@example.org", later(c, -hour)))
	c.must(c.AddSigningSubkey(later(c, -hour)))
	m, said, err := keyring.Merge(old, c.certificate())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.UserIDs()) != 2 || len(m.KeyIDs()) != 3 || len(said) != 2 {
		t.Errorf("%q, %d keys, said %q", m.UserIDs(), len(m.KeyIDs()), said)
	}
	again, said, err := keyring.Merge(m, m)
	if err != nil || len(said) != 0 || !bytes.Equal(again.Bytes(), m.Bytes()) {
		t.Errorf("merged with itself: said %q, %v", said, err)
	}
	if parsed := parseOne(t, m.Bytes()); !bytes.Equal(parsed.Bytes(), m.Bytes()) {
		t.Error("the merged certificate does not read back to itself")
	}
	if _, _, err := keyring.Merge(old, craft(t, nil).certificate()); err == nil {
		t.Error("two different keys were merged")
	}
}

func pin(c *keyring.Certificate, trust keyring.Trust, address string) keyring.Pinned {
	k := keyring.Pinned{Fingerprint: c.Fingerprint(), Address: address, Cert: c.Bytes()}
	if trust != 0 {
		k.Vouch(keyring.Voucher{By: "ana", At: noon, Trust: trust})
	}
	return k
}

func TestS7_Select(t *testing.T) {
	t.Parallel()
	a, b := secret(t, "a@example.org").Certificate(), secret(t, "b@example.org").Certificate()
	expired := craft(t, func(c *packet.Config) { c.KeyLifetimeSecs = 86400 }).certificate()
	other := pin(a, keyring.Confirmed, "a@x")
	other.Fingerprint = b.Fingerprint()
	broken := pin(a, keyring.Confirmed, "a@x")
	broken.Cert = []byte("x")
	for name, c := range map[string]struct {
		keys []keyring.Pinned
		need keyring.Trust
		want []*keyring.Certificate
		why  string // part of the sentence about the other key
	}{
		"confirmed":               {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x")}, keyring.Confirmed, []*keyring.Certificate{a}, ""},
		"more than needed":        {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x")}, keyring.Claimed, []*keyring.Certificate{a}, ""},
		"only found":              {[]keyring.Pinned{pin(a, keyring.Found, "a@x")}, keyring.Confirmed, nil, "only found, confirmed is needed"},
		"two members":             {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x"), pin(b, keyring.Found, "b@x")}, keyring.Found, []*keyring.Certificate{a, b}, ""},
		"one of them":             {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x"), pin(b, keyring.Found, "b@x")}, keyring.Confirmed, []*keyring.Certificate{a}, "only found"},
		"found beside confirmed":  {[]keyring.Pinned{pin(b, keyring.Found, "A@x"), pin(a, keyring.Confirmed, "a@x")}, keyring.Found, []*keyring.Certificate{a}, "does not take the place"},
		"claimed beside found":    {[]keyring.Pinned{pin(b, keyring.Claimed, "A@x"), pin(a, keyring.Found, "a@x")}, keyring.Claimed, []*keyring.Certificate{a}, "does not take the place of the found key"},
		"claimed after found":     {[]keyring.Pinned{pin(expired, keyring.Found, "a@x"), pin(b, keyring.Claimed, "a@x")}, keyring.Claimed, nil, "does not take the place of the found key"},
		"claimed for no address":  {[]keyring.Pinned{pin(a, keyring.Found, "a@x"), pin(b, keyring.Claimed, "")}, keyring.Claimed, []*keyring.Certificate{a}, "does not take the place of the found key"},
		"claimed for another":     {[]keyring.Pinned{pin(a, keyring.Found, "a@x"), pin(b, keyring.Claimed, "b@x")}, keyring.Claimed, []*keyring.Certificate{a, b}, ""},
		"claimed after confirmed": {[]keyring.Pinned{pin(expired, keyring.Confirmed, "a@x"), pin(b, keyring.Claimed, "a@x")}, keyring.Claimed, nil, "does not take the place"},
		"rejected":                {[]keyring.Pinned{pin(a, keyring.Rejected, "a@x")}, keyring.Claimed, nil, "rejected"},
		"rejected elsewhere":      {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x"), pin(a, keyring.Rejected, "b@x")}, keyring.Claimed, nil, "rejected"},
		"expired":                 {[]keyring.Pinned{pin(expired, keyring.Confirmed, "a@x")}, keyring.Confirmed, nil, "expired on"},
		"other certificate":       {[]keyring.Pinned{other}, keyring.Confirmed, nil, "another key's"},
		"broken certificate":      {[]keyring.Pinned{broken}, keyring.Confirmed, nil, "read certificates"},
		"twice":                   {[]keyring.Pinned{pin(a, keyring.Confirmed, "a@x"), pin(a, keyring.Confirmed, "b@x")}, keyring.Confirmed, []*keyring.Certificate{a}, ""},
		"no trust":                {[]keyring.Pinned{pin(a, 0, "a@x")}, keyring.Claimed, nil, "is needed"},
		"nothing":                 {nil, keyring.Claimed, nil, ""},
	} {
		got := keyring.Select(keyring.NewCache(10), c.keys, keyring.Need{Trust: c.need}, noon)
		var f, want []keyring.Fingerprint
		for _, g := range got.Certificates {
			f = append(f, g.Fingerprint())
		}
		for _, w := range c.want {
			want = append(want, w.Fingerprint())
		}
		if !slices.Equal(f, want) {
			t.Errorf("%s: chose %q, want %q", name, f, want)
		}
		if why := strings.Join(got.Why, "\n"); c.why == "" && why != "" || !strings.Contains(why, c.why) {
			t.Errorf("%s: why %q, want %q", name, why, c.why)
		}
	}
}

func TestCertifiedBy(t *testing.T) {
	t.Parallel()
	boss, member, stranger := craft(t, nil), craft(t, nil), craft(t, nil)
	if member.certificate().CertifiedBy(boss.certificate(), "crafted@example.org", noon) {
		t.Error("certified by nobody")
	}
	member.must(member.SignIdentity(member.identity().Name, boss.Entity, later(boss, -days)))
	cert := member.certificate()
	if !cert.CertifiedBy(boss.certificate(), "crafted@example.org", noon) {
		t.Error("not certified")
	}
	if !parseOne(t, cert.Bytes()).CertifiedBy(boss.certificate(), "crafted@example.org", noon) {
		t.Error("not certified once written and read")
	}
	if cert.CertifiedBy(boss.certificate(), "crafted@example.org", noon.Add(-2*days)) {
		t.Error("certified before it was")
	}
	if cert.CertifiedBy(boss.certificate(), "other@example.org", noon) || cert.CertifiedBy(boss.certificate(), "", noon) {
		t.Error("certified at an address that the user ID does not have")
	}
	if !cert.CertifiedBy(boss.certificate(), "Crafted@Example.org", noon) {
		t.Error("an address has no case")
	}
	if cert.CertifiedBy(stranger.certificate(), "crafted@example.org", noon) || cert.CertifiedBy(cert, "crafted@example.org", noon) {
		t.Error("certified by a stranger or by itself")
	}
	if cert.CertifiedBy(boss.revoke(packet.KeyCompromised, noon).certificate(), "crafted@example.org", noon) {
		t.Error("certified by a revoked key")
	}
}

func TestCertificationTakenBack(t *testing.T) {
	t.Parallel()
	boss, member := craft(t, nil), craft(t, nil)
	id := member.identity()
	member.must(member.SignIdentity(id.Name, boss.Entity, later(boss, -days)))
	back := *id.Signatures[len(id.Signatures)-1]
	back.SigType, back.CreationTime = packet.SigTypeCertificationRevocation, noon.Add(-hour)
	member.must(back.SignUserId(id.UserId.Id, member.PrimaryKey, boss.PrivateKey, boss.config))
	id.Signatures = append(id.Signatures, &back)
	cert := member.certificate()
	if cert.CertifiedBy(boss.certificate(), "crafted@example.org", noon) {
		t.Error("still certified")
	}
	if !cert.CertifiedBy(boss.certificate(), "crafted@example.org", noon.Add(-2*hour)) {
		t.Error("was not certified before")
	}
}

package keyring_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
)

// says is a voucher, so many hours after noon.
func says(by string, trust keyring.Trust, after time.Duration, words string) keyring.Voucher {
	return keyring.Voucher{By: by, At: noon.Add(after), Trust: trust, Words: words}
}

// Evidence is kept, oldest first; people repeat themselves, machines do not.
func TestS7_EvidenceIsKept(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		said  []keyring.Voucher
		trust keyring.Trust
		kept  int
		by    []string
	}{
		"claimed":            {[]keyring.Voucher{says("", keyring.Claimed, 0, "mail")}, keyring.Claimed, 1, nil},
		"claimed twice":      {[]keyring.Voucher{says("", keyring.Claimed, 0, "mail"), says("", keyring.Claimed, hour, "mail")}, keyring.Claimed, 1, nil},
		"found after":        {[]keyring.Voucher{says("", keyring.Claimed, 0, "mail"), says("", keyring.Found, hour, "WKD")}, keyring.Found, 2, nil},
		"claimed after":      {[]keyring.Voucher{says("ana", keyring.Confirmed, 0, "phone"), says("", keyring.Claimed, hour, "mail")}, keyring.Confirmed, 2, []string{"ana"}},
		"two people":         {[]keyring.Voucher{says("ana", keyring.Confirmed, 0, "phone"), says("ben", keyring.Confirmed, hour, "card")}, keyring.Confirmed, 2, []string{"ana", "ben"}},
		"one person twice":   {[]keyring.Voucher{says("ana", keyring.Confirmed, 0, "phone"), says("ana", keyring.Confirmed, hour, "phone")}, keyring.Confirmed, 2, []string{"ana"}},
		"rejected":           {[]keyring.Voucher{says("ana", keyring.Confirmed, 0, "phone"), says("ben", keyring.Rejected, hour, "forged")}, keyring.Rejected, 2, nil},
		"found, rejected":    {[]keyring.Voucher{says("ben", keyring.Rejected, 0, "forged"), says("", keyring.Found, hour, "WKD")}, keyring.Rejected, 2, nil},
		"rejected, again so": {[]keyring.Voucher{says("ben", keyring.Rejected, 0, ""), says("ana", keyring.Confirmed, hour, "met"), says("ben", keyring.Rejected, 2*hour, "")}, keyring.Rejected, 3, nil},
		"taken back":         {[]keyring.Voucher{says("ana", keyring.Confirmed, 0, "phone"), says("ben", keyring.Rejected, hour, ""), says("ben", keyring.Confirmed, 2*hour, "met")}, keyring.Confirmed, 3, []string{"ben"}},
	} {
		var k keyring.Pinned
		for _, v := range row.said {
			k.Vouch(v)
		}
		if k.Trust != row.trust || len(k.Evidence) != row.kept || !slices.Equal(k.Confirmers(), row.by) {
			t.Errorf("%s: %s, %d kept, by %q", name, k.Trust, len(k.Evidence), k.Confirmers())
		}
		if !slices.IsSortedFunc(k.Evidence, func(a, b keyring.Voucher) int { return a.At.Compare(b.At) }) {
			t.Errorf("%s: not oldest first", name)
		}
	}
}

// Whoever sends a key a thousand times fills no record, and a better word
// still counts.
func TestS7_EvidenceIsBounded(t *testing.T) {
	t.Parallel()
	var k keyring.Pinned
	for i := range 1000 {
		k.Vouch(says("", keyring.Claimed, 0, strings.Repeat("x", i)))
	}
	k.Vouch(says("", keyring.Found, hour, "WKD"))
	k.Vouch(says("ana", keyring.Confirmed, hour, "phone"))
	if len(k.Evidence) > 40 || k.Trust != keyring.Confirmed {
		t.Errorf("%d vouchers, %s", len(k.Evidence), k.Trust)
	}
}

// certifies lets one key certify the address of another.
func (c *crafted) certifies(o *crafted, at time.Time) {
	c.t.Helper()
	conf := *c.config
	conf.Time = func() time.Time { return at }
	c.must(o.SignIdentity(o.identity().Name, c.Entity, &conf))
}

func TestS7_Stand(t *testing.T) {
	t.Parallel()
	const at = "crafted@example.org"
	boss, member, third := craft(t, nil), craft(t, nil), craft(t, nil)
	boss.certifies(member, noon.Add(-days))
	member.certifies(third, noon.Add(-days))
	with := func(c *crafted, address string, said ...keyring.Voucher) keyring.Pinned {
		k := pin(c.certificate(), 0, address)
		for _, v := range said {
			k.Vouch(v)
		}
		return k
	}
	ana, ben := says("ana", keyring.Confirmed, -9*days, "phone"), says("ben", keyring.Confirmed, -8*days, "card")
	claimed, found, rejected := says("", keyring.Claimed, -9*days, "mail"), says("", keyring.Found, -9*days, "WKD"), says("ana", keyring.Rejected, -hour, "")
	replaced := func(k keyring.Pinned, by *crafted) keyring.Pinned {
		k.Replaced = &keyring.Replacement{By: by.certificate().Fingerprint(), At: noon.Add(-hour)}
		return k
	}
	revoked := craft(t, nil)
	ward := craft(t, nil)
	revoked.certifies(ward, noon.Add(-days))
	revoked.revoke(packet.KeyCompromised, noon.Add(-hour))
	for name, row := range map[string]struct {
		keys       []keyring.Pinned
		confirmers int
		of         *crafted
		want       keyring.Standing // Why is a part of the sentence
		replaced   bool
	}{
		"one person is enough":           {[]keyring.Pinned{with(boss, at, ana)}, 1, boss, keyring.Standing{Trust: keyring.Confirmed}, false},
		"zero is one":                    {[]keyring.Pinned{with(boss, at, ana)}, 0, boss, keyring.Standing{Trust: keyring.Confirmed}, false},
		"one of two":                     {[]keyring.Pinned{with(boss, at, found, ana)}, 2, boss, keyring.Standing{Trust: keyring.Found, Why: "confirmed by ana; a second coordinator must type it too"}, false},
		"one of two, nothing else":       {[]keyring.Pinned{with(boss, at, ana, ana)}, 2, boss, keyring.Standing{Trust: keyring.Claimed, Why: "confirmed by ana; a second"}, false},
		"two of three":                   {[]keyring.Pinned{with(boss, at, ana, ben)}, 3, boss, keyring.Standing{Trust: keyring.Claimed, Why: "confirmed by ana and ben; a third coordinator"}, false},
		"two of two":                     {[]keyring.Pinned{with(boss, at, ana, ben)}, 2, boss, keyring.Standing{Trust: keyring.Confirmed}, false},
		"certified":                      {[]keyring.Pinned{with(member, at, claimed), with(boss, at, ana)}, 1, member, keyring.Standing{Trust: keyring.Confirmed, Certified: boss.certificate().Fingerprint()}, false},
		"certified, of two one":          {[]keyring.Pinned{with(member, at, claimed), with(boss, at, ana)}, 2, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified by a claimed key":     {[]keyring.Pinned{with(member, at, claimed), with(boss, at, found)}, 1, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified by a rejected key":    {[]keyring.Pinned{with(member, at, claimed), with(boss, at, ana, rejected)}, 1, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified by a replaced key":    {[]keyring.Pinned{with(member, at, claimed), replaced(with(boss, at, ana), revoked), with(revoked, at, ana)}, 1, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified by a revoked key":     {[]keyring.Pinned{with(ward, at, claimed), with(revoked, at, ana)}, 1, ward, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified at another address":   {[]keyring.Pinned{with(member, "jo@example.org", claimed), with(boss, at, ana)}, 1, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"certified at no address":        {[]keyring.Pinned{with(member, "", claimed), with(boss, at, ana)}, 1, member, keyring.Standing{Trust: keyring.Claimed}, false},
		"rejected though certified":      {[]keyring.Pinned{with(member, at, rejected), with(boss, at, ana)}, 1, member, keyring.Standing{Trust: keyring.Rejected}, false},
		"certified by one certified":     {[]keyring.Pinned{with(third, at, claimed), with(member, at, claimed), with(boss, at, ana)}, 1, third, keyring.Standing{Trust: keyring.Claimed}, false},
		"replaced":                       {[]keyring.Pinned{replaced(with(boss, at, ana), member), with(member, at, ana)}, 1, boss, keyring.Standing{Trust: keyring.Confirmed}, true},
		"replaced by one of two":         {[]keyring.Pinned{replaced(with(boss, at, ana, ben), third), with(third, at, ana)}, 2, boss, keyring.Standing{Trust: keyring.Confirmed}, false},
		"replaced by a rejected key":     {[]keyring.Pinned{replaced(with(boss, at, ana), third), with(third, at, ana, rejected)}, 1, boss, keyring.Standing{Trust: keyring.Confirmed}, true},
		"replaced by a key that is gone": {[]keyring.Pinned{replaced(with(boss, at, ana), third)}, 1, boss, keyring.Standing{Trust: keyring.Confirmed}, false},
	} {
		got := keyring.Stand(keyring.NewCache(10), row.keys, row.confirmers, noon)[row.of.certificate().Fingerprint()]
		if got.Trust != row.want.Trust || got.Certified != row.want.Certified || (got.Replaced != nil) != row.replaced ||
			!strings.Contains(got.Why, row.want.Why) || row.want.Why == "" && got.Why != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What is computed ends when the certification does.
func TestS7_CertificationEnds(t *testing.T) {
	t.Parallel()
	boss, member := craft(t, nil), craft(t, nil)
	boss.certifies(member, noon)
	keys := []keyring.Pinned{pin(member.certificate(), keyring.Claimed, "crafted@example.org"), pin(boss.certificate(), keyring.Confirmed, "crafted@example.org")}
	f := keys[0].Fingerprint
	for at, want := range map[time.Time]keyring.Trust{noon.Add(-hour): keyring.Claimed, noon.Add(hour): keyring.Confirmed, noon.Add(400 * days): keyring.Confirmed} {
		if got := keyring.Stand(keyring.NewCache(10), keys, 1, at)[f].Trust; got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	id := member.identity()
	back := *id.Signatures[len(id.Signatures)-1]
	back.SigType, back.CreationTime = packet.SigTypeCertificationRevocation, noon.Add(2*hour)
	member.must(back.SignUserId(id.UserId.Id, member.PrimaryKey, boss.PrivateKey, boss.config))
	id.Signatures = append(id.Signatures, &back)
	keys[0].Cert = member.certificate().Bytes()
	if got := keyring.Stand(keyring.NewCache(10), keys, 1, noon.Add(3*hour))[f].Trust; got != keyring.Claimed {
		t.Errorf("a certification that was taken back: %s", got)
	}
}

// A person agrees to one subkey and not to another that came with it.
func TestS7_AdoptOnlyWhatWasNamed(t *testing.T) {
	t.Parallel()
	c := craft(t, nil)
	old := c.certificate()
	c.must(c.AddEncryptionSubkey(later(c, -2*hour)))
	c.must(c.AddEncryptionSubkey(later(c, -hour)))
	fresh := c.certificate()
	news := keyring.NewEncryptionSubkeys(old, fresh)
	m, _, err := keyring.Adopt(old, fresh, news[0])
	if err != nil || !slices.Equal(keyring.NewEncryptionSubkeys(m, fresh), news[1:]) {
		t.Errorf("left %q, %v", keyring.NewEncryptionSubkeys(m, fresh), err)
	}
}

// Of two usable keys of a party both are chosen, a replaced one is not, and
// one that waits for a second person says so.
func TestS7_SelectWithReplacement(t *testing.T) {
	t.Parallel()
	a, b := secret(t, "a@example.org").Certificate(), secret(t, "b@example.org").Certificate()
	old, fresh := pin(a, keyring.Confirmed, "a@x"), pin(b, keyring.Confirmed, "a@x")
	choose := func(n int, keys ...keyring.Pinned) keyring.Choice {
		return keyring.Select(keyring.NewCache(10), keys, keyring.Need{Trust: keyring.Confirmed, Confirmers: n}, noon)
	}
	if got := choose(1, old, fresh); len(got.Certificates) != 2 {
		t.Errorf("beside each other: %d, %q", len(got.Certificates), got.Why)
	}
	old.Replaced = &keyring.Replacement{By: b.Fingerprint(), At: noon.Add(-days)}
	got := choose(1, old, fresh)
	if len(got.Certificates) != 1 || got.Certificates[0].Fingerprint() != b.Fingerprint() || !strings.Contains(strings.Join(got.Why, ""), "replaced by "+b.Fingerprint().Spaced()+" on 2026-11-30") {
		t.Errorf("replaced: %d, %q", len(got.Certificates), got.Why)
	}
	got = choose(2, old, fresh)
	if len(got.Certificates) != 0 || !strings.Contains(got.Why[1], "only claimed, confirmed is needed: confirmed by ana; a second coordinator must type it too") {
		t.Errorf("one person of two: %d, %q", len(got.Certificates), got.Why)
	}
	stray := pin(secret(t, "c@example.org").Certificate(), keyring.Found, "")
	if got := keyring.Select(keyring.NewCache(10), []keyring.Pinned{pin(a, keyring.Confirmed, "a@x"), stray}, keyring.Need{Trust: keyring.Found}, noon); len(got.Certificates) != 1 {
		t.Errorf("a key that serves no address is used beside a confirmed one: %q", got.Why)
	}
}

package pgpmime_test

import (
	netmail "net/mail"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// fuzzLimits are small, so that an execution costs little. The bounds that they set
// are the same code.
var fuzzLimits = pgpmime.Limits{Plain: 1 << 20, Ratio: 100, Nesting: 4}

// fuzzed is the corpus' gateway, and what acme has signed in its mails: no other
// words may ever be good.
type fuzzed struct {
	*corpus
	said map[string]bool
}

// newFuzzed seeds a target with the corpus, the largest mails aside.
func newFuzzed(f *testing.F, seed func(mail string)) *fuzzed {
	z := &fuzzed{newCorpus(f), map[string]bool{}}
	z.opener.Limits = fuzzLimits
	for i, r := range allRecipes() {
		raw, err := os.ReadFile(r.file(i) + ".eml")
		must(f, err)
		z.learn(f, r, z.judge(raw).opened)
		if len(raw) < 8000 {
			seed(string(raw))
		}
	}
	return z
}

// learn notes what acme signed in a mail. Some of it is good only in another mail:
// from the right address, without what was put around it, or behind it.
func (z *fuzzed) learn(t testing.TB, r recipe, o *pgpmime.Opened) {
	if o == nil || r.name == "armor-two" {
		z.said["text/plain "+(&forge{name: r.name}).words()] = true
		return
	}
	if z.byAcme(o.Signatures) {
		z.said[shownText(t, o.Root)] = true
	}
	for _, d := range o.Documents {
		if !z.byAcme(d.Signatures) {
			continue
		}
		z.said["text/plain "+strings.ReplaceAll(string(d.Data), "\r\n", "\n")] = true
		if root, err := parse(d.Data); err == nil {
			z.said[shownText(t, root)] = true
		}
	}
}

func (z *fuzzed) byAcme(sigs []pgpmime.Signature) bool {
	return slices.ContainsFunc(sigs, func(s pgpmime.Signature) bool { return s.Err == nil && slices.Contains(z.claim.Pinned, s.Signer) })
}

// check opens a mail and wants what must hold of any.
func (z *fuzzed) check(t *testing.T, raw string) result {
	t.Helper()
	r := z.judge([]byte(raw))
	o := r.opened
	if o == nil {
		return r
	}
	if r.state == pgpmime.Good && !z.said[shownText(t, o.Root)] {
		t.Fatalf("good, and nobody said %q", shownText(t, o.Root))
	}
	if o.Root == nil || (o.Payload != nil) != (o.Encryption == pgpmime.Encrypted) || o.WholeSigned && len(o.Signatures) == 0 {
		t.Fatalf("encryption %s, %d octets of payload, %d signatures over the whole (%v)", o.Encryption, len(o.Payload), len(o.Signatures), o.WholeSigned)
	}
	if !o.HasSubject && o.Subject != "" || !utf8.ValidString(o.Subject) {
		t.Fatalf("subject %q", o.Subject)
	}
	plain, layers := len(o.Payload), 8 // documents may stand in one another, and each is handed out
	for _, d := range o.Documents {
		plain += len(d.Data)
	}
	if plain > layers*(len(raw)+int(fuzzLimits.Plain)) || len(o.Documents) > 50 {
		t.Fatalf("%d octets in %d documents of a mail of %d", plain, len(o.Documents), len(raw))
	}
	return r
}

// FuzzOpen hands arbitrary mail to Open with real keys. Nothing that is not in the
// corpus as good is good, and nothing grows beyond the limits.
func FuzzOpen(f *testing.F) {
	z := newFuzzed(f, func(m string) { f.Add(m) })
	f.Fuzz(func(t *testing.T, raw string) { z.check(t, raw) })
}

// FuzzOpenPayload hands arbitrary text to what looks at a payload, as somebody
// encrypts it who knows nothing but our key.
func FuzzOpenPayload(f *testing.F) {
	z := newFuzzed(f, func(string) {})
	seal := z.sealer(f)
	for _, e := range payloadSeeds(f, z) {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, entity string) { z.check(t, seal(t, lit(entity))) })
}

// FuzzHeaderProtection hands arbitrary entities to what reads the protected fields,
// signed by acme. A From that is in the signed header and is not the one outside must
// not be passed over.
func FuzzHeaderProtection(f *testing.F) {
	z := newFuzzed(f, func(string) {})
	seal := z.sealer(f)
	made := &forge{t: f, keys: z.keys, name: "fuzz", at: noon.Add(-hour)}
	for _, e := range payloadSeeds(f, z) {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, entity string) {
		made := *made
		made.t = t
		r := z.judge([]byte(seal(t, made.prefixed(made.sign("acme", entity), entity))))
		if r.state != pgpmime.Good || string(r.opened.Payload) != entity {
			return // what is no MIME entity has no header
		}
		m, err := netmail.ReadMessage(strings.NewReader(entity))
		if err != nil {
			return
		}
		kind := strings.ToLower(m.Header.Get("Content-Type"))
		if strings.Contains(kind, "multipart/signed") || strings.Contains(kind, "message/") {
			return // their own header is not the one that is protected
		}
		for _, from := range m.Header["From"] {
			if !strings.Contains(strings.ToLower(from), "psirt@acme.example") {
				t.Fatalf("good, and protected is From: %q", from)
			}
		}
		if r.opened.HasSubject && len(r.opened.Subject) > 4*len(entity) || !utf8.ValidString(r.opened.Subject) {
			t.Fatalf("subject %q", r.opened.Subject)
		}
	})
}

// payloadSeeds are entities of every kind that Open knows.
func payloadSeeds(f *testing.F, z *fuzzed) []string {
	made := &forge{t: f, keys: z.keys, name: "seed", at: noon.Add(-hour)}
	fields := "From: psirt@acme.example\r\nSubject: [PAR-2026-0001] =?utf-8?q?M=C3=BCller?=\r\n"
	inner := fields + "HP-Outer: Subject: ...\r\nHP-Outer: From: psirt@acme.example\r\n" + part("Content-Type: text/plain; charset=utf-8; hp=\"cipher\"; hp-legacy-display=\"1\"", "Subject: x\n\ntext")
	for _, m := range []string{made.holding(lit(made.signedEntity("acme", made.entity()))), made.holding(made.signed("acme", "a document\n"))} {
		z.said[shownText(f, z.judge([]byte(m)).opened.Root)] = true
	}
	return []string{
		made.entity(),
		inner,
		fields + multipart("mixed; protected-headers=v1", part("Content-Type: text/rfc822-headers; protected-headers=v1", fields), textPart("x")),
		multipart("mixed", "Subject: hole\r\nContent-Type: text/plain; protected-headers=v1\r\n\r\nx", textPart("y")),
		"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + fields + textPart("wrapped"),
		made.signedEntity("acme", made.entity()),
		textPart(made.cleartext("signed\n", "Hash: SHA512", "")),
		textPart("Hello\n" + made.armor(made.signed("acme", "a document\n"))),
		multipart("mixed", textPart("x"), part("Content-Type: application/pgp-keys", armored(f, keyring.ArmorPublicKey, z.keys["ghost"].cert))),
		multipart("encrypted", "", ""),
		"From: a@b\r\nFrom: psirt@acme.example\r\n\r\n",
	}
}

// sealer encrypts packets to us, without a public-key operation for each.
func (z *fuzzed) sealer(f *testing.F) func(t *testing.T, packets []byte) string {
	made := &forge{t: f, keys: z.keys, name: "sealed", at: noon.Add(-hour)}
	session := made.session("us", false, false)
	const bound = "fuzz-boundary"
	head := made.mail("Content-Type: multipart/encrypted; boundary=" + bound + "\r\n\r\n--" + bound +
		"\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--" + bound + "\r\nContent-Type: application/octet-stream\r\n\r\n")
	return func(t *testing.T, packets []byte) string {
		made := *made
		made.t = t
		return head + made.armor(join(session, made.body(packets))) + "\r\n--" + bound + "--\r\n"
	}
}

// FuzzSeal: whatever is sealed comes out again, padded to a size class, with its
// text unchanged.
func FuzzSeal(f *testing.F) {
	us, vendor := secret(f, "us@vdp.example.org"), secret(f, "psirt@acme.example")
	f.Add("Subject: x\r\n\r\ntext\r\n")
	f.Add("Content-Type: text/plain; charset=\"utf-8\"; hp=cipher\r\n\r\n")
	f.Add(multipart("mixed", textPart("a"), textPart("b")))
	f.Fuzz(func(t *testing.T, entity string) {
		m, err := pgpmime.Seal([]byte(entity), vendorOuter, []*keyring.Certificate{vendor.Certificate()}, us, noon)
		if err != nil {
			return
		}
		o := as(t, vendor, us.Certificate(), string(m))
		_, body, _ := strings.Cut("\r\n"+entity, "\r\n\r\n")
		if len(o.Payload)%4096 != 0 || !strings.Contains(string(o.Payload), body) || !o.WholeSigned || o.Signatures[0].Err != nil {
			t.Fatalf("%d bytes, %+v", len(o.Payload), o.Signatures)
		}
	})
}

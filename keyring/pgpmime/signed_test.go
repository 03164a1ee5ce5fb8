package pgpmime_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

func signBy(t testing.TB, by *keyring.Secret, data string) []byte {
	t.Helper()
	sig, err := keyring.Sign([]byte(data), by, noon)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// signedWith is RFC 3156, section 5, with a signature part of one's own.
func signedWith(entity, signatures string) string {
	return multipart("signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"", entity,
		part("Content-Type: application/pgp-signature; name=signature.asc", signatures))
}

func claimOf(pinned ...*keyring.Secret) pgpmime.Claim {
	c := pgpmime.Claim{Addresses: []string{"finder@example.net"}, From: []string{"finder@example.net"}}
	for _, s := range pinned {
		c.Pinned = append(c.Pinned, s.Certificate().Fingerprint())
	}
	return c
}

// S4 through the whole way: every signature is judged, in whichever block and at
// whichever layer it stands.
func TestS4_SeveralSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, stranger := secret(t, "psirt@globex.example"), secret(t, "x@x.example")
	w.known = append(w.known, other.Certificate())
	ended, err := keyring.Generate("", "finder@example.net", keyring.Ed25519, noon.Add(-10*365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	w.known = append(w.known, revoke(t, ended))
	text := textPart("text")
	sig := func(by *keyring.Secret, data string) string { return string(signBy(t, by, data)) }
	arm := func(sigs ...string) string {
		return armored(t, keyring.ArmorSignature, []byte(strings.Join(sigs, "")))
	}
	mine, wrong := sig(w.finder, text), sig(w.finder, "another text")
	for name, c := range map[string]struct {
		signatures string
		n          int
		state      pgpmime.State
		reason     string
	}{
		"pinned":                            {arm(mine), 1, pgpmime.Good, ""},
		"pinned, unknown":                   {arm(mine, sig(stranger, text)), 2, pgpmime.Good, ""},
		"unknown, pinned, two blocks":       {arm(sig(stranger, text)) + "\r\n" + arm(mine), 2, pgpmime.Good, ""},
		"pinned, other's wrong":             {arm(mine, sig(other, "x")), 2, pgpmime.Good, ""},
		"pinned, other's good":              {arm(sig(other, text), mine), 2, pgpmime.Good, ""},
		"pinned, pinned wrong":              {arm(mine, wrong), 2, pgpmime.Bad, "wrong"},
		"pinned wrong, pinned, two blocks":  {arm(wrong) + "words between\r\n" + arm(mine), 2, pgpmime.Bad, "wrong"},
		"pinned, pinned that is revoked":    {arm(mine, sig(ended, text)), 2, pgpmime.Bad, "key-revoked"},
		"other's good, unknown":             {arm(sig(stranger, text), sig(other, text)), 2, pgpmime.OtherParty, ""},
		"other's wrong, unknown":            {arm(sig(stranger, text), sig(other, "x")), 2, pgpmime.UnknownKey, ""},
		"unknown":                           {arm(sig(stranger, text)), 1, pgpmime.UnknownKey, ""},
		"sixteen":                           {arm(slices.Repeat([]string{mine}, 16)...), 16, pgpmime.Good, ""},
		"seventeen, the last one not seen":  {arm(append(slices.Repeat([]string{mine}, 16), wrong)...), 17, pgpmime.Bad, "too-many"},
		"a packet cut short behind":         {arm(mine, mine[:20]), 2, pgpmime.Good, ""},
		"none":                              {"nothing", 0, pgpmime.None, ""},
		"armor of another kind":             {armored(t, keyring.ArmorMessage, []byte(mine)), 0, pgpmime.None, ""},
		"pinned, in armor cut short, first": {strings.Replace(arm(wrong), "\r\n-----END", "", 1) + arm(mine), 1, pgpmime.Good, ""},
	} {
		claim := claimOf(w.finder, ended)
		claim.Other = func(f keyring.Fingerprint) (string, bool) {
			return "globex", f == other.Certificate().Fingerprint()
		}
		for shape, m := range map[string]string{"in clear": signedWith(text, c.signatures), "encrypted": pgpMIME(w.unsigned(signedWith(text, c.signatures)))} {
			if shape == "encrypted" && c.n > 8 {
				continue
			}
			o := w.mustOpen(mail(m))
			if v := pgpmime.Judge(o, claim, noon); len(o.Signatures) != c.n || v.State() != c.state || v.Reason() != c.reason {
				t.Errorf("%s, %s: %d signatures, %v %s", name, shape, len(o.Signatures), v.State(), v.Reason())
			}
		}
		// What is good in the layer does not hide what is bad inside, nor the other way round.
		if c.n > 2 {
			continue
		}
		o := w.mustOpen(mail(pgpMIME(w.sealed(signedWith(text, c.signatures)))))
		want := pgpmime.Good
		if c.state == pgpmime.Bad {
			want = pgpmime.Bad
		}
		if v := pgpmime.Judge(o, claim, noon); len(o.Signatures) != c.n+1 || v.State() != want {
			t.Errorf("%s, signed twice: %d signatures, %v %s", name, len(o.Signatures), v.State(), v.Reason())
		}
	}
}

// A document's finding has the words of a verdict and is none.
func TestS1_Findings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(textPart("x\n" + w.sealed("one") + w.unsigned("two"))))
	f := pgpmime.Find(o, claimOf(w.finder), noon)
	if len(f) != 2 || f[0].State() != pgpmime.Good || f[1].State() != pgpmime.None {
		t.Fatalf("%+v", f)
	}
	if v := pgpmime.Judge(o, claimOf(w.finder), noon); v.State() != pgpmime.None {
		t.Errorf("the mail: %v", v.State())
	}
	claim := claimOf(w.finder)
	claim.From = []string{"mallory@evil.example"}
	if f = pgpmime.Find(o, claim, noon); f[0].State() != pgpmime.Bad || f[0].Reason() != pgpmime.ReasonFrom || f[0].Key() == "" {
		t.Errorf("%+v", f[0])
	}
}

// Keys of the same ID: what is known speaks first, and attached ones that hold
// somebody else's key do not hide it. Beyond eight, nothing is tried.
func TestS2_ManyCandidates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cert := w.finder.Certificate()
	var asked int
	others := make([]*keyring.Certificate, 8)
	for i := range others {
		others[i] = secret(t, "x@x.example").Certificate()
	}
	open := func(known []*keyring.Certificate) *pgpmime.Opened {
		root, err := parse([]byte(mail(pgpMIME(w.sealed(inner)))))
		if err != nil {
			t.Fatal(err)
		}
		o := &pgpmime.Opener{Secrets: []*keyring.Secret{w.us}, Parse: parse, Certificates: func(uint64) []*keyring.Certificate { asked++; return known }}
		got, err := o.Open(t.Context(), root, noon)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if o := open(append(slices.Clone(others[:7]), cert)); o.Signatures[0].Err != nil || o.Signatures[0].Cert != cert {
		t.Errorf("the eighth: %+v", o.Signatures)
	}
	if o := open(append(slices.Clone(others), cert)); o.Signatures[0].Err != keyring.FaultUnknownKey || !o.Signatures[0].Unknown {
		t.Errorf("the ninth: %+v", o.Signatures)
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// The issuer that a signature names is shown and believed in nothing.
func TestS2_Issuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.known = nil
	o := w.mustOpen(mail(pgpMIME(w.sealed(inner))))
	s := o.Signatures[0]
	if s.Signer != "" || s.Cert != nil || !s.Unknown || s.Issuer != w.finder.Certificate().Fingerprint() {
		t.Errorf("%+v", s)
	}
	if v := pgpmime.Judge(o, claimOf(w.finder), noon); v.Valid() {
		t.Error("a name is enough")
	}
}

// Where a certificate came from is kept, as evidence.
func TestS7_Origins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := func(s *keyring.Secret) string {
		return part("Content-Type: application/pgp-keys; name=key.asc", armored(t, keyring.ArmorPublicKey, s.Certificate().Bytes()))
	}
	other := secret(t, "x@x.example")
	header := func(addr string, s *keyring.Secret, more string) string {
		return "Autocrypt: addr=" + addr + more + "; keydata=" + base64.StdEncoding.EncodeToString(s.Certificate().Minimal()) + "\r\n"
	}
	const me = "finder@example.net"
	letter := textPart("x")
	for name, c := range map[string]struct {
		mail string
		want string
	}{
		"Autocrypt":                    {header(me, w.finder, "; prefer-encrypt=mutual") + letter, "autocrypt"},
		"Autocrypt, other case":        {header("Finder@Example.NET", w.finder, "") + letter, "autocrypt"},
		"Autocrypt, unknown, optional": {header(me, w.finder, "; _x=y") + letter, "autocrypt"},
		"Autocrypt, unknown":           {header(me, w.finder, "; x=y") + letter, ""},
		"Autocrypt of another address": {header("other@example.net", w.finder, "") + letter, ""},
		"Autocrypt without address":    {strings.Replace(header("", w.finder, ""), "addr=;", "", 1) + letter, ""},
		"Autocrypt twice":              {header(me, w.finder, "") + header(me, other, "") + letter, ""},
		"Autocrypt, one is another's":  {header(me, w.finder, "") + header("x@x.example", other, "") + letter, "autocrypt"},
		"Autocrypt, two senders":       {"From: " + me + "\r\n" + header(me, w.finder, "") + letter, ""},
		"Autocrypt on a report":        {header(me, w.finder, "") + multipart("report; report-type=delivery-status", letter), ""},
		"Autocrypt-Gossip":             {strings.Replace(header(me, w.finder, ""), "Autocrypt", "Autocrypt-Gossip", 1) + letter, ""},
		"Autocrypt inside":             {pgpMIME(w.sealed(header(me, w.finder, "") + letter)), ""},
		"Autocrypt, a secret key":      {"Autocrypt: addr=" + me + "; keydata=" + base64.StdEncoding.EncodeToString(w.finder.Bytes()) + "\r\n" + letter, ""},
		"attached":                     {multipart("mixed", letter, key(w.finder)), "clear"},
		"attached and signed":          {w.clearSigned(multipart("mixed", letter, key(w.finder))), "signed"},
		"in the signature part":        {signedWith(letter, armored(t, keyring.ArmorSignature, signBy(t, w.finder, letter))+"\n"+armored(t, keyring.ArmorPublicKey, other.Certificate().Bytes())), "clear"},
		"the same, encrypted":          {pgpMIME(w.unsigned(signedWith(letter, armored(t, keyring.ArmorSignature, signBy(t, w.finder, letter))+"\n"+armored(t, keyring.ArmorPublicKey, other.Certificate().Bytes())))), ""},
		"signed and encrypted":         {pgpMIME(w.unsigned(w.clearSigned(multipart("mixed", letter, key(w.finder))))), "encrypted"},
		"behind a letter":              {textPart("\u00dcbrigens:\n" + armored(t, keyring.ArmorPublicKey, w.finder.Certificate().Bytes())), "clear"},
		"behind a mark":                {part("Content-Type: application/pgp-keys", "\ufeff"+armored(t, keyring.ArmorPublicKey, w.finder.Certificate().Bytes())), "clear"},
		"beside a signed part":         {multipart("mixed", w.clearSigned(letter), key(w.finder)), "clear"},
		"encrypted":                    {pgpMIME(w.sealed(multipart("mixed", letter, key(w.finder)))), "encrypted"},
		"both":                         {header(me, w.finder, "") + pgpMIME(w.sealed(multipart("mixed", letter, key(other)))), "autocrypt encrypted"},
		"in a document":                {multipart("mixed", letter, pgpMIME(w.sealed(multipart("mixed", letter, key(w.finder))))), ""},
	} {
		o := w.mustOpen(mail(c.mail))
		var got []string
		for _, a := range o.Certificates {
			got = append(got, string(a.Origin))
		}
		if strings.Join(got, " ") != c.want || len(o.Inside)+len(o.Outside) != len(got) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What is no news costs as well: after so many octets no certificate is read.
func TestP4_SameCertificateOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := func(s *keyring.Secret, padding int) string {
		ignored := append([]byte{0xc0 | 60, 0xff, 0, byte(padding >> 16), byte(padding >> 8), byte(padding)}, make([]byte, padding)...)
		return part("Content-Type: application/pgp-keys\nContent-Transfer-Encoding: base64", b64(append(s.Certificate().Bytes(), ignored...)))
	}
	for n, want := range map[int]int{3: 2, 4: 1} {
		parts := []string{textPart("x")}
		for range n {
			parts = append(parts, key(w.finder, 255<<10))
		}
		if o := w.mustOpen(mail(multipart("mixed", append(parts, key(w.us, 100<<10))...))); len(o.Outside) != want {
			t.Errorf("%d times: %d certificates", n, len(o.Outside))
		}
	}
}

// Eight certificates of each side are taken, and no more.
func TestP4_ManyCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parts := []string{textPart("x")}
	for range 9 {
		parts = append(parts, part("Content-Type: application/pgp-keys", armored(t, keyring.ArmorPublicKey, secret(t, "x@x.example").Certificate().Bytes())))
	}
	if o := w.mustOpen(mail(multipart("mixed", parts...))); len(o.Outside) != 8 {
		t.Errorf("%d", len(o.Outside))
	}
	if o := w.mustOpen(mail(pgpMIME(w.sealed(multipart("mixed", parts...))))); len(o.Inside) != 8 {
		t.Errorf("%d", len(o.Inside))
	}
}

// Signatures are verified within a budget, and those beyond it are no reason to
// call anything good.
func TestP4_ManyVerifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := cleartextOf(t, w.finder, "x")
	i, j := strings.Index(text, "-----BEGIN PGP SIGNATURE"), strings.Index(text, "-----END PGP SIGNATURE")
	sig := keyring.FindArmor([]byte(text[i:] + "\r\n"))[0].Data
	many := text[:i] + armored(t, keyring.ArmorSignature, bytes.Repeat(sig, 16))
	if i < 0 || j < 0 {
		t.Fatal("no signature")
	}
	o := w.mustOpen(mail(textPart(strings.Repeat(many, 14))))
	good, left := 0, 0
	for _, d := range o.Documents {
		for _, s := range d.Signatures {
			switch s.Err {
			case nil:
				good++
			case keyring.FaultTooMany:
				left++
			}
		}
	}
	if good != 200 || left != 24 {
		t.Errorf("%d verified, %d left", good, left)
	}
	f := pgpmime.Find(o, claimOf(w.finder), noon)
	if f[0].State() != pgpmime.Good || f[13].State() != pgpmime.Bad || f[13].Reason() != "too-many" {
		t.Errorf("first %v, last %v %s", f[0].State(), f[13].State(), f[13].Reason())
	}
}

// The number of documents ends at fifty, and the reader is told.
func TestP4_DocumentsAtTheEdge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, told := range map[int]bool{50: false, 51: true} {
		o := w.mustOpen(mail(textPart("many\n" + strings.Repeat(w.unsigned("x"), n))))
		if len(o.Documents) != 50 || slices.Contains(o.Unopened, pgpmime.ReasonTooMany) != told {
			t.Errorf("%d: %d documents, %q", n, len(o.Documents), o.Unopened)
		}
	}
}

// A secret key that came by mistake is noticed wherever it stands, and named by
// its fingerprint.
func TestSecretKeySentByMistake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := secret(t, "burnt@example.net")
	block := armored(t, keyring.ArmorSecretKey, s.Bytes())
	fpr := s.Certificate().Fingerprint()
	attached := part("Content-Type: application/pgp-keys; name=key.asc", block)
	bin := part("Content-Type: application/octet-stream; name=key.gpg\nContent-Transfer-Encoding: base64", b64(s.Bytes()))
	for name, c := range map[string]struct {
		mail string
		want []keyring.Fingerprint
	}{
		"pasted":            {textPart("my key:\n" + block + "bye"), []keyring.Fingerprint{fpr}},
		"attached":          {multipart("mixed", textPart("x"), attached), []keyring.Fingerprint{fpr}},
		"attached, binary":  {multipart("mixed", textPart("x"), bin), []keyring.Fingerprint{fpr}},
		"encrypted":         {pgpMIME(w.sealed(multipart("mixed", textPart("x"), attached))), []keyring.Fingerprint{fpr}},
		"encrypted, pasted": {textPart(w.sealed("my key:\r\n" + block)), []keyring.Fingerprint{fpr}},
		"in a document":     {textPart("x\n" + w.sealed("my key:\r\n"+block)), []keyring.Fingerprint{fpr}},
		"in a sealed mail":  {multipart("mixed", textPart("x"), pgpMIME(w.sealed(multipart("mixed", textPart("x"), bin)))), []keyring.Fingerprint{fpr}},
		"forwarded":         {"Content-Type: message/rfc822\r\n\r\n" + mail(attached), []keyring.Fingerprint{fpr}},
		"HTML":              {htmlPart(brs(block)), []keyring.Fingerprint{fpr}},
		"HTML, no breaks":   {htmlPart(strings.ReplaceAll(brs(block), " ", "&nbsp;")), []keyring.Fingerprint{fpr}},
		"twice":             {multipart("mixed", textPart(block), bin), []keyring.Fingerprint{fpr}},
		"Autocrypt":         {"Autocrypt: addr=finder@example.net; keydata=" + base64.StdEncoding.EncodeToString(s.Bytes()) + "\r\n" + textPart("x"), []keyring.Fingerprint{fpr}},
		"damaged":           {textPart(strings.Replace(block, "\r\n-----END PGP PRIVATE", "", 1)), []keyring.Fingerprint{""}},
		"a public key":      {textPart(armored(t, keyring.ArmorPublicKey, s.Certificate().Bytes())), nil},
		"spoken of":         {textPart("send no -----BEGIN PGP PRIVATE KEY BLOCK-----\nplease, ever, to anybody"), nil},
	} {
		o := w.mustOpen(mail(c.mail))
		if !slices.Equal(o.SecretKeys, c.want) {
			t.Errorf("%s: %q", name, o.SecretKeys)
		}
		if len(o.Certificates) > 0 && name != "a public key" {
			t.Errorf("%s: it is taken for a certificate", name)
		}
	}
}

package pgpmime_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// The fields of a message are read from where they are protected, by whichever
// scheme they are.
func TestProtectedFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const fields = "From: Finder <finder@example.net>\r\nTo: report@vdp.example.org\r\nSubject: true\r\nIn-Reply-To: <a@vdp.example.org>\r\nReferences: <b@x>\r\n <a@vdp.example.org>\r\n"
	want := pgpmime.Fields{"From": {"Finder <finder@example.net>"}, "To": {"report@vdp.example.org"}, "Subject": {"true"},
		"In-Reply-To": {"<a@vdp.example.org>"}, "References": {"<b@x> <a@vdp.example.org>"}}
	text := "Content-Type: text/plain; charset=utf-8"
	const outside = "HP-Outer: Subject: ...\r\nHP-Outer: From: finder@example.net\r\n"
	for name, c := range map[string]struct {
		payload string
		scheme  pgpmime.Scheme
	}{
		"RFC 9788":           {fields + outside + text + "; hp=\"cipher\"\r\n\r\nx", pgpmime.HPCipher},
		"RFC 9788, clear":    {fields + outside + text + "; hp=clear\r\n\r\nx", pgpmime.HPClear},
		"the older draft":    {fields + text + "; protected-headers=\"v1\"\r\n\r\nx", pgpmime.DraftV1},
		"without a word":     {fields + text + "\r\n\r\nx", pgpmime.Bare},
		"wrapped":            {"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + fields + text + "\r\n\r\nx", pgpmime.Wrapped},
		"wrapped, Enigmail":  {"Content-Type: message/rfc822; protected-headers=v1\r\n\r\n" + fields + text + "\r\n\r\nx", pgpmime.Wrapped},
		"on a part":          {multipart("mixed", fields+text+"; protected-headers=v1\r\n\r\nx", textPart("y")), pgpmime.MemoryHole},
		"in a part":          {multipart("mixed", part("Content-Type: text/rfc822-headers; protected-headers=v1", fields), textPart("x")), pgpmime.MemoryHole},
		"in a part, as text": {multipart("mixed", part("Content-Type: text/plain; protected-headers=v1", fields+"\n\nSubject: of the letter\n"), textPart("x")), pgpmime.MemoryHole},
	} {
		shapes := map[string]string{
			"encrypted":                  mail(pgpMIME(w.sealed(c.payload))),
			"encrypted, not signed":      mail(pgpMIME(w.unsigned(c.payload))),
			"signed":                     mail(w.clearSigned(c.payload)),
			"multipart/signed encrypted": mail(pgpMIME(w.unsigned(w.clearSigned(c.payload)))),
			"signed twice":               mail(pgpMIME(w.sealed(w.clearSigned(c.payload)))),
		}
		for shape, m := range shapes {
			o := w.mustOpen(m)
			if !reflect.DeepEqual(o.Protected, want) || o.Scheme != c.scheme || o.Subject != "true" || !o.HasSubject {
				t.Errorf("%s, %s: %v %q", name, shape, o.Protected, o.Scheme)
			}
			if o.Outer["Subject"][0] != "outer" || len(o.Outer["References"]) != 0 {
				t.Errorf("%s, %s: outer %v", name, shape, o.Outer)
			}
			if hp := strings.HasPrefix(name, "RFC"); hp != (len(o.HPOuter) == 2) || hp && o.HPOuter["Subject"][0] != "..." {
				t.Errorf("%s, %s: HP-Outer %v", name, shape, o.HPOuter)
			}
			if c.scheme == pgpmime.Wrapped && textOf(t, o.Root) != "x" {
				t.Errorf("%s, %s: the wrapped message is not shown", name, shape)
			}
		}
	}
}

// A field that no signature covers, while there are signatures, or that stands in
// a document or in somebody else's message, protects nothing.
func TestS1_NotProtected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const forged = "Subject: forged\r\nFrom: psirt@acme.example\r\n"
	bare := w.clearSigned(textPart("text"))
	hp := "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nx"
	for name, m := range map[string]string{
		"around a signed part":           mail(pgpMIME(w.unsigned(forged + bare))),
		"around it, signed as a whole":   mail(pgpMIME(w.sealed(forged + bare))),
		"in clear, not signed":           mail("X: y\r\n" + hp),
		"beside a signed part":           mail(multipart("mixed", forged+"Content-Type: text/plain; protected-headers=v1\r\n\r\nx", bare)),
		"in a document":                  mail(multipart("mixed", textPart("x"), pgpMIME(w.sealed(forged+hp)))),
		"in inline armor":                mail(textPart("x\n" + w.sealed(forged+hp))),
		"in a forwarded message":         mail(pgpMIME(w.sealed("Content-Type: message/rfc822\r\n\r\n" + forged + hp))),
		"in a forwarded message, below":  mail(pgpMIME(w.sealed(multipart("mixed", textPart("x"), "Content-Type: message/rfc822; forwarded=no\r\n\r\n"+forged+hp)))),
		"in an attachment":               mail(pgpMIME(w.sealed(multipart("mixed", textPart("x"), part("Content-Type: text/rfc822-headers; protected-headers=v1\nContent-Disposition: attachment", forged))))),
		"in a letter that is not marked": mail(pgpMIME(w.sealed(textPart(forged)))),
		"in a third part":                mail(withPart(w.clearSigned(forged+hp), textPart("x"))),
	} {
		o := w.mustOpen(m)
		if o.HasSubject || len(o.Protected) != 0 || o.Scheme != pgpmime.Unprotected {
			t.Errorf("%s: %v %q", name, o.Protected, o.Scheme)
		}
	}
}

// S2 with a protected From: both must name the one address of the participant.
func TestS2_FromInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := func(from ...string) pgpmime.Claim {
		return pgpmime.Claim{Pinned: []keyring.Fingerprint{w.finder.Certificate().Fingerprint()}, Addresses: []string{"finder@example.net", "jo@example.net"}, From: from}
	}
	for inside, good := range map[string]bool{
		"":                         true,
		"From: finder@example.net": true,
		"From: \"A, Finder\" <FINDER@Example.NET> (me)":                     true,
		"From: =?utf-8?q?M=C3=BCller?= <finder@example.net>":                true,
		"From: jo@example.net":                                              false, // a member's, but not the one outside
		"From: mallory@evil.example":                                        false,
		"From: finder@example.net\r\nFrom: finder@example.net":              false,
		"From: finder@example.net\r\nFrom: mallory@evil.example":            false,
		"From: finder@example.net, mallory@evil.example":                    false,
		"From: \"finder@example.net\" <mallory@evil.example>":               false,
		"From: =?utf-8?q?finder=40example.net?= <mallory@evil.example>":     false,
		"From: =?utf-8?q?finder=40example.net?=":                            false,
		"From: us: finder@example.net;":                                     false,
		"From: <@evil.example:finder@example.net>":                          false,
		"From: finder@example.net.evil.example":                             false,
		"From: finder@ex\u0430mple.net":                                     false, // Cyrillic
		"From: finder@example.net\x00":                                      false,
		"From: finder@e\u212aample.net":                                     false,
		"From:":                                                             false,
		"From: mallory@evil.example\r\nSender: finder@example.net":          false,
		"Resent-From: mallory@evil.example\r\nSender: mallory@evil.example": true, // are nobody's From
	} {
		if inside != "" {
			inside += "\r\n"
		}
		payload := inside + "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nx"
		for shape, m := range map[string]string{"encrypted": pgpMIME(w.sealed(payload)), "multipart/signed": w.clearSigned(payload)} {
			o := w.mustOpen(mail(m))
			v := pgpmime.Judge(o, claim("finder@example.net"), noon)
			if v.Valid() != good || !good && (v.State() != pgpmime.Bad || v.Reason() != pgpmime.ReasonFrom) {
				t.Errorf("%s, %q: %v %s", shape, inside, v.State(), v.Reason())
			}
			if o.FromAgrees([]string{"finder@example.net"}) != good {
				t.Errorf("%s, %q: agrees %v", shape, inside, !good)
			}
		}
	}
	// The one outside must be the participant's, whatever stands inside.
	o := w.mustOpen(mail(pgpMIME(w.sealed("From: finder@example.net\r\n" + inner))))
	for _, from := range [][]string{nil, {""}, {"mallory@evil.example"}, {"finder@example.net", "finder@example.net"}} {
		if v := pgpmime.Judge(o, claim(from...), noon); v.State() != pgpmime.Bad || v.Reason() != pgpmime.ReasonFrom {
			t.Errorf("outer %q: %v %s", from, v.State(), v.Reason())
		}
	}
}

// ASCII letters have two cases; others that look like one in lower case do not.
func TestS2_AddressCase(t *testing.T) {
	t.Parallel()
	sigs := []pgpmime.Signature{by(acme, nil)}
	for address, same := range map[string]bool{"PSIRT@ACME.example": true, "psirt@ac\u212ae.example": false, "p\u017firt@acme.example": false} {
		v := pgpmime.Judge(&pgpmime.Opened{WholeSigned: true, Signatures: sigs},
			pgpmime.Claim{Pinned: []keyring.Fingerprint{acme}, Addresses: []string{"psirt@acme.example", "psirt@acke.example"}, From: []string{address}}, noon)
		if v.Valid() != same {
			t.Errorf("%q: %v", address, v.State())
		}
	}
}

// A header of many fields costs no more than its length.
func TestP3_ManyFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "Subject: %d\r\n", i)
	}
	m, err := keyring.Encrypt([]byte(b.String()+"Content-Type: text/plain; hp=cipher\r\n\r\nx"), []*keyring.Certificate{w.us.Certificate()}, w.finder, noon)
	if err != nil {
		t.Fatal(err)
	}
	if o := w.mustOpen(mail(pgpMIME(armored(t, keyring.ArmorMessage, m)))); o.Subject != "0" || len(o.Protected["Subject"]) != 5000 {
		t.Errorf("%q, %d", o.Subject, len(o.Protected["Subject"]))
	}
}

// Nor does a text that shows fields to old programs, however often they are folded:
// it takes hours to put each line behind a copy of all before it.
func TestP3_ManyFoldedLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := part("Content-Type: text/plain; protected-headers=v1", "Subject: a\n b\n")
	o := w.mustOpen(mail(w.clearSigned(multipart("mixed", text+strings.Repeat(" x\r\n", 2<<20), textPart("x")))))
	if !strings.HasPrefix(o.Subject, "a b x x") || len(o.Subject) > 65<<10 {
		t.Errorf("%d octets of a Subject", len(o.Subject))
	}
}

package pgpmime_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

const (
	acme  keyring.Fingerprint = "AAAA"
	jo    keyring.Fingerprint = "A0A0"
	globe keyring.Fingerprint = "BBBB"
	alien keyring.Fingerprint = "CCCC"
)

func by(f keyring.Fingerprint, err error) pgpmime.Signature {
	return pgpmime.Signature{Signer: f, Err: err, Created: noon}
}

func unknown() pgpmime.Signature {
	return pgpmime.Signature{KeyID: 1, Err: keyring.FaultUnknownKey, Unknown: true, Created: noon}
}

// S2 and S4: a row per way to not be valid.
func TestS2_S4_Judge(t *testing.T) {
	t.Parallel()
	from := []string{"psirt@acme.example"}
	for name, c := range map[string]struct {
		whole  bool
		sigs   []pgpmime.Signature
		from   []string
		state  pgpmime.State
		key    keyring.Fingerprint
		reason string
	}{
		"good":                      {true, []pgpmime.Signature{by(acme, nil)}, from, pgpmime.Good, acme, ""},
		"a member's key":            {true, []pgpmime.Signature{by(jo, nil)}, from, pgpmime.Good, jo, ""},
		"other case in the address": {true, []pgpmime.Signature{by(acme, nil)}, []string{"PSIRT@Acme.example"}, pgpmime.Good, acme, ""},
		"a long s is no s":          {true, []pgpmime.Signature{by(acme, nil)}, []string{"p\u017firt@acme.example"}, pgpmime.Bad, acme, "from-mismatch"},
		"not the whole":             {false, []pgpmime.Signature{by(acme, nil)}, from, pgpmime.None, "", ""},
		"unsigned":                  {true, nil, from, pgpmime.None, "", ""},
		"from somebody else":        {true, []pgpmime.Signature{by(acme, nil)}, []string{"psirt@globex.example"}, pgpmime.Bad, acme, "from-mismatch"},
		"two senders":               {true, []pgpmime.Signature{by(acme, nil)}, []string{"psirt@acme.example", "psirt@globex.example"}, pgpmime.Bad, acme, "from-mismatch"},
		"the same sender twice":     {true, []pgpmime.Signature{by(acme, nil)}, []string{"psirt@acme.example", "psirt@acme.example"}, pgpmime.Bad, acme, "from-mismatch"},
		"no sender":                 {true, []pgpmime.Signature{by(acme, nil)}, nil, pgpmime.Bad, acme, "from-mismatch"},
		"pinned, but wrong":         {true, []pgpmime.Signature{by(acme, keyring.FaultWrong)}, from, pgpmime.Bad, acme, "wrong"},
		"pinned, but revoked":       {true, []pgpmime.Signature{by(acme, keyring.FaultKeyRevoked)}, from, pgpmime.Bad, acme, "key-revoked"},
		"another party":             {true, []pgpmime.Signature{by(globe, nil)}, from, pgpmime.OtherParty, globe, ""},
		"another party, wrong":      {true, []pgpmime.Signature{by(globe, keyring.FaultWrong)}, from, pgpmime.Bad, globe, "wrong"},
		"a key nobody pinned":       {true, []pgpmime.Signature{by(alien, nil)}, from, pgpmime.UnknownKey, alien, ""},
		"a key we do not have":      {true, []pgpmime.Signature{unknown()}, from, pgpmime.UnknownKey, "", ""},
		"S4 good and good":          {true, []pgpmime.Signature{by(acme, nil), by(jo, nil)}, from, pgpmime.Good, acme, ""},
		"S4 good, then pinned bad":  {true, []pgpmime.Signature{by(acme, nil), by(jo, keyring.FaultWrong)}, from, pgpmime.Bad, jo, "wrong"},
		"S4 pinned bad, then good":  {true, []pgpmime.Signature{by(acme, keyring.FaultKeyExpired), by(acme, nil)}, from, pgpmime.Bad, acme, "key-expired"},
		"S4 good beside an alien's": {true, []pgpmime.Signature{by(alien, keyring.FaultWrong), by(acme, nil), unknown()}, from, pgpmime.Good, acme, ""},
		"S4 alien and other party":  {true, []pgpmime.Signature{unknown(), by(globe, nil)}, from, pgpmime.OtherParty, globe, ""},
		"from the future":           {true, []pgpmime.Signature{{Signer: acme, Created: noon.Add(time.Hour)}}, from, pgpmime.Bad, acme, "not-yet-valid"},
		"no signer":                 {true, []pgpmime.Signature{{Created: noon}}, from, pgpmime.Bad, "", "malformed"},
		"a foreign error":           {true, []pgpmime.Signature{by(acme, errors.New("x"))}, from, pgpmime.Bad, acme, "malformed"},
	} {
		claim := pgpmime.Claim{
			Pinned: []keyring.Fingerprint{acme, jo}, Addresses: []string{"psirt@acme.example", "jo@acme.example"}, From: c.from,
			Other: func(f keyring.Fingerprint) (string, bool) { return "globex", f == globe },
		}
		v := pgpmime.Judge(&pgpmime.Opened{WholeSigned: c.whole, Signatures: c.sigs}, claim, noon)
		if v.State() != c.state || v.Key() != c.key || v.Reason() != c.reason || v.Valid() != (c.state == pgpmime.Good) {
			t.Errorf("%s: %v, key %q, reason %q; want %v, %q, %q", name, v.State(), v.Key(), v.Reason(), c.state, c.key, c.reason)
		}
		if (v.Owner() == "globex") != (c.state == pgpmime.OtherParty) {
			t.Errorf("%s: owner %q", name, v.Owner())
		}
	}
	var zero pgpmime.Verdict
	if zero.Valid() || zero.State() != pgpmime.None || zero.Fresh(noon) {
		t.Error("a verdict that nobody made is valid")
	}
}

func TestS6_Fresh(t *testing.T) {
	t.Parallel()
	v := pgpmime.Judge(&pgpmime.Opened{WholeSigned: true, Signatures: []pgpmime.Signature{by(acme, nil)}},
		pgpmime.Claim{Pinned: []keyring.Fingerprint{acme}, Addresses: []string{"a@x"}, From: []string{"a@x"}}, noon)
	if !v.SignedAt().Equal(noon) || !v.Fresh(noon.Add(14*24*time.Hour)) || v.Fresh(noon.Add(14*24*time.Hour+time.Second)) {
		t.Errorf("signed at %v", v.SignedAt())
	}
}

func TestStateWords(t *testing.T) {
	t.Parallel()
	for s, w := range map[pgpmime.State]string{pgpmime.None: "none", pgpmime.Good: "good", pgpmime.OtherParty: "other-party", pgpmime.UnknownKey: "unknown-key", pgpmime.Bad: "bad"} {
		if s.String() != w {
			t.Errorf("%d: %q", s, s)
		}
	}
}

// S7: a receipt goes to a key from inside the payload that its signature
// verifies with; so it must be clear which keys came from where.
func TestS7_KeysInsideAndOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.known = nil
	cert := w.finder.Certificate()
	armor := armored(t, keyring.ArmorPublicKey, cert.Bytes())
	keyPart := part("Content-Type: application/pgp-keys; name=key.asc", armor)
	bin := part("Content-Type: application/octet-stream; name=key.gpg\nContent-Transfer-Encoding: base64", b64(cert.Bytes()))
	asc := part("Content-Type: text/plain; name=my-key.asc\nContent-Disposition: attachment; filename=my-key.asc", armor)
	header := "Autocrypt: addr=finder@example.net; keydata=" + base64.StdEncoding.EncodeToString(cert.Minimal()) + "\r\n"
	for name, c := range map[string]struct {
		mail            string
		inside, outside int
	}{
		"application/pgp-keys inside": {pgpMIME(w.sealed(multipart("mixed", textPart("x"), keyPart))), 1, 0},
		"binary inside":               {pgpMIME(w.sealed(multipart("mixed", textPart("x"), bin))), 1, 0},
		".asc inside":                 {pgpMIME(w.sealed(multipart("mixed", textPart("x"), asc))), 1, 0},
		"pasted inside":               {pgpMIME(w.sealed(textPart("my key:\n" + armor))), 1, 0},
		"pasted into inline":          {textPart(w.sealed("my key:\r\n" + armor)), 1, 0},
		"attached in clear":           {multipart("mixed", textPart("x"), keyPart), 0, 1},
		"Autocrypt":                   {header + pgpMIME(w.sealed(inner)), 0, 1},
		"both":                        {header + pgpMIME(w.sealed(multipart("mixed", textPart("x"), keyPart, asc))), 1, 1},
		"none":                        {pgpMIME(w.sealed(inner)), 0, 0},
		"broken":                      {"Autocrypt: addr=x; keydata=!!!\r\n" + multipart("mixed", textPart("x"), part("Content-Type: application/pgp-keys", "no key")), 0, 0},
	} {
		o, err := w.open(mail(c.mail))
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		if len(o.Inside) != c.inside || len(o.Outside) != c.outside {
			t.Errorf("%s: %d inside, %d outside", name, len(o.Inside), len(o.Outside))
		}
		for _, s := range o.Signatures {
			if inside := c.inside > 0; s.CertInside != inside || (s.Err == nil) != inside || s.Unknown == inside {
				t.Errorf("%s: %+v", name, s)
			}
			if c.inside > 0 && s.Signer != o.Inside[0].Fingerprint() {
				t.Errorf("%s: signer %q", name, s.Signer)
			}
		}
	}
}

// An older copy of a certificate inside the payload does not hide what is known
// of it.
func TestS3_RevocationIsNotHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.finder.Certificate()
	w.known = []*keyring.Certificate{revoke(t, w.finder)}
	m := mail(pgpMIME(w.sealed(multipart("mixed", textPart("x"), part("Content-Type: application/pgp-keys", armored(t, keyring.ArmorPublicKey, old.Bytes()))))))
	o := w.mustOpen(m)
	if len(o.Inside) != 1 || len(o.Signatures) != 1 || o.Signatures[0].Err != keyring.FaultKeyRevoked {
		t.Errorf("%+v", o.Signatures)
	}
	// The other way round, a revocation that came along counts too.
	w.known = []*keyring.Certificate{old}
	m = mail(pgpMIME(w.sealed(multipart("mixed", textPart("x"), part("Content-Type: application/pgp-keys", armored(t, keyring.ArmorPublicKey, revoke(t, w.finder).Bytes()))))))
	if o = w.mustOpen(m); len(o.Signatures) != 1 || o.Signatures[0].Err != keyring.FaultKeyRevoked {
		t.Errorf("%+v", o.Signatures)
	}
}

func revoke(t *testing.T, s *keyring.Secret) *keyring.Certificate {
	t.Helper()
	e, err := openpgp.ReadEntity(packet.NewReader(bytes.NewReader(s.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: func() time.Time { return noon.Add(-time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	certs, err := keyring.ParseCertificates(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

// S2 through the whole way: only the participant's own key makes a mail valid.
func TestS2_OpenAndJudge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(pgpMIME(w.sealed(inner))))
	claim := pgpmime.Claim{Pinned: []keyring.Fingerprint{w.finder.Certificate().Fingerprint()},
		Addresses: []string{"finder@example.net"}, From: []string{"finder@example.net"}}
	if v := pgpmime.Judge(o, claim, noon); !v.Valid() {
		t.Errorf("%v %s", v.State(), v.Reason())
	}
	claim.Pinned = []keyring.Fingerprint{acme}
	if v := pgpmime.Judge(o, claim, noon); v.Valid() || v.State() != pgpmime.UnknownKey {
		t.Errorf("%v", v.State())
	}
	if v := pgpmime.Judge(w.mustOpen(mail(pgpMIME(w.unsigned(inner)))), claim, noon); v.State() != pgpmime.None {
		t.Errorf("unsigned: %v", v.State())
	}
}

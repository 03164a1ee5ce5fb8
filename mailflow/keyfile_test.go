package mailflow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// keyPacket writes a packet in the form of RFC 9580, section 4.2.1.
func keyPacket(tag byte, body []byte) []byte {
	n := len(body)
	return append([]byte{0xc0 | tag, 0xff, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// hugeRSA is a certificate with an RSA number of 32768 bits.
func hugeRSA() []byte {
	body := []byte{4, 0x6a, 0, 0, 0, 1, 0x80, 0}
	body = append(append(body, bytes.Repeat([]byte{0xff}, 4096)...), 0, 17, 1, 0, 1)
	return append(keyPacket(6, body), keyPacket(13, []byte("Acme <psirt@acme.example>"))...)
}

// secretFile is a person's secret key; stub leaves out the secret, as GnuPG
// does for a key on a card.
func secretFile(t *testing.T, p *mailtest.Person, stub bool) []byte {
	t.Helper()
	var b bytes.Buffer
	if !stub {
		if err := p.Entity.SerializePrivateWithoutSigning(&b, nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if err := p.Entity.PrimaryKey.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	o, err := packet.NewOpaqueReader(&b).Next()
	if err != nil {
		t.Fatal(err)
	}
	dummy := []byte{0xff, 0, 101, 0, 'G', 'N', 'U', 1} // S2K 101: "gnu-dummy", no secret follows
	return append(keyPacket(5, append(o.Contents, dummy...)), keyPacket(13, []byte("Acme <psirt@acme.example>"))...)
}

func armored(t *testing.T, kind string, data []byte) []byte {
	t.Helper()
	a, err := keyring.EncodeArmor(kind, data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// onlySigns is a certificate without its encryption subkey.
func onlySigns(t *testing.T, p *mailtest.Person) []byte {
	t.Helper()
	e := *p.Entity
	e.Subkeys = nil
	return serialized(t, &e)
}

func serialized(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Each bad key file has one sentence that names the party and says what to do;
// nothing of it is kept.
func TestS7_BadKeyFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do("vendor add acme " + psirt)
	a, b := w.person("a", psirt), w.person("b", psirt)
	ended := w.person("ended", psirt)
	expires(t, ended, time.Minute)
	w.clock.Advance(time.Hour)
	fa, fb := keyring.Fingerprint(a.Fingerprint()), keyring.Fingerprint(b.Fingerprint())
	both := slices.Concat(a.PublicKey(), []byte("\n"), b.PublicKey())
	for name, row := range map[string]struct {
		file  []byte
		typed keyring.Fingerprint
		want  []string
	}{
		"empty":              {nil, "", []string{"the file is empty", "ask acme for its public key"}},
		"blank":              {[]byte(" \r\n\n"), "", []string{"the file is empty"}},
		"text":               {[]byte("dear desk, our key is on our page"), "", []string{"holds no OpenPGP key; nothing", "ask acme for its public key"}},
		"message":            {armored(t, keyring.ArmorMessage, []byte{0xd2, 1, 1}), "", []string{"holds no OpenPGP key, but a PGP MESSAGE", "ask acme"}},
		"signature":          {armored(t, "PGP SIGNATURE", []byte{0xc2, 1, 4}), "", []string{"but a PGP SIGNATURE"}},
		"packets":            {[]byte{0xc6, 200, 3}, "", []string{"cannot be read as an OpenPGP key", "ask acme"}},
		"several":            {both, "", []string{"holds 2 keys", fa.Spaced(), fb.Spaced(), "name acme's with --confirm FINGERPRINT, or split the file"}},
		"one is huge":        {slices.Concat(w.bytes(a), hugeRSA()), "", []string{"holds 2 keys", fa.Spaced(), "RSA 32768 is larger than"}},
		"typed elsewhere":    {both, "0123456789012345678901234567890123456789", []string{"holds no key with the fingerprint 0123 4567", "only " + fa.Spaced(), "with acme again"}},
		"secret":             {secretFile(t, a, false), "", []string{"this is a secret key", "tell acme to treat it as burnt: revoke it and make a new one"}},
		"secret, typed":      {secretFile(t, a, false), fa, []string{"this is a secret key"}},
		"secret, armored":    {armored(t, keyring.ArmorSecretKey, secretFile(t, a, false)), "", []string{"this is a secret key", "burnt"}},
		"secret, behind":     {slices.Concat(a.PublicKey(), []byte("\n"), armored(t, keyring.ArmorSecretKey, secretFile(t, b, false))), fa, []string{"this is a secret key"}},
		"secret, as public":  {armored(t, keyring.ArmorPublicKey, secretFile(t, a, false)), "", []string{"this is a secret key"}},
		"on a card":          {secretFile(t, a, true), "", []string{"this is a secret key", "burnt"}},
		"on a card, armored": {armored(t, keyring.ArmorSecretKey, secretFile(t, a, true)), "", []string{"this is a secret key"}},
		"huge":               {hugeRSA(), "", []string{"the key of acme cannot be used: key ", "RSA 32768 is larger than the 8192 bits that are read", "ask acme for another key"}},
		"ended":              {ended.PublicKey(), "", []string{"expired on 2026-12-01", "can neither be encrypted to nor verify", "ask acme for another key"}},
	} {
		got, err := w.desk.ImportKey(theOperator, "acme", row.file, row.typed)
		if err == nil {
			t.Errorf("%s: it was taken: %+v", name, got)
			continue
		}
		for _, word := range row.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q lacks %q", name, err, word)
			}
		}
		if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "acme") || !strings.Contains(err.Error(), "nothing was imported") {
			t.Errorf("%s: not one sentence that names the party and what was done: %q", name, err)
		}
	}
	w.view(func(tx *store.Tx) error {
		if keys, err := ownerKeys(tx, "acme"); err != nil || len(keys) != 0 {
			t.Errorf("%d keys are kept, %v", len(keys), err)
		}
		return nil
	})
}

// What is taken is told with what a person should know of it.
func TestS7_KeyFilesTaken(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		person string
		file   func(t *testing.T, p, other *mailtest.Person) []byte
		typed  bool
		trust  keyring.Trust
		want   string // what is said; "" for nothing
	}{
		"claimed":   {psirt, func(_ *testing.T, p, _ *mailtest.Person) []byte { return p.PublicKey() }, false, keyring.Claimed, ""},
		"confirmed": {psirt, func(_ *testing.T, p, _ *mailtest.Person) []byte { return p.PublicKey() }, true, keyring.Confirmed, ""},
		"binary":    {psirt, func(t *testing.T, p, _ *mailtest.Person) []byte { return serialized(t, p.Entity) }, false, keyring.Claimed, ""},
		"one of two": {psirt, func(_ *testing.T, p, o *mailtest.Person) []byte {
			return slices.Concat(o.PublicKey(), []byte("\n"), p.PublicKey())
		}, true, keyring.Confirmed, "left out: "},
		"only signs":      {psirt, onlySignsOf, false, keyring.Claimed, "nothing can be encrypted to it (key "},
		"stranger":        {"x@elsewhere.example", func(_ *testing.T, p, _ *mailtest.Person) []byte { return p.PublicKey() }, false, keyring.Claimed, "its user IDs name x@elsewhere.example, and none of acme's addresses (psirt@acme.example)"},
		"stranger, typed": {"x@elsewhere.example", func(_ *testing.T, p, _ *mailtest.Person) []byte { return p.PublicKey() }, true, keyring.Confirmed, "make sure that it is acme's key"},
	} {
		w := newWorld(t)
		w.do("vendor add acme " + psirt)
		p, other := w.person("p", row.person), w.person("other", psirt)
		typed := keyring.Fingerprint("")
		if row.typed {
			typed = keyring.Fingerprint(p.Fingerprint())
		}
		got, err := w.desk.ImportKey(theOperator, "acme", row.file(t, p, other), typed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		said := strings.Join(got.Said, "\n")
		if got.Key.Trust != row.trust || got.Key.Fingerprint != keyring.Fingerprint(p.Fingerprint()) || !strings.Contains(said, row.want) || row.want == "" && said != "" {
			t.Errorf("%s: %s %s, said %q", name, got.Key.Fingerprint, got.Key.Trust, said)
		}
		if strings.Contains(row.want, "left out") && !strings.Contains(said, keyring.Fingerprint(other.Fingerprint()).Spaced()) {
			t.Errorf("%s: %q does not name the other", name, said)
		}
		w.view(func(tx *store.Tx) error {
			if keys, err := ownerKeys(tx, "acme"); err != nil || len(keys) != 1 {
				t.Errorf("%s: %d keys are kept, %v", name, len(keys), err)
			}
			return nil
		})
	}
}

func onlySignsOf(t *testing.T, p, _ *mailtest.Person) []byte { return onlySigns(t, p) }

// The end of a key that is known is news, though the key is of no use any more.
func TestS7_RevokedCopyIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	w.clock.Advance(time.Hour)
	w.revokes(acme)
	got, err := w.desk.ImportKey(theOperator, "acme", acme.PublicKey(), "")
	if err != nil || !strings.Contains(strings.Join(got.Said, ""), "revoked on 2026-12-01") {
		t.Fatalf("%q, %v", got.Said, err)
	}
	if list := w.do("key list acme"); !strings.Contains(list, "cannot be used: ") {
		t.Errorf("key list: %s", list)
	}
	w.do("key reject acme " + acme.Fingerprint())
	if _, err := w.desk.ImportKey(theOperator, "acme", acme.PublicKey(), keyring.Fingerprint(acme.Fingerprint())); err == nil || !strings.Contains(err.Error(), "is rejected") {
		t.Errorf("a file undoes a rejection: %v", err)
	}
}

// A key that comes by mail has the same sentences in Keys.
func TestS7_KeysByMail(t *testing.T) {
	t.Parallel()
	w, id := keyless(t, func(*world, *mailtest.Person) {})
	globex := w.people["globex"]
	w.steps(time.Hour, 2*time.Hour)
	contact := w.mails(globex)[0]
	stray, signs := w.person("stray", "x@elsewhere.example"), w.person("signs", globex.Address)
	file := slices.Concat(stray.PublicKey(), []byte("\n"), armored(t, keyring.ArmorPublicKey, onlySigns(t, signs)))
	w.arrives(globex.Address, w.ReportAddress(), mailtest.Plain(globex.Address, w.ReportAddress(), "our keys", string(file), w.clock.Now(),
		mailtest.Field{Name: "In-Reply-To", Value: contact.Outer.Get("Message-ID")}))
	w.settle()
	text := unwrapped(w.text("Keys"))
	for _, word := range []string{"key confirm globex " + stray.Fingerprint(), "none of globex's addresses", "key confirm globex " + signs.Fingerprint(), "nothing can be encrypted to it", "ask globex for another key"} {
		if !strings.Contains(text, word) {
			t.Errorf("Keys lacks %q:\n%s", word, text)
		}
	}
	_ = id
}

// burntNotes are the notes to an address to treat a key as burnt.
func (w *world) burntNotes(p *mailtest.Person) []letterGot {
	w.t.Helper()
	return slices.DeleteFunc(w.notesTo(p, p.Address), func(l letterGot) bool { return !strings.Contains(l.Text, "treat it as burnt") })
}

// Whoever mailed a secret key is told to treat it as burnt, once a day and with
// nothing of a case; the desk gets a task. In clear, where it is worst, the mail
// is in Quarantine, and is answered no less.
func TestM4_SecretKeyByMail(t *testing.T) {
	t.Parallel()
	for _, clear := range []bool{false, true} {
		w := newWorld(t)
		id := w.started("acme")
		acme, to := w.people["acme"], w.thread(id, "acme")
		f := keyring.Fingerprint(acme.Fingerprint())
		block := string(armored(t, keyring.ArmorSecretKey, secretFile(t, acme, false)))
		for i := range 2 {
			text := fmt.Sprintf("our key, %d\n\n%s", i, block)
			raw := w.seal(acme, to, true, mailtest.Entity("key", text))
			if clear {
				raw = mailtest.Plain(psirt, to, "key", text, w.clock.Now())
			}
			w.arrives(psirt, to, raw)
			w.settle()
		}
		notes := w.burntNotes(acme)
		if len(notes) != 1 || !strings.Contains(notes[0].Text, f.Spaced()) {
			t.Fatalf("in clear %t: %d notes", clear, len(notes))
		}
		if word := notes[0].find([]string{string(id), w.participant(id, "acme").Token, "case+", "heads-up", "embargo", w.DeskDomain}); word != "" {
			t.Errorf("the note holds %q", word)
		}
		if w.countIn("Keys", "acme mailed a secret key") != 1 || !strings.Contains(w.text("Keys"), "key reject acme "+string(f)) {
			t.Errorf("Keys holds %q", w.subjects("Keys"))
		}
	}
}

// A finder who sends the secret key along is told so, and its receipt is not
// encrypted to that key.
func TestS7_ReportWithASecretKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jo := w.person("jo", "jo@finder.example")
	block := string(armored(t, keyring.ArmorSecretKey, secretFile(t, jo, false)))
	w.arrives(jo.Address, reportTo, w.seal(jo, reportTo, true, mailtest.Entity("a flaw", "both halves\n",
		mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(jo.PublicKey())},
		mailtest.File{Name: "secret.asc", Type: "application/octet-stream", Data: block})))
	w.settle()
	if n := len(w.burntNotes(jo)); n != 1 {
		t.Errorf("%d notes", n)
	}
	for _, m := range w.sink.To(jo.Address) {
		if strings.Contains(string(m.Raw), "multipart/encrypted") {
			t.Errorf("something is encrypted to a burnt key:\n%s", m.Raw)
		}
	}
	if n := len(w.sink.To(jo.Address)); n != 2 {
		t.Errorf("%d mails; want the note and how to write", n)
	}
}

// A key that is on record for two parties is said to be, with both named and
// how far each is trusted.
func TestS7_OneKeyOfTwoParties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	w.do("vendor add globex psirt@globex.example")
	line := "key confirm globex " + acme.Fingerprint() + " evidence phone"
	const want = "the same key is on record for acme (confirmed): whoever holds it reads what goes to each of them"
	got, err := w.desk.ImportKey(theOperator, "globex", acme.PublicKey(), "")
	if err != nil || !slices.ContainsFunc(got.Said, func(s string) bool { return strings.HasPrefix(s, want) }) {
		t.Errorf("import said %q, %v", got.Said, err)
	}
	if said := w.do(line); !strings.Contains(said, want) || !strings.Contains(said, "key reject globex "+acme.Fingerprint()) {
		t.Errorf("confirm said %s", said)
	}
	other := w.another("acme", "other", psirt)
	if said := w.do("key confirm acme " + other.Fingerprint() + " evidence phone"); strings.Contains(said, "the same key") {
		t.Errorf("of a key of one party it says %s", said)
	}
}

// A file with a rejected key changes nothing, and says so.
func TestImport_RejectedStaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	w.do("key reject acme " + acme.Fingerprint())
	got, err := w.desk.ImportKey(theOperator, "acme", acme.PublicKey(), "")
	if err != nil || got.Key.Trust != keyring.Rejected || !slices.ContainsFunc(got.Said, func(s string) bool { return strings.HasPrefix(s, "a coordinator rejected it, and it is not used") }) {
		t.Errorf("%s, said %q, %v", got.Key.Trust, got.Said, err)
	}
}

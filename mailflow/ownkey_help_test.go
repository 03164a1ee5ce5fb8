package mailflow

import (
	"bytes"
	"net/mail"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// rotates makes our next key.
func (w *world) rotates(signs, expires time.Time) OwnKey {
	w.t.Helper()
	k, err := w.RotateKey(theOperator, Rotation{Algorithm: keyring.Ed25519, Signs: signs, Expires: expires})
	if err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	return k
}

// retires destroys the secret of an old key.
func (w *world) retires(f keyring.Fingerprint) error {
	_, err := w.RetireKey(theOperator, f, func(s store.Scope) error { return w.Store.Shred(s, w.unlock) })
	return err
}

// fpr is the fingerprint of the key that signs.
func (w *world) fpr() keyring.Fingerprint { return w.signer().Certificate().Fingerprint() }

// ownedMail is a mail of ours, with what it says of our keys.
type ownedMail struct {
	*mailtest.Opened
	Autocrypt string
	Attached  []*keyring.Certificate
}

// received opens what came for a person, whichever of our keys signed it.
func (w *world) received(name string) []ownedMail {
	w.t.Helper()
	ours, err := w.Own.Export()
	if err != nil {
		w.t.Fatal(err)
	}
	p := w.people[name]
	var out []ownedMail
	for _, m := range w.sink.To(p.Address) {
		o, err := p.Open(m.Raw, ours)
		if err != nil {
			w.t.Fatalf("%s cannot open a mail: %v", name, err)
		}
		outer, err := mail.ReadMessage(bytes.NewReader(m.Raw))
		if err != nil {
			w.t.Fatal(err)
		}
		certs, err := keyring.ParseCertificates([]byte(o.Files["our-key.asc"]))
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, ownedMail{o, strings.Join(strings.Fields(outer.Header.Get("Autocrypt")), ""), certs})
	}
	return out
}

// newest are the mails that came after a number of others.
func (w *world) newest(name string, before, want int) []ownedMail {
	w.t.Helper()
	all := w.received(name)
	if len(all) != before+want {
		w.t.Fatalf("%s has %d mails, want %d", name, len(all), before+want)
	}
	return all[before:]
}

// speaksOf wants a mail to be of one piece: signed by a key which its text, its
// attachment and its Autocrypt field name first, and the attachment to hold
// exactly these keys.
func (m ownedMail) speaksOf(w *world, keys ...*keyring.Certificate) {
	w.t.Helper()
	first := keys[0].Fingerprint()
	if m.Signer != string(first) {
		w.t.Errorf("%q is signed by %s, not %s", m.Subject, m.Signer, first)
	}
	var got, want []keyring.Fingerprint
	for _, c := range m.Attached {
		got = append(got, c.Fingerprint())
	}
	for _, c := range keys {
		want = append(want, c.Fingerprint())
	}
	if len(got) != len(want) {
		w.t.Fatalf("%q brings %s, not %s", m.Subject, got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			w.t.Errorf("%q brings %s, not %s", m.Subject, got, want)
		}
	}
	if !strings.HasSuffix(m.Autocrypt, strings.ReplaceAll(autocrypt("", m.Attached[0].Minimal()), " ", "")[len("addr="):]) {
		w.t.Errorf("%q: Autocrypt has another key: %s", m.Subject, m.Autocrypt)
	}
	if foot := "Our key (attached): " + first.Spaced(); !strings.Contains(m.Text, foot) {
		w.t.Errorf("%q does not say %q:\n%s", m.Subject, foot, m.Text)
	}
}

// asOurs reads a person's key as a secret of package keyring, which names the
// recipients that a signature is meant for.
func (w *world) asOurs(p *mailtest.Person) *keyring.Secret {
	w.t.Helper()
	var b bytes.Buffer
	if err := p.Entity.SerializePrivateWithoutSigning(&b, nil); err != nil {
		w.t.Fatal(err)
	}
	s, err := keyring.ParseSecret(b.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// writesTo mails to an address of ours, encrypted to one of our keys and meant
// for it.
func (w *world) writesTo(c *keyring.Certificate, name, to, text string) []byte {
	w.t.Helper()
	p := w.people[name]
	sealed, err := keyring.Encrypt(mailtest.Entity("Re: hello", text), []*keyring.Certificate{c}, w.asOurs(p), w.clock.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	armored, err := keyring.EncodeArmor(keyring.ArmorMessage, sealed)
	if err != nil {
		w.t.Fatal(err)
	}
	raw := mailtest.PGPMIME(p.Address, to, w.clock.Now(), armored)
	w.arrives(p.Address, to, raw)
	w.settle()
	return raw
}

// signatureIn is what the newest mail of a thread says of its signature.
func (w *world) signatureIn(id cvd.CaseID, sub string) string {
	w.t.Helper()
	return w.says(w.last(w.folderOf(id, sub)), "Parley-Signature")
}

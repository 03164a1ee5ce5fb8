package mailflow

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// A receipt is encrypted only to a key that came inside the encryption and
// signed the whole of it; else the answer says nothing but how to write.
func TestS7_Receipt(t *testing.T) {
	t.Parallel()
	key := func(p *mailtest.Person) mailtest.File {
		return mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(p.PublicKey())}
	}
	type people struct{ finder, other *mailtest.Person }
	for name, c := range map[string]struct {
		raw    func(*world, people) []byte
		sealed bool
	}{
		"inside, and signed": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, true, mailtest.Entity("canarysubject", "canarytext", key(p.finder)))
		}, true},
		"inside, with another's beside it": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, true, mailtest.Entity("canarysubject", "canarytext", key(p.other), key(p.finder)))
		}, true},
		"pasted inside, and signed": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, true, mailtest.Entity("canarysubject", "canarytext\n"+string(p.finder.PublicKey())))
		}, true},
		"inside, multipart/signed": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, false, w.signedEntity(p.finder, mailtest.Entity("canarysubject", "canarytext", key(p.finder))))
		}, true},
		"inside, not signed": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, false, mailtest.Entity("canarysubject", "canarytext", key(p.finder)))
		}, false},
		"inside, signed by another key": {func(w *world, p people) []byte {
			raw := w.seal(p.other, reportTo, true, mailtest.Entity("canarysubject", "canarytext", key(p.finder)))
			return bytes.Replace(raw, []byte("From: "+p.other.Address), []byte("From: "+p.finder.Address), 1)
		}, false},
		"inside, only a part is signed": {func(w *world, p people) []byte {
			return w.seal(p.finder, reportTo, false, mixed("canarysubject", string(w.signedEntity(p.finder, mailtest.Entity("", "canarytext"))), "Content-Type: application/pgp-keys\r\n\r\n"+string(p.finder.PublicKey())))
		}, false},
		"outside, Autocrypt": {func(w *world, p people) []byte {
			var b strings.Builder
			_ = p.finder.Entity.Serialize(&b) // into memory
			return w.seal(p.finder, reportTo, true, mailtest.Entity("canarysubject", "canarytext"),
				mailtest.Field{Name: "Autocrypt", Value: "addr=" + p.finder.Address + "; keydata=" + base64.StdEncoding.EncodeToString([]byte(b.String()))})
		}, false},
		"outside, in clear": {func(w *world, p people) []byte {
			return append([]byte("From: "+p.finder.Address+"\r\n"), mailtest.Entity("canarysubject", "canarytext", key(p.finder))...)
		}, false},
		"outside, in clear and signed": {func(w *world, p people) []byte {
			return w.signedEntity(p.finder, mailtest.Entity("", "canarytext", key(p.finder)), mailtest.Field{Name: "From", Value: p.finder.Address}, mailtest.Field{Name: "Subject", Value: "canarysubject"})
		}, false},
		"beside an encrypted piece": {func(w *world, p people) []byte {
			block := sealTo(w.t, []byte("canarytext\n"+string(p.finder.PublicKey())), w.ourKey(), p.finder.Entity, &packet.Config{Time: w.clock.Now})
			return mailtest.Plain(p.finder.Address, reportTo, "canarysubject", "Hello\n"+string(block), w.clock.Now())
		}, false},
		"one file, and a text in clear": {func(w *world, p people) []byte {
			return w.fileMail(p.finder, "Please see the file.", w.sealedFile(p.finder, p.finder, "report.txt.asc"))
		}, true},
		"one file alone": {func(w *world, p people) []byte {
			f := w.sealedFile(p.finder, p.finder, "report.asc")
			return fmt.Appendf(nil, "From: %s\r\nSubject: canarysubject\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=report.asc\r\n\r\n%s", p.finder.Address, f.Data)
		}, true},
		"one file, signed by another key": {func(w *world, p people) []byte {
			return w.fileMail(p.finder, "Please see the file.", w.sealedFile(p.other, p.finder, "report.asc"))
		}, false},
		"one file, its key beside it": {func(w *world, p people) []byte {
			f := mailtest.File{Name: "report.asc", Type: "application/octet-stream",
				Data: string(sealTo(w.t, []byte("canarytext\n"), w.ourKey(), p.finder.Entity, &packet.Config{Time: w.clock.Now}))}
			return w.fileMail(p.finder, "My key:\n"+string(p.finder.PublicKey()), f)
		}, false},
		"two files": {func(w *world, p people) []byte {
			return w.fileMail(p.finder, "Please see the files.", w.sealedFile(p.finder, p.finder, "report.asc"), w.sealedFile(p.finder, p.finder, "more.asc"))
		}, false},
		"one file beside one in clear": {func(w *world, p people) []byte {
			return w.fileMail(p.finder, "Please see the files.", w.sealedFile(p.finder, p.finder, "report.asc"), mailtest.File{Name: "notes.txt", Type: "text/plain", Data: "canarytext"})
		}, false},
		"inside, cannot be encrypted to": {func(w *world, p people) []byte {
			p.finder.Entity.Subkeys = nil
			return w.seal(p.finder, reportTo, true, mailtest.Entity("canarysubject", "canarytext", key(p.finder)))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := people{w.person("finder", "someone@finder.example"), w.person("other", "other@x.example")}
			raw := c.raw(w, p)
			w.arrives(p.finder.Address, reportTo, raw)
			w.settle()
			w.one("Intake")
			sent := w.sink.Mails()
			if len(sent) != 1 || sent[0].To != p.finder.Address {
				t.Fatalf("%d mails left", len(sent))
			}
			if clear := !strings.Contains(string(sent[0].Raw), "multipart/encrypted"); clear == c.sealed {
				t.Fatalf("encrypted: %v, want %v", !clear, c.sealed)
			}
			if !c.sealed {
				w.isHowTo(p.finder, sent[0], raw)
				return
			}
			l := w.opened(p.finder, sent[0])
			if len(l.Keys) != 1 {
				t.Errorf("it is encrypted to %d keys", len(l.Keys))
			}
			w.isReceipt(l, raw)
		})
	}
}

// sealedFile is a report as a file, encrypted to us, that holds a key and is signed
// by somebody.
func (w *world) sealedFile(by, key *mailtest.Person, name string) mailtest.File {
	w.t.Helper()
	data := sealTo(w.t, []byte("canarytext\n"+string(key.PublicKey())), w.ourKey(), by.Entity, &packet.Config{Time: w.clock.Now})
	return mailtest.File{Name: name, Type: "application/octet-stream", Data: string(data)}
}

// fileMail is a mail in clear with files.
func (w *world) fileMail(from *mailtest.Person, text string, files ...mailtest.File) []byte {
	return append([]byte("From: "+from.Address+"\r\n"), mailtest.Entity("canarysubject", text, files...)...)
}

// isReceipt checks what a receipt says (product.md section 3).
func (w *world) isReceipt(l letterGot, raw []byte) {
	w.t.Helper()
	sum := sha256.Sum256(raw)
	if !strings.Contains(l.Subject, "intake-1") {
		w.t.Errorf("the Subject inside is %q", l.Subject)
	}
	for _, want := range []string{hex.EncodeToString(sum[:]), "A person will read it by Thu 3 December 2026", "What comes next", "/policy"} {
		if !strings.Contains(unwrapped(l.Text), want) {
			w.t.Errorf("the receipt does not say %q:\n%s", want, l.Text)
		}
	}
	if word := l.find([]string{"canary"}); word != "" {
		w.t.Errorf("the receipt quotes the report:\n%s", l.Text)
	}
	if !strings.HasPrefix(l.From, "bounce+") || !strings.HasPrefix(l.Outer.Get("From"), "case+") || l.Outer.Get("Subject") != w.Subject {
		w.t.Errorf("From %s, envelope %s, Subject %s", l.Outer.Get("From"), l.From, l.Outer.Get("Subject"))
	}
}

// isHowTo checks an answer that may be read by everybody: signed, our key, three
// steps, and nothing of the mail that it answers.
func (w *world) isHowTo(p *mailtest.Person, m mailtest.Received, raw []byte) {
	w.t.Helper()
	l := w.opened(p, m)
	for _, want := range []string{"1. ", "2. ", "3. ", w.signer().Certificate().Fingerprint().Spaced()[:4]} {
		if !strings.Contains(l.Text, want) {
			w.t.Errorf("the how-to does not say %q:\n%s", want, l.Text)
		}
	}
	if l.Files["our-key.asc"] == "" {
		w.t.Error("our key is not attached")
	}
	if word := l.find([]string{"canary", "my-key.asc", "case+"}); word != "" {
		w.t.Errorf("the how-to holds %q:\n%s", word, l.Raw)
	}
	if l.Outer.Get("In-Reply-To")+l.Outer.Get("References") != "" {
		w.t.Error("the how-to names the mail that it answers")
	}
	if l.Outer.Get("From") != reportTo {
		w.t.Errorf("From %s", l.Outer.Get("From"))
	}
}

// Who does what the how-to asks for, and answers it, gets an encrypted receipt.
func TestS7_HowToLeadsToAReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, mailtest.Entity("first", "no key inside")))
	w.settle()
	howTo := w.mails(f)[0]
	answer := []mailtest.Field{{Name: "In-Reply-To", Value: howTo.Outer.Get("Message-ID")}, {Name: "References", Value: howTo.Outer.Get("Message-ID")}}
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, withKey(f, "second", "with my key"), answer...))
	w.settle()
	all := w.mails(f)
	if len(all) != 2 || all[1].Clear {
		t.Fatalf("%d answers; Intake %q, Quarantine %q", len(all), w.subjects("Intake"), w.subjects("Quarantine"))
	}
	// From here on its key is known, and another one is not taken for it.
	thief := w.person("thief", f.Address)
	answer[0].Value = all[1].Outer.Get("Message-ID")
	w.arrives(f.Address, reportTo, w.seal(thief, reportTo, true, withKey(thief, "third", "with my key"), answer...))
	w.settle()
	if len(w.sink.To(f.Address)) != 2 || len(w.filed("Quarantine")) != 1 {
		t.Errorf("%d answers; Quarantine %q", len(w.sink.To(f.Address)), w.subjects("Quarantine"))
	}
	// Nor does anybody who knows the Message-ID of a how-to get into its thread.
	w.arrives("x@evil.example", reportTo, w.seal(w.person("evil", "x@evil.example"), reportTo, false, mailtest.Entity("x", "y"), answer[1]))
	if s := w.last("Intake"); s.Report != 3 {
		t.Errorf("it is filed with report %d", s.Report)
	}
}

// The finder's thread: it answers the receipt, the report becomes a case, and it
// answers again.
func TestFinderThread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	r := w.reported(f, "Heap overflow", "It overflows.")
	to := w.ThreadAddress(r.Token)
	w.arrives(f.Address, to, w.seal(f, to, true, mailtest.Entity("Re: more", "more details")))
	if n := len(w.filed("Intake")); n != 2 {
		t.Fatalf("Intake holds %d mails, Quarantine %q", n, w.subjects("Quarantine"))
	}
	if m := w.last("Intake"); !strings.HasPrefix(w.says(m, "Parley-Signature"), "good; party=finder; key="+f.Fingerprint()+"; trust=claimed") || m.Report != r.Number {
		t.Errorf("%s, report %d", w.says(m, "Parley-Signature"), m.Report)
	}
	out := w.do(`case open "Heap overflow" report 1`)
	id := cvd.FindCaseIDs(out)[0]
	if n := w.cameIn(w.folderOf(id, "Finder")); n != 2 || len(w.filed("Intake")) != 0 {
		t.Errorf("%d mails moved, Intake %q", n, w.subjects("Intake"))
	}
	w.arrives(f.Address, to, w.seal(f, to, true, mailtest.Entity("Re: again", "and more")))
	receipt := w.got("finder")[0]
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, mailtest.Entity("Re: at report@", "and more"),
		mailtest.Field{Name: "In-Reply-To", Value: header(receipt.Inner, "Message-ID")}))
	if n := w.cameIn(w.folderOf(id, "Finder")); n != 4 {
		t.Errorf("the thread has %d mails; Quarantine %q, Intake %q", n, w.subjects("Quarantine"), w.subjects("Intake"))
	}
	if n := len(w.sink.To(f.Address)); n != 1 {
		t.Errorf("%d answers", n)
	}
}

func header(entity []byte, name string) string {
	for line := range strings.Lines(unfold(entity)) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// A key that is known to be revoked gets no receipt, though an older copy of it
// came inside.
func TestS7_RevokedKeyInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	before := withKey(f, "x", "y")
	revoked := revokedCopy(t, f, w.clock.Now)
	w.vendor("acme")
	w.update(func(tx *store.Tx) error {
		return w.addKey(tx, "acme", keyring.Pinned{Fingerprint: revoked.Fingerprint(), Trust: keyring.Claimed, Cert: revoked.Bytes()})
	})
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, true, before))
	w.settle()
	if sent := w.mails(f); len(sent) != 1 || !sent[0].Clear {
		t.Errorf("%d answers", len(sent))
	}
	if got := w.says(w.one("Intake"), "Parley-Signature"); got != "bad; reason=key-revoked" {
		t.Errorf("%s", got)
	}
}

func revokedCopy(t *testing.T, p *mailtest.Person, now func() time.Time) *keyring.Certificate {
	t.Helper()
	list, err := openpgp.ReadArmoredKeyRing(strings.NewReader(string(p.PublicKey())))
	if err != nil {
		t.Fatal(err)
	}
	e := list[0]
	e.PrivateKey = p.Entity.PrivateKey
	if err := e.RevokeKey(packet.KeyCompromised, "", &packet.Config{Time: now}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	certs, err := keyring.ParseCertificates([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

package mailflow

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// letters counts the mails of a folder that came in.
func (w *world) cameIn(folder string) int {
	w.t.Helper()
	n := 0
	for _, m := range w.filed(folder) {
		if m.Direction == "in" {
			n++
		}
	}
	return n
}

// proposals is how often acme's PROPOSE counted.
func (w *world) proposals(id cvd.CaseID) int {
	w.t.Helper()
	return len(w.who(id, "acme").Proposals)
}

func propose(id cvd.CaseID) []byte {
	return mailtest.Entity("["+string(id)+"]", "PROPOSE 2026-12-20 we are busy\n")
}

// outer writes other header fields over the same body.
func outer(raw []byte, from string, more string) []byte {
	_, body, _ := bytes.Cut(raw, []byte("\r\nMIME-Version:"))
	return append([]byte("From: "+from+"\r\nSubject: other\r\nMessage-ID: <other@x.example>\r\n"+more+"MIME-Version:"), body...)
}

// The same mail again is acknowledged each time, and stored once.
func TestT7_SameMailAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	raw := w.seal(f, reportTo, true, withKey(f, "Heap overflow", "x"))
	for range 3 {
		w.arrives(f.Address, reportTo, raw)
	}
	w.accepts(f.Address, raw, reportTo)
	w.accepts(f.Address, raw, "REPORT@VDP.example.org", reportTo)
	rows, err := w.intake.spooled(0)
	if err != nil || len(rows) != 2 {
		t.Fatal(len(rows), err)
	}
	w.process()
	w.settle()
	for _, r := range rows {
		if _, err := w.Store.Bytes(r.Body); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the bytes of a duplicate stay: %v", err)
		}
	}
	w.one("Intake")
	if n := len(w.sink.To(f.Address)); n != 1 {
		t.Errorf("%d receipts", n)
	}
	if n := w.journalled("mail.duplicate"); n != 4 {
		t.Errorf("%d duplicates in the journal, want 4", n)
	}
	plain := mailtest.Plain("a@x.example", reportTo, "x", "y", w.clock.Now())
	broken := []byte("not a message")
	for range 2 {
		w.arrives("a@x.example", reportTo, plain)
		w.arrives("b@x.example", reportTo, broken)
	}
	if len(w.filed("Intake")) != 2 || len(w.filed("Quarantine")) != 1 {
		t.Errorf("Intake %q, Quarantine %q", w.subjects("Intake"), w.subjects("Quarantine"))
	}
	report, err := w.Store.Verify(t.Context())
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %v", err, report.Problems)
	}
}

// A vendor's mail that comes twice counts once.
func TestS6_SameCommandAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	raw := w.seal(acme, to, true, propose(id))
	folder := w.folderOf(id, "Vendor acme")
	w.arrives(acme.Address, to, raw)
	w.arrives(acme.Address, to, raw)
	w.arrives(acme.Address, to, outer(raw, acme.Address, "In-Reply-To: <a@b>\r\n")) // the same ciphertext in another envelope
	if n := w.cameIn(folder); n != 1 || w.proposals(id) != 1 {
		t.Errorf("%d mails, %d proposals", n, w.proposals(id))
	}
	// The same words, written again, are another mail.
	w.clock.Advance(time.Minute)
	w.arrives(acme.Address, to, w.seal(acme, to, true, propose(id)))
	if n := w.cameIn(folder); n != 2 || w.proposals(id) != 2 {
		t.Errorf("%d mails, %d proposals", n, w.proposals(id))
	}
}

// The same ciphertext from somebody else goes to Quarantine, and nobody is
// answered.
func TestS6_CiphertextFromSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	raw := w.seal(f, reportTo, true, withKey(f, "Heap overflow", "x"))
	w.arrives(f.Address, reportTo, raw)
	stolen := outer(raw, "thief@evil.example", "")
	w.arrives("thief@evil.example", reportTo, stolen)
	m := w.quarantined(0, stolen, "same ciphertext")
	if m.Party != "" {
		t.Errorf("it belongs to %s", m.Party)
	}
	id := w.started("acme")
	to := w.thread(id, "acme")
	w.arrives("thief@evil.example", to, outer(raw, "thief@evil.example", "X: y\r\n"))
	w.settle()
	if len(w.filed("Quarantine")) != 2 || len(w.filed("Intake")) != 1 || len(w.sink.To("thief@evil.example")) != 0 || len(w.sink.To(f.Address)) != 1 {
		t.Errorf("Quarantine %q, Intake %q", w.subjects("Quarantine"), w.subjects("Intake"))
	}
	// Armored anew and wrapped differently, it is the same ciphertext.
	bare := mailtest.Outer("thief@evil.example", reportTo, "x", w.clock.Now(), nil, string(raw[bytes.Index(raw, []byte("-----BEGIN PGP")):bytes.Index(raw, []byte("-----END PGP"))])+"-----END PGP MESSAGE-----\r\n")
	w.arrives("thief@evil.example", reportTo, bare)
	w.quarantined(2, bare, "same ciphertext")
}

// A signed mail that is encrypted anew is filed, and triggers nothing.
func TestS6_SignatureInNewEncryption(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	signed := w.signedEntity(acme, propose(id))
	folder := w.folderOf(id, "Vendor acme")
	for i := range 3 {
		w.clock.Advance(time.Hour)
		w.arrives(acme.Address, to, w.seal(acme, to, false, signed))
		if n := w.cameIn(folder); n != i+1 || w.proposals(id) != 1 {
			t.Fatalf("%d mails, %d proposals", n, w.proposals(id))
		}
	}
	w.settle()
	if n := len(w.got("acme")); n != 2 { // the notice, and one answer
		t.Errorf("acme has %d mails", n)
	}
}

// A signature of more than 14 days counts for nothing; one of 14 days does.
func TestS6_OldSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	old := mailtest.Entity("["+string(id)+"]", "PROPOSE 2026-12-20 "+w.code("acme")+"\n")
	raws := [][]byte{w.seal(acme, to, true, propose(id)), w.seal(acme, to, true, old)}
	w.clock.Advance(14 * cvd.Day)
	w.arrives(acme.Address, to, raws[0])
	if w.proposals(id) != 1 {
		t.Fatal("a signature of 14 days does not count")
	}
	w.clock.Advance(time.Minute)
	w.arrives(acme.Address, to, raws[1])
	if n := w.cameIn(w.folderOf(id, "Vendor acme")); n != 2 || w.proposals(id) != 1 {
		t.Errorf("%d mails, %d proposals", n, w.proposals(id))
	}
}

// What was signed for somebody else is not replayed to us: a Subject around the
// signed part is not inside it, whoever else signs the whole.
func TestS5_SubjectAroundTheSignedPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to, evil := w.people["acme"], w.thread(id, "acme"), w.person("evil", "x@evil.example")
	elsewhere := w.signedEntity(acme, mailtest.Entity("", "ACK\n\nyour mail to our list.\n"), mailtest.Field{Name: "Subject", Value: "[" + string(id) + "]"})
	raw := func(sign bool) []byte {
		return bytes.Replace(w.seal(evil, to, sign, elsewhere), []byte("From: x@evil.example"), []byte("From: psirt@acme.example"), 1)
	}
	w.arrives(evil.Address, to, raw(false))
	if w.who(id, "acme").Acknowledged != nil {
		t.Fatal("the Subject around a signed part counts as signed")
	}
	w = newWorld(t)
	id = w.started("acme")
	acme, to, evil = w.people["acme"], w.thread(id, "acme"), w.person("evil", "x@evil.example")
	elsewhere = w.signedEntity(acme, mailtest.Entity("", "ACK\n\nyour mail to our list.\n"), mailtest.Field{Name: "Subject", Value: "[" + string(id) + "]"})
	w.arrives(evil.Address, to, raw(true))
	if w.who(id, "acme").Acknowledged != nil {
		t.Error("a stranger's signature makes a Subject part of what acme signed")
	}
}

// One encrypted file may come with two letters: neither is lost.
func TestT7_SameFileWithAnotherLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := string(sealTo(t, []byte("proof"), w.ourKey(), nil, &packet.Config{Time: w.clock.Now}))
	for _, text := range []string{"First letter.", "Second letter."} {
		w.arrives("a@x.example", reportTo, mailtest.Plain("a@x.example", reportTo, "x", text+"\n\n"+block, w.clock.Now()))
	}
	all := w.filed("Intake")
	if len(all) != 2 || !strings.Contains(w.words(all[1]), "Second letter.") {
		t.Errorf("Intake %q", w.subjects("Intake"))
	}
	w.arrives("b@x.example", reportTo, mailtest.Plain("b@x.example", reportTo, "x", "Mine.\n\n"+block, w.clock.Now()))
	if len(w.filed("Quarantine")) != 1 {
		t.Error("the same ciphertext from somebody else is not noticed")
	}
}

// A mail to several addresses of ours is filed once in its thread, and its
// command counts once.
func TestT7_SeveralRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	acme, to := w.people["acme"], w.thread(id, "acme")
	raw := w.seal(acme, to, true, propose(id), mailtest.Field{Name: "In-Reply-To", Value: "<" + w.noticeID(id) + ">"})
	w.accepts(acme.Address, raw, reportTo, "Postmaster@VDP.example.org", to, strings.ToUpper(to), w.thread(id, "globex"))
	w.process()
	if n := w.cameIn(w.folderOf(id, "Vendor acme")); n != 1 || w.proposals(id) != 1 {
		t.Errorf("acme's thread has %d mails, %d proposals", n, w.proposals(id))
	}
	if len(w.filed("Intake")) != 0 || len(w.who(id, "globex").Proposals) != 0 || w.cameIn(w.folderOf(id, "Vendor globex")) != 0 {
		t.Error("it is a report, or globex's, too")
	}
	m := w.one("Quarantine") // at globex's address
	if m.Party != "globex" || w.says(m, "Parley-Via") != w.thread(id, "globex") {
		t.Errorf("%s via %s", m.Party, w.says(m, "Parley-Via"))
	}
	desk := w.last("INBOX")
	for _, d := range w.filed("INBOX") {
		if d.Kind == "desk" {
			desk = d
		}
	}
	if got := w.says(desk, "Parley-Via"); got != "postmaster@vdp.example.org" {
		t.Errorf("Parley-Via %s", got)
	}
	// A report to two of our addresses.
	f := w.person("finder", "someone@finder.example")
	w.accepts(f.Address, w.seal(f, reportTo, true, withKey(f, "x", "y")), reportTo, "report-key@vdp.example.org", "abuse@vdp.example.org")
	w.process()
	w.settle()
	if len(w.filed("Intake")) != 1 || len(w.sink.To(f.Address)) != 1 {
		t.Errorf("Intake %q, %d answers", w.subjects("Intake"), len(w.sink.To(f.Address)))
	}
}

// noticeID is the Message-ID of the first notice to acme.
func (w *world) noticeID(id cvd.CaseID) string {
	w.t.Helper()
	return w.notice(id, "acme", cvd.HeadsUp).MessageID
}

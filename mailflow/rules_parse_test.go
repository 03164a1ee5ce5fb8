package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// nested is a mail with so many multiparts in each other.
func nested(depth int) []byte {
	var b strings.Builder
	b.WriteString("From: a@x.example\r\nTo: " + reportTo + "\r\nSubject: deep\r\nMIME-Version: 1.0\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%[1]d\r\n\r\n--b%[1]d\r\n", i)
	}
	b.WriteString("Content-Type: text/plain\r\n\r\ncanaryatthebottom\r\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return []byte(b.String())
}

// manyParts is a mail with so many parts.
func manyParts(n int) []byte {
	var b strings.Builder
	b.WriteString("From: a@x.example\r\nTo: " + reportTo + "\r\nSubject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range n {
		b.WriteString("--b\r\n\r\nx\r\n")
	}
	return []byte(b.String() + "--b--\r\n")
}

// What cannot be read or decrypted is kept whole and shown with the reason, and
// nobody is answered.
func TestP10_KeptWholeAndShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finder, other := w.person("finder", "someone@finder.example"), w.person("other", "other@x.example")
	head := "From: a@x.example\r\nTo: " + reportTo + "\r\nSubject: x\r\n"
	sealed := func(entity []byte, to []byte, cfg *packet.Config) []byte {
		return mailtest.PGPMIME(finder.Address, reportTo, w.clock.Now(), sealTo(t, entity, to, nil, cfg))
	}
	cfg := &packet.Config{Time: w.clock.Now}
	good := sealed(mailtest.Entity("x", "y"), w.ourKey(), cfg)
	mails := []struct {
		name, why string
		raw       []byte
	}{
		{"no header", "cannot be read", []byte("\x00\x01\x02 this is no message\r\n\r\nat all\r\n")},
		{"21 levels", "more than 20 levels of nesting", nested(21)},
		{"1001 parts", "more than 1000 parts", manyParts(1001)},
		{"a header of 257 KiB", "octets in a header", []byte(head + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 262) + "\r\nx\r\n")},
		{"101 Received far down", "Received fields", []byte(head + "X-A: " + strings.Repeat("a", 70000) + "\r\n" + strings.Repeat("Received: by x\r\n", 101) + "\r\nx\r\n")},
		{"another key", "cannot be decrypted", sealed(mailtest.Entity("x", "y"), other.PublicKey(), cfg)},
		{"a bomb", "(too-large)", mailtest.PGPMIME(finder.Address, reportTo, w.clock.Now(), bombTo(t, w.ourKey(), 4<<20))},
		{"a changed octet", "cannot be decrypted", changed(good)},
		{"encrypted, says its type", "cannot be decrypted", []byte(head + "MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nnothing\r\n--b--\r\n")},
		{"21 levels inside", "more than 20 levels of nesting", sealed(nested(21), w.ourKey(), cfg)},
	}
	for i, m := range mails {
		w.arrives("a@x.example", reportTo, m.raw)
		t.Run(m.name, func(t *testing.T) {
			w := *w
			w.t = t
			w.quarantined(i, m.raw, m.why)
		})
	}
	// At the edge it is a report like any other.
	small := mailtest.PGPMIME(finder.Address, reportTo, w.clock.Now(), bombTo(t, w.ourKey(), 1<<10))
	for _, raw := range [][]byte{nested(20), manyParts(1000), good, small} {
		w.arrives("a@x.example", reportTo, raw)
	}
	if n := len(w.filed("Intake")); n != 4 {
		t.Errorf("Intake holds %d mails, want 4: %q", n, w.subjects("Quarantine"))
	}
	w.settle()
	if n := len(w.sink.To("a@x.example")) + len(w.sink.To(finder.Address)); n != 4 {
		t.Errorf("%d answers, want one for each report", n)
	}
	if w.waiting() != 0 {
		t.Error("the spool is not empty")
	}
}

// bombTo encrypts a compressed packet that grows to so many octets.
func bombTo(t testing.TB, key []byte, size int) []byte {
	t.Helper()
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &packet.Config{}
	session := make([]byte, cfg.Cipher().KeySize())
	var b bytes.Buffer
	a, err := armor.Encode(&b, "PGP MESSAGE", nil)
	if err != nil {
		t.Fatal(err)
	}
	sub, _ := ring[0].EncryptionKey(storyStart)
	if err := packet.SerializeEncryptedKey(a, sub.PublicKey, cfg.Cipher(), session, cfg); err != nil {
		t.Fatal(err)
	}
	encrypted, err := packet.SerializeSymmetricallyEncrypted(a, cfg.Cipher(), false, packet.CipherSuite{}, session, cfg)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := packet.SerializeCompressed(encrypted, packet.CompressionZLIB, nil)
	if err != nil {
		t.Fatal(err)
	}
	literal, err := packet.SerializeLiteral(packed, true, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := literal.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(literal.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changed turns one character of the ciphertext into another.
func changed(raw []byte) []byte {
	i := bytes.LastIndex(raw, []byte("-----END PGP")) - 200
	out := bytes.Clone(raw)
	if out[i] == '\n' || out[i] == '\r' {
		i += 4
	}
	if out[i] = 'A'; raw[i] == 'A' {
		out[i] = 'B'
	}
	return out
}

// The same holds in a participant's thread, sealed under its case.
func TestP10_InAThread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	to := w.thread(id, "acme")
	raws := [][]byte{[]byte("no message"), nested(21), w.seal(w.people["acme"], to, true, nested(21))}
	for i, raw := range raws {
		w.arrives("psirt@acme.example", to, raw)
		m := w.quarantined(i, raw, "")
		if m.Scope != caseScope(id) || m.Party != "acme" {
			t.Errorf("mail %d is sealed under %s for %q", i, m.Scope, m.Party)
		}
	}
	if n := w.journalled("mail.quarantined"); n != 3 {
		t.Errorf("%d records", n)
	}
}

// A panic in one mail keeps that mail, whole, for a person; the next is
// processed. What panicked is not in the log.
func TestP7_Panic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	log := w.logs()
	report := mailtest.Plain("a@x.example", reportTo, "canarysubject", "canarytext", w.clock.Now())
	w.accepts("a@x.example", report, reportTo)
	desk := mailtest.Plain("b@x.example", "postmaster@vdp.example.org", "hello", "there", w.clock.Now())
	w.accepts("b@x.example", desk, "postmaster@vdp.example.org")

	broken := *w.Base
	broken.Templates = nil // within the transaction: a receipt cannot be written
	if err := (&Intake{Base: &broken}).RunSpool(context.Background()); err != nil {
		t.Fatal(err)
	}
	m := w.quarantined(0, report, "could not be processed")
	if m.Scope != DeskScope || len(w.filed("INBOX")) != 1 || w.waiting() != 0 {
		t.Error("the next mail was not processed")
	}

	second := mailtest.Plain("c@x.example", reportTo, "canarysubject", "canarytext", w.clock.Now())
	w.accepts("c@x.example", second, reportTo)
	broken = *w.Base
	broken.Own = &OwnKeys{} // outside of any transaction: opening it
	if err := (&Intake{Base: &broken}).RunSpool(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.quarantined(1, second, "could not be processed")
	if len(w.filed("Intake")) != 0 || w.waiting() != 0 {
		t.Error("a mail was half processed")
	}
	w.arrives("d@x.example", reportTo, mailtest.Plain("d@x.example", reportTo, "s", "t", w.clock.Now()))
	if len(w.filed("Intake")) != 1 {
		t.Error("the daemon does not go on")
	}
	for _, word := range []string{"canary", "x.example"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log holds %s:\n%s", word, log)
		}
	}
	if !strings.Contains(log.String(), "process mail") {
		t.Error("nothing is logged")
	}
}

// The value of a panic may hold anything of the mail; its kind and place are
// enough (rule H6).
func TestH6_PanicWithoutItsValue(t *testing.T) {
	t.Parallel()
	err := guarded(func() error { panic("canary from a mail") })
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "string") {
		t.Errorf("%v", err)
	}
	if got := guarded(func() error { return context.Canceled }); got != context.Canceled {
		t.Errorf("%v", got)
	}
	w := newWorld(t)
	log := w.logs()
	w.intake.logFailure(7, 1, err)
	if s := log.String(); strings.Contains(s, "canary") || !strings.Contains(s, "TestH6_PanicWithoutItsValue") {
		t.Errorf("%s", s)
	}
}

// A mail that cannot even be kept opaque waits, and does not stop the others.
func TestP7_OneMailDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.accepts("a@x.example", mailtest.Plain("a@x.example", reportTo, "lost", "text", w.clock.Now()), reportTo)
	w.update(func(tx *store.Tx) error {
		row, err := spool.Get(tx, store.Seq(1))
		if err != nil {
			return err
		}
		return tx.Forget(row.Body)
	})
	for i := range 3 {
		from := fmt.Sprintf("a%d@x.example", i)
		w.accepts(from, mailtest.Plain(from, reportTo, "next", "text", w.clock.Now()), reportTo)
	}
	for range 2 {
		if err := w.intake.RunSpool(context.Background()); err == nil {
			t.Error("the mail that cannot be read is not reported")
		}
	}
	if n := len(w.filed("Intake")); n != 3 || w.waiting() != 1 {
		t.Errorf("Intake holds %d mails, %d wait", n, w.waiting())
	}
}

// Each encrypted part is a document of its own: its words never stand among
// those around it.
func TestP1_PartsStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := string(sealTo(t, []byte("canaryinside"), w.ourKey(), nil, &packet.Config{Time: w.clock.Now}))
	w.arrives("a@x.example", reportTo, mailtest.Plain("a@x.example", reportTo, "two worlds", "Before.\n\n"+block+"\nAfter.\n", w.clock.Now()))
	m := w.one("Intake")
	if s := w.subjects("Intake")[0]; s != "#1 [PARTLY CLEAR] two worlds" {
		t.Errorf("Subject %q", s)
	}
	if text := w.words(m); strings.Contains(text, "canaryinside") || !strings.Contains(text, "Before.") || !strings.Contains(text, "parts of it") {
		t.Errorf("%s", text)
	}
	if enc := w.says(m, "Parley-Encryption"); enc != "partly" {
		t.Errorf("Parley-Encryption %q", enc)
	}
	files := attachmentsOf(w.shown(m))
	if len(files) != 1 || string(files[0].Data) != "canaryinside" || files[0].Name != "document-1.txt" || files[0].MediaType != "text/plain" {
		t.Errorf("%+v", files)
	}
}

// A piece that could not be opened is told of.
func TestP10_UnopenedPieces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.person("other", "other@x.example")
	cfg := &packet.Config{Time: w.clock.Now}
	text := string(sealTo(t, []byte("one"), w.ourKey(), nil, cfg)) + "\n" + string(sealTo(t, []byte("two"), other.PublicKey(), nil, cfg))
	w.arrives("a@x.example", reportTo, mailtest.Plain("a@x.example", reportTo, "x", text, w.clock.Now()))
	if got := w.words(w.one("Intake")); !strings.Contains(got, "1 encrypted piece could not be opened") {
		t.Errorf("%s", got)
	}
}

// HTML is a file beside the letter, and what points elsewhere is neither
// fetched nor put together.
func TestP8_NothingIsFetchedOrCombined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := func(kind string) string {
		return "From: a@x.example\r\nTo: " + reportTo + "\r\nSubject: p8\r\nMessage-ID: <" + kind[:9] + "@x.example>\r\nMIME-Version: 1.0\r\nContent-Type: " + kind + "\r\n\r\n"
	}
	mails := []string{
		head(`text/html; charset=utf-8`) + "<p>Hello <img src=\"http://127.0.0.1:1/pixel\"></p><script>canaryscript()</script>\r\n",
		head(`message/partial; id="p@x"; number=1; total=2`) + "Subject: inner\r\n\r\nfirst half\r\n",
		head(`message/partial; id="p@x"; number=2; total=2`) + "second half\r\n",
		head(`message/external-body; access-type=URL; URL="http://127.0.0.1:1/x"`) + "Content-Type: text/plain\r\n\r\n",
	}
	for i, m := range mails {
		w.arrives("a@x.example", reportTo, []byte(strings.Replace(m, "p8", fmt.Sprintf("p8 %d", i), 1)))
	}
	all := w.filed("Intake")
	if len(all) != len(mails) {
		t.Fatalf("Intake holds %d mails, Quarantine %q", len(all), w.subjects("Quarantine"))
	}
	page := w.shown(all[0])
	if page.FirstHTML() != nil || strings.Contains(w.words(all[0]), "canaryscript") || !strings.Contains(w.words(all[0]), "Hello") {
		t.Error("HTML is shown as such")
	}
	for i, half := range []string{"first half", "second half"} {
		raw, err := w.Store.Bytes(all[i+1].Served)
		if err != nil || !bytes.Contains(raw, []byte(half)) {
			t.Errorf("part %d: %v\n%s", i+1, err, raw)
		}
		if bytes.Contains(raw, []byte([]string{"second half", "first half"}[i])) {
			t.Errorf("part %d was put together with the other", i+1)
		}
	}
}

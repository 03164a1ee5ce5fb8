package mailflow

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"parley/keyring/pgpmime"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// piece is a block of armor for us, signed by somebody or not.
func (w *world) piece(text string, by *mailtest.Person) string {
	w.t.Helper()
	armored, err := by.Seal([]byte(text), w.ourKey(), true)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(armored) + "\n"
}

func (w *world) cleartext(text string, by *mailtest.Person) string {
	w.t.Helper()
	var b bytes.Buffer
	c, err := clearsign.Encode(&b, by.Entity.PrivateKey, &packet.Config{Time: w.clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Write([]byte(text)); err != nil {
		w.t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		w.t.Fatal(err)
	}
	return b.String() + "\n"
}

// documentsOf are the fields that speak of a mail's documents.
func (w *world) documentsOf(m store.Message) []string {
	return w.shown(m).Header.Values("Parley-Document")
}

// Each document is named with what it was and what its signatures say, and none
// of it is said of the mail.
func TestP1_DocumentsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.vendor("acme")
	f := w.person("finder", "someone@finder.example")
	fake := "-----BEGIN PGP MESSAGE-----\n\nnone\n-----END PGP MESSAGE-----\n"
	text := "Hello\n" + w.piece("canaryone", f) + w.cleartext("canarytwo", acme) + strings.Replace(w.cleartext("canarythree", acme), "three", "four", 1) + fake
	raw := append([]byte("From: "+f.Address+"\r\nTo: "+reportTo+"\r\nMessage-ID: <1@x>\r\nParley-Document: 9; signature=good\r\n"),
		mailtest.Entity("x", text, mailtest.File{Name: "a\";b\n.asc", Type: "application/octet-stream", Data: w.piece("canaryfive", f)})...)
	w.arrives(f.Address, reportTo, raw)
	m := w.one("Intake")
	got := w.documentsOf(m)
	want := []string{
		`1; name="document-1.txt"; encryption=yes; signature=unknown-key; key=` + f.Fingerprint(),
		`2; name="document-2.txt"; encryption=no; signature=other-party; party=acme; key=` + acme.Fingerprint(),
		`3; name="document-3.txt"; encryption=no; signature=bad; reason=wrong`,
	}
	if len(got) != 4 || strings.Join(got[:3], "\n") != strings.Join(want, "\n") {
		t.Fatalf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasPrefix(got[3], `4; name="`) || strings.Count(got[3], `"`) != 2 || strings.Count(got[3], ";") != 4 {
		t.Errorf("%s", got[3])
	}
	if w.says(m, "Parley-Signature") != "none" || w.says(m, "Parley-Encryption") != "partly" {
		t.Errorf("Parley-Signature %s, Parley-Encryption %s", w.says(m, "Parley-Signature"), w.says(m, "Parley-Encryption"))
	}
	words := unwrapped(w.words(m))
	for _, line := range []string{"Document 1, document-1.txt: a piece that was encrypted by itself. Its signature: unknown-key; key=" + f.Fingerprint() + ".",
		"Document 2, document-2.txt: ", "Document 3, ", "says of that document only"} {
		if !strings.Contains(words, line) {
			t.Errorf("the words do not say %q:\n%s", line, words)
		}
	}
	if strings.Contains(words, "canaryone") || strings.Contains(words, "canaryfive") {
		t.Errorf("a document stands in the letter:\n%s", words)
	}
	files := attachmentsOf(w.shown(m))
	if len(files) != 5 || string(files[1].Data) != "canaryone" || string(files[2].Data) != "canarytwo" { // the attachment as it came, and four documents
		t.Errorf("%d files", len(files))
	}
}

// In a participant's thread a document is judged as the participant's.
func TestS1_DocumentOfAParticipant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	raw := w.seal(acme, to, false, mailtest.Entity("["+string(id)+"]", "ACK "+string(id)+"\n\n"+w.piece("canary", acme)+w.cleartext("ACK "+string(id)+" signed", acme)))
	w.arrives(acme.Address, to, raw)
	m := w.last(w.folderOf(id, "Vendor acme"))
	got := w.documentsOf(m)
	good := "signature=good; party=acme; key=" + acme.Fingerprint() + "; trust=confirmed"
	if len(got) != 2 || !strings.HasSuffix(got[0], "encryption=yes; "+good) || !strings.HasSuffix(got[1], "encryption=no; "+good) {
		t.Errorf("%q", got)
	}
	if w.says(m, "Parley-Signature") != "none" {
		t.Errorf("Parley-Signature %s", w.says(m, "Parley-Signature"))
	}
	if w.who(id, "acme").Acknowledged != nil {
		t.Error("a signed document signs the command beside it")
	}
}

// Our words end at a line, and nothing above it can be anybody else's.
func TestS8_OurWordsComeFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fake := "It came encrypted. Signature: good; party=acme; key=0; trust=confirmed.\nReally from psirt@acme.example.\n" + theirs + "\n\nDear desk"
	inner := "Parley-Signature: good\r\npArLeY-Encryption: yes\r\nAuthentication-Results: vdp.example.org;\r\n dkim=pass\r\n"
	for i, raw := range [][]byte{
		append([]byte("From: x@evil.example\r\n"+inner), mailtest.Entity("x", fake)...),
		w.seal(w.person("evil", "x@evil.example"), reportTo, false, append([]byte(inner), mailtest.Entity("x", fake)...)),
		[]byte("From: x@evil.example\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/enriched\r\n\r\n" + fake + "\r\n--b\r\n\r\n" + fake + "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + "Subject: y\r\n\r\nz\r\n--b--\r\n"),
	} {
		w.arrives("x@evil.example", reportTo, raw)
		m := w.last("Intake")
		ours, rest, found := strings.Cut(w.words(m), theirs)
		if !found || !strings.Contains(ours, "Signature: none.\nReally from x@evil.example, which nothing proves.") || strings.Contains(ours, "good") {
			t.Errorf("%d: ours is %q", i, ours)
		}
		if !strings.Contains(rest, "trust=confirmed") {
			t.Errorf("%d: the mail is changed: %q", i, rest)
		}
		w.shown(m).Walk(func(p *message.Part) bool {
			h := string(p.RawHeader())
			if strings.Contains(h, "good") || strings.Contains(h, "dkim") || p.MediaType == "text/enriched" && !p.IsAttachment() {
				t.Errorf("%d: %s", i, h)
			}
			return true
		})
	}
}

// A secret key that came by mistake is in no view; what came is kept.
func TestSecretKeyIsNotServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	secret := secretBlock(t, f)
	line := strings.Split(secret, "\n")[6] // of the key itself
	file := mailtest.File{Name: "key.asc", Type: "application/pgp-keys", Data: secret}
	other := w.person("other", "x@x.example")
	wrong, err := f.Seal(mailtest.Entity("x", "y"), other.PublicKey(), true)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw    []byte
		folder string
	}{
		"in the letter":        {w.seal(f, reportTo, true, mailtest.Entity("x", "Hello, my key:\n"+secret+"Bye")), "Intake"},
		"as a public one":      {w.seal(f, reportTo, true, mailtest.Entity("x", "Hello, my key:\n"+strings.ReplaceAll(secret, "PRIVATE", "PUBLIC")+"Bye")), "Intake"},
		"too often":            {w.seal(f, reportTo, true, mailtest.Entity("x", strings.Repeat(secret, 70))), "Intake"},
		"behind a letter":      {w.seal(f, reportTo, true, mailtest.Entity("x", "\u00dcbrigens:\n"+secret)), "Intake"},
		"attached":             {w.seal(f, reportTo, true, mailtest.Entity("x", "Hello", file)), "Intake"},
		"in clear":             {append([]byte("From: "+f.Address+"\r\n"), mailtest.Entity("x", "Hello", file)...), "Intake"},
		"in a document":        {mailtest.Plain(f.Address, reportTo, "x", "Hello\n"+w.piece("my key\n"+secret, f), w.clock.Now()), "Intake"},
		"in a sealed mail":     {append([]byte("From: "+f.Address+"\r\n"), mixed("x", "\r\nfooter", strings.TrimSpace(pgpPart(w.piece(string(mailtest.Entity("y", "z", file)), f))))...), "Intake"},
		"beside undecryptable": {append([]byte("From: "+f.Address+"\r\n"), mailtest.Entity("x", "Hello\n"+string(wrong), file)...), "Quarantine"},
		"no message":           {[]byte("no header here\n\n" + secret), "Quarantine"},
	} {
		before := len(w.filed(c.folder))
		w.arrives(f.Address, reportTo, c.raw)
		if len(w.filed(c.folder)) != before+1 {
			t.Errorf("%s: %s holds %q", name, c.folder, w.subjects(c.folder))
			continue
		}
		m := w.last(c.folder)
		served, err := w.Store.Bytes(m.Served)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(served, []byte(line)) || strings.Contains(allText(w.shown(m)), line) {
			t.Errorf("%s: it is served:\n%s", name, served)
		}
		if !bytes.Equal(w.kept(m), c.raw) {
			t.Errorf("%s: what came is not kept", name)
		}
		if words := unwrapped(w.words(m)); !strings.Contains(words, "A SECRET key came with it ("+groups(f)) {
			t.Errorf("%s: the desk is not told:\n%s", name, words)
		}
	}
}

// Whoever asks for our key gets it and nothing is kept of the question; a mail with
// an encrypted piece in it is no question, wherever it was sent to.
func TestP10_PiecesToReportKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	const to = "report-key@vdp.example.org"
	w.arrives(f.Address, to, mailtest.Plain(f.Address, to, "x", "Hello\n"+w.piece("the report", f), w.clock.Now()))
	if m := w.one("Intake"); !strings.Contains(allText(w.shown(m)), "the report") {
		t.Errorf("%s", w.words(m))
	}
}

// pgpPart is RFC 3156 section 4 as a part.
func pgpPart(armor string) string {
	return "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=pgp\r\n\r\n--pgp\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--pgp\r\nContent-Type: application/octet-stream\r\n\r\n" +
		strings.ReplaceAll(armor, "\n", "\r\n") + "\r\n--pgp--\r\n"
}

// allText is every leaf, decoded.
func allText(p *message.Part) string {
	var b strings.Builder
	p.Walk(func(c *message.Part) bool {
		if len(c.Children) == 0 {
			body, _ := c.Body()
			b.Write(body)
		}
		return true
	})
	return b.String()
}

// A mail that was only partly encrypted triggers nothing, whether new or again,
// and its pieces are known again.
func TestS6_PiecesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	f := w.person("finder", "someone@finder.example")
	block := w.piece("ACK "+string(id), acme)
	before := len(w.filed("Quarantine"))
	for i, text := range []string{"ACK " + string(id) + "\n" + block, "again\n" + block, w.cleartext("ACK "+string(id), acme)} {
		w.arrives(acme.Address, to, mailtest.Plain(acme.Address, to, "["+string(id)+"]", text, w.clock.Now().Add(time.Duration(i)*time.Second)))
		if n := len(w.filed("Quarantine")); n != before+i+1 {
			t.Fatalf("%d: %d in Quarantine", i, n)
		}
	}
	if w.who(id, "acme").Acknowledged != nil {
		t.Fatal("a piece counts as a command")
	}
	// The second piece of a letter is known again from somebody else, too.
	w.arrives(f.Address, reportTo, mailtest.Plain(f.Address, reportTo, "x", "new\n"+w.piece("mine", f)+"\nand\n"+block, w.clock.Now()))
	if m := w.last("Quarantine"); !strings.Contains(w.words(m), "same ciphertext came before from somebody else") {
		t.Errorf("%s", w.words(m))
	}
}

// A ciphertext that was addressed anew, cut into other pieces or armored
// differently is the same one.
func TestS6_ReWrapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	raw := w.seal(f, reportTo, true, withKey(f, "Heap overflow", strings.Repeat("long ", 400)))
	w.arrives(f.Address, reportTo, raw)
	w.settle()
	armored := string(raw[bytes.Index(raw, []byte("-----BEGIN PGP")):bytes.Index(raw, []byte("-----END PGP"))]) + "-----END PGP MESSAGE-----\r\n"
	for i, body := range rewrapped(t, []byte(armored)) {
		from := fmt.Sprintf("thief%d@evil.example", i)
		stolen := mailtest.PGPMIME(from, reportTo, w.clock.Now(), body)
		w.arrives(from, reportTo, stolen)
		w.quarantined(i, stolen, "same ciphertext")
	}
	w.settle()
	if len(w.filed("Intake")) != 1 || len(w.sink.Mails()) != 1 {
		t.Errorf("Intake %q, %d mails left", w.subjects("Intake"), len(w.sink.Mails()))
	}
}

// A signed report that somebody else sends on, encrypted anew, is a stolen one.
func TestS6_StolenSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, thief := w.person("finder", "someone@finder.example"), w.person("thief", "thief@evil.example")
	signed := w.signedEntity(f, withKey(f, "", "canary"))
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, false, signed))
	w.settle()
	if len(w.sink.Mails()) != 1 {
		t.Fatalf("%d mails left", len(w.sink.Mails()))
	}
	stolen := w.seal(thief, reportTo, false, signed)
	w.arrives(thief.Address, reportTo, stolen)
	w.quarantined(0, stolen, "same signature")
	// From the same sender it is filed, and not answered again.
	w.clock.Advance(time.Minute)
	w.arrives(f.Address, reportTo, w.seal(f, reportTo, false, signed))
	w.settle()
	if len(w.filed("Intake")) != 2 || len(w.sink.Mails()) != 1 {
		t.Errorf("Intake %q, %d mails left", w.subjects("Intake"), len(w.sink.Mails()))
	}
}

// One file may come with two letters: the second is a report like the first, and
// the desk is told that it knows the file.
func TestS6_DocumentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.person("finder", "someone@finder.example")
	signed, block := w.cleartext("canary", f), w.piece("canary", f)
	for i, text := range []string{signed + block, "Another letter.\n" + signed + block} {
		w.arrives(f.Address, reportTo, mailtest.Plain(f.Address, reportTo, "x", text, w.clock.Now().Add(time.Duration(i)*time.Second)))
		w.settle()
		m := w.last("Intake")
		got := w.documentsOf(m)
		if len(got) != 2 || len(w.sink.Mails()) != i+1 {
			t.Fatalf("%q, %d mails left", got, len(w.sink.Mails()))
		}
		for _, d := range got {
			if again := strings.HasSuffix(d, "; seen=before"); again != (i == 1) {
				t.Errorf("letter %d: %s", i+1, d)
			}
		}
		if again := strings.Contains(w.words(m), "It came before, in another mail."); again != (i == 1) {
			t.Errorf("letter %d: %s", i+1, w.words(m))
		}
	}
}

// A text is shown as one in its own charset; a page, a mail and bytes are files.
func TestP8_WhatADocumentIsShownAs(t *testing.T) {
	t.Parallel()
	a := &arrival{opened: &pgpmime.Opened{}}
	for name, c := range map[string]struct {
		d    pgpmime.Document
		want string
	}{
		"text":            {pgpmime.Document{Name: "document-1", Data: []byte("M\u00fcller\r\n")}, "document-1.txt text/plain utf-8"},
		"named":           {pgpmime.Document{Name: "poc.py", Data: []byte("import os\n")}, "poc.py text/plain utf-8"},
		"Latin-1":         {pgpmime.Document{Name: "document-1", Data: []byte("M\xfcller"), Charset: "iso-8859-1"}, "document-1.txt text/plain iso-8859-1"},
		"unknown charset": {pgpmime.Document{Name: "document-1", Data: []byte("M\xfcller"), Charset: "x-\"; y"}, "document-1.txt application/octet-stream "},
		"no charset":      {pgpmime.Document{Name: "document-1", Data: []byte("M\xfcller")}, "document-1 application/octet-stream "},
		"bytes":           {pgpmime.Document{Name: "poc", Data: []byte("a\x00b"), Charset: "utf-8"}, "poc application/octet-stream "},
		"a page":          {pgpmime.Document{Name: "PGPexch.HTM", Data: []byte("<b>x</b>")}, "PGPexch.HTM application/octet-stream "},
		"a mail":          {pgpmime.Document{Name: "encrypted.eml", Data: []byte("Subject: x\r\n\r\ny")}, "encrypted.eml application/octet-stream "},
	} {
		f := a.documentFile(c.d)
		if got := f.Filename + " " + f.MediaType + " " + f.Params["charset"]; got != c.want || string(f.Data) != string(c.d.Data) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

package pgpmime_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/ProtonMail/go-crypto/openpgp"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

const pgpVersion = "Content-Type: application/pgp-encrypted"

func octets(name, body string) string {
	return part("Content-Type: application/octet-stream; name=\""+name+"\"", body)
}

func file(name, kind, body string) string {
	return part("Content-Type: "+kind+"; name=\""+name+"\"\nContent-Disposition: attachment; filename=\""+name+"\"", body)
}

func htmlPart(s string) string { return part("Content-Type: text/html; charset=utf-8", s) }

// brs puts a block of armor into HTML as clients do that know no <pre>.
func brs(armor string) string {
	return "<html><head><title>x</title></head><body><div>" + strings.ReplaceAll(strings.ReplaceAll(armor, "\r\n", "<br>\r\n"), "+", "&#43;") + "</div></body></html>"
}

// What servers and clients make of a message that was encrypted as a whole.
func TestOpenMangledWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := w.sealed(inner)
	text := w.sealed("Heap overflow.\r\n")
	version := part(pgpVersion, "Version: 1")
	for name, m := range map[string]string{
		"the wrong order":             multipart("mixed", octets("encrypted.asc", block), version),
		"empty text and HTML around":  multipart("mixed", textPart(" \n"), version, octets("msg.asc", block), htmlPart("<html><body><p>&nbsp;</p></body></html>")),
		"renamed":                     multipart("mixed", file("PGPMIME Versions Identification", "application/pgp-encrypted", "Version: 1"), file("ATT00001.txt", "text/plain", block)),
		"both of one type":            multipart("mixed", version, part("Content-Type: application/pgp-encrypted; name=encrypted.asc", block)),
		"an empty part in it":         multipart("encrypted", version, octets("encrypted.asc", block), textPart("\n")),
		"wrapped once more":           multipart("mixed", multipart("mixed", textPart(""), pgpMIME(block))),
		"signed outside":              w.clearSigned(multipart("mixed", version, octets("encrypted.asc", block))),
		"armor twice, text and HTML":  multipart("alternative", textPart(text), htmlPart("<pre>"+text+"</pre>")),
		"armor twice, lines in HTML":  multipart("alternative", textPart(text), htmlPart(brs(text))),
		"armor, signed outside":       w.clearSigned(textPart(text)),
		"armor in base64":             part("Content-Type: text/plain\nContent-Transfer-Encoding: base64", b64([]byte(text))),
		"armor in UTF-16":             part("Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64", b64(utf16be(text))),
		"armor, format=flowed":        part("Content-Type: text/plain; format=flowed; delsp=yes", text),
		"armor with header lines":     textPart(strings.Replace(text, "MESSAGE-----\r\n", "MESSAGE-----\r\nVersion: x 1\r\nComment: not to be read\r\nCharset: utf-8\r\n", 1)),
		"armor behind a mark":         textPart("\ufeff" + text),
		"armor, white space at lines": textPart(strings.ReplaceAll(text, "\r\n", " \t\r\n")),
	} {
		o, err := w.open(mail(m))
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		if o.Encryption != pgpmime.Encrypted || len(o.Documents) != 0 || textOf(t, o.Root) != "Heap overflow.\n" {
			t.Errorf("%s: encryption %s, %d documents", name, o.Encryption, len(o.Documents))
		}
		if !o.WholeSigned || len(o.Signatures) != 1 || o.Signatures[0].Err != nil {
			t.Errorf("%s: signatures %+v", name, o.Signatures)
		}
	}
}

func utf16be(s string) []byte {
	out := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// An encrypted piece with anything beside it is a document, and no more.
func TestP1_MangledPartly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block, note := w.sealed(inner), w.sealed("a note")
	version := part(pgpVersion, "Version: 1")
	footer := textPart("_______________\nlist mailing list\n")
	for name, c := range map[string]struct {
		mail  string
		names string
		datas []string
	}{
		"Exchange, then a list":     {multipart("mixed", version, octets("encrypted.asc", block), footer), "encrypted.eml", []string{inner}},
		"the same, wrong order":     {multipart("mixed", octets("msg.asc", block), version, footer), "encrypted.eml", []string{inner}},
		"a list":                    {multipart("mixed", pgpMIME(block), footer), "encrypted.eml", []string{inner}},
		"ATT00001.txt":              {multipart("mixed", textPart("see below"), file("ATT00001.txt", "text/plain", note)), "ATT00001.txt", []string{"a note"}},
		"PGPexch":                   {multipart("mixed", textPart(note), file("PGPexch.htm.asc", "application/octet-stream", w.sealed("<b>a note</b>"))), "document-1 PGPexch.htm", []string{"a note", "<b>a note</b>"}},
		"forwarded":                 {multipart("mixed", textPart("fyi"), "Content-Type: message/rfc822\r\n\r\n"+mail(pgpMIME(block))), "encrypted.eml", []string{inner}},
		"a forward alone":           {"Content-Type: message/rfc822\r\n\r\n" + mail(pgpMIME(block)), "encrypted.eml", []string{inner}},
		"HTML, pre":                 {htmlPart("<p>Hello</p><pre>" + note + "</pre>"), "document-1", []string{"a note"}},
		"HTML, lines":               {htmlPart(brs(note)), "document-1", []string{"a note"}},
		"HTML, entities":            {htmlPart(strings.ReplaceAll(strings.ReplaceAll(brs(note), "=", "&#x3d;"), "-----", "&#45;&#45;---")), "document-1", []string{"a note"}},
		"HTML and text of a letter": {multipart("alternative", textPart("Hello\n"+note), htmlPart("<p>Hello</p>"+brs(note))), "document-1", []string{"a note"}},
		"words between beginnings":  {textPart("-----BEGIN PGP MESSAGE-----\nin clear\n" + note), "document-1", []string{"a note"}},
		"words for a signature":     {multipart("signed", textPart(note), textPart("in clear")), "document-1", []string{"a note"}},
		"HTML hides text beside it": {multipart("alternative", textPart(note), htmlPart(brs(note)+"<img src=x>click")), "document-1", []string{"a note"}},
	} {
		o, err := w.open(mail(c.mail))
		if err != nil {
			t.Errorf("%s: %v (%s)", name, err, pgpmime.Reason(err))
			continue
		}
		var names []string
		for i, d := range o.Documents {
			names = append(names, d.Name)
			if i < len(c.datas) && (string(d.Data) != c.datas[i] || !d.Encrypted || len(d.Signatures) != 1 || d.Signatures[0].Err != nil) {
				t.Errorf("%s: %q, signatures %+v", name, d.Data, d.Signatures)
			}
		}
		if got := strings.Join(names, " "); got != c.names {
			t.Errorf("%s: documents %q, want %q", name, got, c.names)
		}
		if o.Encryption != pgpmime.Partly || o.Payload != nil || o.WholeSigned || o.HasSubject || len(o.Protected) != 0 {
			t.Errorf("%s: encryption %s, whole signed %v, protected %v", name, o.Encryption, o.WholeSigned, o.Protected)
		}
		if len(o.Bodies) != len(o.Documents) {
			t.Errorf("%s: %d bodies", name, len(o.Bodies))
		}
	}
}

// Pieces inside a payload, and inside other pieces, are documents of their own.
func TestP1_PiecesInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.mustOpen(mail(pgpMIME(w.sealed(textPart("Hello\n" + w.unsigned("inside"))))))
	if o.Encryption != pgpmime.Encrypted || !o.WholeSigned || len(o.Documents) != 1 || string(o.Documents[0].Data) != "inside" || len(o.Documents[0].Signatures) != 0 {
		t.Errorf("%+v", o.Documents)
	}
	// A forwarded mail whose payload is signed, around another encrypted one.
	deep := multipart("mixed", textPart("middle"), pgpMIME(w.sealed(inner)))
	o = w.mustOpen(mail(multipart("mixed", textPart("footer"), pgpMIME(w.sealed(w.clearSigned(deep))))))
	if len(o.Documents) != 2 || len(o.Documents[0].Signatures) != 2 || o.Documents[0].Signatures[1].Err != nil || string(o.Documents[1].Data) != inner {
		t.Fatalf("%+v", o.Documents)
	}
	if o.WholeSigned || len(o.Signatures) != 0 {
		t.Error("a document's signature is taken for the mail's")
	}
	// Nesting ends.
	m := inner
	for range 8 {
		m = multipart("mixed", textPart("x"), pgpMIME(w.sealed(m)))
	}
	if o = w.mustOpen(mail(m)); len(o.Documents) != 5 {
		t.Errorf("%d documents", len(o.Documents))
	}
}

// HTML is searched for armor only, and what it would render is nobody's text.
func TestP8_HTMLIsNotRendered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := w.sealed("secret")
	for name, body := range map[string]string{
		"in a comment": "<!-- " + block + " -->",
		"in a script":  "<script>\n" + block + "</script>",
		"in a style":   "<style>\n" + block,
		"in a title":   "<title>\n" + block + "</title>",
		"cleartext":    "<pre>-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----</pre>",
	} {
		if o := w.mustOpen(mail(htmlPart(body))); len(o.Documents) != 0 || o.Encryption != pgpmime.NotEncrypted {
			t.Errorf("%s: %d documents", name, len(o.Documents))
		}
	}
}

// A signature in a file is about the file that it is named after.
func TestS1_SignatureBesideAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sign := func(data string) []byte {
		sig, err := keyring.Sign([]byte(data), w.finder, noon)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	poc := file("poc.bin", "application/octet-stream", "the proof")
	armor := armored(t, keyring.ArmorSignature, sign("the proof"))
	bin := part("Content-Type: application/octet-stream; name=poc.bin.sig\nContent-Transfer-Encoding: base64", b64(sign("the proof")))
	for name, c := range map[string]struct {
		parts []string
		err   error
		n     int
	}{
		".asc":                 {[]string{poc, file("poc.bin.asc", "application/pgp-signature", armor)}, nil, 1},
		".sig":                 {[]string{file("poc.bin.sig", "application/octet-stream", armor), poc}, nil, 1},
		".sig, binary":         {[]string{poc, bin}, nil, 1},
		"of another file":      {[]string{file("poc.bin", "application/octet-stream", "another"), file("poc.bin.sig", "application/octet-stream", armor)}, keyring.FaultWrong, 1},
		"of no file":           {[]string{poc, file("other.bin.sig", "application/octet-stream", armor)}, nil, 0},
		"named after itself":   {[]string{file(".sig", "application/pgp-signature", armor)}, nil, 0},
		"a name twice":         {[]string{poc, file("poc.bin", "application/octet-stream", "the other"), bin}, nil, 1},
		"no signature in it":   {[]string{poc, file("poc.bin.sig", "application/octet-stream", "nothing")}, nil, 0},
		"signed text, by .asc": {[]string{poc, file("poc.bin.asc", "text/plain", cleartextOf(t, w.finder, "the proof"))}, nil, 1},
	} {
		o := w.mustOpen(mail(multipart("mixed", append([]string{textPart("see attached")}, c.parts...)...)))
		if o.WholeSigned || len(o.Signatures) != 0 || o.Encryption != pgpmime.NotEncrypted {
			t.Errorf("%s: the mail is signed", name)
		}
		if len(o.Documents) != c.n {
			t.Errorf("%s: %d documents", name, len(o.Documents))
			continue
		}
		for _, d := range o.Documents {
			if len(d.Signatures) != 1 || d.Signatures[0].Err != c.err || d.Encrypted {
				t.Errorf("%s: %+v", name, d)
			}
			if d.Attached != (name != "signed text, by .asc") {
				t.Errorf("%s: attached %v", name, d.Attached)
			}
		}
	}
}

// A file is taken out of the mail once for all signatures that are about it.
func TestP4_ManySignatureFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parts := []string{file("poc.bin", "application/octet-stream", "the proof")}
	sig := armored(t, keyring.ArmorSignature, signBy(t, w.finder, "the proof"))
	for range 20 {
		parts = append(parts, file("poc.bin.sig", "application/octet-stream", sig), file("poc.bin.asc", "application/octet-stream", sig))
	}
	o := w.mustOpen(mail(multipart("mixed", parts...)))
	if len(o.Documents) != 1 || len(o.Documents[0].Signatures) != 40 {
		t.Fatalf("%d documents", len(o.Documents))
	}
	for _, s := range o.Documents[0].Signatures {
		if s.Err != nil {
			t.Error(s.Err)
		}
	}
}

// Recipients that are hidden, and several, are nothing special.
func TestOpenRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	several, err := keyring.Encrypt([]byte(inner), []*keyring.Certificate{w.finder.Certificate(), w.us.Certificate(), secret(t, "x@x.example").Certificate()}, w.finder, noon)
	if err != nil {
		t.Fatal(err)
	}
	hidden := several
	for _, s := range []*keyring.Secret{w.finder, w.us} {
		for _, id := range s.Certificate().KeyIDs() {
			hidden = hideKeyID(hidden, id)
		}
	}
	if string(hidden) == string(several) {
		t.Fatal("no key ID was hidden")
	}
	for name, m := range map[string][]byte{"several": several, "hidden": hidden} {
		if o := w.mustOpen(mail(pgpMIME(armored(t, keyring.ArmorMessage, m)))); o.Encryption != pgpmime.Encrypted || o.Signatures[0].Err != nil {
			t.Errorf("%s: %+v", name, o.Signatures)
		}
	}
}

// hideKeyID puts zero in place of a key ID (RFC 9580, section 5.1.8).
func hideKeyID(m []byte, id uint64) []byte {
	raw := make([]byte, 8)
	for i := range raw {
		raw[i] = byte(id >> (56 - 8*i))
	}
	return []byte(strings.Replace(string(m), string(raw), string(make([]byte, 8)), 1))
}

// An unreadable text never stops the rest.
func TestOpenOddTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	block := w.sealed("secret")
	for _, s := range []string{"<", "<!--", "<script", "<pre", "<br", "</", "< >", "&#0;", "<script><pre>"} {
		if o := w.mustOpen(mail(multipart("mixed", htmlPart(s+"BEGIN PGP "), textPart("x\n"+block)))); len(o.Documents) != 1 {
			t.Errorf("%q: %d documents", s, len(o.Documents))
		}
	}
}

func entity(t *testing.T, s *keyring.Secret) *openpgp.Entity {
	t.Helper()
	list, err := openpgp.ReadKeyRing(strings.NewReader(string(s.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

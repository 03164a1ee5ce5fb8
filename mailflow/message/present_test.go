package message

import (
	"bytes"
	"strings"
	"testing"
)

// served parses what Present makes of raw with a few fields of ours.
func served(t *testing.T, raw []byte, extra ...Attachment) *Part {
	t.Helper()
	fields := []Field{
		{"From", `"Acme (vendor, PAR-2026-0007)" <acme.par-2026-0007@desk.vdp.example>`},
		{"Subject", "[PAR-2026-0007] Grüße"},
		{"Parley-Signature", "none"},
	}
	b, err := Present(parse(t, raw), fields, "Signature: none\nEncryption: no", extra)
	if err != nil {
		t.Fatalf("present: %v", err)
	}
	again, err := Present(parse(t, raw), fields, "Signature: none\nEncryption: no", extra)
	if err != nil || !bytes.Equal(b, again) {
		t.Error("the same message is served in two ways")
	}
	if bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) {
		t.Errorf("bare LF in %q", b)
	}
	p, err := Parse(b, Limits{Depth: 22, Parts: 1010})
	if err != nil {
		t.Fatalf("parse what is served: %v\n%s", err, b)
	}
	return p
}

func letter(t *testing.T, p *Part) string {
	t.Helper()
	text := p.FirstText()
	if text == nil {
		t.Fatalf("no text in %q", p.Raw())
	}
	s, _ := text.Text()
	return s
}

const note = "Signature: none\nEncryption: no\n\n"

func TestS8_ForgedFieldsAreStripped(t *testing.T) {
	t.Parallel()
	raw := crlf("Received: from evil\nFrom: evil@y.example\nDate: Tue, 1 Dec 2026 08:03:11 +0100\nMessage-ID: <m1@y.example>\n" +
		"In-Reply-To: <p1@x.example>\nReferences: <p0@x.example>\n <p1@x.example>\nSubject: forged\nParley-Signature: good; party=acme\n" +
		"parley-case : PAR-2026-0001\nPARLEY-ANYTHING: x\nAuthentication-Results: vdp.example.org; dkim=pass\nAutocrypt: addr=x\nReply-To: evil@y.example\n" +
		"List-Unsubscribe: <http://x>\nDisposition-Notification-To: evil@y.example\nBcc: x@y\nX-Mailer: y\nContent-Type: text/plain;\n  charset=utf-8\nContent-Class: x\n\nParley-Signature: good\n")
	p := served(t, raw)
	var names []string
	for _, f := range p.Header.Fields() {
		names = append(names, f.Name)
	}
	const want = "From Subject Parley-Signature Date Message-ID In-Reply-To References MIME-Version Content-Type Content-Transfer-Encoding"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("fields are\n%s, want\n%s", got, want)
	}
	if p.Header.Get("Parley-Signature") != "none" || p.Header.Text("Subject") != "[PAR-2026-0007] Grüße" {
		t.Error("our own fields are not there")
	}
	if p.Header.MessageID() != "m1@y.example" || len(p.Header.References()) != 2 || p.Header.Get("Date") != "Tue, 01 Dec 2026 08:03:11 +0100" {
		t.Errorf("what passes is changed: %q", p.RawHeader())
	}
	if got := letter(t, p); got != note+"Parley-Signature: good\n" {
		t.Errorf("letter is %q", got)
	}
}

func TestS8_NothingIsSmuggledIn(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"Content-Type: text/html; charset=utf-8\rParley-Signature: good\n\nx",
		"Content-Type: multipart/mixed; boundary=b;\n \nParley-Signature: good\n\n--b\n\nx\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b;\n \n x=y\n \n\n--b\n\nx\n--b--\n",
		"Content-Type: multipart/mixed; boundary=\"b\rParley-Signature: good\"\n\n--b\n\nx\n--b--\n",
		"Content-Description: a\rParley-Signature: good\nContent-Type: application/pdf\n\nx",
		"Content-Description: =?utf-8?Q?a=0D=0AParley-Signature:_good?=\nContent-Type: application/pdf\n\nx",
		"Content-Type: text/plain\nContent-Type: text/html\n\n<b>x</b>",
		"Message-ID: <a\rParley-Signature: good@x>\nReferences: <a\x00b>\n\nx",
		"Message-ID: <a\n Parley-Signature: good@x>\n\nx",
		"Date: Tue, 1 Dec 2026 08:03:11 +0100 (a\rParley-Signature: good)\n\nx",
		"Content-Type: multipart/alternative; boundary=\"a\x00b\"\n\n--a\x00b\nContent-Type: text/html\n\nx\n--a\x00b--\n",
	} {
		p := served(t, []byte(raw))
		header := strings.ReplaceAll(string(p.RawHeader()), "\r\n ", " ")
		for line := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if strings.HasPrefix(line, "Parley-Signature:") && line != "Parley-Signature: none" {
				t.Errorf("%q: served %q", raw, p.RawHeader())
			}
		}
		if strings.ContainsAny(header, "\x00") || len(p.Header.Values("Content-Type")) != 1 || strings.Contains(strings.ReplaceAll(header, "\r\n", ""), "\r") {
			t.Errorf("%q: served %q", raw, p.RawHeader())
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(p.RawHeader()), "\r\n\r\n"), "\r\n") {
			if strings.TrimSpace(line) == "" {
				t.Errorf("%q: a blank line in the header %q", raw, p.RawHeader())
			}
		}
	}
}

func TestPresentKeepsParts(t *testing.T) {
	t.Parallel()
	file := "Content-Type: application/octet-stream;\n\tname=\"x.bin\"\nContent-Disposition: attachment; filename=x.bin\nX-Odd: kept\nContent-Transfer-Encoding: base64\n\nAAEC\n"
	raw := crlf("From: a@b\nContent-Type: multipart/mixed;\n boundary=\"b\"\n\nThis is MIME.\n--b\nContent-Type: text/plain; charset=iso-8859-1\n" +
		"Content-Transfer-Encoding: 8bit\nContent-ID: <1@x>\nContent-Description: the letter\nParley-Signature: good\n\ncaf\xe9\n--b\n" + file + "--b--\nepilogue\n")
	p := served(t, raw)
	if got := shape(p); !strings.HasPrefix(got, "multipart/mixed[text/plain(") || len(p.Children) != 2 {
		t.Errorf("served as %s", got)
	}
	if got := letter(t, p); got != note+"café\n" {
		t.Errorf("letter is %q", got)
	}
	text := p.Children[0].Header
	if text.Get("Content-ID") != "<1@x>" || text.Get("Content-Description") != "the letter" || text.Has("Parley-Signature") {
		t.Errorf("header of the letter is %q", p.Children[0].RawHeader())
	}
	if !bytes.Contains(p.Raw(), append(append([]byte("--b\r\n"), crlf(file)...), "--b--\r\nepilogue\r\n"...)) {
		t.Errorf("the file is not what it was in %q", p.Raw())
	}
}

func TestPresentWithoutText(t *testing.T) {
	t.Parallel()
	pdf := crlf("From: a@b\nContent-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n\nAAEC\n")
	p := served(t, pdf)
	if got := shape(p); !strings.HasPrefix(got, "multipart/mixed[text/plain(") || !strings.HasSuffix(got, " application/pdf(AAEC|)]") {
		t.Errorf("served as %s", got)
	}
	if p.Children[1].Filename != "x.pdf" || letter(t, p) != strings.TrimSuffix(note, "\n") {
		t.Errorf("served %q", p.Raw())
	}
	encrypted := crlf("Content-Type: multipart/encrypted; boundary=b; protocol=\"application/pgp-encrypted\"\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--b--\n")
	p = served(t, encrypted)
	if len(p.Children) != 2 || p.Children[1].MediaType != "multipart/encrypted" || !bytes.Equal(p.Children[1].RawBody(), parse(t, encrypted).RawBody()) {
		t.Errorf("what could not be decrypted is served as %q", p.Raw())
	}
	forwarded := crlf("Content-Type: message/rfc822\n\nSubject: inner\nParley-Case: theirs\n\nx\n")
	p = served(t, forwarded)
	if len(p.Children) != 2 || p.Children[1].MediaType != "message/rfc822" || p.Children[1].Children[0].Header.Get("Subject") != "inner" {
		t.Errorf("a forwarded mail is served as %q", p.Raw())
	}
	p = served(t, crlf("Content-Type: multipart/mixed\n\nno boundary\n"))
	if len(p.Children) != 2 || !strings.Contains(string(p.Children[1].RawBody()), "no boundary") {
		t.Errorf("a multipart without boundary is served as %q", p.Raw())
	}
}

func TestP8_HTMLBecomesAFile(t *testing.T) {
	t.Parallel()
	const page = "<p>Hello <b>desk</b></p><img src=\"http://127.0.0.1:1/track.png\">"
	alternative := crlf("Content-Type: multipart/alternative; boundary=b\n\n--b\n\nHello desk\n--b\nContent-Type: text/html; charset=utf-8\n\n" + page + "\n--b--\n")
	p := served(t, alternative)
	if p.MediaType != "multipart/mixed" || len(p.Children) != 2 || !p.Children[1].IsAttachment() || p.Children[1].Filename != "message.html" {
		t.Errorf("served as %s\n%s", shape(p), p.Raw())
	}
	if letter(t, p) != note+"Hello desk\n" || string(p.Children[1].RawBody()) != page {
		t.Errorf("letter %q, page %q", letter(t, p), p.Children[1].RawBody())
	}
	empty := served(t, crlf("Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n"+page+"\n--b--\n"))
	if letter(t, empty) != note+"Hello desk\n" || len(empty.Children) != 2 {
		t.Errorf("letter %q beside an empty text", letter(t, empty))
	}
	related := crlf("Content-Type: multipart/related; type=\"text/html\"; boundary=b\n\n--b\nContent-Type: text/html\nContent-Disposition: inline\n\n" + page +
		"\n--b\nContent-Type: image/png\nContent-ID: <i@x>\n\npng\n--b--\n")
	only := crlf("Content-Type: text/html\n\n" + page)
	for _, raw := range [][]byte{related, only} {
		p := served(t, raw)
		if letter(t, p) != note+"Hello desk\n" {
			t.Errorf("letter is %q", letter(t, p))
		}
		if p.FirstHTML() != nil {
			t.Errorf("HTML is still shown: %q", p.Raw())
		}
		p.Walk(func(c *Part) bool {
			if c.MediaType == "multipart/related" {
				t.Errorf("still related: %q", p.Raw())
			}
			if c.MediaType == "text/html" && string(c.RawBody()) != page {
				t.Errorf("the page was changed: %q", c.RawBody())
			}
			return true
		})
	}
}

func TestPresentSigned(t *testing.T) {
	t.Parallel()
	signed := func(inner string) []byte {
		return crlf("From: a@b\nContent-Type: multipart/signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\n" +
			inner + "\n--b\nContent-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n--b--\n")
	}
	p := served(t, signed("Content-Type: text/plain; protected-headers=\"v1\"\nSubject: forged\n\nhello\n"))
	if p.MediaType != "multipart/mixed" || letter(t, p) != note+"hello\n" || p.Children[0].Header.Has("Subject") {
		t.Errorf("a signed letter is served as %q", p.Raw())
	}
	raw := signed("Content-Type: application/pdf\n\n%PDF\n")
	p = served(t, raw)
	if len(p.Children) != 2 || p.Children[1].MediaType != "multipart/signed" || !bytes.Equal(p.Children[1].RawBody(), parse(t, raw).RawBody()) {
		t.Errorf("a signed file is served as %q", p.Raw())
	}
}

func TestPresentFlowed(t *testing.T) {
	t.Parallel()
	raw := crlf("Content-Type: text/plain; charset=utf-8; format=flowed\n\nsoft \nline\n")
	b, err := Present(parse(t, raw), nil, "note  \n> x\nFrom y", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := parse(t, b).Unflowed(); got != "note\n> x\nFrom y\n\nsoft line\n" {
		t.Errorf("letter is %q", got)
	}
}

func TestP1_ExtraDocumentsAreApart(t *testing.T) {
	t.Parallel()
	extra := []Attachment{{Filename: "opened-1.txt", MediaType: "text/plain", Data: []byte("secret\n")},
		{Filename: "opened-2.bin", Data: []byte{0, 1}}}
	p := served(t, crlf("From: a@b\n\nbefore\n-----BEGIN PGP MESSAGE-----\n"), extra...)
	if len(p.Children) != 3 || strings.Contains(letter(t, p), "secret") {
		t.Fatalf("served as %s", shape(p))
	}
	for i, a := range extra {
		if data, _ := p.Children[i+1].Body(); !bytes.Equal(data, a.Data) || !p.Children[i+1].IsAttachment() || p.Children[i+1].Filename != a.Filename {
			t.Errorf("%s is served as %q", a.Filename, p.Children[i+1].Raw())
		}
	}
}

func TestP10_WhatCannotBeParsedIsServed(t *testing.T) {
	t.Parallel()
	for _, raw := range [][]byte{[]byte("no mail"), {}, bytes.Repeat([]byte("--=_"), 100), {0, 1, 2, 0xff, '\n'}, nested(30)} {
		b, err := PresentOpaque(raw, []Field{{"Subject", "kept"}}, "This could not be read.")
		if err != nil {
			t.Fatal(err)
		}
		checkWire(t, b)
		p := parse(t, b)
		if len(p.Children) != 2 || letter(t, p) != "This could not be read.\n" || p.Header.Get("Subject") != "kept" {
			t.Errorf("served as %q", b)
		}
		if data, err := p.Children[1].Body(); err != nil || !bytes.Equal(data, raw) || p.Children[1].MediaType != "application/octet-stream" {
			t.Errorf("%q is served as %q, %v", raw, data, err)
		}
	}
}

func TestV4_PresentRefusesBadFields(t *testing.T) {
	t.Parallel()
	p := parse(t, crlf("From: a@b\n\nx"))
	for _, f := range []Field{{"Subject", "a\r\nb"}, {"Content-Type", "text/html"}, {"A b", "c"}} {
		if b, err := Present(p, []Field{f}, "", nil); err == nil {
			t.Errorf("%q: served %q", f, b)
		}
		if b, err := PresentOpaque(nil, []Field{f}, ""); err == nil {
			t.Errorf("%q: served %q", f, b)
		}
	}
}

// A client shows the last version that it can of an alternative, and would not
// show the note in the first.
func TestPresentAlternative(t *testing.T) {
	t.Parallel()
	p := served(t, crlf("Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\nContent-Type: text/enriched\n\nrich\n--b--\n"))
	if p.MediaType != "multipart/mixed" || letter(t, p) != note+"plain\n" || string(p.Children[1].RawBody()) != "rich" {
		t.Errorf("served as %s", shape(p))
	}
}

func TestPresentOddStructures(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"Content-Type: multipart/mixed; boundary=b\n\n--b",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b--\n",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\n--b--\n",
		"Content-Type: multipart/digest; boundary=b\n\n--b\n\n\nx\n--b--\n",
		"X: y",
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			p := served(t, []byte(strings.ReplaceAll(raw, "\n", eol)))
			if !strings.HasPrefix(letter(t, p)+"\n", note) {
				t.Errorf("%q: letter is %q in %q", raw, letter(t, p), p.Raw())
			}
		}
	}
}

// What cannot be written of a field as it stood does not make a file of a text, nor a
// text of a file.
func TestPresent_WhatCanBeReadOfAField(t *testing.T) {
	t.Parallel()
	for field, attachment := range map[string]bool{
		"Content-Disposition: inline;\r\xf8filename*=utf-8''x":                   false,
		"Content-Disposition: inline; \xf8":                                      false,
		"Content-Disposition: ; \xf8; filename*1=x":                              false,
		"Content-Disposition: attachment; \xf8":                                  true,
		"Content-Disposition: \xf8":                                              true,
		"Content-Type: text/plain; \xf8\r\nContent-Description: J\xc3\xbcrgen's": false,
	} {
		raw := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + field + "\r\n\r\nthe letter\r\n--b\r\nContent-Type: text/plain\r\n\r\nanother\r\n--b--\r\n"
		p, err := Parse([]byte(raw), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Children[0].IsAttachment(); got != attachment {
			t.Errorf("%q: an attachment: %v", field, got)
		}
		b, err := Present(p, nil, "the note", nil)
		if err != nil {
			t.Fatal(err)
		}
		served, err := Parse(b, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := served.Children[0].IsAttachment(); got != attachment {
			t.Errorf("%q is served as\n%s", field, b)
		}
	}
}

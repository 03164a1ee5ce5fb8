package message

import (
	"bytes"
	"mime"
	"slices"
	"strings"
	"testing"
)

// checkWire holds what we write to the rules for it: CRLF, 7-bit, no line over
// 78 columns.
func checkWire(t *testing.T, b []byte) {
	t.Helper()
	if bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) || bytes.Count(b, []byte("\r")) != bytes.Count(b, []byte("\r\n")) {
		t.Errorf("bare CR or LF in %q", b)
	}
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if len(line) > 78 || !isASCII(line) {
			t.Errorf("line of %d octets: %q", len(line), line)
		}
	}
}

func TestFormatFields(t *testing.T) {
	t.Parallel()
	words := strings.Repeat("word  with   spaces ", 20)
	tests := []struct{ name, value, text string }{
		{"Subject", "TLP:AMBER+STRICT [PAR-2026-0007] 2/6 Scope - reply by Fri 5 Dec", ""},
		{"Subject", strings.TrimSpace(words), ""},
		{"Subject", "Überlauf in 日本語 " + strings.Repeat("é", 200), ""},
		{"Subject", strings.Repeat("x", 69) + " " + strings.Repeat("y", 77), ""},
		{"Parley-Signature-With-A-Long-Name-Indeed-It-Is", strings.Repeat("ü", 50), ""},
		{"References", strings.TrimSpace(strings.Repeat("<0123456789abcdef@x.example> ", 30)), ""},
		{"X-Empty", "", ""},
		{"Subject", " å ", "å"},
		{"Subject", "one word " + strings.Repeat("x", 2000), ""},
		{"To", `"Jürgen, X" <j@x.example>, Ana <a@y.example>`, `Jürgen, X <j@x.example>, Ana <a@y.example>`},
	}
	for _, tt := range tests {
		b, err := FormatFields([]Field{{tt.name, tt.value}, {"X-Next", "next"}})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		checkWire(t, b)
		want := tt.value
		if tt.text != "" {
			want = tt.text
		}
		h := parse(t, append(b, "\r\n"...)).Header
		if got := h.Text(tt.name); got != want || h.Get("X-Next") != "next" {
			t.Errorf("%s: %q came back as %q", tt.name, want, got)
		}
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if strings.TrimSpace(line) == "" && line != "" {
				t.Errorf("a line of white space in %q", b)
			}
		}
	}
}

// Text that looks like an encoded word, as somebody writes about one, is read as it
// was written, by other readers too (RFC 2047 section 5).
func TestFormatFields_LooksEncoded(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"=?utf-8?Q?x?=", "it sends =?utf-8?B?eA==?= =?utf-8?B?eA==?= twice", "a=?utf-8?q?b?=c", "=?utf-8?q?two words?=", "is a =? 1 : 2", strings.Repeat("=?utf-8?q?=5F?= ", 20) + "x"} {
		b, err := FormatFields([]Field{{"Subject", want}})
		if err != nil {
			t.Errorf("%q: %v", want, err)
			continue
		}
		checkWire(t, b)
		raw := Header{b}.Get("Subject")
		other, err := new(mime.WordDecoder).DecodeHeader(raw)
		if ours := decodeWords(raw); ours != want || other != want || err != nil {
			t.Errorf("%q is written %q, and read as %q and %q, %v", want, raw, ours, other, err)
		}
	}
	const outer = "HP-Outer: Subject: =?utf-8?q?=C3=9Cberlauf?=\r\n" // what stands outside, as it does there (RFC 9788 section 2.2)
	name, value, _ := strings.Cut(strings.TrimSpace(outer), ": ")
	if b, err := FormatFields([]Field{{name, value}}); string(b) != outer || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestV4_FormatFieldsRefuses(t *testing.T) {
	t.Parallel()
	for _, f := range []Field{
		{"Subject", "a\r\nBcc: x@y"}, {"Subject", "a\nb"}, {"Subject", "a\x00"}, {"Subject", "a\u202eb"}, {"Subject", "=?utf-8?Q?=0A?="},
		{"Sub ject", "x"}, {"Subject:", "x"}, {"", "x"}, {"Sübject", "x"}, {"Subject\r\nX", "x"}, {"Message-ID", "<" + strings.Repeat("x", 999) + ">"}, {"References", "<ü@x>"},
		{"To", "ü <broken"}, {"To", "Ü <ü@x.example>"},
	} {
		if b, err := FormatFields([]Field{{"A", "b"}, f}); err == nil || b != nil {
			t.Errorf("%q: wrote %q", f, b)
		}
	}
	for _, name := range []string{"Content-Type", "content-disposition", "MIME-Version"} {
		if b, err := (Entity{Fields: []Field{{name, "x"}}}).Bytes("=b"); err == nil {
			t.Errorf("%s twice: %q", name, b)
		}
	}
}

func TestEntity(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 40) + "end"
	texts := []struct{ in, want string }{
		{"plain\nlines\n", "plain\nlines\n"}, {"no end", "no end\n"}, {"", ""}, {"a\r\nb\rc\n", "a\nb\nc\n"}, {"Grüße 日本語\n", "Grüße 日本語\n"},
		{long + "\n", long + "\n"}, {"trailing \nspace\t\n", "trailing \nspace\t\n"}, {"From here\n>From\n.\n..\n-- \nana\n", "From here\n>From\n.\n..\n-- \nana\n"},
		{"a=b\n--=boundary\n--\n", "a=b\n--=boundary\n--\n"}, {"nul \x00 and \x1b\n", "nul \x00 and \x1b\n"}, {strings.Repeat("=", 200) + " \n\n\n", strings.Repeat("=", 200) + " \n\n\n"},
	}
	for _, tt := range texts {
		for _, attachments := range [][]Attachment{nil, {{Filename: "a.bin", Data: []byte{0, 1, 2}}}} {
			b, err := Entity{Fields: []Field{{"Subject", "x"}}, Text: tt.in, Attachments: attachments,
				ContentTypeParams: map[string]string{"protected-headers": "v1", "hp": "cipher"}}.Bytes("=boundary")
			if err != nil {
				t.Errorf("%q: %v", tt.in, err)
				continue
			}
			checkWire(t, b)
			p := parse(t, b)
			if got, _ := p.FirstText().Text(); got != tt.want {
				t.Errorf("%q came back as %q from %q", tt.in, got, b)
			}
			if p.Params["hp"] != "cipher" || p.Params["protected-headers"] != "v1" || p.Header.Get("MIME-Version") != "1.0" {
				t.Errorf("header of %q", b)
			}
			if bytes.Contains(b, []byte("\r\nFrom ")) || bytes.Contains(b, []byte(" \r\n")) || bytes.Contains(b, []byte("\r\n.")) {
				t.Errorf("%q would be changed on the way", b)
			}
		}
	}
}

func TestEntityAttachments(t *testing.T) {
	t.Parallel()
	armor := "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n\r\nabc=\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n"
	mail := "From: a@b\r\n\r\n" + strings.Repeat("x", 200) + " \r\n"
	files := []Attachment{
		{"our-key.asc", "application/pgp-keys", nil, false, []byte(armor), ""},
		{"embargo.ics", "text/calendar", map[string]string{"method": "PUBLISH", "charset": "utf-8"}, true, []byte("BEGIN:VCALENDAR\r\n"), ""},
		{"lf.txt", "text/plain", nil, false, []byte("unix\nlines\n"), ""},
		{"Übersicht über " + strings.Repeat("alles ", 20) + ".pdf", "", nil, false, bytes.Repeat([]byte{0xff, 0, '\n'}, 100), ""},
		{"acme.eml", "message/rfc822", nil, false, []byte(mail), ""},
		{"raw.eml", "message/rfc822", nil, false, []byte("Subject: \xfc\r\n\r\n"), ""},
		{"dir/../\"quoted\\\".txt", "text/plain", nil, false, nil, ""},
		{strings.Repeat("x", 80) + ".txt", "text/plain", nil, false, []byte("--=boundary--\r\n"), ""},
	}
	b, err := Entity{Text: "x", Attachments: files}.Bytes("=boundary")
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, b)
	if len(p.Children) != len(files)+1 {
		t.Fatalf("%d parts in %q", len(p.Children), b)
	}
	wantTypes := []string{"application/pgp-keys", "text/calendar", "text/plain", "application/octet-stream", "message/rfc822", "application/octet-stream", "text/plain", "text/plain"}
	wantEncodings := []string{"7bit", "7bit", "base64", "base64", "7bit", "base64", "7bit", "base64"}
	for i, c := range p.Children[1:] {
		data, err := c.Body()
		if err != nil || !bytes.Equal(data, files[i].Data) {
			t.Errorf("%s came back as %q, %v", files[i].Filename, data, err)
		}
		if c.Filename != fileName(files[i].Filename) || c.MediaType != wantTypes[i] || c.Encoding != wantEncodings[i] || !c.IsAttachment() {
			t.Errorf("%s came back as %s %s %s", files[i].Filename, c.Filename, c.MediaType, c.Encoding)
		}
		if (c.Disposition == "inline") != files[i].Inline {
			t.Errorf("%s is %s", c.Filename, c.Disposition)
		}
	}
	checkWire(t, []byte(strings.ReplaceAll(string(b), strings.Repeat("x", 200), "")))
}

func TestEntityRefuses(t *testing.T) {
	t.Parallel()
	file := []Attachment{{Filename: "x"}}
	for name, e := range map[string]Entity{
		"boundary in the text": {Text: "--b\n", Attachments: file},
		"not UTF-8":            {Text: "\xff"},
		"media type":           {Attachments: []Attachment{{MediaType: "text/plain\r\nX: y"}}},
		"multipart":            {Attachments: []Attachment{{MediaType: "multipart/mixed"}}},
		"parameter":            {Attachments: []Attachment{{Params: map[string]string{"a": "b\r\nX: y"}}}},
		"parameter name":       {ContentTypeParams: map[string]string{"a b": "c"}},
	} {
		if b, err := e.Bytes("b"); err == nil {
			t.Errorf("%s: wrote %q", name, b)
		}
	}
	for _, boundary := range []string{"", "a ", "a\"b", "a\r\nb", strings.Repeat("x", 71), "ü"} {
		if b, err := (Entity{Attachments: file}).Bytes(boundary); err == nil {
			t.Errorf("boundary %q: wrote %q", boundary, b)
		}
	}
	b, err := Entity{Text: "x", Attachments: file}.Bytes(strings.Repeat("=", 70))
	if err != nil || len(parse(t, b).Children) != 2 {
		t.Errorf("the longest boundary: %v\n%s", err, b)
	}
}

func TestEntityIsDeterministic(t *testing.T) {
	t.Parallel()
	e := Entity{Text: "x", Attachments: []Attachment{{Params: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}}}}
	first, err := e.Bytes("=b")
	for range 20 {
		again, _ := e.Bytes("=b")
		if err != nil || !slices.Equal(first, again) {
			t.Fatalf("%v\n%s\n%s", err, first, again)
		}
	}
}

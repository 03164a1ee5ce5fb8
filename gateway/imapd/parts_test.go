package imapd_test

import (
	"fmt"
	"strings"
	"testing"
)

// nested is a message with everything in it that a section can lead to. The
// numbers beside are those of RFC 9051 section 6.4.5.
const nested = "Subject: outer\r\nFrom: a@x.example\r\nX-Folded: one\r\n two\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n" +
	"preamble\r\n" +
	"--o\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nj=C3=A4\r\n" + // 1
	"--o\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"data.bin\"\r\n\r\nAAECAw==\r\n" + // 2
	"--o\r\nContent-Type: message/rfc822\r\nContent-Description: forwarded\r\n\r\n" + // 3
	"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n" + // 3.HEADER
	"--i\r\n\r\nplain\r\n" + // 3.1
	"--i\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n" + // 3.2
	"--i--\r\n" +
	"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: simple\r\n\r\nsimple words\r\n" + // 4, 4.1
	"--o--\r\n"

func TestFetch_Sections(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", mail{raw: nested}, letter(1))
	c := o.in("ana", "Intake")
	header, text, _ := strings.Cut(nested, "\r\n\r\n")
	header += "\r\n\r\n"
	inner := nested[strings.Index(nested, "Subject: inner"):strings.Index(nested, "\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: simple")]
	innerHeader, innerText, _ := strings.Cut(inner, "\r\n\r\n")
	for _, s := range []struct{ item, want string }{
		{"BODY[]", nested},
		{"BODY[HEADER]", header},
		{"BODY[TEXT]", text},
		{"BODY[1]", "j=C3=A4"},
		{"BODY[1.MIME]", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"},
		{"BODY[2]", "AAECAw=="},
		{"BODY[3]", inner},
		{"BODY[3.MIME]", "Content-Type: message/rfc822\r\nContent-Description: forwarded\r\n\r\n"},
		{"BODY[3.HEADER]", innerHeader + "\r\n\r\n"},
		{"BODY[3.TEXT]", innerText},
		{"BODY[3.1]", "plain"},
		{"BODY[3.1.MIME]", "\r\n"},
		{"BODY[3.2]", "<b>html</b>"},
		{"BODY[3.2.MIME]", "Content-Type: text/html\r\n\r\n"},
		{"BODY[4.1]", "simple words"},
		{"BODY[4.TEXT]", "simple words"},
		{"BODY[4.HEADER.FIELDS (subject)]", "Subject: simple\r\n\r\n"},
		{"BODY[4.2]", ""},
		{"BODY[5]", ""},
		{"BODY[1.1]", ""},
		{"BODY[1.HEADER]", ""},
		{"BODY[3.3]", ""},
		{"BODY[HEADER.FIELDS (From X-Folded Nothing)]", "From: a@x.example\r\nX-Folded: one\r\n two\r\n\r\n"},
		{"BODY[HEADER.FIELDS.NOT (From X-Folded MIME-Version Content-Type)]", "Subject: outer\r\n\r\n"},
		{"BODY[HEADER.FIELDS (Nothing)]", "\r\n"},
		{"BODY[]<0.7>", "Subject"},
		{"BODY[1]<1.3>", "=C3"},
		{"BODY[1]<5.100>", "A4"},
		{"BODY[1]<7.100>", ""},
		{"BODY[1]<100.5>", ""},
		{"BODY[HEADER.FIELDS (From)]<6.9>", "a@x.examp"},
		{"RFC822", nested},
		{"RFC822.HEADER", header},
		{"RFC822.TEXT", text},
	} {
		item := strings.NewReplacer("BODY[", "BODY.PEEK[").Replace(s.item)
		got := c.ask("FETCH 1 " + item)
		name := s.item
		if i := strings.IndexByte(name, '<'); i >= 0 {
			origin, _, _ := strings.Cut(name[i:], ".")
			name = name[:i] + origin + ">"
		}
		want := fmt.Sprintf("%s {%d}\r\n%s)", name, len(s.want), s.want)
		if len(got) != 1 || !strings.HasSuffix(strings.ReplaceAll(got[0], `"`, ""), strings.ReplaceAll(want, `"`, "")) {
			t.Errorf("%s:\n%q\nwant the end\n%q", s.item, got, want)
		}
	}
	// A message that is no multipart has one part, its own body.
	c.talk(`
		C: a FETCH 2 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2])
		S: * 2 FETCH (BODY[1] {13}...Words of 1... BODY[1.MIME] {158}...From: Acme... BODY[2] {0}...)
		S: a OK ...`)
}

func TestFetch_Binary(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", mail{raw: nested}, mail{raw: "Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n"})
	c := o.in("ana", "Intake")
	c.talk(`
		C: a FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] BINARY.SIZE[2])
		S: * 1 FETCH (BINARY[1] ~{3}...jä BINARY.SIZE[1] 3 BINARY.SIZE[2] 4)
		S: a OK ...
		C: b FETCH 1 BINARY.PEEK[2]<1.2>
		S: * 1 FETCH (BINARY[2] ~{2}...` + "\x01\x02" + `)
		S: b OK ...
		C: c FETCH 1 BINARY.PEEK[9]
		S: * 1 FETCH (BINARY[9] ~{0}...)
		S: c OK ...
		C: d FETCH 2 BINARY.PEEK[1]
		S: d NO [UNKNOWN-CTE] ...
		C: e FETCH 1 BINARY[3.1]
		S: * 1 FETCH (FLAGS (\Seen) BINARY[3.1] ~{5}...plain)
		S: e OK ...`)
}

func TestFetch_Structure(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", mail{raw: nested}, letter(1),
		mail{raw: "Content-Type: application/pdf; name*=utf-8''%C3%9C.pdf\r\nContent-Language: de, en\r\n\r\nx"})
	c := o.in("ana", "Intake")
	c.talk(`
		C: a FETCH 1 BODY
		S: * 1 FETCH (BODY (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 7 1)("application" "octet-stream" NIL NIL NIL "base64" 8)("message" "rfc822" NIL NIL "forwarded" "7bit" 131 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1)("text" "html" NIL NIL NIL "7bit" 11 1) "alternative") 11)("message" "rfc822" NIL NIL NIL "7bit" 31 (NIL "simple" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 12 1) 3) "mixed"))
		S: a OK ...
		C: b FETCH 2 (BODY BODYSTRUCTURE)
		S: * 2 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1) BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1 NIL NIL NIL NIL))
		S: b OK ...
		C: c FETCH 3 BODYSTRUCTURE
		S: * 3 FETCH (BODYSTRUCTURE ("application" "pdf" ("name" "=?utf-8?q?=C3=9C.pdf?=") NIL NIL "7bit" 1 NIL NIL ("de" "en") NIL))
		S: c OK ...
		C: d ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: d OK ...
		C: e FETCH 3 BODYSTRUCTURE
		S: * 3 FETCH (BODYSTRUCTURE ("application" "pdf" ("name" "Ü.pdf") ...))
		S: e OK ...
		C: f UID SEARCH SUBJECT letter
		S: * ESEARCH (TAG "f") UID ALL 2
		S: f OK ...
		C: g FETCH 2 FULL
		S: * 2 FETCH (FLAGS () INTERNALDATE ... RFC822.SIZE 171 ENVELOPE (...) BODY ("text" ...))
		S: g OK ...`)
}

// A body in a blob file is served by stretches.
func TestFetch_LargeBody(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	raw := "Subject: large\r\n\r\n" + strings.Repeat("0123456789abcdef", 40000) + "the end"
	o.file("Intake", mail{raw: raw})
	c := o.in("ana", "Intake")
	c.talk(`
		C: a FETCH 1 BODY.PEEK[TEXT]<639990.100>
		S: * 1 FETCH (BODY[TEXT]<639990> {17}...6789abcdefthe end)
		S: a OK ...
		C: b FETCH 1 BODY.PEEK[]<0.20>
		S: * 1 FETCH (BODY[]<0> {20}...Subject: large...01)
		S: b OK ...`)
	got := c.ask("FETCH 1 BODY.PEEK[]")
	if len(got) != 1 || !strings.HasSuffix(got[0], raw+")") {
		t.Errorf("other bytes: %d", len(got[0]))
	}
}

// What a list of messages asks for is the same whether it is written by us or
// by the library.
func TestFetch_ListsAgree(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", append(letters(600), mail{raw: nested}, mail{raw: "Subject: =?utf-8?q?=C3=9Cber?= all\r\nFrom: \"A \\\"q\\\" B\" <a@x.example>\r\nTo: g: b@x.example;\r\n\r\n"})...)
	c := o.in("ana", "Intake")
	c.ask(`STORE 3:5 +FLAGS.SILENT (\Flagged todo)`)
	own := c.ask("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")
	library := c.ask("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BINARY.SIZE[])")
	if len(own) != 602 || len(library) != 602 {
		t.Fatalf("%d and %d lines", len(own), len(library))
	}
	for i := range own {
		theirs, _, _ := strings.Cut(library[i], " BINARY.SIZE[]")
		if own[i] != theirs+")" {
			t.Errorf("ours   %s\ntheirs %s", own[i], library[i])
		}
	}
}

package imapd_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The structure that is stored as a line is what the library makes of the same
// message: it writes where BODY is asked for too.
func TestFetch_StructureLines(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	mails := []mail{{raw: nested}, letter(1),
		{raw: "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n"},
		{raw: "Content-Type: text/plain; name=\"a\\\"b\\\\c\"\r\nContent-ID: <i>\r\nContent-Location: http://acme.example/\r\n\r\nx\r\n"},
		{raw: "Content-Disposition: attachment; filename*=utf-8''%C3%9C%20a.txt\r\nContent-Description: =?utf-8?q?=C3=9C?=\r\nContent-Language: de, en\r\n\r\nx"},
		{raw: "Content-Type: text/plain; charset=\"\"\r\nContent-Transfer-Encoding: BASE64\r\n\r\n\r\n"}}
	paths, err := filepath.Glob("../../testdata/eml/*.eml")
	must(t, err)
	if len(paths) == 0 {
		t.Fatal("there are no mails in testdata/eml")
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		must(t, err)
		raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		mails = append(mails, mail{raw: string(raw)})
	}
	o.file("Intake", mails...)
	for _, rev := range []string{"IMAP4rev1", "IMAP4rev2"} {
		c := o.in("ana", "Intake")
		if rev == "IMAP4rev2" {
			c.ask("ENABLE IMAP4rev2")
		}
		for n := range mails {
			short := c.ask(fmt.Sprintf("FETCH %d BODYSTRUCTURE", n+1))
			both := c.ask(fmt.Sprintf("FETCH %d (BODY BODYSTRUCTURE)", n+1))
			_, want, ok := strings.Cut(strings.Join(both, "\n"), " BODYSTRUCTURE ")
			_, got, _ := strings.Cut(strings.Join(short, "\n"), "(BODYSTRUCTURE ")
			if !ok || got != want {
				t.Errorf("%s, message %d:\n%s\nthe library:\n%s", rev, n+1, got, want)
			}
		}
	}
}

// Both structures are given where both are asked for, however that is spelled,
// and also where the next command came with this one.
func TestFetch_BodyBesideStructure(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.file("Intake", letter(1))
	c := o.in("ana", "Intake")
	both := `* 1 FETCH (...BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1) BODYSTRUCTURE ("text" ...`
	one := `* 1 FETCH (BODYSTRUCTURE ("text" ...`
	c.write("a FETCH 1 BODYSTRUCTURE\r\nb FETCH 1 (bodystructure body)\r\nc FETCH 1 (BODYSTRUCTURE)\r\nd UID FETCH 1 (Body BodyStructure FLAGS)\r\n" +
		"e FETCH 1 (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS ({7}\r\n")
	for _, row := range []struct{ tag, want string }{{"a", one}, {"b", both}, {"c", one}, {"d", both}} {
		c.want(row.want)
		c.want(row.tag + " OK ...")
	}
	c.want("+ ...")
	c.write("Subject)] BODY FLAGS)\r\nf FETCH 1 BODYSTRUCTURE\r\n")
	if line := strings.Join(c.until("e OK"), " "); !strings.Contains(line, " BODY (\"text\"") || !strings.Contains(line, "BODYSTRUCTURE (") || !strings.Contains(line, "letter") {
		t.Error(line)
	}
	c.want(one)
	c.want("f OK ...")
}

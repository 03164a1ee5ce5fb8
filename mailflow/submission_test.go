package mailflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// Whatever client a coordinator writes with, its words arrive as text, and in
// their order.
func TestWrittenText(t *testing.T) {
	t.Parallel()
	html := "Content-Type: text/html; charset=utf-8\n\n<p>Dear <b>Acme</b>,</p><p>well &amp; good</p><blockquote>you wrote</blockquote>\n"
	plain := func(s string) string { return "Content-Type: text/plain; charset=utf-8\n\n" + s + "\n" }
	file := "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\na file\n"
	parts := func(kind string, all ...string) string {
		return "Content-Type: multipart/" + kind + "; boundary=b" + kind + "\n\n--b" + kind + "\n" + strings.Join(all, "\n--b"+kind+"\n") + "\n--b" + kind + "--\n"
	}
	for name, row := range map[string]struct{ mail, want string }{
		"plain":                {plain("one\ntwo"), "one\ntwo"},
		"no Content-Type":      {"\none", "one"},
		"HTML only":            {html, "Dear Acme,\n\nwell & good\n\n> you wrote"},
		"alternative":          {parts("alternative", plain("plain"), html), "plain"},
		"empty plain":          {parts("alternative", plain(" "), html), "Dear Acme,\n\nwell & good\n\n> you wrote"},
		"with a picture":       {parts("related", html, "Content-Type: image/png\nContent-ID: <x>\n\nxx"), "Dear Acme,\n\nwell & good\n\n> you wrote"},
		"alternative in mixed": {parts("mixed", parts("alternative", plain("plain"), parts("related", html)), file), "plain"},
		"text, picture, text":  {parts("mixed", plain("first"), "Content-Type: image/png\nContent-Disposition: inline; filename=x.png\n\nxx", plain("second")), "first\n\nsecond"},
		"a file is no words":   {parts("mixed", plain("words"), file), "words"},
		"a mail is no words":   {parts("mixed", plain("words"), "Content-Type: message/rfc822\n\nSubject: x\n\nother words\n"), "words"},
		"signed":               {parts("signed", plain("signed words"), "Content-Type: application/pgp-signature\n\nxx"), "signed words"},
		"flowed":               {"Content-Type: text/plain; format=flowed\n\none \ntwo\n> he \n> said\n", "one two\n> he said"},
		"latin-1":              {"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ngr=FC=DFe\n", "grüße"},
		"eight bits":           {"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngrüße\n", "grüße"},
		"nothing":              {"Content-Type: text/plain\n\n \n\n", ""},
		"only a file":          {file, ""},
		"a calendar beside it": {parts("alternative", plain("words"), "Content-Type: text/calendar\n\nBEGIN:VCALENDAR\n"), "words"},
		"script and style":     {"Content-Type: text/html\n\n<style>p{}</style><script>x()</script>words", "words"},
		"Thunderbird, HTML": {"Content-Type: text/html; charset=UTF-8\n\n<!DOCTYPE html>\n<html>\n  <head>\n\n    <meta http-equiv=\"content-type\" content=\"text/html; charset=UTF-8\">\n  </head>\n  <body>\n" +
			"    <p>Thank you. We look\n      at it.<br>\n    </p>\n    <div class=\"moz-cite-prefix\">On 1/12/2026 09:12, Acme wrote:<br>\n    </div>\n    <blockquote type=\"cite\"\n      cite=\"mid:x@vdp.example.org\">\n" +
			"      <pre class=\"moz-quote-pre\" wrap=\"\">It came encrypted.\nDoes 4.1 have it?\n</pre>\n    </blockquote>\n    <p><br>\n    </p>\n    <pre class=\"moz-signature\" cols=\"72\">-- \nana</pre>\n  </body>\n</html>\n",
			"Thank you. We look at it.\n\nOn 1/12/2026 09:12, Acme wrote:\n\n> It came encrypted.\n> Does 4.1 have it?\n\n-- \nana"},
		"flowed, signed off": {"Content-Type: text/plain; charset=UTF-8; format=flowed\n\nOne long \nline.\n\n> Does 4.1 \n> have it?\n\nYes.\n\n-- \nana\nExample CERT\n",
			"One long line.\n\n> Does 4.1 have it?\n\nYes.\n\n-- \nana\nExample CERT"},
		"a disguised multipart": {"Content-Type: multipart/mixed\n\nno boundary", ""},
	} {
		p, err := message.Parse([]byte(crlf("Subject: x\n"+row.mail)), message.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.TrimSpace(writtenText(p)); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// What the gateway put at the top of a view is not quoted back to whom it is
// about.
func TestOwnWords(t *testing.T) {
	t.Parallel()
	got := ownWords("Hello,\n\nacme wrote:\n> It came encrypted. Signature: good; party=acme.\n> Really from psirt@acme.example.\n> " + theirs + "\n>\n> why?\n>> Sent to acme <psirt@acme.example>.\n" +
		"> > Encrypted to 4B32 ADAC.\nReally from the heart,\nana\n")
	if want := "Hello,\n\nacme wrote:\n>\n> why?\nReally from the heart,\nana"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// Lines that go on, and those of documents, go with the one before them; the
	// same words further down are somebody's own.
	for _, mark := range []string{"> ", ">", "> > "} {
		ours := laidOut("It came encrypted. Signature: good; party=acme; key="+strings.Repeat("A", 40)+"; trust=confirmed.\nReally from psirt@acme.example.\n"+
			"Document 1, fix.txt: a piece that was encrypted by itself. Its signature: none.\nWhat a document's signature says, it says of that document only.") + "\n" + theirs
		text := mark + strings.ReplaceAll(ours, "\n", "\n"+mark) + "\n" + mark + "Document 2 is ours, and\n" + mark + "  - indented\n"
		if got, want := ownWords(text), strings.TrimSpace(mark+"Document 2 is ours, and\n"+mark+"  - indented"); got != want {
			t.Errorf("quoted with %q: %q, want %q", mark, got, want)
		}
		if got := ownLines(text); strings.Count(got, "\n") != strings.Count(text, "\n")-1 || strings.Contains(got, "trust=") {
			t.Errorf("its lines, quoted with %q: %q", mark, got)
		}
	}
}

// A reply goes to that vendor alone, with nothing of the client or the view in
// it; its files keep no more than their kind.
func TestLetter_Reply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.coordinator("ana")
	id := w.started("acme")
	w.answers("acme", id, true, "what is ü?\n")
	served := w.last(w.folderOf(id, "Vendor acme"))
	to := served.Envelope.From[0].Addr()
	quoted := "> " + strings.ReplaceAll(strings.TrimSpace(w.words(served)), "\n", "\n> ")
	raw := crlf("From: Ana <" + ana.Address + ">\nTo: " + to + "\nSubject: Re: " + served.Envelope.Subject + "\nIn-Reply-To: <" + served.Envelope.MessageID +
		">\nReferences: <" + served.Envelope.MessageID + ">\nMessage-ID: <sendersecret@laptop.example>\nUser-Agent: sendersecret\nDate: Tue, 1 Dec 2026 11:22:33 +0530\n" +
		"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nIt is a letter.\n" + quoted + "\n" +
		"--b\nContent-Type: text/plain; charset=iso-8859-15; name=\"sendersecret.TXT\"\nContent-Disposition: attachment\n\n\xa4 5\n" +
		"--b\nContent-Type: image/png\nContent-Disposition: inline; filename=\"C:\\sendersecret\\x.verylong\"\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n" +
		"--b\nContent-Type: message/rfc822\n\nSubject: their advisory\n\nread this\n" +
		"--b\nContent-Type: application/pgp-keys; name=OpenPGP_0x.asc\nContent-Disposition: attachment\n\n" + string(ana.PublicKey()) + "\n--b--\n")
	if err := w.hands("ana", to, []byte(raw)); err != nil {
		t.Fatal(err)
	}
	if n := w.countIn("INBOX", "acme wrote"); n != 0 {
		t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
	}
	w.after(w.Undo)
	all := w.mails(w.people["acme"])
	l := all[len(all)-1]
	for _, want := range []string{"It is a letter.\n", "> what is ü?"} {
		if !strings.Contains(strings.ReplaceAll(l.Text, "\r\n", "\n"), want) {
			t.Errorf("the letter lacks %q:\n%s", want, l.Text)
		}
	}
	if word := l.find([]string{"sendersecret", "laptop.example", "+0530", "Really from", "It came encrypted", ana.Fingerprint()}); word != "" {
		t.Errorf("the letter holds %q", word)
	}
	if l.Outer.Get("References")+l.Outer.Get("In-Reply-To") != "" {
		t.Error("the letter refers to another mail outside")
	}
	for name, want := range map[string]string{"file-1.txt": "\xa4 5", "file-2": "hello", "file-3.eml": "Subject: their advisory\r\n\r\nread this"} {
		if got, ok := l.Files[name]; !ok || strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, want %q; there are %d files", name, got, want, len(l.Files))
		}
	}
	if !strings.Contains(string(l.Inner), `charset="iso-8859-15"`) && !strings.Contains(string(l.Inner), "charset=iso-8859-15") {
		t.Error("a text file lost its charset")
	}
	thread := w.filed(w.folderOf(id, "Vendor acme"))
	if m := thread[len(thread)-1]; m.Direction != "out" || m.Envelope.From[0].Addr() != to {
		t.Errorf("the answer is not in the thread: %+v", m.Envelope)
	}
}

// A mail that says nothing goes nowhere, and its draft stays with the client.
func TestSubmission_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	fin := w.person("else", "else@x.example")
	armored, err := fin.Seal(mailtest.Entity("x", "x"), fin.PublicKey(), false)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(text string) []byte {
		return mailtest.Plain("ana@desk.vdp.example.org", "x", "s", text, w.clock.Now())
	}
	before := w.waiting()
	for name, row := range map[string]struct {
		to  string
		raw []byte
		why string
	}{
		"empty letter":       {"acme.", plain(" \n\n"), "neither text nor files"},
		"only our own words": {"acme.", plain("> It came encrypted.\n"), "neither text nor files"},
		"empty material":     {"details.", plain(""), "neither text nor files"},
		"empty to all":       {"vendors.", plain(""), "neither text nor files"},
		"not for us":         {"acme.", mailtest.PGPMIME("ana@desk.vdp.example.org", "x", w.clock.Now(), armored), "not with the gateway's key"},
		"no mail":            {"acme.", []byte("\x01\x02"), "cannot be read"},
	} {
		var r *Reply
		err := w.hands("ana", row.to+id.Lower()+"@"+w.DeskDomain, row.raw)
		if !errors.As(err, &r) || r.Code/100 != 5 || !strings.HasPrefix(r.Text, "Not sent: ") || !strings.Contains(r.Text, row.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.hands("ana", "notes."+id.Lower()+"@"+w.DeskDomain, plain("")); err != nil {
		t.Errorf("an empty note: %v", err)
	}
	if w.waiting() != before {
		t.Error("something is to leave")
	}
	for text, why := range map[string]string{
		"Content-Type: text/html\r\n\r\n<p>status</p>":             "HTML only",
		"\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nstatus\r\n": "does not count",
		"Subject: status\r\n\r\n\r\n":                              "the mail has no text, and its Subject is not read",
		"\r\nhello\r\n":                                            "no command",
		"\r\n> status\r\n\r\nthanks\r\n":                           "there is no command",
	} {
		got := w.commands("ana", []byte("From: ana@desk.vdp.example.org\r\n"+text))
		if counted(got) || !strings.Contains(unwrapped(got), why) || strings.Contains(got, "> \n") {
			t.Errorf("%q:\n%s", text, got)
		}
	}
}

// A reply to a note is a note, and no command.
func TestNote_Reply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := cvd.FindCaseIDs(w.do("case open x"))[0]
	w.submits("ana", "scope."+id.Lower()+"@"+w.DeskDomain, false, "scope", "the scope\n")
	note := w.last(w.folderOf(id, "Notes"))
	if got := note.Envelope.From[0].Addr(); got != "notes."+id.Lower()+"@"+w.DeskDomain {
		t.Errorf("a reply to a note goes to %s", got)
	}
}

// unended is a mail whose end comes when the test says so.
type unended struct {
	head io.Reader
	wait <-chan struct{}
}

func (s unended) Read(b []byte) (int, error) {
	if n, err := s.head.Read(b); err == nil {
		return n, nil
	}
	<-s.wait
	return 0, io.EOF
}

// Large mails are opened one at a time, and one whose client is slow holds up
// no other.
func TestM8_LargeSubmissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := cvd.FindCaseIDs(w.do("case open x"))[0]
	to := "notes." + id.Lower() + "@" + w.DeskDomain
	large := append([]byte("From: ana@desk.vdp.example.org\r\nSubject: large\r\n\r\n"), bytes.Repeat([]byte("large words of a note\r\n"), 2*largeMail/23)...)
	env := Envelope{From: "ana@desk.vdp.example.org", To: []string{to}, Login: "ana", TLS: true}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- w.sub.Submit(context.Background(), env, unended{bytes.NewReader(large), stop})
	}()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := w.sub.Submit(context.Background(), env, bytes.NewReader(large)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	select {
	case err := <-done:
		t.Fatal("a mail was taken before its end", err)
	default:
	}
	w.sub.large.Lock() // somebody's is being opened
	close(stop)
	select {
	case err := <-done:
		t.Fatal("two large mails were opened at once", err)
	case <-time.After(20 * time.Millisecond):
	}
	w.sub.large.Unlock()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := len(w.filed(w.folderOf(id, "Notes"))); n != 4 {
		t.Errorf("%d notes", n)
	}
	w.Limits.Size = int64(len(large)) - 1
	if err := w.sub.Submit(context.Background(), env, bytes.NewReader(large)); !errors.Is(err, replyTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// The answer to commands is a letter, too: its sentences end at 72 columns, and
// what was typed and lists stay a line each.
func TestTranscriptIn72Columns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	w.control("ana", false, "case "+string(id), "member add acme jo@acme.example")
	w.control("ana", true, "case "+string(id), "member add acme jo@acme.example", "plan")
	for _, m := range w.filed("Status") {
		for line := range strings.Lines(w.words(m)) {
			line = strings.TrimRight(line, "\r\n")
			if len([]rune(line)) > 72 && !strings.HasPrefix(line, "acme  ") {
				t.Errorf("%q: %d columns: %s", m.Envelope.Subject, len([]rune(line)), line)
			}
		}
	}
	if n := w.countIn("Status", "your commands (ana)"); n != 2 {
		t.Errorf("%d transcripts", n)
	}
}

// On the command line it reads the same, and a program finds the outcome at the
// beginning of a line, with the approval on that line. A list has a line for each
// thing, also where it has one.
func TestTranscriptOfDoIn72Columns(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	refused := w.as(Actor{Name: Operator, Via: ViaOperator}, "case "+string(id), "hodl acme").String()
	narrow(t, "a refusal", refused)
	wants(t, refused, "\nNOT DONE: \"hodl\" is no command; did you mean hold?")
	waits := TranscriptLine{Outcome: Waits, Waits: "9f3a-27c1", Result: strings.Repeat("the answer goes to vendors at details, ", 3) + "say `approve 9f3a-27c1` for 4B32 ADAC 11F0 2C91 63D4 0A5B 77E1 9C2D 84F6 A0C3"}.answer()
	narrow(t, "what waits", waits)
	if !strings.HasPrefix(waits, "WAITS for approval 9f3a-27c1: the answer goes") || !strings.Contains(waits, "\n      ") || !strings.Contains(waits, "`approve 9f3a-27c1`") || !strings.Contains(waits, "4B32 ADAC 11F0 2C91 63D4 0A5B 77E1 9C2D 84F6 A0C3") {
		t.Errorf("%s", waits)
	}
	list := w.do("vendor edit acme zone America/Argentina/Buenos_Aires lead 30d second second-contact@acme.example", "vendor list")
	if _, line, _ := strings.Cut(list, "> vendor list\n"); !strings.HasPrefix(line, "OK: acme ") || strings.Count(line, "\n") != 1 || len(line) < 80 {
		t.Errorf("a list of one:\n%s", list)
	}
	for _, line := range strings.Split(w.in(id, "plan"), "\n") {
		if strings.HasPrefix(line, "acme ") && len(line) < 73 {
			t.Errorf("plan is broken: %s", line)
		}
	}
}

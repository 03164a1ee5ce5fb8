package mailflow

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
)

// What people wrote that is not to cross.
const (
	globexWords = "our build of the recorder ships the decoder since spring and nobody had noticed it"
	finderWords = "the length field is trusted before the checksum of the frame is even looked at"
)

// crossing is a started case with acme and globex, which wrote something, and
// coordinators ana and ben.
func crossing(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.started("acme", "globex")
	w.answers("globex", id, true, "Hello,\n\n"+globexWords+".\n\nG.\n")
	return w, id
}

func (w *world) deskTo(to string, id cvd.CaseID) string {
	return to + "." + id.Lower() + "@" + w.DeskDomain
}

// letters counts the letters of coordinators that a person got.
func (w *world) letters(name, words string) int {
	w.t.Helper()
	n := 0
	for _, l := range w.mails(w.people[name]) {
		if strings.Contains(strings.ReplaceAll(l.Text, "\r\n", "\n"), words) {
			n++
		}
	}
	return n
}

// wordsIn is what the newest mail of a folder says that has these words in its
// Subject, on one line.
func (w *world) wordsIn(folder, subject string) string {
	w.t.Helper()
	out := ""
	for _, m := range w.filed(folder) {
		if strings.Contains(m.Envelope.Subject, subject) {
			out = unwrapped(w.words(m))
		}
	}
	return out
}

// keptBack wants exactly one draft in Approvals, told of in INBOX with these words,
// and gives its request.
func (w *world) keptBack(words ...string) cvd.ApprovalRequest {
	w.t.Helper()
	a := w.request("")
	for _, folder := range []string{"INBOX", "Approvals"} {
		text := ""
		for _, m := range w.filed(folder) {
			if m.Ref == a.ID {
				text += m.Envelope.Subject + "\n" + w.words(m)
			}
		}
		flat := unwrapped(text)
		for _, word := range words {
			if !strings.Contains(flat, word) {
				w.t.Errorf("%s lacks %q:\n%s", folder, word, text)
			}
		}
	}
	return a
}

// A letter that quotes another vendor's thread is taken, is not sent, and is a
// draft with the sentence found; a second person lets it go as it is.
func TestV6_QuotedThread(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	text := "Dear acme,\n\n> Our build of the RECORDER ships the decoder\n> since spring and nobody had\n> noticed it.\n\nana\n"
	if err := w.trySubmit("ana", w.deskTo("acme", id), false, "Re: your builds", text); err != nil {
		t.Fatalf("it was not taken: %v", err)
	}
	w.settle()
	a := w.keptBack("line 3 repeats", "characters that globex wrote on 1 Dec")
	inbox := w.last("INBOX")
	if want := "Not done: reply to acme in " + string(id); inbox.Envelope.Subject != want {
		t.Errorf("Subject %q, want %q", inbox.Envelope.Subject, want)
	}
	w.after(3 * w.Undo)
	if n := w.letters("acme", "noticed"); n != 0 {
		t.Fatalf("%d letters left", n)
	}
	w.refuses(anaSigned, "your own text", "approve "+a.ID)
	if err := w.press(Actor{Name: "ana", Via: ViaGesture}, "Approve", a.ID); err == nil {
		t.Error("the author let it go")
	}
	if err := w.press(benByGesture, "Approve", a.ID); err != nil {
		t.Fatal(err)
	}
	w.after(3 * w.Undo)
	if n := w.letters("acme", "noticed"); n != 1 {
		t.Errorf("%d letters left after the yes", n)
	}
	if n := w.countIn("INBOX", "Not done") + w.countIn("Approvals", "letter"); n != 0 {
		t.Errorf("it still stands before the desk: %q %q", w.subjects("INBOX"), w.subjects("Approvals"))
	}
}

// What leaves is compared wherever the words stand: Subject, HTML, files that
// are text, mails in files, names of files; bytes that are no text are not.
func TestV6_WhereverItStands(t *testing.T) {
	t.Parallel()
	raw := func(kind, head, body string) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee the file\r\n--b\r\nContent-Type: " + kind + "\r\n" + head + "\r\n" + crlf(body) + "\r\n--b--\r\n"
	}
	file := "Content-Disposition: attachment; filename=x.bin\r\n"
	for name, row := range map[string]struct{ mail, why string }{
		"the letter":       {"\r\nas they say, " + globexWords + "\r\n", "line 1 repeats"},
		"further down":     {"\r\none\r\n\r\nthree " + globexWords + "\r\n", "line 3 repeats"},
		"HTML":             {"Content-Type: text/html\r\n\r\n<p>they say:</p><blockquote>our build of the <b>recorder</b> ships the decoder<br>since spring and nobody had noticed it</blockquote>\r\n", "repeats 8"},
		"a text file":      {raw("text/plain", file, "line one\n"+globexWords+"\n"), "line 2 of file-1.bin repeats"},
		"a file of source": {raw("application/octet-stream", file, "/* "+globexWords+" */\n"), "line 1 of file-1.bin repeats"},
		"a mail":           {raw("message/rfc822", "", "Subject: "+globexWords+"\n\nhello\n"), "of file-1.eml repeats"},
		"a page":           {raw("text/html", file, "<p>"+strings.ReplaceAll(globexWords, " ", "&nbsp;")+"</p>"), "of file-1.bin repeats"},
		"a file's kind":    {raw("text/plain", "Content-Disposition: attachment; filename=crash.globex\r\n", "x"), ""},
		"bytes":            {raw("application/octet-stream", file+"Content-Transfer-Encoding: base64\r\n", "AAECAwQF"), ""},
		"nothing of it":    {"\r\nour build is another one\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := crossing(t)
			if err := w.hands("ana", w.deskTo("acme", id), []byte("From: ana@desk.vdp.example.org\r\nSubject: hello\r\nMIME-Version: 1.0\r\n"+row.mail)); err != nil {
				t.Fatal(err)
			}
			w.settle()
			if row.why != "" {
				w.keptBack(row.why, "globex wrote on 1 Dec")
			} else if all := w.requests(""); len(all) != 0 {
				t.Errorf("kept back: %q", w.words(w.last("INBOX")))
			}
		})
	}
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "Re: "+globexWords, "see above\n")
	w.keptBack("the Subject repeats 8", "globex wrote")
}

// A name of another party, of the case or only of the directory, holds a letter:
// its own, one that it is known by, an address, a domain. Parts of words do not,
// nor the recipient's own.
func TestV6_Names(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.vendor("big-corp")
	w.vendor("acme-labs")
	w.do(`vendor edit globex alias "Globular Experts, GX"`)
	fin := w.person("fin", "jo@finder.example")
	w.reported(fin, "another", "another report\n")
	count := 0
	for text, named := range map[string]string{
		"as globex says":                     "globex",
		"GLOBEX's build":                     "globex",
		"as Big  Corp\nsays":                 "big-corp",
		"write to psirt@globex.example":      "globex",
		"see https://www.globex.example/x":   "globex",
		"the Globular\n> Experts know":       "globex",
		"ask gx about it":                    "globex",
		"gl\u200bobex":                       "globex",
		"glоbex":                             "globex", // with a Cyrillic letter
		"acme-labs has it too":               "acme-labs",
		"globexish words, bigger corporate":  "",
		"acme, psirt@acme.example":           "",
		"your Player 9.1 of vdp.example.org": "",
		"jo@finder.example has no part here": "",
	} {
		before := len(w.requests(""))
		count++
		w.submits("ana", w.deskTo("acme", id), false, fmt.Sprintf("letter %d", count), text+"\n")
		all := w.requests("")
		if (len(all) > before) != (named != "") {
			t.Errorf("%q: %d drafts more", text, len(all)-before)
			continue
		}
		if named != "" && !strings.Contains(w.words(w.last("INBOX")), "names "+named) {
			t.Errorf("%q:\n%s", text, w.words(w.last("INBOX")))
		}
	}
	w.submits("ana", w.deskTo("acme-labs", w.caseOf("acme-labs")), false, "hello", "Dear acme-labs, acme labs\n")
	if strings.Contains(w.words(w.last("INBOX")), "names acme.") {
		t.Error("its own name is taken for another's")
	}
}

// caseOf opens a case with a vendor.
func (w *world) caseOf(vendor string) cvd.CaseID {
	w.t.Helper()
	id := cvd.FindCaseIDs(w.do(`case open "Another" policy fast`))[0]
	w.in(id, "invite "+vendor)
	return id
}

// What belongs to a stage that the recipient has not reached does not stand in a
// letter, nor as a file; from then on it does.
func TestV6_LaterStage(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	scope := "the component is the frame decoder of libfoo before its version four point two"
	w.submits("ana", w.deskTo("scope", id), false, "scope", scope+"\n", mailtest.File{Name: "f.bin", Type: "application/octet-stream", Data: "\x00\x01\x02"})
	w.submits("ana", w.deskTo("acme", id), false, "one", "to be clear: "+scope+"\n")
	a := w.keptBack("line 1 repeats", "of what belongs to scope")
	w.as(benByMail, "reject "+a.ID+` because "not yet"`)
	w.submits("ana", w.deskTo("acme", id), false, "two", "a file\n", mailtest.File{Name: "f.bin", Type: "application/octet-stream", Data: "\x00\x01\x02"})
	a = w.keptBack("file-1.bin is a file of scope")
	w.as(benByMail, "reject "+a.ID+` because "not yet"`)
	w.answers("acme", id, true, "ACK "+string(id)+"\n")
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.submits("ana", w.deskTo("acme", id), false, "three", "to be clear: "+scope+"\n")
	if all := w.requests(""); len(all) != 0 {
		t.Errorf("kept back: %s", w.words(w.last("INBOX")))
	}
}

// Quoting a party's own words back to it, our templates, what it got from us,
// and what the desk wrote first and somebody quoted: all that goes.
func TestV6_WhatDoesNotCount(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	ours := "please tell us which of your products link the decoder, and since which release"
	notice := w.got("globex")[0].Text
	w.submits("ana", w.deskTo("globex", id), false, "a question", ours+"\n")
	w.after(3 * w.Undo)
	w.answers("globex", id, true, "we will\n\n> "+ours+"\n> "+strings.ReplaceAll(notice, "\n", "\n> ")+"\n")
	w.submits("ana", w.deskTo("globex", id), false, "Re: yours", "you wrote\n> "+globexWords+"\n")
	w.submits("ana", w.deskTo("acme", id), false, "a question", ours+"\n"+w.got("acme")[0].Text+"\n")
	w.submits("ana", w.deskTo("vendors", id), false, "to all", ours+"\n")
	if all := w.requests(""); len(all) != 0 {
		t.Errorf("%d kept back: %s", len(all), w.words(w.last("INBOX")))
	}
	w.after(3 * w.Undo)
	if n := w.letters("acme", "which of your products"); n != 2 {
		t.Errorf("acme got %d letters", n)
	}
}

// What the desk only repeated after a party is still that party's.
func TestV6_RepeatedByTheDesk(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("globex", id), false, "Re: yours", "> "+globexWords+"\nthank you\n")
	w.after(3 * w.Undo)
	w.answers("globex", id, true, "you are welcome\n\n> > "+globexWords+"\n")
	w.submits("ana", w.deskTo("acme", id), false, "a letter", globexWords+"\n")
	w.keptBack("globex wrote on 1 Dec")
}

// The finder's words and name do not cross either, from this case or another,
// nor do a vendor's words cross to the finder.
func TestV6_Finder(t *testing.T) {
	t.Parallel()
	w, other := crossing(t)
	fin := w.person("Jo Doe", "jo@finder.example")
	r := w.reported(fin, "A flaw", "Hello,\n"+finderWords+"\n")
	w.submits("ana", fmt.Sprintf("finder.report-%d@%s", r.Number, w.DeskDomain), false, "Re: A flaw", "> "+finderWords+"\nthank you; "+globexWords+"\n")
	a := w.keptBack("globex wrote on 1 Dec in " + string(other))
	if err := w.press(benByGesture, "Reject", a.ID); err != nil {
		t.Fatal(err)
	}
	id := cvd.FindCaseIDs(w.do(fmt.Sprintf(`case open "A flaw" policy fast report %d`, r.Number)))[0]
	w.in(id, "invite acme")
	w.submits("ana", w.deskTo("acme", id), false, "one", "we hear that "+finderWords+"\n")
	a = w.keptBack("the finder wrote on 1 Dec")
	w.as(benByMail, "reject "+a.ID+` because "no"`)
	w.submits("ana", w.deskTo("acme", other), false, "two", "we hear that "+finderWords+"\n")
	a = w.keptBack("the finder wrote on 1 Dec in " + string(id))
	w.as(benByMail, "reject "+a.ID+` because "no"`)
	w.submits("ana", w.deskTo("acme", id), false, "three", "ask jo@finder.example\n")
	w.keptBack("names the finder")
}

// Of a mail to all vendors each is judged by itself.
func TestV6_EachVendor(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("vendors", id), false, "to all", "they tell us: "+globexWords+"\n")
	a := w.keptBack("line 1 repeats", "letter", "acme")
	if ps := approvalParties(w, a.ID); partyList(ps) != "acme" {
		t.Errorf("kept back for %v", ps)
	}
	w.after(3 * w.Undo)
	if w.letters("globex", "they tell us") != 1 || w.letters("acme", "they tell us") != 0 {
		t.Error("not those two went who may")
	}
}

// Edited and sent again, a draft is judged anew and takes the old one's place.
func TestV6_SentAgain(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n")
	first := w.keptBack("names globex")
	w.submits("ana", w.deskTo("acme", id), false, "Re: hello", "as globex also says\n")
	second := w.keptBack("names globex")
	if first.ID == second.ID {
		t.Error("the new one has the old ID")
	}
	w.refuses(benSigned, "written anew", "approve "+first.ID)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as others say\n")
	if all := w.requests(""); len(all) != 0 {
		t.Errorf("%d drafts are left", len(all))
	}
	w.after(3 * w.Undo)
	if w.letters("acme", "also says") != 0 || w.letters("acme", "as others say") != 1 {
		t.Error("not the last one left")
	}
}

// A yes to a draft is bound to its recipient and keys; a change voids it, says
// what changed, and asks anew.
func TestV6_DraftIsBound(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n")
	first := w.keptBack("names globex")
	w.confirm("acme", w.person("second", "psirt@acme.example"))
	w.settle()
	second := w.keptBack()
	if said := unwrapped(w.words(w.last("Approvals"))); !strings.Contains(said, "Instead of "+first.ID+" (acme: the keys changed)") {
		t.Errorf("Approvals says\n%s", said)
	}
	if void := w.wordsIn("Status", "Void: "+first.ID); !strings.Contains(void, "the keys changed") || !strings.Contains(void, second.ID) {
		t.Errorf("Status says\n%s", void)
	}
	w.refuses(benSigned, second.ID+" stands in its place", "approve "+first.ID)
	w.as(benByMail, "approve "+second.ID)
	w.do("vendor edit acme address security@acme.example")
	w.after(3 * w.Undo)
	if n := w.letters("acme", "as globex says"); n != 0 {
		t.Errorf("%d left to an address that nobody saw", n)
	}
	if said := w.words(w.last("Approvals")); !strings.Contains(said, "the address") {
		t.Errorf("Approvals says\n%s", said)
	}
}

// Refused, a draft does not leave, and its text is still there to be read.
func TestV6_DraftRejected(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n")
	a := w.keptBack("names globex")
	w.as(benByMail, "reject "+a.ID+` because "they did not agree"`)
	if said := w.wordsIn("Status", "Rejected: letter to acme"); !strings.Contains(said, "they did not agree") || !strings.Contains(said, "as globex says") {
		t.Errorf("Status says\n%s", said)
	}
	w.refuses(benSigned, "is over: rejected by ben", "approve "+a.ID)
	w.refuses(benSigned, "there is no approval 0000-0000", "approve 0000-0000")
	w.after(w.Undo)
	if n := len(w.mails(w.people["acme"])) + w.countIn("INBOX", "Not done"); n != 1 {
		t.Errorf("%d mails and tasks", n)
	}
}

// A refusal of a draft can be taken back; then a yes lets it go.
func TestV6_RejectUndone(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n")
	a := w.keptBack("names globex")
	g := Gesture{Button: "Reject", Message: w.last("Approvals").ID}
	w.ok(w.desk.Gesture(context.Background(), benByGesture, g))
	w.settle()
	w.ok(w.desk.Undo(context.Background(), benByGesture, g))
	w.settle()
	w.as(benByMail, "approve "+a.ID)
	w.after(3 * w.Undo)
	if n := w.letters("acme", "as globex says"); n != 1 {
		t.Errorf("%d letters left", n)
	}
}

// On a desk of one, cool_off stands for the second person.
func TestV6_DeskOfOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme", "globex")
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n")
	a := w.request("")
	w.as(anaSigned, "approve "+a.ID)
	w.steps(time.Hour, w.CoolOff-time.Hour)
	if n := w.letters("acme", "as globex says"); n != 0 {
		t.Error("it left before cool_off")
	}
	w.steps(time.Hour, 2*time.Hour)
	if n := w.letters("acme", "as globex says"); n != 1 {
		t.Error("it did not leave after cool_off")
	}
}

// Words of a case that others may not see are told of to nobody else, and only
// who may see them lets them go (rule A2).
func TestV6_RestrictedWords(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.coordinator("cleo")
	secret := w.caseOf("globex")
	words := "the second decoder of the same family has the same mistake in its reset path"
	w.answers("globex", secret, true, words+"\n")
	w.in(secret, "case restrict cleo")
	w.submits("ana", w.deskTo("acme", id), false, "hello", words+"\n")
	a := w.keptBack("line 1 cannot go as it is; somebody else must see it first")
	for _, folder := range []string{"INBOX", "Approvals", "Status"} {
		for _, m := range w.filed(folder) {
			if text := m.Envelope.Subject + w.words(m); m.Ref == a.ID && m.Scope != caseScope(secret) && (strings.Contains(text, "globex") || strings.Contains(text, string(secret))) {
				t.Errorf("%s tells:\n%s", folder, text)
			}
		}
	}
	if said := w.wordsIn("INBOX", "Words of "+string(secret)); !strings.Contains(said, "globex wrote on 1 Dec in "+string(secret)) {
		t.Errorf("cleo is told %q", said)
	}
	if seen := strings.Join(w.seenBy("ben"), "\n"); strings.Contains(seen, string(secret)) {
		t.Errorf("ben sees\n%s", seen)
	}
	w.refuses(benSigned, "must be seen by somebody else", "approve "+a.ID)
	w.as(Actor{Name: "cleo", Via: ViaMail}, "approve "+a.ID)
	w.after(3 * w.Undo)
	if n := w.letters("acme", "second decoder"); n != 1 {
		t.Errorf("%d left after the yes of who may see it", n)
	}
}

// The index is made anew after a restart, and keeps up with what comes.
func TestV6_Restart(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "one", "hello\n")
	more := "we can ship a release with the repaired decoder by the middle of february"
	w.answers("globex", id, true, more+"\n")
	w.restart()
	w.submits("ana", w.deskTo("acme", id), false, "two", globexWords+"\n\n"+more+"\n")
	w.keptBack("line 1 repeats", "line 3 repeats")
}

// Material that quotes somebody waits for a yes to what was found, whatever its
// policy asks for; who wrote the words gets them back without.
func TestV6_Material(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("scope", id), false, "scope", "it is known that\n"+globexWords+"\n")
	for _, v := range []string{"acme", "globex"} {
		w.answers(v, id, true, "ACK "+string(id)+"\n")
	}
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up", "Scope")
	a := w.request(cvd.Scope)
	text := ""
	for _, m := range w.filed("Approvals") {
		text = unwrapped(w.words(m))
	}
	if !strings.Contains(text, "line 2 repeats 8") || !strings.Contains(text, "globex wrote on 1 Dec") {
		t.Errorf("the request says\n%s", text)
	}
	w.refuses(anaSigned, "your own text", "approve "+a.ID)
	w.as(benByMail, "approve "+a.ID)
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope")
}

// An annex, what goes with every stage and a vendor's product are compared, too,
// and an annex with its vendor's own words goes.
func TestV6_AnnexAndProduct(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("globex.scope", id), false, "annex", "you say: "+globexWords+"\n")
	w.in(id, `invite acme affects "globex Player 9.1"`)
	w.submits("ana", w.deskTo("acme.scope", id), false, "annex", "they say: "+globexWords+"\n")
	w.answers("globex", id, true, "ACK "+string(id)+"\n")
	w.after(2 * cvd.Day)
	w.told("globex", "Heads-up", "Scope")
	var said []string
	for _, m := range w.filed("Approvals") {
		said = append(said, strings.Fields(w.words(m))...)
	}
	text := strings.Join(said, " ")
	for _, want := range []string{"line 1 of the annex repeats", "the product names globex"} {
		if !strings.Contains(text, want) {
			t.Errorf("Approvals lacks %q:\n%s", want, text)
		}
	}
}

// The exact letter is attached to the request.
func TestV6_DraftIsAttached(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "hello", "as globex says\n", mailtest.File{Name: "secret-name.txt", Type: "text/plain", Data: "a file of mine"})
	w.keptBack("names globex")
	if n := w.countIn("Approvals", "Approve? "+string(id)+" letter -> acme"); n != 1 {
		t.Errorf("Approvals: %q", w.subjects("Approvals"))
	}
	found := false
	w.served(w.last("Approvals")).Walk(func(p *message.Part) bool {
		if p.Filename == "acme.eml" {
			body, err := p.Body()
			found = err == nil && strings.Contains(string(body), "as globex says") && strings.Contains(string(body), "file-1.txt") && !strings.Contains(string(body), "secret-name")
		}
		return true
	})
	if !found {
		t.Error("acme.eml is not there as it would leave")
	}
}

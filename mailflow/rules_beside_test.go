package mailflow

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// An answer for all joins its stage. Whom it names may come later, and gets a name
// later; then a person sees it before anybody else is told so.
func TestV6_Answers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	w.vendor("globex")
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(2*cvd.Day + w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.as(anaSigned, "case "+string(id), `answer-all details "The recorder of the Hooli people has it, too."`)
	w.as(anaSigned, "case "+string(id), "invite globex wave 1")
	w.do("vendor add hooli psirt@hooli.example")
	w.answers("globex", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(3 * cvd.Day)
	for _, l := range w.mails(w.people["globex"]) {
		if strings.Contains(l.Text, "Hooli") {
			t.Fatalf("globex was told of hooli:\n%s", l.Text)
		}
	}
	a := w.request("")
	if words := w.wordsIn("Approvals", "details"); !strings.Contains(words, "line 1 of the answers names hooli") {
		t.Errorf("Approvals: %s", words)
	}
	w.ok(w.press(benByGesture, "Approve", a.ID))
	w.after(3 * w.Undo)
	if n := w.letters("globex", "Hooli people"); n != 1 {
		t.Errorf("after the yes globex got it %d times", n)
	}
}

// Of several finders none is named in an answer for all, nor is it refused for
// there being several.
func TestV6_AnswersAndFinders(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, "report 2 join "+string(id))
	w.vendor("acme")
	w.do("vendor edit acme alias \"Acme Corp\"")
	w.in(id, "case policy fast", "invite acme wave 1")
	for _, words := range []string{"ask gil@other.example", "as fin@finder.example says", "Acme Corp. asked"} {
		w.refuses(anaSigned, "nothing was sent", "case "+string(id), `answer-all details "`+words+`"`)
	}
	if tr := w.as(anaSigned, "case "+string(id), `answer-all details "The 8.x branch is not affected."`); !tr.Done() {
		t.Errorf("%s", tr)
	}
}

const noText = "\x00\x01\x02\x03 the crash, as bytes that no person reads, and long enough \xff\xfe"

// packed is a ZIP archive with one file.
func packed(t *testing.T, name, data string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	if err == nil {
		_, err = f.Write([]byte(data))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inUTF16 is a text as some editors save it.
func inUTF16(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// A file that somebody sent is somebody's words, whatever it holds and however it
// is packed; back to whoever sent it it goes.
func TestV6_FilesOfOthers(t *testing.T) {
	t.Parallel()
	const binary = "application/octet-stream"
	for name, row := range map[string]struct {
		file mailtest.File
		why  string
	}{
		"as it came":         {mailtest.File{Name: "a.bin", Type: binary, Data: noText}, "file-1.bin is, or holds, a file that globex sent on 1 Dec"},
		"packed":             {mailtest.File{Name: "a.zip", Type: "application/zip", Data: packed(t, "x.bin", noText)}, "file-1.zip is, or holds, a file that globex sent on 1 Dec"},
		"words, packed":      {mailtest.File{Name: "a.zip", Type: "application/zip", Data: packed(t, "x.txt", globexWords)}, "of file-1.zip repeats"},
		"a name, packed":     {mailtest.File{Name: "a.zip", Type: "application/zip", Data: packed(t, "globex/x.bin", noText[1:])}, "of file-1.zip names globex"},
		"in a mail":          {mailtest.File{Name: "a.eml", Type: "message/rfc822", Data: "Subject: x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(noText)) + "\r\n"}, "file-1.eml is, or holds, a file"},
		"words in UTF-16":    {mailtest.File{Name: "a.txt", Type: binary, Data: inUTF16("they say " + globexWords)}, "line 1 of file-1.txt repeats"},
		"in Latin-1":         {mailtest.File{Name: "a.txt", Type: binary, Data: "f\xfcr acme: " + globexWords}, "line 1 of file-1.txt repeats"},
		"another":            {mailtest.File{Name: "a.bin", Type: binary, Data: noText[1:]}, ""},
		"another, packed":    {mailtest.File{Name: "a.zip", Type: "application/zip", Data: packed(t, "x.bin", noText[1:])}, ""},
		"no archive, though": {mailtest.File{Name: "a.zip", Type: "application/zip", Data: "PK\x03\x04" + noText[1:]}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := crossing(t)
			globex, to := w.people["globex"], w.thread(id, "globex")
			w.arrives(globex.Address, to, w.seal(globex, to, true, mailtest.Entity("Re: ["+string(id)+"]", "see the file",
				mailtest.File{Name: "crash.bin", Type: binary, Data: noText})))
			w.settle()
			w.submits("ana", w.deskTo("globex", id), false, "back", "is this yours?\n", mailtest.File{Name: "b.bin", Type: binary, Data: noText})
			if all := w.requests(""); len(all) != 0 {
				t.Fatalf("its own file is kept back: %s", w.words(w.last("INBOX")))
			}
			w.restart()
			w.submits("ana", w.deskTo("acme", id), false, "look", "a file\n", row.file)
			if row.why != "" {
				w.keptBack(row.why)
			} else if all := w.requests(""); len(all) != 0 {
				t.Errorf("kept back: %s", w.words(w.last("INBOX")))
			}
		})
	}
}

// What somebody else mailed to a vendor's address is not that vendor's own, nor
// known to it.
func TestV6_Astray(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	const words = "we at our place will ship the repaired decoder in the second week of january"
	globex, to := w.people["globex"], w.thread(id, "acme")
	w.arrives(globex.Address, to, w.seal(globex, to, true, mailtest.Entity("Re: ["+string(id)+"]", words)))
	w.settle()
	if n := len(w.filed("Quarantine")); n != 1 {
		t.Fatalf("%d mails in Quarantine", n)
	}
	w.submits("ana", w.deskTo("acme", id), false, "Re: yours", "> "+words+"\nthank you\n")
	w.keptBack("line 1 repeats")
	// What it wrote itself, in clear, is its own.
	acme := w.people["acme"]
	const own = "in clear, since our mail client lost all of its keys in yesterday's update"
	w.arrives(acme.Address, to, mailtest.Plain(acme.Address, to, "hello", own, w.clock.Now()))
	w.settle()
	w.submits("ana", w.deskTo("acme", id), false, "Re: keys", "> "+own+"\nplease mend that\n")
	if all := w.requests(""); len(all) != 1 {
		t.Errorf("its own words are kept back: %s", w.words(w.last("INBOX")))
	}
}

// Names of files tell of nobody, by whatever name: an alias, the finder.
func TestV7_FileNamesOfOthers(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, "report 2 join "+string(id))
	w.vendor("acme")
	w.vendor("globex")
	w.do("vendor edit globex alias \"Big Corp\"", "vendor edit acme file-names on")
	w.update(func(tx *store.Tx) error {
		for name, kept := range map[string]bool{
			"Big_Corp-poc.txt": false, "from gil@other.example.txt": false, "globex.txt": false, "other.example.log": false, "acme-poc.txt": true, "bigcorp.txt": false,
		} {
			got, err := w.letterFiles(tx, id, []cvd.File{{Name: name}}, "acme")
			if err != nil || (got[0].Name == name) != kept {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		return nil
	})
	w.refuses(theOperator, "it may name no case, no stage and no party", `vendor edit acme subject "News of Big Corp"`)
	w.do(`vendor edit acme subject "News of Small Corp"`)
	w.refuses(theOperator, "would name the new party", `vendor edit globex alias "Small Corp"`)
}

// A case file tells where each finder stands.
func TestCaseFile_Finders(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, "report 2 join "+string(id))
	if words := w.wordsIn(w.folderOf(id, "Case file"), string(id)); !strings.Contains(words, "FINDER key claimed;") || !strings.Contains(words, "finder-2: key claimed;") {
		t.Errorf("%s", words)
	}
}

// The tag of another case tells that there is one.
func TestV6_TagsOfOthers(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	beside := cvd.FindCaseIDs(w.do(`case open "Another" policy fast`))[0]
	w.do("case "+string(beside), "invite globex", "start now")
	w.after(2 * w.Undo)
	for text, why := range map[string]string{
		"as in " + string(beside) + ", please": "line 1 names " + string(beside) + ", which is another case",
		"[par-2026-0099]":                      "names PAR-2026-0099",
		string(id) + " and CVE-2026-12345":     "",
	} {
		before := len(w.requests(""))
		w.submits("ana", w.deskTo("acme", id), false, "about "+text, text+"\n")
		if all := w.requests(""); len(all)-before != min(len(why), 1) {
			t.Errorf("%q: %d drafts more", text, len(all)-before)
		} else if why != "" && !strings.Contains(w.wordsIn("INBOX", "Not done"), why) {
			t.Errorf("%q: %s", text, w.wordsIn("INBOX", "Not done"))
		}
	}
	before := len(w.requests(""))
	w.submits("ana", w.deskTo("globex", id), false, "yours", "you know "+string(beside)+"\n")
	if n := len(w.requests("")); n != before {
		t.Errorf("its own other case is kept back: %s", w.wordsIn("INBOX", "Not done"))
	}
}

// What a vendor quotes of a notice brings no live code before the desk, however
// its mail client encodes the quotation.
func TestS5_QuotedCodesAreMasked(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	code, notice := w.code("acme"), w.got("acme")[0].Text
	text := "We will look at it.\r\n\r\n> " + strings.ReplaceAll(crlf(notice), "\r\n", "\r\n> ") + "\r\n"
	head := "Subject: Re: [" + string(id) + "]\r\nContent-Type: text/plain; charset=utf-8\r\n"
	var lines strings.Builder
	for all := base64.StdEncoding.EncodeToString([]byte(text)); all != ""; {
		n := min(76, len(all))
		lines.WriteString(all[:n] + "\r\n")
		all = all[n:]
	}
	for name, mail := range map[string]string{
		"plain":  head + "\r\n" + text,
		"base64": head + "Content-Transfer-Encoding: base64\r\n\r\n" + lines.String(),
	} {
		acme, to := w.people["acme"], w.thread(id, "acme")
		w.arrives(acme.Address, to, w.seal(acme, to, true, []byte(mail)))
		w.settle()
		m := w.last(w.folderOf(id, "Vendor acme"))
		if words := w.words(m); strings.Contains(words, code) || !strings.Contains(words, "ACK "+string(id)+" "+maskedCode) || !strings.Contains(words, "We will look at it.") {
			t.Errorf("%s: the desk reads\n%s", name, words)
		}
	}
	w.answers("acme", id, false, "ACK "+string(id)+" "+code+"\n")
	if w.who(id, "acme").Acknowledged == nil {
		t.Error("the code does not count any more")
	}
}

// Who wrote an answer that goes with a stage is one of its authors.
func TestA3_AuthorsOfAnswers(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.coordinator("cho") // who wrote none of it
	w.as(benSigned, "case "+string(id), `answer-all scope "The 8.x branch is not affected."`)
	w.settle()
	a := w.request(cvd.Scope)
	if !slices.Contains(a.Authors, "ben") || !slices.Contains(a.Authors, "ana") {
		t.Errorf("authors %q", a.Authors)
	}
	w.refuses(benSigned, "your own text", "approve "+a.ID)
}

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// python runs one step of testdata/clients/desk.py, and gives what it prints
// and whether the server did it.
func (d *clientDesk) python(step ...string) (out string, ok bool) {
	d.Helper()
	script, err := filepath.Abs("../testdata/clients/desk.py")
	d.must(err)
	args := append([]string{script, port(d.addr("imap")), port(d.addr("submission")), filepath.Join(d.home, ".config/parley/desk.pem"), filepath.Join(d.home, "password")}, step...)
	text, err := d.program("python3", args...).CombinedOutput()
	if strings.Contains(string(text), "Traceback") {
		d.Fatalf("desk.py %q: %s", step, text)
	}
	return string(text), err == nil
}

// shows wants a step to be done, and to print a word.
func (d *clientDesk) does(word string, step ...string) string {
	d.Helper()
	out, ok := d.python(step...)
	if !ok || !strings.Contains(out, word) {
		d.Fatalf("%q gives %v, without %q:\n%s", step, ok, word, out)
	}
	return out
}

// refuses wants a step to be refused with a sentence.
func (d *clientDesk) refuses(sentence string, step ...string) {
	d.Helper()
	out, ok := d.python(step...)
	if ok || !strings.Contains(out, sentence) {
		d.Errorf("%q gives %v, want it refused with %q:\n%s", step, ok, sentence, out)
	}
}

// Python's imaplib and smtplib do what a client's people do.
func TestClients_PythonImaplib(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	d := newClientDesk(t)
	d.card("ana", "thunderbird") // for the certificate
	for _, step := range []string{"folders", "subscribed"} {
		for _, folder := range []string{"INBOX", "Intake", "Do/New case", "Trash"} {
			d.does(folder, step)
		}
	}
	d.does("Long frames overflow a buffer", "read", "Intake")
	d.does("Do/New case", "folders")
	d.does("COPYUID", "copy", "Intake", "1", "Do/New case")
	folder, tag := d.opened()

	d.refuses("[ALERT] this is no request for approval", "copy", folder+"/Finder", "1", "Do/Approve")
	d.does("this is no request for approval", "read", "INBOX")

	d.until("the case is on hold", func() bool { // by its newest case file, which a newer one may replace meanwhile
		_, _ = d.python("copy", folder+"/Case file", lastUID(d, folder+"/Case file"), "Do/Hold")
		return d.held(tag)
	})
	d.does("COPYUID", "move", "Do/Hold", "1", folder+"/Case file")
	if d.held(tag) {
		d.Error("the hold is not undone")
	}

	d.asks(tag)
	d.does("", "copy", "Approvals", lastUID(d, "Approvals"), "Do/Approve")
	notice := d.released("Player 9.1")
	d.answers(notice, tag, "We got it, thank you.")
	d.answers(notice, tag, "Does this concern our harmonium?")
	d.finds(folder+"/Vendor acme", "harmonium")
	if found := strings.Fields(d.does("", "search", folder+"/Vendor acme", "BODY", "harmonium")); len(found) != 1 {
		d.Errorf("SEARCH finds %q", found)
	}
	d.does("", "search", folder+"/Vendor acme", "SUBJECT", `"nothing of the sort"`)
	d.refuses("no-such", "send", "no-such."+strings.ToLower(tag)+"@"+d.app.set.DeskDomain, "x", "y")
	d.does("APPEND", "keep", "Drafts", "Subject: later\r\n\r\nnot yet\r\n")
	d.does("", "send", "acme."+strings.ToLower(tag)+"@"+d.app.set.DeskDomain, "Re: bellows", "It does: look at the bellows.")
	d.repliedTo("look at the bellows")
}

// lastUID is the newest mail of a folder.
func lastUID(d *clientDesk, folder string) string {
	d.Helper()
	var all []string
	d.until("a mail in "+folder, func() bool {
		all = strings.Fields(d.does("", "search", folder, "ALL"))
		return len(all) > 0
	})
	return all[len(all)-1]
}

// curls runs curl on a folder, with a command where there is one.
func (d *clientDesk) curls(folder, command string) (out string, ok bool) {
	d.Helper()
	url := "imaps://localhost:" + port(d.addr("imap")) + "/" + strings.ReplaceAll(folder, " ", "%20")
	args := []string{"--silent", "--verbose", "--netrc", "--cacert", filepath.Join(d.home, ".config/parley/desk.pem"), url}
	if command != "" {
		args = append(args, "--request", command)
	}
	text, err := d.program("curl", args...).CombinedOutput()
	return string(text), err == nil
}

// curl reads, files, is refused, searches and writes.
func TestClients_Curl(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	d := newClientDesk(t)
	d.card("ana", "thunderbird")
	d.write(".netrc", "machine localhost login ana password \""+d.ana.password+"\"\n")
	want := func(pattern, folder, command string, done bool) {
		t.Helper()
		if out, ok := d.curls(folder, command); ok != done || !regexp.MustCompile(pattern).MatchString(out) {
			t.Fatalf("curl %s %q: %v, without %q:\n%s", folder, command, ok, pattern, out)
		}
	}
	want(`"Do/New case"`, "", "", true)
	want("Long frames overflow a buffer", "Intake;UID=1", "", true)
	want("COPYUID", "Intake", `UID COPY 1 "Do/New case"`, true)
	folder, tag := d.opened()
	want(`NO \[ALERT\] this is no request for approval`, folder+"/Finder", "UID COPY 1 Do/Approve", false)
	want(`\* SEARCH 1\r`, folder+"/Finder", `SEARCH BODY "Long frames"`, true)
	d.until("the case is on hold", func() bool { // by its newest case file, which a newer one may replace meanwhile
		_, _ = d.curls(folder+"/Case file", "COPY * Do/Hold")
		return d.held(tag)
	})
	want("OK UID MOVE", "Do/Hold", `UID MOVE 1 "`+folder+`/Case file"`, true)
	if d.held(tag) {
		t.Error("the hold is not undone")
	}
	d.asks(tag)
	want("COPYUID|OK", "Approvals", "COPY * Do/Approve", true)
	d.released("Player 9.1")
	d.write("letter", "From: ana@"+d.app.set.DeskDomain+"\r\nSubject: more\r\n\r\nDo look at the bellows.\r\n")
	d.run("curl", "--silent", "--netrc", "--cacert", filepath.Join(d.home, ".config/parley/desk.pem"), "smtps://localhost:"+port(d.addr("submission")),
		"--mail-from", "ana@"+d.app.set.DeskDomain, "--mail-rcpt", "acme."+strings.ToLower(tag)+"@"+d.app.set.DeskDomain, "--upload-file", filepath.Join(d.home, "letter"))
	d.repliedTo("look at the bellows")
}

package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// A coordinator does a disclosure with aerc, set up by nothing but the
// printed card. It sends COPY for the buttons, and MOVE to undo one.
func TestClients_Aerc(t *testing.T) {
	t.Parallel()
	needs(t, "aerc", "tmux")
	d := newClientDesk(t)
	d.installsAerc()
	a := aerc{d.starts("aerc")}
	a.sees("INBOX")
	folder, tag := a.readsAndFiles()
	a.isRefused(folder)
	a.holdsAndUndoes(folder, tag)
	a.approves(tag)
	a.replies(folder, tag)
	a.commands(tag)
	a.runs("quit")
	a.sees("ENDED")
}

// installsAerc does what the card says: the keys are added to those that aerc
// brings.
func (d *clientDesk) installsAerc() {
	d.Helper()
	d.write(".config/aerc/binds.conf", d.run("cat", "/usr/share/aerc/binds.conf"))
	d.write(".config/aerc/aerc.conf", d.run("cat", "/usr/share/aerc/aerc.conf"))
	d.card("ana", "aerc")
	d.fills(".config/aerc/accounts.conf", "pass show parley", "cat "+d.home+"/password")
}

type aerc struct{ *terminal }

// runs gives aerc a command.
func (a aerc) runs(command string) {
	a.Helper()
	a.types(":")
	a.types(command)
	a.presses("Enter")
}

// goes opens a folder, waits until the last line names it, and then for what
// it shows: aerc carries on with the next command while it opens one.
func (a aerc) goes(folder, shows string) {
	a.Helper()
	a.runs("cf " + `"` + folder + `"`)
	a.sees(`(?m)^ ?` + regexp.QuoteMeta(folder) + ` .*\n*\z`)
	a.sees(shows)
}

// readsAndFiles reads a decrypted report and opens a case from it.
func (a aerc) readsAndFiles() (folder, tag string) {
	a.Helper()
	a.goes("Intake", "Overflow in the initiali")
	a.presses("Enter")
	a.sees("Long frames overflow a buffer")
	a.types(",n")
	folder, tag = a.opened()
	a.runs("close")
	return folder, tag
}

// isRefused drops a letter into Do/Approve: aerc shows the sentence, and it
// stands in a mail in INBOX too.
func (a aerc) isRefused(folder string) {
	a.Helper()
	a.goes(folder+"/Finder", "Desk to Finder")
	a.types(",a")
	a.sees("this is no request for approval")
	a.finds("INBOX", "Not done: Do/Approve")
}

// holdsAndUndoes stops the case by its case file, and takes that back.
func (a aerc) holdsAndUndoes(folder, tag string) {
	a.Helper()
	a.goes(folder+"/Case file", "Parley .*"+tag)
	a.types(",h")
	a.until("the case is on hold", func() bool { return a.held(tag) })
	a.goes("Do/Hold", "Parley .*"+tag)
	a.runs(`mv "` + folder + `/Case file"`)
	a.until("the hold is undone", func() bool { return !a.held(tag) })
}

// approves presses the button on what ben asked for.
func (a aerc) approves(tag string) {
	a.Helper()
	a.asks(tag)
	a.goes("Approvals", `Approve\?`) // Do/Approve stands in the list of folders
	a.types(",a")
	a.until("nothing is left in Approvals", func() bool { return len(a.in(a.ben, "Approvals")) == 0 })
}

// replies finds acme's letter by a word in it, and answers.
func (a aerc) replies(folder, tag string) {
	a.Helper()
	notice := a.released("Player 9.1")
	a.answers(notice, tag, "We got it, thank you.")
	a.answers(notice, tag, "Does this concern our harmonium?")
	a.finds(folder+"/Vendor acme", "harmonium")
	a.settles(folder + "/Vendor acme")
	a.goes(folder+"/Vendor acme", "Heads-up")
	a.runs("filter -b harmonium")
	a.until("only what was searched for is listed", func() bool { return !strings.Contains(a.screen(), "Heads-up") })
	a.edits("It does: look at the bellows.\n")
	pressed := time.Time{}
	a.until("the letter is open", func() bool { // a key is lost while the list is drawn
		s := a.screen()
		if strings.Contains(s, "Re: [") && !strings.Contains(s, "From:") && time.Since(pressed) > 2*time.Second {
			a.runs("select 0") // where what was selected is filtered out, nothing is
			a.presses("Enter")
			pressed = time.Now()
		}
		return strings.Contains(s, "Does this concern our harmonium")
	})
	a.runs("reply")
	a.sees("Send this email")
	a.sees("acme.par-")
	a.runs("send")
	a.repliedTo("look at the bellows")
	a.runs("close")
}

// commands writes to control@, signed.
func (a aerc) commands(tag string) {
	a.Helper()
	a.edits("case " + tag + "\nmember add acme jo@acme.example\n")
	a.runs("compose")
	a.sees("Send this email")
	a.runs("sign")
	a.runs("header -f To control@" + a.app.set.DeskDomain)
	a.runs("send")
	a.carriedOut("jo@acme.example")
}

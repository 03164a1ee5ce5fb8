package main

import (
	"strings"
	"testing"
)

// A coordinator does a disclosure with mutt and with neomutt, set up by
// nothing but the printed card.
func TestClients_Mutt(t *testing.T)    { t.Parallel(); muttStory(t, "mutt") }
func TestClients_Neomutt(t *testing.T) { t.Parallel(); muttStory(t, "neomutt") }

type mutt struct{ *terminal }

func muttStory(t *testing.T, program string) {
	needs(t, program, "tmux")
	d := newClientDesk(t)
	d.card("ana", program)
	d.fills(".config/parley/muttrc", "# set", "set")
	d.fills(".config/parley/muttrc", "pass show parley", "cat ~/password")
	// A person has time to read each message of mutt; this one reads the screen.
	m := mutt{d.starts(program + " -F ~/.config/parley/muttrc -e 'set sleep_time=0'")}
	m.sees("INBOX")
	folder, tag := m.readsAndFiles()
	m.isRefused(folder)
	m.holdsAndUndoes(folder, tag)
	m.approves(tag)
	m.replies(folder, tag)
	m.commands(tag)
	m.types("q")
	m.sees("ENDED")
}

// goes opens a folder, and waits for what it shows.
func (m mutt) goes(folder, shows string) string {
	m.Helper()
	m.types("c")
	m.sees("Open mailbox")
	m.presses("C-u")
	m.types("=" + folder)
	m.presses("Enter")
	return m.sees(shows)
}

// readsAndFiles reads a decrypted report and opens a case from it.
func (m mutt) readsAndFiles() (folder, tag string) {
	m.Helper()
	m.goes("Intake", "Overflow in the initiali")
	m.presses("Enter")
	if shown := m.sees("Long frames overflow a buffer"); !strings.Contains(shown, "Parley-Encryption: yes") {
		m.Errorf("the screen does not show how the report came:\n%s", shown)
	}
	m.types("i")
	m.sees("q:Quit")
	m.types(",n")
	return m.opened()
}

// isRefused drops a letter into Do/Approve. Mutt shows that it failed and not
// why: the sentence is read in INBOX.
func (m mutt) isRefused(folder string) {
	m.Helper()
	m.goes(folder+"/Finder", "Overflow in the initiali")
	m.types(",a")
	m.sees("Error copying|[Ff]ailed|draft")
	m.finds("INBOX", "Not done")
	m.goes("INBOX", "Not done: Do/Approve")
	m.presses("Enter")
	m.sees("this is no request for approval")
	m.types("i")
	m.sees("q:Quit")
}

// holdsAndUndoes stops the case by its case file, and takes that back.
func (m mutt) holdsAndUndoes(folder, tag string) {
	m.Helper()
	m.goes(folder+"/Case file", tag)
	m.types(",h")
	m.until("the case is on hold", func() bool { return m.held(tag) })
	m.goes("Do/Hold", tag)
	m.types("s")
	m.sees("Save to mailbox")
	m.presses("C-u")
	m.types("=" + folder + "/Case file")
	m.presses("Enter")
	m.until("the hold is undone", func() bool { return !m.held(tag) })
}

// approves presses the button on what ben asked for.
func (m mutt) approves(tag string) {
	m.Helper()
	m.asks(tag)
	m.goes("Approvals", `Approve\?`)
	m.types(",a")
	m.until("nothing is left in Approvals", func() bool { return len(m.in(m.ben, "Approvals")) == 0 })
}

// replies finds acme's letter by a word in it, and answers.
func (m mutt) replies(folder, tag string) {
	m.Helper()
	notice := m.released("Player 9.1")
	m.answers(notice, tag, "We got it, thank you.")
	m.answers(notice, tag, "Does this concern our harmonium?")
	m.finds(folder+"/Vendor acme", "harmonium")
	m.goes(folder+"/Vendor acme", "acme")
	m.types("l")
	m.sees("Limit to messages")
	m.types("=b harmonium")
	m.presses("Enter")
	m.sees(`Msgs:1/3|\(limit|limit: `)
	m.edits("It does: look at the bellows.\n")
	m.types("r")
	m.sees("To: .*acme.par-")
	m.presses("Enter")
	m.sees("(?m)^Subject:")
	m.presses("Enter")
	m.sees("Include message")
	m.types("n")
	m.sees("y:Send")
	m.types("y")
	m.repliedTo("look at the bellows")
}

// commands writes to control@, and mutt signs it by itself.
func (m mutt) commands(tag string) {
	m.Helper()
	m.edits("case " + tag + "\nmember add acme jo@acme.example\n")
	m.types("m")
	m.sees("(?m)^To:")
	m.types("control")
	m.presses("Enter")
	m.sees("(?m)^Subject:")
	m.types("a member")
	m.presses("Enter")
	m.sees("Security: Sign")
	m.types("y")
	m.carriedOut("jo@acme.example")
}

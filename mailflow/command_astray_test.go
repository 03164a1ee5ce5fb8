package mailflow

import (
	"errors"
	"strings"
	"testing"

	"parley/mailflow/mailtest"
)

// What is only commands is no letter: it is refused while the client shows it,
// and neither leaves nor does anything.
func TestCommandsToAParty(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	tag := string(id)
	for _, text := range []string{
		"claim T12",
		"claim T1\n\nana",
		"done T12\n\n-- \nana\n",
		"approve 9f3a-27c1\n\nOn Tue, 1 Dec 2026, acme wrote:\n> Hello,\n>\n> which build is it?\n",
		"hold acme because \"they asked us\nto wait\"",
		"hold acme\nThanks\nana",
		"Hold acme because they leaked",
		"case " + tag + "\nrelease acme",
		"case " + tag,
		"hold case", "hold all", "plan", "status", "start now", "undo U17", "delivery D3 again", "reject N4",
		"embargo 2027-01-12T16:00Z because \"fix needs 2 weeks\"",
		"withdraw acme because \"not affected\"",
		"record acme ack via phone",
		"dry-run hold acme",
		"answer-all details \"The 8.x branch is not affected.\"",
		"exploited source \"telemetry\"",
	} {
		for _, to := range []string{"acme", "vendors"} {
			err := w.trySubmit("ana", w.deskTo(to, id), false, "Re: acme wrote", text+"\n")
			var r *Reply
			if !errors.As(err, &r) || r.Code != 550 || !strings.Contains(r.Text, "for control@"+w.DeskDomain) || !strings.Contains(r.Text, "nothing was sent") {
				t.Errorf("to %s, %q: %v", to, text, err)
			}
		}
	}
	w.settle()
	if all := w.ownLetters(id); len(all) != 0 {
		t.Errorf("%d were taken as letters", len(all))
	}
	if w.theCase(id).Hold != nil || w.participant(id, "acme").Hold != nil || w.sending().Paused {
		t.Error("a command was carried out")
	}
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Error("the letter counts as answered")
	}
}

// A letter that only begins with such a word goes.
func TestProseThatBeginsWithACommand(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	prose := []string{
		"hold on, we are still looking into it",
		"hold on",
		"release notes attached",
		"Release tomorrow",
		"plan acme and we will see",
		"Report received, thank you",
		"Start with the 8.x branch, please.",
		"approve of this?",
		"Approve it",
		"claim rejected by our lawyers",
		"Case closed",
		"embargo lifted",
		"status quo, as before",
		"help us with the build",
		"record shows that acme knew",
		"undo that please",
		"dates to follow",
		"hold acme\n\nis what our lawyer advised",
		"claim T12\nis what I wrote to the desk, by mistake",
		"We will hold.",
		"history of the bug is below",
		"case of the missing check: see below",
		"start tomorrow, please",
	}
	for _, text := range prose {
		if err := w.trySubmit("ana", w.deskTo("acme", id), false, "Re: "+firstField(text), text+"\n"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	plan := mailtest.File{Name: "plan.pdf", Type: "application/pdf", Data: "%PDF-1.4"}
	if err := w.trySubmit("ana", w.deskTo("acme", id), false, "our plan", "Plan\n", plan); err != nil {
		t.Errorf("with a file: %v", err)
	}
	if err := w.trySubmit("ana", w.deskTo("acme", id), false, "a task", "claim T12\n", plan); err == nil {
		t.Error("a command with a picture was sent")
	}
	w.settle()
	if got := len(w.ownLetters(id)); got != len(prose)+1 {
		t.Errorf("%d of %d letters are on their way", got, len(prose)+1)
	}
	if err := w.trySubmit("ana", w.deskTo("notes", id), false, "a note", "hold acme\n"); err != nil {
		t.Errorf("a note of the desk's own: %v", err)
	}
}

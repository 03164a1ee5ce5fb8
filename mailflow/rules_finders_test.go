package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// What one finder wrote reaches no other one of the case: by letter, by command,
// in a case that took another in, and after a restart.
func TestV6_SeveralFinders(t *testing.T) {
	t.Parallel()
	w, id, other := twoCases(t)
	const finWords, gilWords = "the frame header lies about its length and nobody checks what it claims", "our fuzzer dies within a minute at the checksum of the second chunk"
	say := func(name string, in cvd.CaseID, text string) {
		p, to := w.people[name], w.thread(in, "finder")
		w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("more", text)))
		w.settle()
	}
	say("fin", id, finWords)
	say("gil", other, gilWords)
	gone := func(to, words string) {
		t.Helper()
		w.after(3 * w.Undo)
		for _, l := range w.mails(w.people[to]) {
			if strings.Contains(l.Text, words) {
				t.Fatalf("%s got\n%s", to, l.Text)
			}
		}
	}
	// A draft of the case that is taken in still waits, and still goes to its finder alone.
	w.submits("ana", w.deskTo("finder", other), false, "a draft", finWords+"\n")
	early := w.keptBack("the finder wrote on 1 Dec in " + string(id))
	w.control("ana", true, "case "+string(id), "case merge "+string(other))
	for range 2 {
		w.submits("ana", w.deskTo("finder-2", id), false, "to gil", "others say: "+finWords+"\n")
		w.submits("ana", w.deskTo("finder", id), false, "to fin", "others say: "+gilWords+"\n")
		w.submits("ana", w.deskTo("finder", other), false, "to gil, as before", "others say: "+finWords+"\n")
		w.refuses(anaSigned, "the finder wrote", `report 2 ask "`+finWords+`?"`)
		w.refuses(anaSigned, "finder-2 wrote", `report 1 ask "`+gilWords+`?"`)
		w.submits("ana", w.deskTo("finder-2", id), false, "names", "do you know fin@finder.example?\n")
		w.submits("ana", w.deskTo("finder", id), false, "names", "do you know gil at other.example?\n")
		w.submits("ana", w.deskTo("acme", id), false, "to acme", "they say: "+gilWords+"\n")
		gone("gil", finWords)
		gone("gil", "fin@")
		gone("fin", gilWords)
		gone("fin", "other.example")
		if n := len(w.requests("")); n != 7 {
			t.Errorf("%d drafts: %q", n, w.subjects("Approvals"))
		}
		w.restart()
	}
	// Their own words go back to each.
	w.submits("ana", w.deskTo("finder-2", id), false, "yours", "> "+gilWords+"\nthank you\n")
	w.submits("ana", w.deskTo("finder", id), false, "yours", "> "+finWords+"\nthank you\n")
	if n := len(w.requests("")); n != 7 {
		t.Errorf("%d drafts: %q", n, w.subjects("Approvals"))
	}
	before := len(w.got("fin"))
	w.as(benByMail, "approve "+early.ID)
	w.after(3 * w.Undo)
	if got := w.mails(w.people["gil"]); !strings.Contains(got[len(got)-1].Text, finWords) && !strings.Contains(got[len(got)-2].Text, finWords) {
		t.Errorf("after the yes gil has\n%s", got[len(got)-1].Text)
	}
	for _, l := range w.mails(w.people["fin"])[before:] {
		if !strings.Contains(l.Text, "thank you") {
			t.Errorf("fin got\n%s", l.Text)
		}
	}
}

// No byte that a finder gets tells of another one of the same case, whatever
// happens in it.
func TestV2_SeveralFinders(t *testing.T) {
	t.Parallel()
	w, id := twoFinders(t)
	w.control("ana", false, "report 2 duplicate-of "+string(id))
	w.vendor("acme")
	w.in(id, "case policy fast", "invite acme wave 1")
	for _, s := range []cvd.Stage{cvd.Scope, cvd.Details, cvd.Public} {
		w.material(id, s, "the text of "+string(s))
	}
	w.in(id, "start now")
	w.after(2 * w.Undo)
	for name, party := range map[string]cvd.PartyID{"fin": "finder", "gil": "finder-2"} {
		p, to := w.people[name], w.thread(id, party)
		for _, line := range []string{"STATE", "CREDIT The Great " + name, "DEADLINE 2026-12-20", "PROPOSE " + string(id) + " 2026-12-22 a talk", "HISTORY", "HELP", "LEAK https://example.net/x", "ACCEPT " + string(id) + " v1"} {
			w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("Re: ["+string(id)+"]", line+"\n")))
			w.settle()
		}
	}
	w.submits("ana", w.deskTo("finder", id), false, "hello", "hello, and thank you\n")
	w.submits("ana", w.deskTo("finder-2", id), false, "hello", "hello, and thank you\n")
	w.in(id, `embargo 2026-12-28T16:00Z because "fix"`)
	w.after(2 * 24 * time.Hour)
	tokens := map[string]string{"fin": w.who(id, "finder").Token, "gil": w.who(id, "finder-2").Token, "acme": w.who(id, "acme").Token}
	canaries := map[string][]string{"fin": {"fin@finder", "finder.example", "Great fin"}, "gil": {"gil@other", "other.example", "Great gil"}, "acme": {"acme.example", " acme", "Acme "}} // no word of base64
	for name := range canaries {
		got := w.mails(w.people[name])
		if len(got) < 2 {
			t.Errorf("%s got %d mails only", name, len(got))
		}
		for _, l := range got {
			all := l.Text + l.Subject + string(l.Raw)
			for _, f := range l.Files {
				all += string(f)
			}
			for who, words := range canaries {
				for _, word := range append(words, tokens[who]) {
					if who != name && strings.Contains(all, word) || strings.Contains(all, "finder-2") {
						t.Errorf("%s is told %q:\n%s\n%s", name, word, l.Subject, l.Text)
					}
				}
			}
		}
	}
}

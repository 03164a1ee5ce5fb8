package mailflow

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

var anyWordCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)

// Who signs and does not say for which case is told, once a day, what to write: many
// clients sign no Subject. What is signed for another case is not answered.
func TestS5_SignedForNoCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	acme, to := w.people["acme"], w.thread(id, "acme")
	says := func(text string) []letterGot {
		t.Helper()
		before := len(w.mails(acme))
		w.arrives(acme.Address, to, w.seal(acme, to, true, mailtest.Entity("", text)))
		w.settle()
		return w.mails(acme)[before:]
	}
	if got := says("ACK PAR-2026-0999\n"); len(got) != 0 {
		t.Errorf("for another case: %d answers", len(got))
	}
	got := says("ACCEPT v1\n")
	if len(got) != 1 || !strings.Contains(unwrapped(got[0].Text), "put "+string(id)+" behind the first word") {
		t.Fatalf("for none: %d answers: %+v", len(got), got)
	}
	if who := w.who(id, "acme"); who.Accepted() != 0 || who.Acknowledged != nil {
		t.Errorf("it counts: %+v", who)
	}
	if got := says("ACK\n"); len(got) != 0 {
		t.Errorf("on the same day: %d answers", len(got))
	}
	if got := says("ACCEPT " + string(id) + " v1\n"); len(got) == 0 || w.who(id, "acme").Accepted() != 1 {
		t.Errorf("as it was told to: %d answers, accepted %d", len(got), w.who(id, "acme").Accepted())
	}
}

// A code that was used, guessed, another vendor's, of another case, or dead since
// its party was withdrawn, changes nothing, and all are answered in the same words,
// at most once a day, with a fresh code that is good; nothing is quoted.
func TestS5_WrongCodesAreAllAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	other := w.caseWith("acme")
	w.in(other, "start now")
	w.after(5 * w.Undo)
	used := w.code("acme")
	w.answers("acme", id, false, "ACK "+string(id)+" "+used+"\n")
	var elsewhere string
	for _, o := range w.got("acme") {
		if m := codePattern.FindStringSubmatch(o.Text); m != nil && strings.Contains(m[0], string(other)) {
			elsewhere = m[1]
		}
	}
	before := w.participant(id, "acme")
	var answers []string
	for name, code := range map[string]string{"used": used, "guessed": "AAAA-1111", "another vendor's": w.code("globex"), "of another case": elsewhere} {
		if code == "" {
			t.Fatal(name)
		}
		w.after(cvd.Day + 1) // one answer a day
		n := len(w.got("acme"))
		w.answers("acme", id, false, "STATUS "+string(id)+" affected pasted-by-a-stranger "+code+"\n")
		w.answers("acme", id, false, "STATUS "+string(id)+" affected pasted-by-a-stranger "+code+"\n")
		var got []string
		for _, o := range w.got("acme")[n:] {
			if strings.Contains(o.Subject, "Understood") {
				got = append(got, unwrapped(o.Text))
			}
		}
		if len(got) != 1 {
			t.Fatalf("%s: %d answers", name, len(got))
		}
		if strings.Contains(got[0], "stranger") || strings.Contains(got[0], code) {
			t.Errorf("%s: the answer quotes:\n%s", name, got[0])
		}
		answers = append(answers, withoutCodes(withoutDay(got[0])))
		after := w.participant(id, "acme")
		if after.Status().Word != "" || after.Accepted() != 0 || len(after.Statuses) != len(before.Statuses) || after.Wrote.Before(before.Wrote) {
			t.Errorf("%s: it counts: %+v", name, after)
		}
		if w.participant(other, "acme").Acknowledged != nil || w.participant(id, "globex").Acknowledged != nil || !w.participant(id, "globex").Knows(w.code("globex")) {
			t.Errorf("%s: it touches somebody else", name)
		}
		if !w.participant(id, "acme").Knows(w.freshCode("acme")) {
			t.Errorf("%s: the fresh code is not good", name)
		}
	}
	for i, a := range answers {
		if a != answers[0] {
			t.Errorf("answer %d differs:\n%s\n%s", i, a, answers[0])
		}
	}
	if !w.participant(other, "acme").Knows(elsewhere) {
		t.Error("a code of another case was used up")
	}
	if n := w.journalled("code.refused"); n != 8 {
		t.Errorf("%d records, want 8", n)
	}
	live := w.freshCode("acme")
	w.in(id, `withdraw acme because "not theirs"`)
	w.in(id, "invite acme wave 1")
	w.answers("acme", id, false, "STATUS "+string(id)+" affected 1 "+live+"\n")
	if w.participant(id, "acme").Status().Word != "" {
		t.Error("a code of before a withdrawal counts")
	}
}

// Whoever guesses kills the live codes with the fifth, and the desk is alarmed
// once; the party's own signature goes on, and its next mail brings a good code.
func TestS5_GuessingIsAlarmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	evil := w.person("evil", "evil@nowhere.example")
	to, code := w.thread(id, "acme"), w.code("acme")
	for i := range 30 {
		w.arrives(evil.Address, to, w.seal(evil, to, false, mailtest.Entity("hello", fmt.Sprintf("ACCEPT v1 ABCD-%04d\n", i))))
		w.settle()
		if n, want := w.countIn("INBOX", "ALARM: somebody guesses codes of acme in "+string(id)), i >= 4; (n == 1) != want {
			t.Fatalf("after %d guesses %d alarms: %q", i+1, n, w.subjects("INBOX"))
		}
	}
	if n := len(w.sink.To(evil.Address)); n != 0 {
		t.Errorf("%d answers to who guesses", n)
	}
	if p := w.participant(id, "acme"); p.Knows(code) || p.Accepted() != 0 {
		t.Errorf("%+v", p)
	}
	if n := len(w.got("acme")); n > 2 { // the notice, and one answer
		t.Errorf("acme got %d mails", n)
	}
	if text := w.taskText("ALARM: somebody guesses"); !strings.Contains(text, "None of the wrong codes counted") {
		t.Errorf("the desk reads\n%s", text)
	}
	w.answers("acme", id, true, "ACK\n")
	w.answers("acme", id, false, "ACCEPT v1 "+w.freshCode("acme")+"\n")
	if p := w.participant(id, "acme"); p.Accepted() != 1 {
		t.Errorf("%+v", p)
	}
}

// The codes that are unused when a case is closed are dead, also once it is open
// again. What comes with one then is answered as any other that does not count, and
// reaches the desk as the letter that it is; the next mail brings a good one.
func TestS5_CodesEndWithTheCase(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme", "globex")
	old, others := w.code("acme"), w.code("globex")
	late := func() string {
		t.Helper()
		n := len(w.got("acme"))
		w.answers("acme", id, false, "STATUS "+string(id)+" affected 4.1 "+old+"\n")
		var got []string
		for _, o := range w.got("acme")[n:] {
			got = append(got, withoutCodes(withoutDay(unwrapped(o.Text))))
		}
		if len(got) != 1 || w.participant(id, "acme").Status().Word != "" {
			t.Fatalf("%d answers; status %q", len(got), w.participant(id, "acme").Status().Word)
		}
		return got[0]
	}
	w.in(id, "case close")
	if w.participant(id, "acme").Knows(old) || w.participant(id, "globex").Knows(others) {
		t.Fatal("a code outlives the case")
	}
	closed := late()
	if w.countIn("INBOX", "acme wrote in "+string(id)) != 1 {
		t.Errorf("the letter is not before the desk: %q", w.subjects("INBOX"))
	}
	w.after(cvd.Day)
	w.in(id, "case reopen")
	w.after(cvd.Day)
	if open := late(); open != closed {
		t.Errorf("the answers differ:\n%s\n%s", open, closed)
	}
	if w.participant(id, "globex").Knows(others) {
		t.Error("case reopen brings a dead code back")
	}
	w.after(2 * cvd.Day) // the reminder of the heads-up
	w.answers("globex", id, false, "ACK "+string(id)+" "+w.freshCode("globex")+"\n")
	if w.participant(id, "globex").Acknowledged == nil {
		t.Error("the code of the next mail does not count")
	}
}

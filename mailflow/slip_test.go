package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// nearTheEnd is a case whose embargo ends in so much time.
func nearTheEnd(t *testing.T, left time.Duration) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(12*time.Hour, w.theCase(id).Embargo().End.Add(-left).Sub(w.clock.Now()))
	return w, id
}

func (w *world) asksEnd() int { return w.countIn("INBOX", "Go or slip? ") }

// The desk is asked a day and an hour before the end, in one task that says the
// exact lines; without an answer the end comes, and the task goes.
func TestGo_AskedTwiceAndGoesWithout(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, 25*time.Hour)
	if n := w.asksEnd(); n != 0 {
		t.Fatalf("asked %d times too early", n)
	}
	w.after(time.Hour)
	w.message("INBOX", "Go or slip? The embargo of "+string(id)+" ends in 24 hours, ")
	text := w.text("INBOX")
	for _, want := range []string{"\n    case " + string(id) + "\n    go\n", "\n    slip 4h because \"...\"\n"} {
		wants(t, strings.ReplaceAll(text, "\r\n", "\n"), want)
	}
	wants(t, unwrapped(text), "Without an answer it ends as planned, and you are asked once more")
	for line := range strings.Lines(text) {
		if len([]rune(strings.TrimRight(line, "\r\n"))) > 72 {
			t.Errorf("too long: %s", line)
		}
	}
	w.after(23 * time.Hour)
	if w.asksEnd() != 1 || w.countIn("INBOX", "ends in 1 hour, ") != 1 {
		t.Errorf("INBOX holds %q", w.subjects("INBOX"))
	}
	w.told("acme", "Heads-up", "Scope", "Details")
	w.after(time.Hour)
	if w.asksEnd() != 0 {
		t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
	}
	w.told("acme", "Heads-up", "Scope", "Details", "Public")
}

// One person says go, unsigned; nobody is asked again, it is on record, and
// what it did is nothing that a second one could do.
func TestA3_GoNeedsNoSignature(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, 24*time.Hour)
	ana := Actor{Name: "ana", Via: ViaMail}
	w.as(ana, "dry-run", "case "+string(id), "go")
	if w.asksEnd() != 1 {
		t.Fatal("a dry run answered")
	}
	if got := w.as(ana, "case "+string(id), "go"); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.settle()
	if w.asksEnd() != 0 {
		t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
	}
	w.refuses(ana, "ana said", "case "+string(id), "go")
	wants(t, unwrapped(w.in(id, "history")), "embargo.go")
	w.after(23*time.Hour + 30*time.Minute)
	if w.asksEnd() != 0 {
		t.Error("asked again after go")
	}
	w.after(time.Hour)
	w.sentAt("acme", utc(w.theCase(id).Embargo().End))
}

// A go that is taken back leaves the question where it was.
func TestGo_Undo(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, 24*time.Hour)
	ana := Actor{Name: "ana", Via: ViaMail}
	out := w.as(ana, "case "+string(id), "go")
	w.settle()
	undo := strings.Fields(out.Lines[len(out.Lines)-1].Undo)[1]
	if got := w.as(ana, "undo "+undo); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.settle()
	if w.asksEnd() != 1 {
		t.Errorf("INBOX holds %q", w.subjects("INBOX"))
	}
	w.after(23 * time.Hour)
	if w.countIn("INBOX", "ends in 1 hour, ") != 1 || w.asksEnd() != 1 {
		t.Errorf("INBOX holds %q", w.subjects("INBOX"))
	}
}

// A slip moves the end, unsigned: everybody is told and asked again, nobody
// learns why, and what is public waits for it, also to who does not answer.
func TestA3_SlipNeedsNoSignature(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, time.Hour)
	was := w.theCase(id).Embargo()
	ana := Actor{Name: "ana", Via: ViaMail}
	out := w.as(ana, "case "+string(id), `slip 4h because "a mirror is late"`)
	if !out.Done() {
		t.Fatalf("%s", out)
	}
	wants(t, unwrapped(out.String()), "not "+utc(was.End))
	w.after(w.Undo)
	if now := w.theCase(id).Embargo(); now.Version != was.Version+1 || !now.End.Equal(was.End.Add(4*time.Hour)) {
		t.Fatalf("the embargo is v%d until %s", now.Version, utc(now.End))
	}
	mails := w.mails(w.people["acme"])
	last := mails[len(mails)-1]
	if !strings.Contains(last.Subject, "Embargo v2") || !strings.Contains(last.Text, "ACCEPT "+string(id)+" v2 ") || strings.Contains(last.readable(), "mirror") {
		t.Errorf("acme got %q:\n%s", last.Subject, last.Text)
	}
	if w.asksEnd() != 0 {
		t.Errorf("INBOX still asks: %q", w.subjects("INBOX"))
	}
	w.after(2 * time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.after(time.Hour)
	if w.asksEnd() != 0 {
		t.Errorf("asked too early: %q", w.subjects("INBOX"))
	}
	w.after(time.Hour)
	if w.asksEnd() != 1 {
		t.Errorf("not asked about the new end: %q", w.subjects("INBOX"))
	}
	w.after(time.Hour)
	w.sentAt("acme", utc(was.End.Add(4*time.Hour)))
}

// What go and slip refuse, with what to do instead.
func TestSlip_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	tag := "case " + string(id)
	w.refuses(theOperator, "has not started", tag, "slip 4h")
	w.refuses(theOperator, "has not started", tag, "go")
	w.in(id, "start now")
	w.refuses(theOperator, "asked 24 hours before", tag, "go")
	w.refuses(theOperator, "such as 4h", tag, "slip")
	w.refuses(theOperator, "not a duration", tag, "slip soon")
	w.refuses(theOperator, "at most 24h", tag, "slip 25h")
	w.refuses(theOperator, "counts only signed", tag, "slip 0h")
	w.in(id, "case close because x")
	w.refuses(theOperator, "closed", tag, "slip 4h")
}

// A slip that is taken back before anybody heard of it leaves no trace in what
// the vendors got; it moves the end earlier again, which counts only signed.
func TestA3_SlipUndone(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, 24*time.Hour)
	was := w.theCase(id).Embargo()
	unsigned := Actor{Name: "ana", Via: ViaMail}
	out := w.as(unsigned, "case "+string(id), "slip 90m")
	undo := "undo " + strings.Fields(out.Lines[1].Undo)[1]
	w.refuses(unsigned, "counts only signed", undo)
	if got := w.as(anaSigned, undo); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.settle()
	w.after(10 * time.Minute)
	if now := w.theCase(id).Embargo(); now.Version != was.Version || !now.End.Equal(was.End) || len(w.dates("acme")) != 0 {
		t.Errorf("v%d until %s; acme got %q", now.Version, utc(now.End), w.dates("acme"))
	}
	w.after(24 * time.Hour)
	w.sentAt("acme", utc(was.End))
}

// What the desk is told of the end before it comes: nothing goes to who is on
// hold, and its state names the case once.
func TestGo_SaysWhoIsOnHold(t *testing.T) {
	t.Parallel()
	for hold, want := range map[string]string{
		"hold case": "Then nothing goes out: the case is on hold, and what is public waits for `release case`.",
		"hold acme": "Then nothing goes out: whom it would go to is on hold (acme), and waits for `release PARTY`.",
	} {
		w, id := nearTheEnd(t, 25*time.Hour)
		w.in(id, hold)
		w.after(2 * time.Hour)
		wants(t, unwrapped(w.words(w.message("INBOX", "Go or slip?"))), want)
		wants(t, unwrapped(w.in(id, "status")), "Go or slip? The embargo ends in 24 hours, Thu 31 Dec 2026")
	}
}

// A clock that was put back makes nothing public secret again.
func TestT5_NoSlipAfterPublic(t *testing.T) {
	t.Parallel()
	w, id := nearTheEnd(t, 2*time.Hour)
	w.after(3 * time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details", "Public")
	w.clock.Jump(-2 * time.Hour)
	w.settle()
	was := w.theCase(id).Embargo()
	for _, line := range []string{"slip 4h", `embargo 2027-01-20T12:00Z because "x"`} {
		w.refuses(theOperator, "what is public went to acme already", "case "+string(id), line)
	}
	if now := w.theCase(id).Embargo(); now != was {
		t.Errorf("the embargo is v%d, until %s", now.Version, now.End)
	}
}

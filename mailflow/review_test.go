package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// backAfter is a gateway that comes back after days to two cases of which the
// heads-ups are overdue.
func backAfter(t *testing.T, away time.Duration) (w *world, first, second cvd.CaseID) {
	t.Helper()
	w = newWorld(t)
	w.coordinator("ana")
	first, second = w.caseWith("acme"), w.caseWith("globex")
	w.in(first, "start now")
	w.in(second, "start now")
	w.clock.Advance(away)
	w.restart()
	w.settle()
	return w, first, second
}

// reviewOf is the open review of a case.
func (w *world) reviewOf(id cvd.CaseID) cvd.ApprovalRequest {
	w.t.Helper()
	for _, a := range w.requests(reviewStage) {
		if a.Case == id {
			return a
		}
	}
	w.t.Fatalf("no review of %s is open", id)
	return cvd.ApprovalRequest{}
}

// What is overdue after downtime is listed in Approvals, who, what and how late;
// a yes lets just that go, whoever gives it and unsigned, and a no holds it.
func TestT5_OverdueIsReviewed(t *testing.T) {
	t.Parallel()
	w, first, second := backAfter(t, 12*time.Hour)
	ana := Actor{Name: "ana", Via: ViaMail}
	if n := w.countIn("Approvals", "Overdue: 1 notice of "); n != 2 {
		t.Fatalf("Approvals holds %q", w.subjects("Approvals"))
	}
	m := w.message("Approvals", "Overdue: 1 notice of "+string(first))
	body, err := w.served(m).Body()
	if err != nil {
		t.Fatal(err)
	}
	text := unwrapped(string(body))
	for _, want := range []string{"heads-up to acme, for Tue 1 Dec 2026, 09:0", " UTC, 11 h late", "approve " + w.reviewOf(first).ID, "reject " + w.reviewOf(first).ID + ` because "..."`} {
		wants(t, text, want)
	}
	if strings.Contains(text, "globex") {
		t.Errorf("it tells of another case:\n%s", text)
	}
	for line := range strings.Lines(string(body)) {
		if len([]rune(strings.TrimRight(line, "\r\n"))) > 72 {
			t.Errorf("too long: %s", line)
		}
	}
	w.steps(30*time.Minute, 3*time.Hour)
	w.told("acme")
	yes, no := w.reviewOf(first).ID, w.reviewOf(second).ID
	w.as(ana, "dry-run", "approve "+yes)
	if got := w.as(ana, "approve "+yes); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.settle()
	w.told("acme") // it can still be stopped
	w.after(w.Settings.Undo)
	w.told("acme", "Heads-up")
	w.told("globex")
	if got := w.as(ana, `reject `+no+` because "they fixed it meanwhile"`); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.settle()
	if state := w.sending(); state.Paused || w.countIn("INBOX", "Sending is paused") != 0 {
		t.Errorf("still paused: %s; INBOX holds %q", state.Because, w.subjects("INBOX"))
	}
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("globex")
	w.wantHeld(second, "globex", cvd.HeadsUp, "they fixed it meanwhile")
	w.refuses(ana, "is over", "approve "+yes)
	w.refuses(ana, "is over", "approve "+no)
	w.in(second, "release globex")
	w.after(w.Settings.Undo)
	w.told("globex", "Heads-up")
}

// What is not overdue leaves as planned while the review waits; an answer of the
// vendor wakes nothing that does.
func TestT5_TheRestGoesOn(t *testing.T) {
	t.Parallel()
	w, first, _ := backAfter(t, cvd.Day)
	third := w.caseWith("initech")
	w.in(third, "start now")
	w.after(5 * time.Minute)
	w.told("initech", "Heads-up")
	w.told("acme")
	w.update(func(tx *store.Tx) error { return w.wakeNotices(tx, first, "acme") })
	w.in(first, `embargo 2027-01-20T12:00Z because "x"`)
	w.after(time.Hour)
	w.told("acme")
	if n := w.countIn("Held", "acme"); n != 0 {
		t.Errorf("Held holds %q beside the review", w.subjects("Held"))
	}
}

// A clock that jumped stops everything. What was overdue by it is reviewed, and
// when that is answered mail leaves again.
func TestT5_JumpIsReviewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.clock.Jump(7 * cvd.Day)
	w.settle()
	if state := w.sending(); !state.Stops() {
		t.Fatalf("it goes on: %+v", state)
	}
	other := w.caseWith("globex")
	w.in(other, "start now")
	w.after(time.Hour)
	w.told("globex")
	ana := Actor{Name: "ana", Via: ViaMail}
	if err := w.press(ana, "Approve", w.reviewOf(id).ID); err != nil {
		t.Fatal(err)
	}
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up")
	if n := w.countIn("Approvals", "Overdue"); n != 0 {
		t.Errorf("Approvals holds %q", w.subjects("Approvals"))
	}
}

// Resume lets all go that waits for a review, of all cases; a pause of everything
// over it, taken back, does not.
func TestT5_ResumeEndsReviews(t *testing.T) {
	t.Parallel()
	w, first, _ := backAfter(t, 2*time.Hour)
	wants(t, unwrapped(w.do("status")), "PAUSED for what was overdue")
	ana := Actor{Name: "ana", Via: ViaMail}
	out := w.as(ana, "sending pause because x")
	w.as(ana, "undo "+strings.Fields(out.Lines[0].Undo)[1])
	w.after(10 * time.Minute)
	w.told("acme")
	id := w.reviewOf(first).ID
	wants(t, unwrapped(w.do("sending resume")), "so does what was overdue, of 2 reviews")
	w.refuses(ana, "sending resume let it go", "approve "+id)
	w.after(w.Settings.Undo)
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up")
}

// Nobody who may not see a case learns from a review that something of it is
// overdue (rule A2).
func TestA2_ReviewOfRestrictedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.caseWith("acme")
	w.in(id, "case restrict ana", "start now")
	w.clock.Advance(cvd.Day)
	w.restart()
	w.settle()
	a := w.reviewOf(id)
	w.refuses(benByMail, "there is no approval", "approve "+a.ID)
	w.refuses(benByMail, "there is no approval", "reject "+a.ID+" because x")
	if got := w.as(Actor{Name: "ana", Via: ViaMail}, "approve "+a.ID); !got.Done() {
		t.Errorf("%s", got)
	}
}

// A case that is closed needs no review, and the last one gone ends the pause.
func TestT5_ClosedCaseNeedsNoReview(t *testing.T) {
	t.Parallel()
	w, first, second := backAfter(t, time.Hour)
	id := w.reviewOf(first).ID
	w.in(first, `case close because "no flaw"`)
	if w.countIn("Approvals", string(first)) != 0 || !w.sending().Overdue {
		t.Errorf("Approvals holds %q; %+v", w.subjects("Approvals"), w.sending())
	}
	w.refuses(theOperator, "nothing that it stopped is to leave any more", "approve "+id)
	w.in(second, `case close because "no flaw"`)
	if state := w.sending(); state.Paused {
		t.Errorf("still paused: %s", state.Because)
	}
	w.after(time.Hour)
	w.told("acme")
	w.told("globex")
}

package mailflow

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// When the guard has to forget old mail the desk is told once, by a task and in
// the journal, and `status` says so as long as it is so.
func TestV6_TellsThatItForgets(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.Guard.limit = 1 << 10
	if strings.Contains(w.do("status"), "memory is full") {
		t.Fatal("it forgets at once")
	}
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 12 {
		w.answers("globex", id, true, fmt.Sprintf("letter %d\n\n%s\n", i, lettersFrom(r, latin, 4000)))
	}
	w.submits("ana", w.deskTo("acme", id), false, "hello", "Nothing of note.\n")
	if w.Guard.oldest() == 0 {
		t.Fatal("it forgot nothing")
	}
	told := func() int { return w.countIn("INBOX", "The guard forgets: mail before 2026-12-01") }
	if told() != 1 || w.journalled("guard.forgets") != 1 {
		t.Errorf("INBOX: %q, %d records", w.subjects("INBOX"), w.journalled("guard.forgets"))
	}
	if out := w.do("status"); !strings.Contains(unwrapped(out), "letters are compared only with what parties wrote since 2026-12-01: the guard's memory is full") {
		t.Errorf("status:\n%s", out)
	}
	for i := range 12 {
		w.answers("globex", id, true, fmt.Sprintf("more %d\n\n%s\n", i, lettersFrom(r, latin, 4000)))
	}
	w.submits("ana", w.deskTo("acme", id), false, "again", "Nothing of note.\n")
	w.restart()
	w.settle()
	if told() != 1 || w.journalled("guard.forgets") != 1 {
		t.Errorf("told again: %q, %d records", w.subjects("INBOX"), w.journalled("guard.forgets"))
	}
}

// A letter that waits for a second person is due on no day; after four hours it is
// before the desk, once.
func TestApproval_AlarmOfADraft(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "a build", "Look:\n\n> "+globexWords+"\n")
	a := w.keptBack()
	w.steps(time.Hour, alarmAfter-time.Minute)
	if n := w.countIn("INBOX", "is undecided"); n != 0 {
		t.Fatalf("too early: %q", w.subjects("INBOX"))
	}
	w.restart()
	w.steps(time.Minute, 2*time.Minute)
	if n := w.countIn("INBOX", "ben, please look: the letter to acme in "+string(id)+" is undecided, waits since Tue 1 Dec 2026"); n != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w.steps(4*time.Hour, 24*time.Hour)
	if n := w.journalled("approval.late"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	w.as(benSigned, "approve "+a.ID)
	if n := w.countIn("INBOX", "is undecided"); n != 0 {
		t.Errorf("the alarm outlives the yes: %q", w.subjects("INBOX"))
	}
}

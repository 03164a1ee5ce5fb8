package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// finderCase is a case with a finder, and vendors that have the heads-up.
func finderCase(t *testing.T, vendors ...string) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	fin := w.person("finder", "f@finder.example")
	w.reported(fin, "Overflow", "it overflows")
	id := w.caseWith(vendors...)
	w.in(id, "report 1 join "+string(id))
	w.in(id, "start now")
	w.after(5 * w.Undo)
	return w, id
}

// A vendor that takes its acceptance back is late and gets no further stage, what
// waits in the queue included; what it was told stays told, and another ACCEPT
// counts. Others go on, and their dates stay.
func TestT4_WithdrawAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.answers("acme", id, true, "WITHDRAW we never agreed\n")
	if got := w.said("acme"); !strings.Contains(got, "not done: there is nothing of that kind") || w.participant(id, "acme").Declined != nil {
		t.Errorf("nothing to take back: %s", got)
	}
	w.answers("acme", id, true, "ACCEPT v1\nPROPOSE 2026-12-20 sooner\nREADY BY 2026-12-18\n")
	w.answers("globex", id, true, "ACCEPT v1\n")
	w.after(cvd.Day)
	w.Queue.GiveUp = 1000 * cvd.Day
	w.sink.Refuse("psirt@acme.example", 451) // details will wait in the queue
	w.after(cvd.Day)
	if n := w.notice(id, "acme", cvd.Details); n.State != cvd.Queued {
		t.Fatalf("details are %s: %s", n.State, n.Why)
	}
	code := w.freshCode("acme")
	w.answers("acme", id, false, "WITHDRAW "+string(id)+" our lawyers say no "+code+"\n")
	p := w.participant(id, "acme")
	if p.Accepted() != 0 || p.Declined == nil || p.Ready != nil || len(p.Proposals) != 0 || p.Reached != cvd.Scope || len(p.TookBack) != 1 || p.TookBack[0].Version != 1 {
		t.Fatalf("%+v", p)
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.after(3 * cvd.Day)
	if w.heard("acme", cvd.Details) || !w.heard("globex", cvd.Details) {
		t.Errorf("acme heard details: %v, globex: %v", w.heard("acme", cvd.Details), w.heard("globex", cvd.Details))
	}
	if got := w.said("acme"); !strings.Contains(got, "you take back that you keep it secret (version 1)") {
		t.Errorf("the answer: %s", got)
	}
	text := w.taskText("acme takes back its acceptance of v1 in " + string(id))
	for _, want := range []string{"our lawyers say no", "It is late from now on", "late acme never"} {
		if !strings.Contains(text, want) {
			t.Errorf("the desk is not told %q:\n%s", want, text)
		}
	}
	if n := w.countIn("INBOX", "acme proposes"); n != 0 {
		t.Error("a proposal that was taken back is still a task")
	}
	if out := w.in(id, "dates"); strings.Contains(out, "acme proposes it") || strings.Contains(out, "acme is ready") {
		t.Errorf("dates:\n%s", out)
	}
	if c := w.theCase(id); c.Embargo().Version != 1 {
		t.Error("a date moved")
	}
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.after(cvd.Day)
	if p := w.participant(id, "acme"); p.Declined != nil || !w.heard("acme", cvd.Details) {
		t.Errorf("a later ACCEPT does not count: %+v", p)
	}
}

// freshCode is the newest code that a person was given.
func (w *world) freshCode(name string) string {
	w.t.Helper()
	all := w.got(name)
	for i := len(all) - 1; i >= 0; i-- {
		if m := anyCode.FindStringSubmatch(all[i].Text); m != nil && w.participant(w.cases()[0], cvd.PartyID(name)).Knows(m[1]) {
			return m[1]
		}
	}
	w.t.Fatalf("%s has no code that is good", name)
	return ""
}

func (w *world) cases() (out []cvd.CaseID) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := Cases(tx)
		for _, c := range all {
			out = append(out, c.ID)
		}
		return err
	})
	return out
}

// WITHDRAW with a word takes back that alone.
func TestWithdrawOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT v1\nPROPOSE 2026-12-20 sooner\nREADY BY 2026-12-18\n")
	w.answers("acme", id, true, "WITHDRAW "+string(id)+" PROPOSE a mistake\n")
	p := w.participant(id, "acme")
	if p.Accepted() != 1 || p.Declined != nil || p.Ready == nil || len(p.Proposals) != 0 || !strings.Contains(w.said("acme"), "taken back: PROPOSE 2026-12-20") {
		t.Errorf("%+v\n%s", p, w.said("acme"))
	}
	if w.countIn("INBOX", "acme proposes") != 0 || w.countIn("INBOX", "acme takes back PROPOSE 2026-12-20") != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
	w.answers("acme", id, true, "WITHDRAW PROPOSE\n")
	if !strings.Contains(w.said("acme"), "not done: there is nothing of that kind") {
		t.Error(w.said("acme"))
	}
	w.answers("acme", id, true, "WITHDRAW ready\n")
	if p := w.participant(id, "acme"); p.Ready != nil || p.Accepted() != 1 {
		t.Errorf("%+v", p)
	}
	w.answers("acme", id, true, "WITHDRAW DEADLINE\n") // a vendor has none
	w.answers("acme", id, true, "DEADLINE 2026-12-24\n")
	if p := w.participant(id, "acme"); p.Deadline != nil || w.countIn("INBOX", "acme wrote") != 1 {
		t.Errorf("a vendor's DEADLINE counts: %+v, %q", p, w.subjects("INBOX"))
	}
	w.answers("acme", id, true, "WITHDRAW ACCEPT we changed our mind\n")
	if p := w.participant(id, "acme"); p.Accepted() != 0 || p.TookBack[0].Because != "we changed our mind" {
		t.Errorf("%+v", p)
	}
}

// A finder's WITHDRAW closes nothing; the desk is told what it was.
func TestM7_FinderWithdraws(t *testing.T) {
	t.Parallel()
	w, id := finderCase(t, "acme")
	w.answers("finder", id, true, "WITHDRAW I was wrong\n")
	if text := w.taskText("finder wants to withdraw in " + string(id)); !strings.Contains(text, "case close because") || !strings.Contains(text, "I was wrong") {
		t.Errorf("the desk reads\n%s", text)
	}
	w.answers("finder", id, true, "ACCEPT v1\n")
	w.answers("finder", id, true, "WITHDRAW they do not pay\n")
	if p := w.participant(id, "finder"); p.Accepted() != 0 || !strings.Contains(w.said("finder"), "ACCEPT puts it back") {
		t.Errorf("%+v\n%s", p, w.said("finder"))
	}
	if text := w.taskText("finder takes back its acceptance of v1 in " + string(id)); !strings.Contains(text, "may publish") {
		t.Errorf("the desk reads\n%s", text)
	}
	if out := w.in(id, "status"); !strings.Contains(unwrapped(out), "took back its acceptance of v1") {
		t.Errorf("status:\n%s", out)
	}
	c := w.theCase(id)
	if !c.Closed.IsZero() || c.Embargo().Version != 1 || c.Hold != nil {
		t.Errorf("something moved: %+v", c)
	}
}

// A finder's DEADLINE is before the desk at once, with what the plan has after it;
// it stands in dates, status and the case file, and moves no date.
func TestM7_Deadline(t *testing.T) {
	t.Parallel()
	w, id := finderCase(t, "acme", "globex")
	before := w.in(id, "plan")
	w.answers("finder", id, true, "DEADLINE 2026-12-03 I speak at 40C3, see https://x.example\n")
	text := w.taskText("finder publishes on 2026-12-03, 28 days BEFORE the embargo ends on 2026-12-31 (" + string(id) + ")")
	for _, want := range []string{"On that day, or after it, would come 5 notices", "details to acme", "details to globex", "public to acme", "public to finder", "hxxps://x[.]example", "embargo DATE because"} {
		if !strings.Contains(text, want) {
			t.Errorf("the desk is not told %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "scope to") || strings.Contains(text, "heads-up to") {
		t.Errorf("the desk is told what goes before:\n%s", text)
	}
	if got := w.said("finder"); !strings.Contains(got, "you publish on 2026-12-03 at the latest") || strings.Contains(got, "acme") {
		t.Errorf("the answer: %s", got)
	}
	if out := w.in(id, "dates"); !strings.Contains(out, "(finder's deadline)") || !strings.Contains(out, "! after finder's deadline, 2026-12-03") {
		t.Errorf("dates:\n%s", out)
	}
	if out := unwrapped(w.in(id, "status")); !strings.Contains(out, "publishes on 2026-12-03 by its own word (DEADLINE)") {
		t.Errorf("status:\n%s", out)
	}
	w.after(cvd.Day)
	if file := unwrapped(w.words(w.caseFile(id))); !strings.Contains(file, "publishes on 2026-12-03") || !strings.Contains(file, "finder's deadline") {
		t.Errorf("case file:\n%s", file)
	}
	if c := w.theCase(id); c.Embargo().Version != 1 || c.Hold != nil {
		t.Error("something moved")
	}
	if strings.Count(before, "planned") == 0 {
		t.Fatal(before)
	}
	for line, want := range map[string]string{"DEADLINE 2026-13-45": "wrote", "DEADLINE soon": "wrote", "DEADLINE 2025-01-01": "2025-01-01 has passed", "TALK 2025-01-01": "2025-01-01 has passed"} {
		w.answers("finder", id, true, line+"\n")
		if want != "wrote" && !strings.Contains(w.said("finder"), want) {
			t.Errorf("%s: %s", line, w.said("finder"))
		}
		if p := w.participant(id, "finder"); day(p.Deadline.On) != "2026-12-03" || p.Talk != nil {
			t.Errorf("%s changed it: %+v", line, p)
		}
	}
	w.answers("finder", id, true, "DEADLINE 2027-02-01\nTALK 2027-02-10 at 40C3\n") // a later one takes its place
	if n := w.countIn("INBOX", "finder publishes on"); n != 1 || w.countIn("INBOX", "finder publishes on 2027-02-01, after the embargo ends") != 1 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
	if out := w.in(id, "dates"); !strings.Contains(out, "(finder speaks about it)") || strings.Count(out, "! after") != 1 {
		t.Errorf("dates:\n%s", out)
	}
	w.answers("finder", id, true, "WITHDRAW DEADLINE\nWITHDRAW TALK\n")
	if p := w.participant(id, "finder"); p.Deadline != nil || p.Talk != nil || w.countIn("INBOX", "finder publishes") != 0 {
		t.Errorf("%+v, %q", p, w.subjects("INBOX"))
	}
	w.answers("globex", id, true, "STATUS investigating\n")
	for _, name := range []string{"acme", "globex"} {
		for _, m := range w.got(name) {
			if strings.Contains(m.Text, "40C3") || strings.Contains(m.Text, "2026-12-03 at the latest") {
				t.Errorf("%s learns of the finder's days:\n%s", name, m.Text)
			}
		}
	}
}

// A finder's DEADLINE goes with it into the case that takes its own in: its days,
// and the one task about them.
func TestDeadline_Merged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.reported(w.person("finder", "f@finder.example"), "Overflow", "it overflows")
	id := w.caseWith()
	w.in(id, "report 1 join "+string(id))
	w.answers("finder", id, true, "DEADLINE 2026-12-24\n")
	if n := w.countIn("INBOX", "finder publishes on 2026-12-24, and the embargo has no end yet ("+string(id)+")"); n != 1 {
		t.Fatalf("INBOX %q", w.subjects("INBOX"))
	}
	into := w.caseWith("acme")
	w.in(into, "case merge "+string(id))
	if d := w.participant(into, "finder").Deadline; d == nil || day(d.On) != "2026-12-24" {
		t.Fatalf("%+v", d)
	}
	w.answers("finder", into, true, "WITHDRAW "+string(into)+" DEADLINE\n")
	if w.participant(into, "finder").Deadline != nil || w.countIn("INBOX", "finder publishes") != 0 {
		t.Errorf("INBOX %q", w.subjects("INBOX"))
	}
}

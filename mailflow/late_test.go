package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

var trio = []string{"ana", "ben", "cho"}

// Who does not answer for a week is a task, and late: scope, details and the
// advisory go to it five days before the end, after two yes of people who did
// not write them; proof never does.
func TestLate_Silent(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, trio, "acme", "initech")
	w.do("vendor edit initech second chief@initech.example")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(12*time.Hour, 6*cvd.Day+12*time.Hour)
	if w.participant(id, "initech").IsLate() || w.countIn("INBOX", "initech is silent") != 0 {
		t.Fatal("late before a week has passed")
	}
	w.after(cvd.Day)
	if p := w.participant(id, "initech"); p.Late == nil || p.Late.Silent.IsZero() || w.participant(id, "acme").IsLate() {
		t.Fatalf("initech: %+v", p.Late)
	}
	task := w.words(w.message("INBOX", "initech is silent in "+string(id)+": 7 days"))
	for _, want := range []string{"record initech called", "chief@initech.example", "history initech", "late initech never"} {
		wants(t, task, want)
	}
	for _, line := range strings.Split(task, "\n") {
		if len(line) > 72 && !strings.Contains(line, "://") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	note := w.sink.To("chief@initech.example")
	if len(note) != 1 || !strings.Contains(string(note[0].Raw), "have no answer") || strings.Contains(string(note[0].Raw), string(id)) {
		t.Errorf("%d notes to the second contact", len(note))
	}
	plan := w.in(id, "plan initech")
	for _, want := range []string{"2/6 scope  2026-12-26T09:", "3/6 details  2026-12-26T09:", "5/6 advisory  2026-12-26T09:", "  late  missing: approval"} {
		wants(t, plan, want)
	}
	if strings.Contains(plan, "proof") {
		t.Errorf("proof is planned:\n%s", plan)
	}
	for _, a := range w.requests("") {
		if a.Need != 2 {
			t.Errorf("%s of %s needs %d", a.ID, a.Stage, a.Need)
		}
		w.refuses(anaSigned, "your own text", "approve "+a.ID)
	}
	w.approveAll("ben")
	w.steps(12*time.Hour, 10*cvd.Day)
	w.told("initech", "Heads-up")
	w.approveAll("cho")
	w.steps(6*time.Hour, 7*cvd.Day)
	w.told("initech", "Heads-up")
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("initech", "Heads-up", "Scope", "Details", "Advisory")
	w.told("acme", "Heads-up", "Scope", "Details", "Proof", "Advisory")
	w.steps(6*time.Hour, 6*cvd.Day)
	w.told("initech", "Heads-up", "Scope", "Details", "Advisory", "Public")
	if w.heard("initech", cvd.Proof) {
		t.Error("the proof went to who is late")
	}
}

// The steps about somebody silent replace each other; every attempt is on record,
// and an answer ends the task.
func TestSilence_Tasks(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, trio, "acme", "initech")
	w.steps(12*time.Hour, 7*cvd.Day+12*time.Hour)
	w.in(id, `record initech called "reception, they call back"`)
	if w.countIn("INBOX", "is silent") != 1 { // acme's
		t.Errorf("after the call: %q", w.subjects("INBOX"))
	}
	w.steps(12*time.Hour, 3*cvd.Day)
	if w.countIn("INBOX", "initech is silent in "+string(id)+": 10 days, call them") != 1 || w.countIn("INBOX", "acme is silent") != 1 {
		t.Errorf("after ten days: %q", w.subjects("INBOX"))
	}
	wants(t, w.words(w.caseFile(id)), "national CERT to acme, initech")
	w.steps(12*time.Hour, 4*cvd.Day)
	wants(t, w.words(w.message("INBOX", "initech is silent in "+string(id)+": 14 days, ask their national CERT")), "first.org")
	w.answers("acme", id, true, "We are looking into it.\n")
	w.in(id, `record initech ack via "phone, Jo Doe"`)
	if n := w.countIn("INBOX", "is silent"); n != 0 {
		t.Errorf("answered, and still there: %q", w.subjects("INBOX"))
	}
	for _, want := range []string{"reception, they call back", "phone call", "national CERT"} {
		wants(t, unwrapped(w.in(id, "history initech")), want)
	}
}

// The desk's word: now counts only signed, never leaves only what is public, as
// planned takes either back.
func TestLate_Words(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, trio, "acme", "globex", "initech")
	tag := "case " + string(id)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	for _, name := range []string{"globex", "initech"} {
		w.answers(name, id, true, "DECLINE "+string(id)+" no time\n")
	}
	w.refuses(benSigned, "accepted v1 of the embargo and is not late", tag, "late acme now because x")
	w.refuses(benByMail, "moves dates earlier and so counts only signed", tag, "late globex now because x")
	w.refuses(benSigned, "say one of: now, never, as planned", tag, "late globex soon because x")
	w.refuses(benSigned, "said nothing about when globex is told", tag, "late globex as planned")
	w.refuses(benSigned, "is late: ", tag, "stage globex scope at 2026-12-10T09:00Z")
	if got := w.as(benByMail, tag, "late initech never because \"they sell it\""); !got.Done() {
		t.Fatal(got)
	}
	w.refuses(benByMail, "lets stages go to it again and so counts only signed", tag, "late initech as planned")
	said := w.as(benSigned, tag, `late globex now because "hospitals"`)
	if !said.Done() || !strings.Contains(said.String(), "undo U") {
		t.Fatal(said)
	}
	w.after(w.Undo)
	w.told("globex", "Heads-up")
	w.approveAll("ben", "cho")
	w.told("globex", "Heads-up", "Scope", "Details", "Advisory")
	w.steps(12*time.Hour, 31*cvd.Day)
	w.told("initech", "Heads-up", "Public")
	w.told("globex", "Heads-up", "Scope", "Details", "Advisory", "Public")
}

// An undone word leaves the plan as it was; what tells sooner by it is signed.
func TestLate_Undo(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, trio, "acme")
	w.answers("acme", id, true, "DECLINE "+string(id)+" no time\n")
	due := w.notice(id, "acme", cvd.Scope).Due
	for _, word := range []string{"now", "never"} {
		said := w.as(benSigned, "case "+string(id), "late acme "+word+" because x").String()
		number := strings.Fields(said[strings.Index(said, "undo U"):])[1]
		if word == "never" {
			w.refuses(benByMail, "counts only signed", "undo "+number)
		}
		if tr := w.as(benSigned, "undo "+number); !tr.Done() {
			t.Fatal(tr)
		}
		if n := w.notice(id, "acme", cvd.Scope); !n.Due.Equal(due) || w.participant(id, "acme").Late != nil {
			t.Errorf("after %s and undo scope is due %s, not %s", word, utc(n.Due), utc(due))
		}
	}
}

// A late ACCEPT always counts: what waited for it goes at once, by the plan's
// own approvals, and the proof is planned again.
func TestLate_Accepts(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, trio, "acme")
	w.steps(12*time.Hour, 9*cvd.Day)
	if !w.participant(id, "acme").IsLate() {
		t.Fatal("acme is not late")
	}
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.told("acme", "Heads-up", "Scope", "Details", "Proof")
	if p := w.participant(id, "acme"); p.IsLate() || len(w.requests("")) != 0 {
		t.Errorf("still late: %+v, %d requests", p.Late, len(w.requests("")))
	}
}

// A smaller desk: of two one can say yes, and one alone waits for its cool-off.
func TestLate_SmallDesk(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		desk []string
		yes  string
		wait time.Duration
	}{{trio[:2], "ben", 0}, {trio[:1], "ana", 12 * time.Hour}} {
		w, id := lateCase(t, row.desk, "acme")
		w.answers("acme", id, true, "DECLINE "+string(id)+" no time\n")
		w.as(anaSigned, "case "+string(id), "late acme now because x")
		w.after(w.Undo)
		w.approveAll(row.yes)
		if row.wait > 0 {
			w.told("acme", "Heads-up")
			w.after(row.wait)
		}
		w.told("acme", "Heads-up", "Scope", "Details", "Advisory")
	}
}

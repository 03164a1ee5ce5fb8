package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// When the embargo is over nobody is asked about what cannot leave any more, and what
// stood before the desk because of it is gone.
func TestEnd_NothingIsAskedAfterIt(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana ben")
	p := w.Policies["fast"]
	p.Stages = slices.Clone(p.Stages)
	p.Stages[2].Approvals = 1
	w.Policies["fast"] = p
	id := w.caseWith("acme", "initech")
	w.do("vendor edit initech channel hand")
	w.in(id, "start now")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.steps(6*time.Hour, 29*cvd.Day)
	if len(w.requests(cvd.Details)) != 1 || w.countIn("INBOX", "please look: details") != 1 || w.countIn("Held", "Held: heads-up to initech") != 1 {
		t.Fatalf("before the end: INBOX %q, Held %q", w.subjects("INBOX"), w.subjects("Held"))
	}
	w.in(id, "hold acme because wait") // what is on hold stays so, beyond the end
	w.steps(time.Hour, cvd.Day+2*time.Hour)
	for _, again := range []bool{false, true} {
		if again {
			w.material(id, cvd.Details, "a newer text")
			w.steps(time.Hour, cvd.Day)
		}
		if n := len(w.requests(cvd.Details)); n != 0 || w.countIn("INBOX", "please look: details")+w.countIn("Approvals", "details ->") != 0 || w.countIn("Status", "Void: ") != 1 {
			t.Errorf("%d requests; INBOX %q, Approvals %q, Status %q", n, w.subjects("INBOX"), w.subjects("Approvals"), w.subjects("Status"))
		}
	}
	if w.countIn("Held", "to initech") != 1 || w.countIn("Held", "Held: public to initech") != 1 {
		t.Errorf("Held %q", w.subjects("Held"))
	}
	if out := w.in(id, "plan initech"); strings.Contains(out, "details") || !strings.Contains(out, "4/4 public") {
		t.Errorf("plan:\n%s", out)
	}
}

// A case file says how long an embargo goes on, and that it is over, at that instant,
// though nothing leaves then; also where it lasts seconds.
func TestCaseFile_AtTheEnd(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lasts        time.Duration
		last, before string
	}{
		"days":    {30 * cvd.Day, "day 30 of 30", "; ends today"},
		"seconds": {30 * time.Second, "day 1 of 1", "; ends today"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDesk(t, "ana")
			p := w.Policies["fast"]
			p.Embargo = row.lasts
			p.Stages = slices.DeleteFunc(slices.Clone(p.Stages), func(r cvd.StageRule) bool { return r.At.Offset != 0 })
			w.Policies["fast"] = p
			id := w.caseWith("acme")
			w.in(id, "start now", `withdraw acme because "not affected"`)
			w.steps(6*time.Hour, row.lasts-time.Second)
			reads := func(subject, text string) {
				t.Helper()
				m := w.caseFile(id)
				if !strings.Contains(m.Envelope.Subject, subject) || !strings.Contains(unwrapped(w.words(m)), text) {
					t.Errorf("%s, want %q and %q:\n%s", m.Envelope.Subject, subject, text, w.words(m))
				}
			}
			reads(row.last, row.before)
			w.steps(time.Second, time.Second)
			over := "ended " + w.theCase(id).Embargo().End.UTC().Format("Mon 2 Jan")
			reads(over, "; it is over")
			if alt := w.partOf(w.caseFile(id), "image/png").Header.Get("Content-Description"); !strings.Contains(alt, over) {
				t.Errorf("the picture is said to be %q", alt)
			}
			w.steps(6*time.Hour, 3*cvd.Day)
			reads(over, "; it is over")
		})
	}
}

package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// A vendor that joins on day 12 gets each stage composed afresh, with what was
// answered to everybody meanwhile and nothing that another wrote; it is tried
// before it goes, like the others.
func TestLateJoiner_GetsTheAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor("late")
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n\nDoes it concern zyzzyva builds?\n")
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.coordinator("ana")
	if got := w.as(anaSigned, "case "+string(id), `answer-all stage details "The 8.x branch is not affected."`); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.steps(6*time.Hour, 9*cvd.Day)
	w.in(id, "invite late wave 1")
	w.after(w.Settings.Undo)
	w.answers("late", id, true, "ACCEPT "+string(id)+" v1\n")
	w.told("late", "Heads-up", "Scope", "Details")
	answered := 0
	for _, m := range w.mails(w.people["late"]) {
		if m.find([]string{"zyzzyva", "acme"}) != "" {
			t.Errorf("%q tells of another vendor:\n%s", m.Subject, m.readable())
		}
		if strings.Contains(unwrapped(m.Text), "The 8.x branch is not affected.") {
			answered++
			if !strings.Contains(m.Subject, "Details") {
				t.Errorf("the answer to details stands in %q", m.Subject)
			}
		}
	}
	if answered != 1 {
		t.Errorf("the answer stands in %d mails", answered)
	}
	w.steps(6*time.Hour, 5*cvd.Day)
	all := w.preflightMails("Status")
	if last := all[len(all)-1]; !strings.HasPrefix(last, "Preflight "+string(id)+" public in ") || !strings.HasSuffix(last, "all can go (2)") {
		t.Errorf("the last preflight says %q", last)
	}
}

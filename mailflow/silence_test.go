package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// Steps about somebody silent that a hold, a pause or downtime kept back are taken
// one by one all the same: nobody asks a national CERT before anybody was called.
func TestSilence_StepsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*world, cvd.CaseID){
		"hold": func(w *world, id cvd.CaseID) {
			w.in(id, "hold acme")
			w.steps(6*time.Hour, 16*cvd.Day)
			w.in(id, "release acme")
		},
		"downtime": func(w *world, _ cvd.CaseID) {
			w.clock.Advance(16 * cvd.Day)
			w.restart()
			w.settle()
			if n := w.countIn("INBOX", "acme is silent"); n != 0 {
				t.Errorf("it is silent before anybody looked at what is overdue")
			}
			w.do("sending resume")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := reminding(t, "acme")
			w.after(time.Hour)
			away(w, id)
			w.after(time.Hour)
			w.message("INBOX", "acme is silent in "+string(id)+": 16 days, try another contact")
			w.in(id, "hold acme", "release acme") // is no reason to hurry
			w.steps(6*time.Hour, 3*cvd.Day-6*time.Hour)
			w.message("INBOX", "try another contact")
			w.after(30 * time.Hour) // the third day is a Sunday
			w.message("INBOX", "acme is silent in "+string(id)+": 20 days, call them")
			w.steps(6*time.Hour, 5*cvd.Day)
			w.message("INBOX", "ask their national CERT")
		})
	}
}

// A hold that ended is none that a later stage waits for: what is not due any more
// since its vendor is late reads planned, and its task goes.
func TestLate_HeldNoMore(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme")
	w.after(time.Hour)
	w.in(id, `hold acme because "they moved house"`)
	w.steps(6*time.Hour, 8*cvd.Day)
	if n := w.countIn("INBOX", "they moved house"); n != 2 {
		t.Fatalf("INBOX holds %q", w.subjects("INBOX"))
	}
	w.in(id, "release acme")
	w.after(time.Hour)
	for _, s := range []cvd.Stage{cvd.Scope, cvd.Details} {
		if n := w.notice(id, "acme", s); n.State == cvd.Held || !n.Due.After(w.clock.Now()) {
			t.Errorf("%s is %s: %s", s, n.State, n.Why)
		}
	}
	if n := w.countIn("INBOX", "they moved house"); n != 0 {
		t.Errorf("INBOX holds %q", w.subjects("INBOX"))
	}
}

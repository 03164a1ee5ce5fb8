package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// A party that is told by hand is reminded by a person: one task at a time, which
// the call on record ends, and an answer; nothing leaves.
func TestRemindByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Remind = []time.Duration{3 * cvd.Day, 5 * cvd.Day, 6 * cvd.Day}
	w.Policies["fast"] = p
	id := w.caseWith("acme")
	w.do("vendor edit acme channel hand")
	w.in(id, "start now")
	w.after(5 * w.Undo)
	sent := len(w.sink.Mails())
	w.in(id, `record acme delivered heads-up via "portal"`)
	tasks := func() int { return w.countIn("INBOX", "Remind acme by hand in "+string(id)) }
	w.after(2 * cvd.Day)
	if tasks() != 0 {
		t.Errorf("too early: %q", w.subjects("INBOX"))
	}
	w.after(2 * cvd.Day)
	if tasks() != 1 || w.countIn("Held", "reminder") != 0 {
		t.Errorf("INBOX %q, Held %q", w.subjects("INBOX"), w.subjects("Held"))
	}
	w.in(id, `record acme called "Jo: will look"`)
	w.in(id, "invite acme footprint 5M") // a new plan asks the gate again
	if tasks() != 0 {
		t.Errorf("the task stays, or comes back: %q", w.subjects("INBOX"))
	}
	w.after(2 * cvd.Day)
	if tasks() != 1 {
		t.Errorf("the next reminder: %q", w.subjects("INBOX"))
	}
	w.in(id, "record acme ack via phone")
	if tasks() != 0 {
		t.Errorf("an answer does not end it: %q", w.subjects("INBOX"))
	}
	w.after(5 * cvd.Day)
	if tasks() != 0 || len(w.sink.Mails()) != sent {
		t.Errorf("INBOX %q, %d mails", w.subjects("INBOX"), len(w.sink.Mails())-sent)
	}
}

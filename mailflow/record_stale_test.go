package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// An acceptance that a coordinator filed waits for a second person; where its
// vendor says no meanwhile, by DECLINE or by WITHDRAW, that is the newer word and
// the yes cannot be approved any more.
func TestA3_AcceptFiledBeforeANo(t *testing.T) {
	t.Parallel()
	for _, no := range []string{"DECLINE our lawyers\n", "WITHDRAW our lawyers\n"} {
		w := newWorld(t)
		w.coordinator("ana")
		w.coordinator("ben")
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT v1\n")
		w.needsTwo(id, cvd.Scope)
		w.in(id, `embargo 2027-01-20T16:00Z because "a longer one"`)
		w.after(5 * w.Undo)
		files := func() string {
			return w.as(signed("ana"), "case "+string(id), `record acme accept v2 via phone "Jo"`).Lines[1].Waits
		}
		filed := files()
		if filed == "" {
			t.Fatal("no second person is asked")
		}
		w.clock.Advance(time.Second)
		w.answers("acme", id, true, no)
		if w.participant(id, "acme").Declined == nil {
			t.Fatalf("%q does not count", no)
		}
		w.refuses(signed("ben"), "acme said no on", "approve "+filed)
		if w.participant(id, "acme").Declined == nil {
			t.Errorf("%q: it counts as accepted", no)
		}
		w.clock.Advance(time.Second)
		if again := w.as(signed("ben"), "approve "+files()); !again.Done() || w.participant(id, "acme").Accepted() != 2 {
			t.Errorf("a yes after the no does not count:\n%s", again)
		}
	}
}

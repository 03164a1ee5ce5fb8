package mailflow

import (
	"slices"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// leftOut leaves rows out of the gate until a test ends. Nothing may run beside it,
// since the gate is everybody's: such tests are not parallel.
func leftOut(t *testing.T, rows ...string) {
	t.Helper()
	whole := gate
	t.Cleanup(func() { gate = whole })
	gate = slices.DeleteFunc(slices.Clone(whole), func(c condition) bool { return slices.Contains(rows, c.must) })
	if len(gate) != len(whole)-len(rows) {
		t.Fatalf("not all of these are rows of the gate: %q", rows)
	}
}

// without lives a story with the whole gate and without one row, and wants
// something to leave without it only.
func without(t *testing.T, row string, leaks func(t *testing.T) bool) {
	t.Run(row, func(t *testing.T) {
		t.Run("with it", func(t *testing.T) {
			if leaks(t) {
				t.Error("it leaves with the whole gate")
			}
		})
		t.Run("without it", func(t *testing.T) {
			leftOut(t, row)
			if !leaks(t) {
				t.Error("nobody noticed that the row is missing")
			}
		})
	})
}

// stands are the notices of a kind to a party that can still leave.
func (w *world) stands(id cvd.CaseID, party cvd.PartyID, kind cvd.NoticeKind) (out []cvd.Notice) {
	return slices.DeleteFunc(w.noticesOf(id, party, kind), func(n cvd.Notice) bool { return n.State.Over() })
}

// A due row of a notice that is nobody's, or that names a wrong party, is
// dropped: notices are read by case, party and number.
func TestGuard_RowsOfNothing(t *testing.T) {
	leftOut(t, "there is such a notice, to somebody", "it belongs to this participant of this case")
	w := newWorld(t)
	id := w.started("acme", "globex")
	before, theirs := len(w.sink.Mails()), w.notice(id, "globex", cvd.Scope).ID
	w.update(func(tx *store.Tx) error {
		for i, row := range []dueRow{{Case: id, Party: "acme", Notice: 9999}, {Case: id, Party: "acme", Notice: theirs}, {Case: id, Party: "nobody", Notice: theirs}} {
			if err := dueRows.Put(tx, caseScope(id), append(store.Instant(tx.Now), store.Seq(uint64(90000+i))...), row); err != nil {
				return err
			}
		}
		return nil
	})
	w.settle()
	if w.isDue() || len(w.sink.Mails()) != before {
		t.Errorf("rows of nothing stay: %v, %d mails left", w.isDue(), len(w.sink.Mails())-before)
	}
}

// isDue says that some due row is to be read now.
func (w *world) isDue() (due bool) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		due = anyDue(tx, w.clock.Now())
		return nil
	})
	return due
}

// What has left or was cancelled has no due row, and nothing wakes it.
func TestGuard_OverIsNotDue(t *testing.T) {
	leftOut(t, "it has not left or ended")
	w := newWorld(t)
	id := w.started("acme", "globex")
	w.in(id, `withdraw globex because "not affected"`)
	w.in(id, "hold acme", "release acme", "hold case", "release case")
	if w.isDue() {
		t.Fatal("something is due before it is woken")
	}
	w.update(func(tx *store.Tx) error { return w.wakeNotices(tx, id, "") })
	if w.isDue() {
		t.Error("what has left is due again")
	}
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up")
}

// Whoever is withdrawn has nothing that could leave, and those who were to be
// introduced to it are not asked any more.
func TestGuard_WithdrawnIsCancelled(t *testing.T) {
	leftOut(t, "its participant was not withdrawn", "the other was not withdrawn", "nobody took the introduction back")
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	before := len(w.got("acme"))
	w.in(id, `withdraw acme because "not affected"`)
	w.steps(12*time.Hour, 28*cvd.Day)
	if n := len(w.got("acme")) - before; n != 0 {
		t.Errorf("%d mails left to who was withdrawn", n)
	}
	if n := len(w.about("globex", asks)); n != 0 {
		t.Error("globex was asked about who was withdrawn")
	}
}

// While sending is paused no due row is read, and no delivery begun.
func TestGuard_PausedReadsNothing(t *testing.T) {
	leftOut(t, "sending is not paused")
	w := newWorld(t)
	id := w.started("acme")
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.do("sending pause")
	w.after(3 * cvd.Day)
	w.told("acme", "Heads-up")
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Planned || !w.isDue() {
		t.Errorf("scope is %s", n.State)
	}
}

// Reminders are planned for what was told last, before the end, and for as long as
// there is neither an answer nor a leak.
func TestGuard_RemindersFollow(t *testing.T) {
	leftOut(t, "nothing leaked", "nothing else was told since", "the embargo that it reminds of goes on", "there is no answer")
	w, id := reminding(t, "acme", "globex", "initech", "umbrella")
	plans := func(why string, want int, vendors ...string) {
		t.Helper()
		for _, v := range vendors {
			if n := w.toCome(id, cvd.PartyID(v)); n != want {
				t.Errorf("%s: %s has %d reminders to come, want %d", why, v, n, want)
			}
		}
	}
	plans("after the heads-up", 3, "acme", "globex", "initech", "umbrella")
	w.answers("acme", id, true, "ACK\n")
	plans("after an answer", 0, "acme")
	w.in(id, `record globex ack via phone "Jo"`)
	w.after(25 * time.Hour)
	w.told("globex", "Heads-up", "Scope")
	for _, n := range w.reminders(id, "globex") {
		if n.Stage != cvd.Scope {
			t.Errorf("globex is reminded of %s after scope", n.Stage)
		}
	}
	w.in(id, `embargo 2026-12-06T09:00Z because "agreed"`)
	plans("with an earlier end", 1, "initech")
	w.steps(6*time.Hour, 6*cvd.Day)
	plans("after the end", 0, "acme", "globex", "initech", "umbrella")
	for _, v := range []string{"globex", "initech"} {
		if n := len(w.reminded(v)); n > 1 {
			t.Errorf("%s was reminded %d times", v, n)
		}
	}
	leaked, at := reminding(t, "acme")
	leaked.as(signed("ana"), "case "+string(at), "leak "+leakAddress+" stage details within 30m")
	leaked.steps(12*time.Hour, 20*cvd.Day)
	if n := len(leaked.reminded("acme")); len(leaked.leaks("acme")) != 1 || n != 0 {
		t.Errorf("%d leaks, and then %d reminders", len(leaked.leaks("acme")), n)
	}
}

// Nothing is read before it is due, and what falls due is what the plan says: not
// before the lead, the end or the day of the late, and nothing before a start.
func TestGuard_DueRowsKeepTheDates(t *testing.T) {
	leftOut(t, "it is due", "the case has started", "the case that leaks has started", "who is late waits until then",
		"what is public waits for the end", "the lead lets its participant know")
	w := newWorld(t)
	w.coordinator("ana")
	p := w.Policies["fast"]
	p.Lead = 10 * cvd.Day
	w.Policies["fast"] = p
	id := w.caseWith("acme", "globex")
	w.refuses(signed("ana"), "has not started", "case "+string(id), "leak "+leakAddress+" stage details within 30m")
	w.after(cvd.Day)
	w.told("acme")
	w.in(id, "start now")
	w.refuses(signed("ana"), "embargo", "case "+string(id), "stage acme public at 2026-12-10T09:00Z")
	w.steps(6*time.Hour, 20*cvd.Day-time.Hour)
	w.told("acme")
	w.after(2 * time.Hour)
	w.told("acme", "Heads-up")
	w.answers("globex", id, true, "DECLINE no time\n")
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.after(cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.told("globex", "Heads-up")
	if at, end := w.notice(id, "globex", cvd.Scope).Due, w.theCase(id).Embargo().End; !at.Equal(end.Add(-5 * cvd.Day)) {
		t.Errorf("who is late gets scope at %s, the end is %s", utc(at), utc(end))
	}
	w.steps(6*time.Hour, 9*cvd.Day-2*time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.after(2 * time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details", "Public")
}

// The plan has no stage that a policy lacks, that somebody does not hear of, was
// told already, or is never to be told.
func TestGuard_PlanLeavesOut(t *testing.T) {
	leftOut(t, "the policy has the stage", "its participant hears of the stage", "a leak goes to a vendor of the case",
		"its participant was not told as much", "who is late gets this stage at all", "who gets counts observes the case")
	w, id := lateCase(t, []string{"ana"}, "acme", "globex", "initech")
	w.vendor(historyObserver)
	w.in(id, "invite "+historyObserver+" role observer")
	w.in(id, `late globex never because "not theirs"`)
	w.in(id, "invite acme role observer")
	w.in(id, `withdraw acme role observer because "no need"`)
	w.in(id, "invite initech role observer")
	w.in(id, `withdraw initech role vendor because "not affected"`)
	p := w.Policies["fast"]
	p.Name, p.Stages = "short", append(slices.Clone(p.Stages[:2]), p.Stages[len(p.Stages)-1])
	w.Policies["short"] = p
	w.answers("acme", id, true, "ACCEPT v1\n")
	w.answers("initech", id, true, "ACCEPT v1\n")
	w.in(id, "case policy short")
	w.after(4 * cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.told("globex", "Heads-up")
	w.told("initech", "Heads-up")
	w.told(historyObserver)
	for v, want := range map[string]int{"acme": 0, "globex": 0, "initech": 1, historyObserver: 1} {
		if n := len(w.subjected(v, "How far it is")); n != want {
			t.Errorf("%s got counts %d times, want %d", v, n, want)
		}
	}
	w.in(id, "case policy fast")
	if tr := w.as(signed("ana"), "case "+string(id), "leak "+leakAddress+" stage details within 30m"); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	w.after(cvd.Day)
	for v, want := range map[string]int{"acme": 1, "globex": 1, "initech": 0, historyObserver: 0} {
		if n := len(w.leaks(v)); n != want {
			t.Errorf("%s was told of the leak %d times, want %d", v, n, want)
		}
	}
	w.steps(6*time.Hour, 4*cvd.Day) // a leak brings the end forward
	w.told("acme", "Heads-up", "Scope", "Public")
	w.told("globex", "Heads-up", "Public")
	w.told(historyObserver, "Public")
}

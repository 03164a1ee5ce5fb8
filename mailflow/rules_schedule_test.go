package mailflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// runs starts the loops of the daemon, until the test ends.
func (w *world) runs() {
	w.t.Helper()
	w.Clock.After = w.clock.After
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.sched.Run(ctx) }()
	w.Queue.After = w.clock.After
	go func() { done <- w.Queue.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.t.Error(err)
			}
		}
	})
}

// tells gives commands while the loops run.
func (w *world) tells(lines ...string) {
	w.t.Helper()
	if t, err := w.desk.Do(context.Background(), theOperator, lines); err != nil || !t.Done() {
		w.t.Fatalf("%v\n%s", err, t)
	}
}

// The loops wake for what falls due, for a change, and for the clock; nothing
// is polled and nothing is missed.
func TestScheduler_Run(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.in(id, "invite globex wave 2")
	w.runs()
	w.tells("case "+string(id), "start now")
	arrive := func(n int) {
		t.Helper()
		for range 200 {
			w.clock.Advance(15 * time.Minute)
			if w.sink.Next(n-1, 10*time.Millisecond) == nil {
				return
			}
		}
		t.Fatalf("%d mails arrived, want %d", len(w.sink.Mails()), n)
	}
	arrive(1)
	if at := w.clock.Now(); at.Before(storyStart.Add(w.Undo)) {
		t.Errorf("heads-up left at %s", at)
	}
	w.tells("case "+string(id), "record acme ack via phone")
	arrive(3) // globex's heads-up and acme's scope, a day later
	if at := w.clock.Now(); at.Before(storyStart.Add(cvd.Day)) {
		t.Errorf("scope left at %s", at)
	}
	w.told("acme", "Heads-up", "Scope")
	w.told("globex", "Heads-up")
}

// A case whose views cannot be made keeps no notice waiting, nor the views of
// other cases.
func TestPrepare_OneBadCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad, good := w.caseWith("acme"), w.caseWith("globex")
	w.update(func(tx *store.Tx) error {
		who := cvd.Participant{Case: bad, Party: "nobody", Roles: []cvd.Role{cvd.RoleVendor}, Address: "x@y.example"} // in no directory
		c, err := CaseByID(tx, bad)
		c.Policy.Stages[1].Approvals = 1
		if err == nil {
			err = PutCase(tx, c)
		}
		if err == nil {
			err = PutParticipant(tx, who)
		}
		return err
	})
	for _, id := range []cvd.CaseID{bad, good} {
		w.tells("case "+string(id), "start now")
	}
	w.clock.Advance(w.Undo)
	if err := w.sched.Prepare(context.Background()); err == nil || !strings.Contains(err.Error(), "no such party") {
		t.Fatalf("the views of the bad case were made: %v", err)
	}
	if all := w.filed("Cases/" + string(good) + " Heap overflow/Case file"); len(all) != 1 || !strings.Contains(w.words(all[0]), "globex") {
		t.Errorf("the other case has %d files", len(all))
	}
	if _, err := w.sched.RunDue(context.Background(), w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Queue.RunDue(context.Background(), w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up")
}

// The case file follows what happens, and is replaced only where it reads
// differently.
func TestPrepare_CaseFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	folder := "Cases/" + string(id) + " Heap overflow/Case file"
	w.in(id, "start now")
	w.after(w.Undo)
	if all := w.filed(folder); len(all) != 1 || !strings.Contains(w.words(all[0]), "1 Dec ok") {
		t.Fatalf("%d case files: %s", len(all), w.words(all[len(all)-1]))
	}
	before := w.filed(folder)[0].ID
	w.in(id, "status")
	w.update(func(tx *store.Tx) error { w.touch(tx, id); return nil })
	w.settle()
	if now := w.filed(folder)[0].ID; now != before {
		t.Error("it was replaced by one that reads the same")
	}
	w.answers("acme", id, true, "ACK\n")
	if all := w.filed(folder); len(all) != 1 || all[0].ID == before || !strings.Contains(w.words(all[0]), "acknowledged") {
		t.Errorf("%d case files: %s", len(all), w.words(all[0]))
	}
	w.view(func(tx *store.Tx) error {
		if n := dirtyCases.Count(tx, nil); n != 0 {
			t.Errorf("%d cases are still to be shown", n)
		}
		return nil
	})
}

// What changes while the desk's views are made is shown in the next round.
func TestPrepare_ChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.settle()
	var serial uint64
	w.update(func(tx *store.Tx) error { w.touch(tx, id); return nil })
	w.view(func(tx *store.Tx) error { serial = tx.Serial(); return nil })
	w.update(func(tx *store.Tx) error { w.moved(tx, id); return nil })
	w.update(func(tx *store.Tx) error { return clean(tx, id, serial) })
	w.view(func(tx *store.Tx) error {
		d, err := dirtyCases.Get(tx, tx.Name("dirty", string(id)))
		if err != nil || !d.Ask {
			t.Errorf("the change is forgotten: %+v, %v", d, err)
		}
		return nil
	})
	w.view(func(tx *store.Tx) error { serial = tx.Serial(); return nil })
	w.update(func(tx *store.Tx) error { return clean(tx, id, serial) })
	w.view(func(tx *store.Tx) error {
		if dirtyCases.Count(tx, nil) != 0 {
			t.Error("what was shown is still to be shown")
		}
		return nil
	})
}

package mailflow

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// spooledWorld is one in whose spool lie reports of as many finders. Whenever its store
// reads the clock, as it does at least once for every mail that is filed, tick is called.
func spooledWorld(t *testing.T, mails int, tick func(*world)) *world {
	t.Helper()
	w := newWorld(t)
	w.intake.Parallel, w.intake.Waiting = 1, mails-1
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(store.Options{Dir: w.dir, Unlock: w.unlock, Now: func() time.Time {
		tick(w)
		return w.clock.Now()
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.Base.Store = st
	if w.Base.Own, err = OpenOwnKeys(st); err != nil {
		t.Fatal(err)
	}
	for n := range mails {
		from := fmt.Sprintf("jo%d@finder.example", n)
		raw := mailtest.Plain(from, reportTo, "report", "one line of a text\n", w.clock.Now())
		env := Envelope{From: from, To: []string{reportTo}, Remote: "192.0.2.1"}
		if err := w.intake.Receive(context.Background(), env, bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// As long as mails come in, one at a time is filed, and all are filed in the end. Where
// none comes, or they are overdue, they go side by side and share commits.
func TestIntake_TakingComesBeforeFiling(t *testing.T) {
	const mails = 32
	for _, row := range []struct {
		name     string
		more     bool
		age      time.Duration
		oneByOne bool
	}{
		{"more comes", true, 0, true},
		{"more comes, and they wait a little", true, filedWithin - 1, true},
		{"more comes, and they waited long", true, filedWithin, false},
		{"no more comes", false, 0, false},
		{"the clock was put back", true, -time.Hour, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			coming := false
			w := spooledWorld(t, mails, func(w *world) {
				if coming {
					w.intake.pace.arrived()
				}
			})
			w.clock.Jump(row.age)
			before := w.serial()
			coming = row.more
			if err := w.intake.RunSpool(context.Background()); err != nil {
				t.Fatal(err)
			}
			coming = false
			w.view(func(tx *store.Tx) error {
				if left, filed := spool.Count(tx, nil), reports.Count(tx, nil); left != 0 || filed != mails {
					t.Errorf("%d mails are in the spool and %d are filed, want 0 and %d", left, filed, mails)
				}
				return nil
			})
			if commits := int(w.serial() - before); (commits == mails) != row.oneByOne {
				t.Errorf("%d mails took %d commits; one by one is %v", mails, commits, row.oneByOne)
			}
		})
	}
}

// A mail comes when its client waits for the answer, and not while it is slow to send.
func TestIntake_ASlowClientHoldsUpNoFiling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mailtest.Plain("jo@finder.example", reportTo, "report", "one line of a text\n", w.clock.Now())
	env := Envelope{From: "jo@finder.example", To: []string{reportTo}, Remote: "192.0.2.1"}
	r := &watched{Reader: bytes.NewReader(raw), read: func() {
		if w.intake.pace.came != 0 {
			t.Error("it came before all of it was there")
		}
	}}
	if err := w.intake.Receive(context.Background(), env, r); err != nil {
		t.Fatal(err)
	}
	if w.intake.pace.came != 1 {
		t.Error("it did not come")
	}
}

// watched calls read before each read.
type watched struct {
	*bytes.Reader
	read func()
}

func (w *watched) Read(p []byte) (int, error) {
	w.read()
	return w.Reader.Read(p)
}

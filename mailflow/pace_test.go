package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/mailflow/mailtest"
)

// spools lets reports in, each of another finder.
func (w *world) spools(mails int) {
	w.t.Helper()
	for n := range mails {
		from := fmt.Sprintf("jo%d@finder.example", n)
		raw := mailtest.Plain(from, reportTo, "report", "one line of a text\n", w.clock.Now())
		env := Envelope{From: from, To: []string{reportTo}, Remote: "192.0.2.1"}
		w.must(w.intake.Receive(context.Background(), env, bytes.NewReader(raw)))
	}
}

// paced runs the intake's pace by a clock of its own.
func (w *world) paced() *mailtest.Clock {
	machine := mailtest.NewClock(w.clock.Now())
	w.intake.pace.now = machine.Now
	return machine
}

// Nothing is filed as long as there is a rush of mail, and all of it when that is over.
func TestIntake_TakingComesBeforeFiling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.paced()
	w.spools(rushMails)
	ended := make(chan error)
	go func() { ended <- w.intake.RunSpool(context.Background()) }()
	for range 3 {
		again, _ := w.intake.pace.rush()
		if again == nil {
			t.Fatal("it is no rush")
		}
		<-again
		if n := w.waiting(); n != rushMails {
			t.Errorf("in the rush %d of %d mails are left", n, rushMails)
		}
	}
	machine.Advance(rushSpan + 1)
	w.must(<-ended)
	if n := w.waiting(); n != 0 {
		t.Errorf("afterwards %d mails are left", n)
	}
}

// A mail that is alone, or one of few, is filed at once; so is in a rush what waited
// long.
func TestIntake_FilingIsNotHeldUp(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		mails int
		rush  bool
		age   time.Duration
	}{
		{"one", 1, false, 0},
		{"few", rushMails - 1, false, 0},
		{"a rush, and they waited long", rushMails, true, filedWithin},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.paced()
			w.spools(row.mails)
			w.clock.Jump(row.age)
			if again, _ := w.intake.pace.rush(); (again != nil) != row.rush {
				t.Errorf("a rush: %v", !row.rush)
			}
			w.process()
			if n := w.waiting(); n != 0 {
				t.Errorf("%d mails are left", n)
			}
		})
	}
}

// In a rush that lasts what is overdue is filed one at a time; when it ends nobody waits for another.
func TestIntake_OneAtATimeInARush(t *testing.T) {
	t.Parallel()
	machine := mailtest.NewClock(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	p := &pace{now: machine.Now}
	for range rushMails {
		p.arrived()
	}
	overdue := func() bool { return true }
	first, err := p.wait(t.Context(), overdue)
	if err != nil {
		t.Fatal(err)
	}
	second, third := make(chan func()), make(chan func())
	for _, turn := range []chan func(){second, third} {
		go func() {
			filed, _ := p.wait(context.Background(), overdue)
			turn <- filed
		}()
	}
	for range 3 {
		again, _ := p.rush()
		<-again
		select {
		case <-second:
			t.Fatal("two are filed at once")
		case <-third:
			t.Fatal("two are filed at once")
		default:
		}
	}
	first()
	select {
	case <-second:
	case <-third:
		third = second
	}
	machine.Advance(rushSpan + 1)
	(<-third)()
}

// A process that is told to stop waits for no rush to end.
func TestIntake_StopsInARush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.paced()
	w.spools(rushMails)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.intake.RunSpool(ctx) }()
	again, _ := w.intake.pace.rush()
	<-again
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if n := w.waiting(); n != rushMails {
		t.Errorf("%d mails are left", n)
	}
}

// A mail comes when its client waits for the answer, and not while it is slow to send.
func TestIntake_ASlowClientHoldsUpNoFiling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := mailtest.Plain("jo@finder.example", reportTo, "report", "one line of a text\n", w.clock.Now())
	env := Envelope{From: "jo@finder.example", To: []string{reportTo}, Remote: "192.0.2.1"}
	r := &watched{Reader: bytes.NewReader(raw), read: func() {
		if w.intake.pace.next != 0 {
			t.Error("it came before all of it was there")
		}
	}}
	if err := w.intake.Receive(context.Background(), env, r); err != nil {
		t.Fatal(err)
	}
	if w.intake.pace.next != 1 {
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

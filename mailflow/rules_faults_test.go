package mailflow

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// The answer after the dot is lost: nobody knows, a person is asked, and
// nothing is sent again by itself, not even by a new process.
func TestT3_AnswerLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"their server has it": false, "their server lost it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme", "globex")
			w.in(id, "start now")
			w.after(time.Minute)
			if lost {
				w.sink.LoseAfterDot(1)
			} else {
				w.sink.DropAfterDot(1)
			}
			w.after(time.Minute)
			party := cvd.PartyID("acme")
			if w.notice(id, "globex", cvd.HeadsUp).State == cvd.Unknown {
				party = "globex"
			}
			n := w.notice(id, party, cvd.HeadsUp)
			if n.State != cvd.Unknown {
				t.Fatalf("heads-up is %s", n.State)
			}
			if w.countIn("INBOX", "Did it arrive? heads-up to "+string(party)) != 1 {
				t.Errorf("INBOX holds %q", w.subjects("INBOX"))
			}
			before := len(w.sink.Mails())
			w.steps(6*time.Hour, 20*cvd.Day)
			w.restart()
			w.steps(time.Hour, 6*time.Hour)
			if got := len(w.sink.Mails()); got != before {
				t.Fatalf("%d mails were sent again by themselves", got-before)
			}
			if !strings.Contains(w.in(id, "plan"), "unknown delivery "+w.deliveryOf(n)) {
				t.Errorf("the plan does not say so:\n%s", w.in(id, "plan"))
			}
		})
	}
}

// Once a person says again, the identical bytes go once more.
func TestT3_AgainIsIdentical(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.sink.DropAfterDot(1)
	w.after(5 * time.Minute)
	w.after(cvd.Day)
	w.do("delivery " + w.deliveryOf(w.notice(id, "acme", cvd.HeadsUp)) + " again")
	mails := w.sink.To("psirt@acme.example")
	if len(mails) != 2 || !bytes.Equal(mails[0].Raw, mails[1].Raw) || mails[0].From != mails[1].From {
		t.Fatalf("%d mails, or others than before", len(mails))
	}
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Sent || w.countIn("INBOX", "Did it arrive?") != 0 {
		t.Errorf("heads-up is %s; INBOX %q", n.State, w.subjects("INBOX"))
	}
	// One code, however often it was sent: it works once.
	tag := string(id)
	w.answers("acme", id, false, "ACK "+tag+" "+w.code("acme")+"\n")
	before := w.participant(id, "acme").Acknowledged
	w.answers("acme", id, false, "DECLINE "+tag+" "+w.code("acme")+" no\n")
	if before == nil || w.participant(id, "acme").Declined != nil {
		t.Error("the code works not once")
	}
}

// Whether it arrived or not, an unknown heads-up keeps nobody waiting who
// answers it.
func TestT3_UnknownHeadsUp(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "sent", "drop"} {
		t.Run("said "+how, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme")
			w.in(id, "start now")
			w.sink.DropAfterDot(1)
			w.after(5 * time.Minute)
			if how != "" {
				w.do("delivery D1 " + how)
			}
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			w.steps(6*time.Hour, 3*cvd.Day)
			if how == "drop" {
				// It may have arrived: that it is dropped says only that it is not sent again.
				if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Waiting {
					t.Errorf("scope is %s, %s", n.State, n.Why)
				}
				return
			}
			w.told("acme", "Heads-up", "Scope", "Details")
		})
	}
}

// A refused heads-up holds the stages after it, of this vendor alone; they go
// once it was sent after all.
func TestT3_FailedHeadsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.sink.Refuse("psirt@acme.example", 550)
	w.in(id, "start now")
	w.after(5 * time.Minute)
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Failed || w.countIn("INBOX", "Refused: heads-up to acme") != 1 {
		t.Fatalf("heads-up is %s; INBOX %q", n.State, w.subjects("INBOX"))
	}
	w.in(id, "record globex ack via phone")
	w.steps(6*time.Hour, cvd.Day)
	w.told("globex", "Heads-up", "Scope")
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "refused heads-up") {
		t.Fatalf("scope is %s, %s", n.State, n.Why)
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.do("delivery " + w.deliveryOf(w.notice(id, "acme", cvd.HeadsUp)) + " again")
	w.after(w.Undo)
	w.told("acme", "Heads-up")
	w.in(id, "record acme ack via phone")
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope")
	if n := w.countIn("INBOX", "acme"); n != 0 {
		t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
	}
}

// A new address gets what the old one refused, written anew.
func TestT3_FailedThenAnotherAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.sink.Refuse("psirt@acme.example", 550)
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.people["acme"].Address = "security@acme.example"
	failed := w.deliveryOf(w.notice(id, "acme", cvd.HeadsUp))
	w.do("vendor edit acme address security@acme.example", "delivery "+failed+" again")
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	w.answers("acme", id, false, "ACK "+string(id)+" "+w.code("acme")+"\n")
	w.after(cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	if got := len(w.sink.To("psirt@acme.example")); got != 0 {
		t.Errorf("the old address got %d mails", got)
	}
}

// A server that is away defers; the same bytes go when it is back, once.
func TestT3_RetriesTheSameBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.sink.Fail(mailtest.Dot, 451, 3)
	w.steps(time.Minute, 30*time.Minute)
	if got := w.sink.To("psirt@acme.example"); len(got) != 1 {
		t.Fatalf("%d mails arrived", len(got))
	}
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Sent {
		t.Errorf("heads-up is %s", n.State)
	}
}

// A kill between DATA and its answer, and every kill before it, leaves a state
// from which the next process goes on rightly: Unknown after the first, and
// exactly one mail after the others.
func TestT3_KilledWhileSending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	reached, release := w.sink.StallAfterDot()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.clock.Advance(w.Undo)
	go func() {
		defer close(done)
		if _, err := w.sched.round(ctx); err != nil {
			t.Error(err)
		}
		_, _ = w.Queue.RunDue(ctx, w.clock.Now()) // it is cut short
	}()
	<-reached
	// The process ends here: another one opens what it left on the disk.
	var items []queue.Item
	copied := &queue.Queue{Store: w.Store, Courier: w.Queue.Courier, Now: w.clock.Now, Done: w.Delivered}
	w.update(copied.Recover)
	w.view(func(tx *store.Tx) (err error) {
		items, err = copied.All(tx)
		return err
	})
	if len(items) != 1 || items[0].State != queue.Unknown {
		t.Errorf("after the kill: %+v", items)
	}
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Unknown || w.countIn("INBOX", "Did it arrive?") != 1 {
		t.Errorf("heads-up is %s; INBOX %q", n.State, w.subjects("INBOX"))
	}
	cancel()
	release()
	<-done
}

// A cancel committed before DATA wins; after the answer 250 it says that it was
// already sent.
func TestT4_WithdrawAndHold(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"hold acme because x", "hold case because x", "withdraw acme because x", "hold all because x", "case close because x"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme")
			w.sink.Fail(mailtest.Mail, 451, 1) // queued, and not gone yet
			w.in(id, "start now")
			w.after(w.Undo)
			if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Queued {
				t.Fatalf("heads-up is %s", n.State)
			}
			w.in(id, line)
			w.steps(10*time.Minute, 3*time.Hour)
			if got := len(w.sink.Mails()); got != 0 {
				t.Errorf("%d mails left all the same", got)
			}
		})
	}
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(w.Undo)
	if out := w.in(id, "hold acme because x"); strings.Contains(out, "taken back") {
		t.Errorf("it took back what was sent:\n%s", out)
	}
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Sent {
		t.Errorf("heads-up is %s", n.State)
	}
}

// A clock that jumps stops sending, whichever way, and a person lets it go on.
func TestT5_ClockJumps(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		jump   time.Duration
		paused bool
	}{
		"forward":           {6 * time.Minute, true},
		"forward by a week": {7 * cvd.Day, true},
		"back":              {-6 * time.Minute, true},
		"a little":          {4 * time.Minute, false},
		"a little back":     {-4 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme")
			w.in(id, "start now")
			w.clock.Jump(row.jump)
			w.settle()
			if state := w.sending(); state.Paused != row.paused {
				t.Fatalf("paused: %t, %s", state.Paused, state.Because)
			}
			if row.paused && w.countIn("INBOX", "Sending is paused: the clock jumped") != 1 {
				t.Errorf("INBOX holds %q", w.subjects("INBOX"))
			}
			w.after(10 * time.Minute)
			if got := len(w.sink.Mails()); (got == 0) != row.paused {
				t.Fatalf("%d mails left", got)
			}
			if row.paused {
				w.do("sending resume")
				w.after(10 * time.Minute)
			}
			w.told("acme", "Heads-up")
			if w.countIn("INBOX", "Sending is paused") != 0 {
				t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
			}
		})
	}
}

func (w *world) sending() Sending {
	w.t.Helper()
	var s Sending
	w.view(func(tx *store.Tx) (err error) {
		s, err = sendingNow(tx)
		return err
	})
	return s
}

// A gateway that was away and comes back to overdue notices sends none of them
// before a person looked; one that missed nothing goes on.
func TestT5_Downtime(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		away    time.Duration
		overdue bool
		paused  bool
	}{
		"overdue":               {16 * time.Minute, true, true},
		"overdue for days":      {3 * cvd.Day, true, true},
		"not long":              {13 * time.Minute, true, false},
		"nothing overdue":       {16 * time.Minute, false, false},
		"a day, nothing missed": {20 * time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme", "globex")
			if row.overdue {
				w.in(id, "start now")
			} else {
				w.in(id, "start 2026-12-02T09:00Z")
			}
			w.clock.Advance(row.away)
			w.restart()
			w.settle()
			if state := w.sending(); state.Paused != row.paused {
				t.Fatalf("paused: %t, %s", state.Paused, state.Because)
			}
			if row.paused {
				w.steps(30*time.Minute, 3*time.Hour)
				if got := len(w.sink.Mails()); got != 0 {
					t.Fatalf("%d mails were blasted out", got)
				}
				if w.countIn("INBOX", "Sending is paused: the gateway was away") != 1 {
					t.Errorf("INBOX holds %q", w.subjects("INBOX"))
				}
				w.do("sending resume")
				w.told("acme") // to resume can be undone, too
			}
			if w.after(10 * time.Minute); row.overdue {
				w.told("acme", "Heads-up")
				w.told("globex", "Heads-up")
			}
		})
	}
}

// A pause that could not be written is made up for, before anything leaves.
func TestT5_PauseThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.clock.Jump(time.Hour)
	whole := w.Templates
	w.Templates = nil // what cannot be told to the desk cannot be paused
	if err := guarded(func() error { _, err := w.sched.round(context.Background()); return err }); err == nil {
		t.Fatal("the round went well")
	}
	w.Templates = whole
	w.settle()
	if state := w.sending(); !state.Paused || len(w.sink.Mails()) != 0 {
		t.Errorf("paused: %t; %d mails left", state.Paused, len(w.sink.Mails()))
	}
}

// What one notice lacks keeps no other from leaving.
func TestT2_OneBadNotice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.update(func(tx *store.Tx) error {
		p, err := ParticipantByID(tx, id, "acme")
		if err != nil {
			return err
		}
		p.Address = "psirt@acme.example\r\nBcc: all@evil.example" // cannot come in; should it, it cannot go out
		return PutParticipant(tx, p)
	})
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.told("globex", "Heads-up")
	if n := w.notice(id, "acme", cvd.HeadsUp); n.State != cvd.Held || !strings.Contains(n.Why, "could not be written") {
		t.Errorf("heads-up to acme: %s, %s", n.State, n.Why)
	}
	if got := len(w.sink.Mails()); got != 1 {
		t.Errorf("%d mails left", got)
	}
}

// What left or ended while somebody asked about it stays as it is: a Sent
// notice is never written over.
func TestT4_SettleLeavesWhatIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	n := w.notice(id, "acme", cvd.HeadsUp)
	for _, d := range []Decision{Never, NotYet, Wait, Ask, HoldIt} {
		w.update(func(tx *store.Tx) error {
			return w.Base.settle(tx, n, Answer{Decision: d, Why: "too late", At: w.clock.Now()})
		})
		if got := w.notice(id, "acme", cvd.HeadsUp); got.State != cvd.Sent || !got.Row.IsZero() {
			t.Errorf("after %d it is %s", d, got.State)
		}
	}
}

// Two rounds at once, as after a restart that overlaps, send nothing twice.
func TestT3_TwoRoundsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"vendora", "vendorb", "vendorc", "vendord", "vendore", "vendorf"}
	id := w.caseWith(names...)
	w.tells("case "+string(id), "start now")
	w.clock.Advance(w.Undo)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			other := &Scheduler{Base: w.Base, Outbox: &Outbox{w.Base}}
			if _, err := other.RunDue(context.Background(), w.clock.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.settle()
	for _, n := range names {
		w.told(n, "Heads-up")
		if got := w.notice(id, cvd.PartyID(n), cvd.HeadsUp); got.State != cvd.Sent {
			t.Errorf("heads-up to %s is %s", n, got.State)
		}
	}
}

// What an update wrote and did not commit is never taken for material.
func TestT2_UncommittedMaterial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	l, failed := &looks{}, errors.New("the disk is full")
	err := w.Store.Update(func(tx *store.Tx) error {
		if err := w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Proof, Author: "ana", Text: "never committed"}); err != nil {
			return err
		}
		if got, err := l.latest(tx, id, cvd.Proof, ""); err != nil || got.Text != "never committed" {
			t.Errorf("the update does not see what it wrote: %q, %v", got.Text, err)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	w.material(id, cvd.Proof, "committed")
	for range 2 {
		w.view(func(tx *store.Tx) error {
			got, err := l.latest(tx, id, cvd.Proof, "")
			if got.Text != "committed" {
				t.Errorf("the material is %q", got.Text)
			}
			return err
		})
	}
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// deliver is a world of one function.
type deliver func(ctx context.Context, m courier.Mail) courier.Result

func (d deliver) Deliver(ctx context.Context, m courier.Mail) courier.Result { return d(ctx, m) }

// taken opens the mail, as a courier must, and says that it was sent.
func taken(_ context.Context, m courier.Mail) courier.Result {
	body, err := m.Open()
	if err != nil {
		return courier.Result{Outcome: courier.Later, Step: courier.Open, Err: err}
	}
	return courier.Result{Outcome: courier.Sent, Err: body.Close()}
}

// As many deliveries run at once as Parallel says, and what is added meanwhile is taken up without waiting for the slowest.
func TestParallel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var now, most atomic.Int32
	slow, first := make(chan struct{}), make(chan struct{})
	ended := make(chan string, 100)
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		if m.To == "slow@acme.example" {
			close(first)
			<-slow
		}
		defer func() { ended <- m.To }()
		return taken(ctx, m)
	})
	r.add("slow@acme.example")
	for i := range 20 {
		r.add(fmt.Sprintf("a%d@acme.example", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	<-first
	for range 20 {
		<-ended
	}
	r.add("late@acme.example")
	if to := <-ended; to != "late@acme.example" {
		t.Errorf("%s ended", to)
	}
	cancel()
	close(slow)
	must(t, <-done)
	for _, it := range []Item{r.item(1), r.item(22)} {
		if it.State != Sent {
			t.Errorf("%s is %s", it, it.State)
		}
	}
	if n := most.Load(); n > 4 {
		t.Errorf("%d deliveries ran at once", n)
	}
}

// What cannot be recorded is neither lost nor sent again; others go on.
func TestT3_RecordingFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	refused := errors.New("cannot be recorded")
	fail := true
	r.Done = func(tx *store.Tx, it Item) error {
		if fail && it.ID == 1 {
			return refused
		}
		return r.note(tx, it)
	}
	first, second := r.add(testTo), r.add("other@acme.example")
	_, err := r.RunDue(t.Context(), r.clock.Now())
	wantErr(t, err, refused)
	r.is(first, Sending, 1)
	r.is(second, Sent, 1)
	wantErr(t, r.cancel(first), ErrUnderWay)
	r.update(r.Recover) // it is this process's
	r.is(first, Sending, 1)
	_, err = r.RunDue(t.Context(), r.clock.Now())
	wantErr(t, err, refused)
	fail = false
	r.run()
	r.is(first, Sent, 1)
}

// After a panic in the middle nobody knows, and the others go on (P7).
func TestT3_Panic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	real := r.Courier
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		if m.To == testTo {
			panic("canary")
		}
		return real.Deliver(ctx, m)
	})
	bad, good := r.add(testTo), r.add("other@acme.example")
	r.run()
	r.is(bad, Unknown, 0)
	r.is(good, Sent, 1)
}

// A context that ends lets go what did not come to its dot, and begins nothing more.
func TestRunDue_Context(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Parallel = 1
	ctx, cancel := context.WithCancel(t.Context())
	real := r.Courier
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		cancel()
		return real.Deliver(ctx, m)
	})
	first, second := r.add(testTo), r.add("other@acme.example")
	_, err := r.RunDue(ctx, r.clock.Now())
	must(t, err)
	r.is(first, Waiting, 0)
	if it := r.item(second); it.Attempts != 0 {
		t.Errorf("%s was tried", it)
	}
}

// The rows of a case that was shredded go, and hold nothing up.
func TestH3_Shredded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.update(func(tx *store.Tx) error { return tx.NewScope("PAR-2026-0008") })
	gone := r.add(testTo)
	r.update(func(tx *store.Tx) error {
		it, err := r.Item(tx, gone)
		if err != nil {
			return err
		}
		return underway.Put(tx, it.Scope, store.Seq(77), empty{}) // as if one had been under way
	})
	must(t, r.Store.Shred(testCase, testKey))
	d, err := r.Store.SealBytes(testMail)
	must(t, err)
	var id uint64
	r.update(func(tx *store.Tx) error {
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		id, err = r.Add(tx, Item{Case: "PAR-2026-0008", Scope: "PAR-2026-0008", From: "", To: "other@acme.example", MessageID: "m2@vdp.example.org", Body: body})
		return err
	})
	r.update(r.Recover)
	if next := r.run(); !next.IsZero() {
		t.Errorf("next is %s", next)
	}
	r.is(id, Sent, 1)
	must(t, r.Store.View(func(tx *store.Tx) error {
		if dueRows.Count(tx, nil) != 0 || underway.Count(tx, nil) != 0 {
			t.Error("rows of the shredded case are left")
		}
		all, err := r.All(tx)
		if len(all) != 1 {
			t.Errorf("listed %v", all)
		}
		return err
	}))
	if n := len(r.sink.Mails()); n != 1 {
		t.Errorf("%d mails left", n)
	}
}

// Run is woken by what is added and by the clock, recovers what was under way before it, and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/store"
	must(t, store.Create(dir, testKey))
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(store.Options{Dir: dir, Unlock: testKey})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		r := &rig{t: t}
		began := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		r.Queue = &Queue{Store: s, Retry: []time.Duration{10 * time.Minute}, Done: r.note, Courier: deliver(func(ctx context.Context, m courier.Mail) courier.Result {
			mu.Lock()
			at = append(at, time.Since(began))
			first := len(at) == 1
			mu.Unlock()
			if first {
				return courier.Result{Outcome: courier.Later, Step: courier.Connect, Err: errors.New("not now")}
			}
			return taken(ctx, m)
		})}
		r.update(func(tx *store.Tx) error { return tx.NewScope(testCase) })
		left := r.add("left@acme.example")
		r.update(func(tx *store.Tx) error {
			it, err := r.begin(tx, dueKey(Item{ID: left, Next: tx.Now}))
			if it.ID == 0 {
				t.Error("not begun")
			}
			return err
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		if it := r.item(left); it.State != Unknown || !strings.Contains(it.Reply, "stopped") {
			t.Errorf("left over: %+v", it)
		}
		time.Sleep(time.Hour)
		r.add(testTo)
		synctest.Wait()
		time.Sleep(2 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 2 || at[0] != time.Hour || at[1] < 70*time.Minute || at[1] > 71*time.Minute {
			t.Errorf("tried at %s", at)
		}
		if !r.wasTold("D2 sent") || !r.wasTold("D1 unknown") {
			t.Errorf("told %q", r.told)
		}
		cancel()
		must(t, <-done)
	})
}

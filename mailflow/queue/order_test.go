package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/mailflow/courier"
)

// arrivals delivers what a rig is given, with a courier that takes the longest
// over what was added first, and returns in which order it arrived.
func arrivals(t *testing.T, inOrder bool) (order []string) {
	r := newRig(t)
	var mu sync.Mutex
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		var i int
		fmt.Sscanf(m.To, "a%d@", &i)
		time.Sleep(time.Duration(10-i) * 3 * time.Millisecond)
		mu.Lock()
		order = append(order, m.To)
		mu.Unlock()
		return taken(ctx, m)
	})
	for i := range 10 {
		r.addAs(Item{To: fmt.Sprintf("a%d@acme.example", i), InOrder: inOrder})
	}
	r.run()
	return order
}

// What is in order arrives so, however many are under way at once.
func TestInOrder(t *testing.T) {
	t.Parallel()
	if got := arrivals(t, true); len(got) != 10 || !slices.IsSorted(got) {
		t.Errorf("they arrived as %q", got)
	}
	if got := arrivals(t, false); slices.IsSorted(got) {
		t.Error("control: they arrive in order anyway")
	}
}

// One that takes long holds up those after it for a moment only.
func TestInOrder_SlowOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.After = nil
	others, slow := make(chan string, 10), make(chan struct{})
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		if m.To == "a0@acme.example" {
			<-slow
		} else {
			others <- m.To
		}
		return taken(ctx, m)
	})
	for i := range 6 {
		r.addAs(Item{To: fmt.Sprintf("a%d@acme.example", i), InOrder: true})
	}
	done := make(chan struct{})
	go func() { r.run(); close(done) }()
	for i := range 5 {
		select {
		case to := <-others:
			if want := fmt.Sprintf("a%d@acme.example", i+1); to != want {
				t.Errorf("%s came, and not %s", to, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the others wait for the slow one")
		}
	}
	close(slow)
	<-done
}

// A retry leaves alone what an attempt is writing at that moment.
func TestRetry_BesideAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Courier = deliver(taken)
	for i := range 200 {
		r.addAs(Item{To: fmt.Sprintf("a%d@acme.example", i)})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run()
	}()
	beside := r.newRound()
	for {
		select {
		case <-done:
			return
		default:
			if err := beside.retry(); err != nil {
				t.Error(err)
			}
		}
	}
}

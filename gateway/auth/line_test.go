package auth

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// While one address floods, the next one waits for one hash and no more.
func TestM8_AFloodStandsInItsOwnWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		l.slots = make(chan struct{}, 1)
		served := make(chan string, 6)
		hash := make(chan struct{}) // one hash ends with each receive
		try := func(from string) {
			done, _ := l.enter(context.Background(), from)
			defer done()
			free, _ := l.hash(context.Background(), false)
			<-hash
			served <- from
			free()
		}
		for range 5 {
			go try("flood")
		}
		synctest.Wait()
		go try("honest")
		synctest.Wait()
		for range 6 {
			hash <- struct{}{}
			synctest.Wait()
		}
		if a, b := <-served, <-served; a != "flood" || b != "honest" {
			t.Errorf("served first: %s, %s", a, b)
		}
		if len(l.turns) != 0 {
			t.Errorf("%d places left behind", len(l.turns))
		}
	})
}

func TestM8_HashesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		most := cap(l.slots)
		inside := make(chan struct{}, most+5)
		end := make(chan struct{})
		for range most + 5 {
			go func() {
				free, _ := l.hash(context.Background(), false)
				inside <- struct{}{}
				<-end
				free()
			}()
		}
		synctest.Wait()
		if len(inside) != most {
			t.Errorf("%d hashes at once, want %d", len(inside), most)
		}
		close(end)
	})
}

func TestM8_WaitersLeave(t *testing.T) {
	t.Parallel()
	l := newLine()
	done, err := l.enter(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.enter(ctx, "a"); err != context.Canceled {
		t.Errorf("enter: %v", err)
	}
	done()
	if len(l.turns) != 0 {
		t.Errorf("%d places left behind", len(l.turns))
	}
}

// The memory of the throttle is bounded, and what is over goes first.
func TestM8_ThrottleForgets(t *testing.T) {
	t.Parallel()
	th := newThrottle(10)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range maxCounters {
		th.past[attempt{login: digest([32]byte{}, string(rune(i))), from: "old"}] = []time.Time{start}
	}
	later := start.Add(window)
	th.failed(attempt{from: "new", login: [32]byte{1}}, later)
	if len(th.past) != 2 {
		t.Errorf("%d counters left", len(th.past))
	}
	for i := range maxCounters {
		th.past[attempt{login: digest([32]byte{}, string(rune(i))), from: "fresh"}] = []time.Time{later}
	}
	th.failed(attempt{from: "newer", login: [32]byte{1}}, later)
	if len(th.past) > maxCounters+1 {
		t.Errorf("%d counters", len(th.past))
	}
}

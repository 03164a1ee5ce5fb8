package mailflow

import (
	"context"
	"time"

	"parley/mailflow/broken"
	"parley/mailflow/store"
)

// Clock is where instants and waiting come from. The demo runs on a fast one,
// tests on one that stands still.
type Clock struct {
	Now   func() time.Time                     // the wall clock
	Read  func() (time.Time, time.Duration)    // the wall clock, and at the same instant the time that really passed (monotonic)
	After func(time.Duration) <-chan time.Time // as time.After
}

// WallClock is the machine's. Its instants carry no monotonic reading: with one
// Sub would give the time that really passed, whatever the clock was set to
// meanwhile, and no jump would ever be seen (rule T5).
func WallClock() Clock {
	began := time.Now()
	wall := func(at time.Time) time.Time { return broken.Clock(at.Round(0)) }
	read := func() (time.Time, time.Duration) {
		now := time.Now()
		return wall(now), now.Sub(began) // by the monotonic reading, which both carry
	}
	return Clock{Now: func() time.Time { return wall(time.Now()) }, Read: read, After: time.After}
}

// wait returns at next, at a change, or after a minute, whichever is first;
// an error when ctx ended. A zero next is none.
func (c Clock) wait(ctx context.Context, changes *store.Subscription, next time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changes.C:
		changes.Take()
	case <-c.After(c.until(next)):
	}
	return nil
}

// until is how long it is to next, at most a minute: the clock may be set
// meanwhile. A zero next is none.
func (c Clock) until(next time.Time) time.Duration {
	if next.IsZero() {
		return time.Minute
	}
	return min(time.Minute, max(next.Sub(c.Now()), 0))
}

// clock is the instant now.
func (b *Base) clock() time.Time { return b.Clock.Now() }

// lastAct is from when on what a person did can still be undone, after one more
// act at this instant: where the clock was put back since, the act before it may
// last longer. One further ahead than a clock moves without stopping all (rule T5)
// is of a wrong clock, and counts no more once a person acts by the right one.
func lastAct(before, now time.Time) time.Time {
	if before.Sub(now) > clockJump {
		return now
	}
	return laterOf(before, now)
}

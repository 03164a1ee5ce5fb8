package mailflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/mailflow/broken"
	"parley/mailflow/cores"
	"parley/mailflow/store"
)

const (
	// downtime is how long the gateway may be away before overdue notices
	// wait for a person (rule T5).
	downtime = 15 * time.Minute
	// clockJump is how far the clock may move against time that passed.
	clockJump = 5 * time.Minute
	// longestPause is how long the desk's views may lag behind.
	longestPause = 5 * time.Second
	// dueBatch is how many due notices are read in one transaction.
	dueBatch = 256
)

// Scheduler lets notices go when they fall due.
type Scheduler struct {
	*Base
	Outbox *Outbox

	last       time.Time
	lastPassed time.Duration
	preparing  time.Duration // how long it took last
	caughtUp   bool          // see CatchUp
}

// tickRow remembers when the scheduler last ran.
type tickRow struct{ At time.Time }

// RunDue asks the gate about everything that is due at now, and returns when
// it wants to be called next (zero: when something changes). The cost grows
// with what is due, not with what is planned. What fails is passed over, and
// tried again in a minute.
func (s *Scheduler) RunDue(ctx context.Context, now time.Time) (time.Time, error) {
	failed := map[uint64]bool{}
	var errs []error
	for ctx.Err() == nil {
		batch, next, err := s.dueAt(now, failed)
		if err != nil || len(batch) == 0 {
			if soon := now.Add(time.Minute); len(failed) > 0 && (next.IsZero() || soon.Before(next)) {
				next = soon
			}
			return next, errors.Join(append(errs, err)...)
		}
		for id, err := range s.releaseAll(ctx, batch, now) {
			failed[id] = true
			errs = append(errs, fmt.Errorf("release notice %d: %w", id, err))
			if errors.Is(err, store.ErrBroken) || errors.Is(err, store.ErrFull) {
				return now.Add(time.Minute), err
			}
		}
	}
	return time.Time{}, ctx.Err()
}

// dueNotice is a due row with its key.
type dueNotice struct {
	dueRow
	key []byte
}

// dueAt reads the next rows that are due, and the instant of the first that is
// not. While sending is paused there are none.
func (s *Scheduler) dueAt(now time.Time, failed map[uint64]bool) (batch []dueNotice, next time.Time, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		state, err := sendingNow(tx)
		if err != nil || state.Stops() {
			return err
		}
		for r, err := range dueRows.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			if failed[r.Value.Notice] {
				continue
			}
			if batch = append(batch, dueNotice{r.Value, r.Key}); len(batch) == dueBatch {
				return nil
			}
		}
		return nil
	})
	return batch, next, err
}

// releaseAll spreads a batch over the cores: signing is what costs. There are
// more at work than cores, so that while some wait for the disk others sign,
// and many are committed at once. What goes in order goes before, one after
// the other. It gives the errors by notice.
func (s *Scheduler) releaseAll(ctx context.Context, batch []dueNotice, now time.Time) map[uint64]error {
	l, failed := &looks{until: ctx}, map[uint64]error{}
	release := func(row dueNotice) error { return s.Outbox.Release(ctx, row, now, l) }
	note := func(rows []dueNotice, atOnce int) {
		for i, err := range doEach(rows, atOnce, release) {
			if err != nil {
				failed[rows[i].Notice] = err
			}
		}
	}
	var ordered, rest []dueNotice
	for _, row := range batch {
		if row.InOrder {
			ordered = append(ordered, row)
		} else {
			rest = append(rest, row)
		}
	}
	note(ordered, 1)
	note(rest, cores.Count()*8)
	return failed
}

// CheckClock stops sending when the clock jumped against the time that passed,
// or when the gateway was away and comes back to overdue notices: a person
// looks first (rule T5). What is overdue goes to Approvals for a review. It is asked before RunDue. Where it fails, the next
// call compares with the same instants.
func (s *Scheduler) CheckClock(now time.Time, passed time.Duration) error {
	if err := s.checkClock(now, now.Sub(s.last)-(passed-s.lastPassed)); err != nil {
		return err
	}
	s.last, s.lastPassed = now, passed
	return nil
}

func (s *Scheduler) checkClock(now time.Time, drift time.Duration) error {
	first := s.last.IsZero()
	if !first && drift.Abs() > clockJump && !broken.Is(broken.BlindToClock) {
		return s.pause(Sending{Paused: true, Because: fmt.Sprintf("the clock jumped by %s", drift.Round(time.Second)), By: byItself, At: now})
	}
	return s.tick(now, first)
}

// tick remembers that the scheduler ran, once a minute, and at the first run
// compares with what it remembers: a clock that stands before that was put back
// while nobody ran.
func (s *Scheduler) tick(now time.Time, first bool) error {
	var before tickRow
	var overdue bool
	err := s.Store.View(func(tx *store.Tx) (err error) {
		before, err = ticks.Get(tx, tx.Name("tick", "last"))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		overdue = anyDue(tx, now)
		return err
	})
	if err != nil {
		return err
	}
	away := now.Sub(before.At)
	if first && !before.At.IsZero() && away < -clockJump {
		why := fmt.Sprintf("the clock stands %s before the last run", (-away).Round(time.Second))
		if err := s.pause(Sending{Paused: true, Because: why, By: byItself, At: now}); err != nil {
			return err
		}
	}
	if first && !before.At.IsZero() && away > downtime && overdue {
		why := fmt.Sprintf("the gateway was away for %s", away.Round(time.Minute)) + overdueToo
		if err := s.pause(Sending{Paused: true, Overdue: true, Because: why, By: byItself, At: now}); err != nil {
			return err
		}
	}
	if first && !before.At.IsZero() && away > longAway {
		if err := s.askJunk(now, away); err != nil {
			return err
		}
	}
	if away < time.Minute && away >= 0 {
		return nil
	}
	return s.Store.Update(func(tx *store.Tx) error {
		return ticks.Put(tx, DeskScope, tx.Name("tick", "last"), tickRow{At: now})
	})
}

func anyDue(tx *store.Tx, now time.Time) bool {
	for range dueRows.Due(tx, now, new(time.Time)) {
		return true
	}
	return false
}

// Run lets notices go until ctx ends.
func (s *Scheduler) Run(ctx context.Context) error {
	due, shown := s.Store.Subscribe("due"), s.Store.Subscribe("prepare")
	defer due.Close()
	defer shown.Close()
	for {
		next, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("run due notices", "err", err)
		}
		if s.rest(ctx, due, shown, next) != nil {
			return nil
		}
	}
}

// rest waits until something falls due or changed; an error when ctx ended.
// While a thousand mails are delivered, what the desk sees of them changes
// faster than it can be made: it is made in a tenth of the time.
func (s *Scheduler) rest(ctx context.Context, due, shown *store.Subscription, next time.Time) error {
	pause := s.Clock.After(s.breath())
	changed := (<-chan struct{})(nil)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause:
			changed, pause = shown.C, nil
			continue
		case <-due.C:
		case <-changed:
		case <-s.Clock.After(s.Clock.until(next)):
		}
		due.Take()
		shown.Take()
		return nil
	}
}

// round does once what Run does for ever. Nothing leaves in a round whose
// clock could not be checked.
func (s *Scheduler) round(ctx context.Context) (time.Time, error) {
	now, passed := s.Clock.Read()
	if err := s.CheckClock(now, passed); err != nil {
		return now.Add(time.Minute), err
	}
	more, prepared := s.prepareWithin(ctx, prepareMost) // what it could not show holds nothing up: approvals are asked for by the gate
	_, after := s.Clock.Read()
	s.preparing = after - passed
	kept, failed := s.keepDuties(now)
	if more {
		kept = sooner(kept, now.Add(s.breath()))
	}
	if broken.Is(broken.Early) {
		now = now.Add(time.Hour)
	}
	next, err := s.RunDue(ctx, now)
	return sooner(next, kept), errors.Join(prepared, failed, err)
}

// breath is how long the desk's views wait after they were made: they take a
// tenth of the time.
func (s *Scheduler) breath() time.Duration { return min(9*s.preparing, longestPause) }

// duty does what falls due at an instant, beside notices, and says when it
// wants to be called next (zero: when something changes). All that it goes by
// is in the store, so that it goes on where a process before it ended.
type duty func(now time.Time) (next time.Time, err error)

func (s *Scheduler) duties() []duty {
	return []duty{s.CatchUp, s.OwnKeysDue, s.ShowLetters, s.RestateSent, s.SilenceDue, s.KeyAsksDue, s.DaysDue, s.DigestsDue, s.WatchedDue, s.AlarmApprovals, s.AheadDue, s.TellGuard,
		s.DropSuperseded, s.ShredsDue, s.RetainedDue, s.JunkDue}
}

// keepDuties runs every duty; one that fails does not keep the others from it.
func (s *Scheduler) keepDuties(now time.Time) (next time.Time, err error) {
	for _, d := range s.duties() {
		wants, failed := d(now)
		next, err = sooner(next, wants), errors.Join(err, failed)
	}
	return next, err
}

// sooner is the first of two instants, of which the zero one is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/mailflow/store"
)

// A round is one caller's share of the work: as many deliveries at once as Parallel says.
type round struct {
	q       *Queue
	running int
	ended   chan ended
	skip    map[uint64]bool // what could not be begun or recorded, for now
}

type ended struct {
	id  uint64
	err error
}

func (q *Queue) newRound() *round { return &round{q: q, ended: make(chan ended)} }

// RunDue delivers what is due at now and says when the next is due; zero is never, or not before a pause ends. It returns when
// all that it began has ended. What cannot be read or recorded does not stop
// the others; the errors come back joined.
func (q *Queue) RunDue(ctx context.Context, now time.Time) (next time.Time, err error) {
	r := q.newRound()
	errs := []error{r.retry()}
	for {
		next, err = r.fill(ctx, now)
		if err != nil || r.running == 0 {
			break
		}
		errs = append(errs, r.end(<-r.ended))
	}
	errs = append(errs, err, r.drain())
	return next, errors.Join(errs...)
}

// Run delivers until ctx ends, woken by the store's "queue" changes and by the clock. What is under way then gets its end.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.Store.Update(q.Recover); err != nil {
		return err
	}
	changes := q.Store.Subscribe("queue")
	defer changes.Close()
	r := q.newRound()
	for ctx.Err() == nil {
		next, err := r.fill(ctx, q.now())
		r.tell(err)
		select {
		case <-ctx.Done():
		case e := <-r.ended:
			r.tell(r.end(e))
		case <-changes.C:
			changes.Take()
		case <-q.after(q.until(next)):
			r.tell(r.retry())
		}
	}
	r.tell(r.drain())
	return nil
}

// fill begins what is due as long as there is room. It returns the instant of the first row that is not due yet, if it came
// that far.
func (r *round) fill(ctx context.Context, now time.Time) (next time.Time, err error) {
	for room := r.room(); room > 0 && ctx.Err() == nil; room = r.room() {
		var due []store.Row[dueRow]
		if due, next, err = r.q.due(now, room, r.skip); err != nil || len(due) == 0 {
			return next, err
		}
		for _, row := range due {
			r.start(ctx, row)
		}
	}
	return time.Time{}, nil
}

func (r *round) room() int { return max(r.q.Parallel, 1) - r.running }

func (r *round) start(ctx context.Context, row store.Row[dueRow]) {
	id := seqOf(row.Key)
	if !r.q.claim(id, row.Value.InOrder) {
		return
	}
	r.running++
	go func() { r.ended <- ended{id, r.q.attempt(ctx, row.Key)} }()
}

func (r *round) end(e ended) error {
	r.running--
	if e.err == nil {
		return nil
	}
	r.leave(e.id)
	return fmt.Errorf("deliver %s: %w", Name(e.id), e.err)
}

// leave passes a delivery over until the next retry.
func (r *round) leave(id uint64) {
	if r.skip == nil {
		r.skip = map[uint64]bool{}
	}
	r.skip[id] = true
}

// drain waits for what is under way.
func (r *round) drain() error {
	var errs []error
	for r.running > 0 {
		errs = append(errs, r.end(<-r.ended))
	}
	return errors.Join(errs...)
}

// retry gives what was passed over another chance, and writes results that could not be.
func (r *round) retry() error {
	r.skip = nil
	var errs []error
	for _, id := range r.q.unrecorded() {
		errs = append(errs, r.q.record(id))
	}
	return errors.Join(errs...)
}

func (r *round) tell(err error) {
	if err != nil {
		r.q.log().Error("run the delivery queue", "err", err)
	}
}

// due reads at most n rows that are due and that nobody has in hand, without opening a delivery. When there are fewer, next is
// the instant of the first that is not due.
func (q *Queue) due(now time.Time, n int, skip map[uint64]bool) (due []store.Row[dueRow], next time.Time, err error) {
	err = q.Store.View(func(tx *store.Tx) error {
		if q.paused(tx) {
			return nil
		}
		for row, err := range dueRows.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			id := seqOf(row.Key)
			if skip[id] || q.flight(id) != nil {
				continue
			}
			if due = append(due, row); len(due) == n {
				return nil
			}
		}
		return nil
	})
	return due, next, err
}

// maxSleep is how often Run looks at the clock even if nothing is due: the wall clock may have been set.
const maxSleep = time.Minute

func (q *Queue) until(next time.Time) time.Duration {
	if next.IsZero() {
		return maxSleep
	}
	return min(maxSleep, max(next.Sub(q.now()), 0))
}

func (q *Queue) now() time.Time {
	if q.Now != nil {
		return q.Now()
	}
	return time.Now()
}

func (q *Queue) after(d time.Duration) <-chan time.Time {
	if q.After != nil {
		return q.After(d)
	}
	return time.After(d)
}

package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// batch is how many due items one transaction reads.
const batch = 256

// errNotDue says that an item was cancelled or taken meanwhile.
var errNotDue = errors.New("not due any more")

// RunDue delivers what is due at now, and says when the next is due (zero:
// none). The cost grows with what is due, not with what waits.
func (q *Queue) RunDue(ctx context.Context, now time.Time) (next time.Time, err error) {
	for ctx.Err() == nil {
		var due []Item
		if due, next, err = q.due(now); err != nil || len(due) == 0 {
			return next, err
		}
		if err := q.deliverAll(ctx, due); err != nil {
			return now.Add(time.Minute), err
		}
	}
	return time.Time{}, ctx.Err()
}

func (q *Queue) due(now time.Time) (due []Item, next time.Time, err error) {
	err = q.Store.View(func(tx *store.Tx) error {
		due, next = nil, time.Time{}
		if q.Paused != nil && q.Paused(tx) {
			return nil
		}
		for r, err := range dueRows.All(tx, nil) {
			if err != nil {
				return err
			}
			if at := store.ParseInstant(r.Key); at.After(now) {
				next = at
				return nil
			}
			it, err := q.Item(tx, r.Value)
			if err != nil {
				return err
			}
			if due = append(due, it); len(due) == batch {
				return nil
			}
		}
		return nil
	})
	return due, next, err
}

func (q *Queue) deliverAll(ctx context.Context, due []Item) error {
	work := make(chan Item)
	errs := make([]error, min(max(q.Parallel, 1), len(due)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for it := range work {
				if err := q.attempt(ctx, it); err != nil {
					errs[i] = errors.Join(errs[i], fmt.Errorf("deliver %s: %w", Name(it.ID), err))
				}
			}
		})
	}
	for _, it := range due {
		work <- it
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}

// attempt tries one delivery. That it is under way is on disk before the
// connection is made; what came of it is on disk before it counts.
func (q *Queue) attempt(ctx context.Context, it Item) error {
	if ctx.Err() != nil {
		return nil
	}
	err := q.Store.Update(func(tx *store.Tx) (err error) {
		it, err = q.begin(tx, it.ID)
		return err
	})
	if errors.Is(err, errNotDue) {
		return nil
	}
	if err != nil {
		return err
	}
	r := q.Courier.Deliver(ctx, courier.Mail{From: it.From, To: it.To, Size: it.Body.Size,
		Open: func() (io.ReadCloser, error) { return q.Store.Body(it.Body) }})
	return q.Store.Update(func(tx *store.Tx) error { return q.finish(tx, it.ID, r) })
}

func (q *Queue) begin(tx *store.Tx, id uint64) (Item, error) {
	it, err := q.Item(tx, id)
	if err != nil {
		return it, err
	}
	if it.State != Waiting || (q.Paused != nil && q.Paused(tx)) {
		return it, errNotDue
	}
	if err := dueRows.Delete(tx, dueKey(it)); err != nil {
		return it, err
	}
	if err := underway.Put(tx, it.Scope, store.Seq(id), id); err != nil {
		return it, err
	}
	it.State, it.Attempts, it.Last = Sending, it.Attempts+1, tx.Now
	return it, items.Put(tx, it.Scope, store.Seq(id), it)
}

func (q *Queue) finish(tx *store.Tx, id uint64, r courier.Result) error {
	it, err := q.Item(tx, id)
	if err != nil {
		return err
	}
	it.Reply = r.Words()
	switch r.Outcome {
	case courier.Sent:
		return q.end(tx, it, Sent)
	case courier.Failed:
		return q.end(tx, it, Failed)
	case courier.Later:
		if wait := q.backOff(it.Attempts); tx.Now.Sub(it.First)+wait < q.GiveUp {
			if err := underway.Delete(tx, store.Seq(id)); err != nil {
				return err
			}
			return q.wait(tx, it, tx.Now.Add(wait))
		}
		it.Reply += "; given up after " + tx.Now.Sub(it.First).Round(time.Minute).String()
		return q.end(tx, it, Failed)
	}
	return q.end(tx, it, Unknown) // an outcome that nobody knows is never tried again by itself
}

// backOff is how long to wait after the nth attempt, with up to a tenth more
// so that a crowd does not come back together.
func (q *Queue) backOff(n int) time.Duration {
	d := time.Hour
	if len(q.Retry) > 0 {
		d = q.Retry[min(max(n, 1), len(q.Retry))-1]
	}
	return d + time.Duration(rand.Int64N(int64(d)/10+1))
}

// Run delivers until ctx ends. What is under way then gets its end.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.Store.Update(q.Recover); err != nil {
		return fmt.Errorf("recover the queue: %w", err)
	}
	changes := q.Store.Subscribe("queue")
	defer changes.Close()
	for {
		next, err := q.RunDue(ctx, q.Now())
		if err != nil && ctx.Err() == nil {
			next = q.Now().Add(time.Minute)
		}
		d := time.Minute
		if !next.IsZero() {
			d = min(d, max(next.Sub(q.Now()), 0))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes.C:
			changes.Take()
		case <-q.After(d):
		}
	}
}

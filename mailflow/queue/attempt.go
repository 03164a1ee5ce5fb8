package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"parley/mailflow/broken"
	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// A flight is a delivery that this process has in its hands, from before Sending is committed until its result is.
type flight struct {
	handed    bool            // DATA was, or is about to be, said
	result    *courier.Result // what came of it
	unwritten bool            // it could not be recorded yet
	before    *flight         // of one in order: the one before it
	begun     chan struct{}   // closed when its turn came
	over      chan struct{}   // closed when it was released
}

var (
	errPaused = errors.New("sending is paused")
	errTaken  = errors.New("it was taken back")
)

// claim says whether the delivery was nobody's and is the caller's now.
func (q *Queue) claim(id uint64, inOrder bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.flights[id] != nil {
		return false
	}
	if q.flights == nil {
		q.flights = map[uint64]*flight{}
	}
	f := &flight{begun: make(chan struct{}), over: make(chan struct{})}
	if q.flights[id] = f; inOrder {
		f.before, q.ordered = q.ordered, f
	}
	return true
}

// flight returns a copy, or nil.
func (q *Queue) flight(id uint64) *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.flights[id]; f != nil {
		c := *f
		return &c
	}
	return nil
}

func (q *Queue) change(id uint64, change func(*flight)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.flights[id]; f != nil {
		change(f)
	}
}

// release ends a claim.
func (q *Queue) release(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if f := q.flights[id]; f != nil {
		close(f.over)
		delete(q.flights, id)
	}
}

// orderWait is how long one in order waits for the one before it, from when that one began: a server that takes long with one
// recipient must not keep all others waiting.
const orderWait = 250 * time.Millisecond

// turn waits until a claimed delivery may begin: at once, or after those in order that were claimed before it. Nothing stands on
// the disk of it meanwhile, so that a crash leaves it waiting.
func (q *Queue) turn(ctx context.Context, id uint64) {
	f := q.flight(id)
	defer close(f.begun)
	if f.before == nil {
		return
	}
	defer q.change(id, func(f *flight) { f.before = nil }) // or each would keep all before it
	select {
	case <-f.before.begun:
	case <-ctx.Done():
		return
	}
	select {
	case <-f.before.over:
	case <-q.after(orderWait):
	case <-ctx.Done():
	}
}

// attempt tries one claimed delivery. That it is under way is on the disk before a connection is made, and what came of it is on
// the disk before it counts.
func (q *Queue) attempt(ctx context.Context, row []byte) error {
	id := seqOf(row)
	q.turn(ctx, id)
	var it Item
	err := q.Store.Update(func(tx *store.Tx) (err error) {
		it, err = q.begin(tx, row)
		return err
	})
	if err != nil || it.ID == 0 {
		q.release(id)
		if errors.Is(err, errPaused) {
			return nil
		}
		return err
	}
	r := q.deliver(ctx, it)
	q.log().Info("delivery", "id", it, "attempt", it.Attempts, "result", r)
	q.change(id, func(f *flight) { f.result = &r })
	return q.record(id)
}

// begin commits to an attempt. A row that has no delivery waiting for it goes, and no Item is returned.
func (q *Queue) begin(tx *store.Tx, row []byte) (Item, error) {
	if q.paused(tx) {
		return Item{}, errPaused
	}
	it, err := q.Item(tx, seqOf(row))
	gone := errors.Is(err, store.ErrShredded) || errors.Is(err, ErrNotFound)
	if err != nil && !gone {
		return Item{}, err
	}
	if err := dueRows.Delete(tx, row); err != nil {
		return Item{}, err
	}
	if gone || it.State != Waiting || !bytes.Equal(row, dueKey(it)) {
		return Item{}, nil
	}
	if err := underway.Put(tx, it.Scope, store.Seq(it.ID), empty{}); err != nil {
		return Item{}, err
	}
	it.State, it.Attempts, it.Next, it.Last = Sending, it.Attempts+1, time.Time{}, tx.Now
	if it.Attempts == 1 {
		it.First = tx.Now
	}
	return it, items.Put(tx, it.Scope, store.Seq(it.ID), it)
}

// deliver makes the attempt. After a panic nobody knows how far it had come.
func (q *Queue) deliver(ctx context.Context, it Item) (r courier.Result) {
	defer func() {
		if v := recover(); v != nil {
			q.log().Error("panic in a delivery", "id", it, "stack", string(debug.Stack()))
			r = courier.Result{Outcome: courier.Unknown, Err: errors.New("the gateway failed while it was being sent")}
		}
	}()
	return q.Courier.Deliver(ctx, courier.Mail{From: it.From, To: it.To, Size: int64(len(it.Head)) + it.Body.Size, EnvelopeID: it.EnvelopeID, Open: func() (io.ReadCloser, error) {
		if err := q.handOver(it.ID); err != nil {
			return nil, err
		}
		return q.message(it)
	}})
}

// message is the exact bytes of a delivery, as they leave.
func (q *Queue) message(it Item) (io.ReadCloser, error) {
	body, err := q.Store.Body(it.Body)
	if err != nil || it.Head == "" {
		return body, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(it.Head), body), body}, nil
}

// handOver is the last moment at which a delivery can be taken back, for each smarthost that it is handed to. It runs among the updates, so that a cancel is either
// committed before it and seen here, or comes after it and sees the mark, which an aborted run may only leave too early.
func (q *Queue) handOver(id uint64) error {
	return q.Store.Update(func(tx *store.Tx) error {
		it, err := q.Item(tx, id)
		switch {
		case err != nil:
			return err
		case it.State != Sending || it.Recalled: // recalled when another smarthost had it, which did not take it
			return errTaken
		case q.paused(tx):
			return errPaused
		}
		q.change(id, func(f *flight) { f.handed = true })
		return nil
	})
}

// record writes what came of an attempt. Until it could, the delivery stays claimed.
func (q *Queue) record(id uint64) error {
	f := q.flight(id)
	if f == nil || f.result == nil {
		return nil
	}
	if err := q.Store.Update(func(tx *store.Tx) error { return q.finish(tx, id, *f.result) }); err != nil {
		q.change(id, func(f *flight) { f.unwritten = true })
		return fmt.Errorf("record the end of %s: %w", Name(id), err)
	}
	q.release(id)
	return nil
}

// unrecorded lists deliveries whose results could not be written; one that is being written is none.
func (q *Queue) unrecorded() []uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []uint64
	for id, f := range q.flights {
		if f.unwritten {
			out = append(out, id)
		}
	}
	return out
}

func (q *Queue) finish(tx *store.Tx, id uint64, r courier.Result) error {
	it, err := q.Item(tx, id)
	if errors.Is(err, store.ErrShredded) {
		return underway.Delete(tx, store.Seq(id)) // the case went meanwhile; there is nothing to write it on
	}
	if err != nil {
		return err
	}
	accepted := r.Outcome != courier.Later && r.Outcome != courier.Failed
	if it.State != Sending && !accepted {
		return nil // taken back before DATA
	}
	it.Reply, it.Said = r.String(), r.Text
	switch r.Outcome {
	case courier.Sent:
		return q.end(tx, it, Sent)
	case courier.Failed:
		return q.end(tx, it, Failed)
	case courier.Later:
		return q.later(tx, it)
	}
	if broken.Is(broken.AgainByItself) {
		return q.later(tx, it)
	}
	return q.end(tx, it, Unknown)
}

// later waits for the next attempt, or gives up.
func (q *Queue) later(tx *store.Tx, it Item) error {
	giveUp := q.GiveUp
	if giveUp <= 0 {
		giveUp = defaultGiveUp
	}
	switch since := tx.Now.Sub(it.First); {
	case it.Recalled:
		it.Reply += "; it was to be taken back and is not tried again"
	case since >= giveUp:
		it.Reply += fmt.Sprintf("; given up after %d attempts in %s", it.Attempts, since.Round(time.Minute))
	default:
		if err := wait(tx, it, tx.Now.Add(q.backOff(it.Attempts))); err != nil || q.Waits == nil {
			return err
		}
		return q.Waits(tx, it)
	}
	return q.end(tx, it, Failed)
}

// backOff is how long to wait after the nth attempt, with up to a tenth more, so that a crowd does not come back together.
func (q *Queue) backOff(n int) time.Duration {
	d := defaultWait
	if len(q.Retry) > 0 {
		d = q.Retry[min(max(n, 1), len(q.Retry))-1]
	}
	d = max(d, shortestWait)
	return d + rand.N(d/10)
}

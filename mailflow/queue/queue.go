// Package queue is the delivery queue: mails that were committed to leave, byte for byte, and what became of each attempt.
//
// A mail is handed over at most once without a person knowing (T3). That an attempt is made is on the disk before a connection
// is; what is found so after a crash is Unknown and stays, until somebody who asked the other side says what happened.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley/mailflow/broken"
	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// Deliverer makes one attempt; *courier.Relays is one. It must call Mail.Open right before it says DATA, each time that it does, and
// send nothing of the mail when Open fails: a delivery can be taken back until then (T4).
type Deliverer interface {
	Deliver(ctx context.Context, m courier.Mail) courier.Result
}

// Queue delivers what is due. Its fields are set once, before it is used.
type Queue struct {
	Store *store.Store
	// Courier may be nil: nothing leaves then, and everything waits.
	Courier Deliverer
	// Retry are the waits after the first, second… attempt that came to nothing; the last repeats. Without any it is an hour.
	Retry []time.Duration
	// GiveUp is how long after the first attempt one that came to nothing is the last; 0 means 3 days.
	GiveUp time.Duration
	// Parallel is how many deliveries run at once; 0 means 1.
	Parallel int
	// Now and After are the clock of Run; nil means the machine's.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Paused says that nothing may leave; nil is never. It is asked in the transaction that begins an attempt, and again
	// before DATA.
	Paused func(tx *store.Tx) bool
	// Done is called in the transaction that records what became of a delivery (Sent, Failed, Unknown, Dropped), or that lets
	// it wait again by a person's word (Waiting). It has no effect besides tx, as it may run more than once. When it fails,
	// nothing is recorded and the recording is tried again.
	Done func(tx *store.Tx, it Item) error
	// Waits is called, under the same terms, in the transaction that records an attempt which came to nothing and is made again;
	// nil is nobody.
	Waits func(tx *store.Tx, it Item) error
	// Log gets a line for each attempt, with the delivery's name and reply codes only; nil is nowhere.
	Log *slog.Logger

	mu      sync.Mutex
	flights map[uint64]*flight
	ordered *flight // the last one in order
}

const (
	defaultWait   = time.Hour
	shortestWait  = time.Second
	defaultGiveUp = 3 * 24 * time.Hour
)

// Errors of the calls that people make.
var (
	// ErrNotFound says that there is no delivery of that number.
	ErrNotFound = errors.New("no such delivery")
	// ErrAlreadySent says that the other side has taken the mail, or may have.
	ErrAlreadySent = errors.New("already sent")
	// ErrUnderWay says that the mail is being handed over at this moment.
	ErrUnderWay = errors.New("it is being sent at this moment")
)

var errIncomplete = errors.New("add a delivery: Message-ID and body must be set")

// Add commits a mail to leave, in the caller's transaction: envelope, Message-ID and exact bytes (T3). It is due at once. ID and
// what follows State in an Item are set here.
func (q *Queue) Add(tx *store.Tx, it Item) (uint64, error) {
	if it.MessageID == "" || it.Body.ID == 0 {
		return 0, errIncomplete
	}
	id, err := tx.Next("delivery")
	if err != nil {
		return 0, fmt.Errorf("add a delivery: %w", err)
	}
	it.ID, it.Attempts, it.First, it.Next, it.Last, it.Reply, it.Said, it.Recalled = id, 0, time.Time{}, time.Time{}, time.Time{}, "", "", false
	if err := wait(tx, it, tx.Now); err != nil {
		return 0, fmt.Errorf("add %s: %w", it, err)
	}
	return id, nil
}

// Item reads a delivery: ErrNotFound if there is none.
func (q *Queue) Item(tx *store.Tx, id uint64) (Item, error) {
	it, err := items.Get(tx, store.Seq(id))
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNotFound
	}
	if err != nil {
		return Item{}, fmt.Errorf("read %s: %w", Name(id), err)
	}
	return it, nil
}

// Counts says how many deliveries wait, and how many are under way, without opening one.
func (q *Queue) Counts(tx *store.Tx) (waiting, sending int) {
	return dueRows.Count(tx, nil), underway.Count(tx, nil)
}

// All lists every delivery that still opens, oldest first.
func (q *Queue) All(tx *store.Tx) ([]Item, error) {
	var out []Item
	for row, err := range items.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list deliveries: %w", err)
		}
		out = append(out, row.Value)
	}
	return out, nil
}

// Recover makes Unknown of what was under way when the process before this one ended: how far it had come is written nowhere
// (T3). It is called before anything is delivered; Run does it by itself. Rows of what was shredded meanwhile go.
func (q *Queue) Recover(tx *store.Tx) error {
	for row, err := range dueRows.All(tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			err = dueRows.Delete(tx, row.Key)
		}
		if err != nil {
			return fmt.Errorf("recover deliveries: %w", err)
		}
	}
	for row, err := range underway.All(tx, nil) {
		if err != nil && !errors.Is(err, store.ErrShredded) {
			return fmt.Errorf("recover deliveries: %w", err)
		}
		if err := q.recoverOne(tx, seqOf(row.Key)); err != nil {
			return fmt.Errorf("recover deliveries: %w", err)
		}
	}
	return nil
}

func (q *Queue) recoverOne(tx *store.Tx, id uint64) error {
	if q.flight(id) != nil {
		return nil // it is ours
	}
	it, err := q.Item(tx, id)
	switch {
	case errors.Is(err, store.ErrShredded), errors.Is(err, ErrNotFound):
		return underway.Delete(tx, store.Seq(id))
	case err != nil:
		return err
	}
	it.Reply = "the gateway stopped while it was being sent"
	if broken.Is(broken.AgainByItself) {
		return errors.Join(underway.Delete(tx, store.Seq(id)), wait(tx, it, tx.Now))
	}
	return q.end(tx, it, Unknown)
}

// end records what became of a delivery.
func (q *Queue) end(tx *store.Tx, it Item, s State) error {
	if err := underway.Delete(tx, store.Seq(it.ID)); err != nil {
		return err
	}
	it.State, it.Next = s, time.Time{}
	if err := items.Put(tx, it.Scope, store.Seq(it.ID), it); err != nil {
		return err
	}
	return q.done(tx, it)
}

func (q *Queue) done(tx *store.Tx, it Item) error {
	if q.Done == nil {
		return nil
	}
	return q.Done(tx, it)
}

// paused says that nothing may leave.
func (q *Queue) paused(tx *store.Tx) bool {
	return q.Courier == nil || q.Paused != nil && q.Paused(tx)
}

func (q *Queue) log() *slog.Logger {
	if q.Log != nil {
		return q.Log
	}
	return slog.New(slog.DiscardHandler)
}

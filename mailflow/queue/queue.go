// Package queue is the delivery queue: mails that were committed to leave,
// byte for byte, and what became of each attempt.
//
// A mail is sent at most once without a person: its row says Sending, on
// disk, before the first octet of DATA, and a row that is found so after a
// crash is Unknown and stays, until somebody who asked the other side says
// what happened (rule T3).
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// State is where a delivery stands.
type State string

// States of a delivery. Waiting is tried when due; Sending is under way;
// Unknown needs a person; the others are final.
const (
	Waiting State = "waiting"
	Sending State = "sending"
	Sent    State = "sent"
	Failed  State = "failed"
	Unknown State = "unknown"
	Dropped State = "dropped"
)

// Item is one mail to one recipient. Envelope, Message-ID and bytes never
// change once it was added.
type Item struct {
	ID        uint64
	Case      string
	Party     string
	Notice    uint64
	Scope     store.Scope
	From      string // reverse-path without brackets
	To        string // forward-path without brackets
	MessageID string
	Body      store.Body
	State     State
	Attempts  int
	First     time.Time // when it was added
	Next      time.Time // when it is tried; of Waiting
	Last      time.Time // when it was last tried
	Reply     string    // the last answer: codes and our own words only
}

// Deliverer hands a mail to the next server; *courier.Courier does.
type Deliverer interface {
	Deliver(ctx context.Context, m courier.Mail) courier.Result
}

// Queue delivers what is due. Its fields are set once.
type Queue struct {
	Store    *store.Store
	Courier  Deliverer
	Retry    []time.Duration // waits after each temporary failure; the last one repeats
	GiveUp   time.Duration   // after this long a temporary failure is final
	Parallel int             // deliveries at once; 1 where zero
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time
	// Paused says that nothing may leave; nil is never.
	Paused func(tx *store.Tx) bool
	// Done is called in the transaction that records what became of an item,
	// and in the one that lets it wait again by a person's word. It may run
	// more than once.
	Done func(tx *store.Tx, it Item) error
}

var (
	items    = store.Versioned[Item]("deliveries")
	dueRows  = store.WriteOnce[uint64]("deliveries-due")
	underway = store.WriteOnce[uint64]("deliveries-underway")
)

// Errors of the calls that people make.
var (
	ErrNotFound    = errors.New("no such delivery")
	ErrAlreadySent = errors.New("already sent")
	ErrUnderWay    = errors.New("it is being sent at this moment")
)

// Name is the form in which people name a delivery, "D17".
func Name(id uint64) string { return fmt.Sprintf("D%d", id) }

// Add commits a mail to leave, with the caller's transaction: its intent,
// envelope, Message-ID and exact bytes.
func (q *Queue) Add(tx *store.Tx, it Item) (uint64, error) {
	id, err := tx.Next("delivery")
	if err != nil {
		return 0, err
	}
	it.ID, it.First, it.Attempts = id, tx.Now, 0
	return id, q.wait(tx, it, tx.Now)
}

// wait writes an item that is tried at an instant.
func (q *Queue) wait(tx *store.Tx, it Item, at time.Time) error {
	it.State, it.Next = Waiting, at
	if err := dueRows.Put(tx, it.Scope, dueKey(it), it.ID); err != nil {
		return err
	}
	tx.Changed(store.Change{Topic: "queue"})
	return items.Put(tx, it.Scope, store.Seq(it.ID), it)
}

func dueKey(it Item) []byte { return append(store.Instant(it.Next), store.Seq(it.ID)...) }

// Item reads a delivery.
func (q *Queue) Item(tx *store.Tx, id uint64) (Item, error) {
	it, err := items.Get(tx, store.Seq(id))
	if errors.Is(err, store.ErrNotFound) {
		return it, fmt.Errorf("%s: %w", Name(id), ErrNotFound)
	}
	return it, err
}

// All lists every delivery, oldest first.
func (q *Queue) All(tx *store.Tx) ([]Item, error) {
	var out []Item
	for r, err := range items.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		out = append(out, r.Value)
	}
	return out, nil
}

// Recover marks what was under way when the gateway stopped as Unknown. It is
// called once, before anything is delivered.
func (q *Queue) Recover(tx *store.Tx) error {
	for r, err := range underway.All(tx, nil) {
		if err != nil {
			return err
		}
		it, err := q.Item(tx, r.Value)
		if err != nil {
			return err
		}
		it.Reply = "the gateway stopped while it was being sent"
		if err := q.end(tx, it, Unknown); err != nil {
			return err
		}
	}
	return nil
}

// end writes what became of an item.
func (q *Queue) end(tx *store.Tx, it Item, s State) error {
	if err := underway.Delete(tx, store.Seq(it.ID)); err != nil {
		return err
	}
	it.State = s
	if err := items.Put(tx, it.Scope, store.Seq(it.ID), it); err != nil {
		return err
	}
	if q.Done == nil {
		return nil
	}
	return q.Done(tx, it)
}

// Cancel stops a delivery that did not begin. A cancel that is committed
// before DATA wins; after that it is ErrUnderWay, and after the other side's
// answer ErrAlreadySent (rule T4).
func (q *Queue) Cancel(tx *store.Tx, id uint64) error {
	it, err := q.Item(tx, id)
	if err != nil {
		return err
	}
	switch it.State {
	case Waiting:
		if err := dueRows.Delete(tx, dueKey(it)); err != nil {
			return err
		}
		it.Reply = "cancelled"
		return q.end(tx, it, Dropped)
	case Sending:
		return fmt.Errorf("%s: %w", Name(id), ErrUnderWay)
	}
	return fmt.Errorf("%s: %w", Name(id), ErrAlreadySent)
}

// Resolve takes a person's word on a delivery that is Unknown or Failed:
// "sent", "again" (the same bytes once more) or "drop".
func (q *Queue) Resolve(tx *store.Tx, id uint64, how string) error {
	it, err := q.Item(tx, id)
	if err != nil {
		return err
	}
	if it.State != Unknown && it.State != Failed {
		return fmt.Errorf("%s is %s; only an unknown or failed delivery can be decided", Name(id), it.State)
	}
	switch how {
	case "sent":
		return q.end(tx, it, Sent)
	case "drop":
		return q.end(tx, it, Dropped)
	case "again":
		it.First = tx.Now
		if err := q.wait(tx, it, tx.Now); err != nil || q.Done == nil {
			return err
		}
		it.State = Waiting
		return q.Done(tx, it)
	}
	return fmt.Errorf("%q is not sent, again or drop", how)
}

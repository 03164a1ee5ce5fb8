package queue

import (
	"fmt"

	"parley/mailflow/store"
)

// Cancel takes a delivery back (T4). Committed before DATA it wins, also when a connection is open already, and the delivery is
// Dropped. In the middle of DATA it is ErrUnderWay; when the caller commits all the same, the delivery is at least not tried
// again if the server does not take it, but Failed. What was or may have been accepted is ErrAlreadySent. To cancel twice
// is no error.
func (q *Queue) Cancel(tx *store.Tx, id uint64) error {
	it, err := q.Item(tx, id)
	if err != nil {
		return err
	}
	switch it.State {
	case Waiting:
		if err := dueRows.Delete(tx, dueKey(it)); err != nil {
			return fmt.Errorf("cancel %s: %w", it, err)
		}
	case Sending:
		if f := q.flight(id); f == nil || f.handed {
			return q.recall(tx, it)
		}
	case Failed:
	case Dropped:
		return nil
	default:
		return fmt.Errorf("cancel %s: %w", it, ErrAlreadySent)
	}
	it.Reply = "taken back"
	if err := q.end(tx, it, Dropped); err != nil {
		return fmt.Errorf("cancel %s: %w", it, err)
	}
	return nil
}

// recall notes that a delivery which cannot be stopped any more must not be tried again.
func (q *Queue) recall(tx *store.Tx, it Item) error {
	it.Recalled = true
	if err := items.Put(tx, it.Scope, store.Seq(it.ID), it); err != nil {
		return fmt.Errorf("cancel %s: %w", it, err)
	}
	return fmt.Errorf("cancel %s: %w", it, ErrUnderWay)
}

// Resolve takes a person's word on a delivery that is Unknown or Failed: "sent", "again" (the same bytes once more, at once) or
// "drop".
func (q *Queue) Resolve(tx *store.Tx, id uint64, how string) error {
	it, err := q.Item(tx, id)
	if err != nil {
		return err
	}
	if it.State != Unknown && it.State != Failed {
		return fmt.Errorf("%s is %s; only an unknown or failed delivery can be decided", it, it.State)
	}
	switch how {
	case "sent":
		err = q.end(tx, it, Sent)
	case "drop":
		err = q.end(tx, it, Dropped)
	case "again":
		err = q.again(tx, it)
	default:
		return fmt.Errorf("%q is not sent, again or drop", how)
	}
	if err != nil {
		return fmt.Errorf("resolve %s: %w", it, err)
	}
	return nil
}

// Reopen lets a person decide about a delivery that their server took and gave
// back, as about one that it refused. Any other stays what it is.
func (q *Queue) Reopen(tx *store.Tx, id uint64) error {
	it, err := q.Item(tx, id)
	if err != nil || it.State != Sent {
		return err
	}
	it.State = Failed
	return items.Put(tx, it.Scope, store.Seq(it.ID), it)
}

// Doubt makes Unknown of all that waits or was under way, and says how many that are: the store was put back from a backup, and
// what waits in it may have left since that was taken (T3). why is told with each.
func (q *Queue) Doubt(tx *store.Tx, why string) (n int, err error) {
	all, err := q.All(tx)
	if err != nil {
		return 0, err
	}
	for _, it := range all {
		switch it.State {
		case Waiting:
			if err := dueRows.Delete(tx, dueKey(it)); err != nil {
				return n, fmt.Errorf("doubt %s: %w", it, err)
			}
		case Sending:
		default:
			continue
		}
		it.Reply = why
		if err := q.end(tx, it, Unknown); err != nil {
			return n, fmt.Errorf("doubt %s: %w", it, err)
		}
		n++
	}
	return n, nil
}

// again begins anew with the same bytes under the same Message-ID.
func (q *Queue) again(tx *store.Tx, it Item) error {
	it.Attempts, it.Recalled = 0, false
	if err := wait(tx, it, tx.Now); err != nil {
		return err
	}
	it.State, it.Next = Waiting, tx.Now
	return q.done(tx, it)
}

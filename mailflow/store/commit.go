package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// A request is one Update that waits for its commit.
type request struct {
	fn   func(*Tx) error
	done answered
}

// answered takes what somebody who waits is told, once.
type answered chan error

func newAnswered() answered { return make(answered, 1) }

// tell does nothing for who was told already.
func (a answered) tell(err error) {
	select {
	case a <- err:
	default:
	}
}

// A queue holds the requests nobody has taken yet. At any time at most one goroutine leads: it takes all and serves them. Who
// finds no leader leads itself, for one turn, because to be handed to another goroutine and back can cost it a tenth of its
// time; when more have come meanwhile, a goroutine of the store leads until none is left.
type queue[R any] struct {
	mu      sync.Mutex
	waiting []R
	leading bool
	refuse  error         // why no more are taken
	empty   chan struct{} // closed when no more are taken and none is left
	once    sync.Once
}

func newQueue[R any]() queue[R] { return queue[R]{empty: make(chan struct{})} }

// join has r served with all that waits when its turn comes, perhaps after it returned. An error says that it will not be.
func (q *queue[R]) join(r R, serve func([]R)) error {
	lead, err := q.add(r)
	if err != nil || !lead {
		return err
	}
	serve(q.take()) // r among them
	if more := q.take(); len(more) > 0 {
		go q.lead(more, serve)
	}
	return nil
}

func (q *queue[R]) lead(group []R, serve func([]R)) {
	for len(group) > 0 {
		serve(group)
		group = q.take()
	}
}

// add says whether the caller is to lead.
func (q *queue[R]) add(r R) (lead bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != nil {
		return false, q.refuse
	}
	q.waiting = append(q.waiting, r)
	lead = !q.leading
	q.leading = true
	return lead, nil
}

// take is for the leader. When it gets none, it does not lead any more.
func (q *queue[R]) take() []R {
	q.mu.Lock()
	defer q.mu.Unlock()
	group := q.waiting
	q.waiting = nil
	if len(group) == 0 {
		q.leading = false
		q.finish()
	}
	return group
}

// stop takes no more requests; those that wait are still served.
func (q *queue[R]) stop(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse == nil {
		q.refuse = why
	}
	q.finish()
}

func (q *queue[R]) finish() {
	if q.refuse != nil && !q.leading {
		q.once.Do(func() { close(q.empty) })
	}
}

// Update runs fn in a transaction that may write, and returns nil only when what it wrote is on the disk (T1). Updates that wait
// at the same time are committed together, without any delay to collect them; each sees what those before it wrote. An fn that
// fails or panics (PanicError) leaves nothing behind and disturbs no other: its error is always judged alone, on committed
// state.
//
// fn may run more than once and must have no effect besides tx. It must not call View, Update, Seal, Bytes or Body of the store
// (tx has what it needs of them), and should hold no cryptography or network: all other writers wait for it.
//
// An fn that returns a First is run anew when what it asks for is done.
func (s *Store) Update(fn func(*Tx) error) error {
	for {
		err := s.update(fn)
		var first *First
		if !errors.As(err, &first) {
			return err
		}
		if err := first.Do(); err != nil {
			return err
		}
	}
}

func (s *Store) update(fn func(*Tx) error) error {
	if s.readOnly {
		return errReadOnly
	}
	r := &request{fn, newAnswered()}
	if err := s.queue.join(r, s.commitAll); err != nil {
		return err
	}
	return <-r.done
}

// commitAll answers every request of the group. Should the engine panic outside of a commit, all that still wait hear of it, and
// the store is broken: others must not wait for a leader that is gone.
func (s *Store) commitAll(group []*request) {
	defer func() {
		if v := recover(); v != nil {
			s.breakDown()
			answer(group, fmt.Errorf("%w: %w", ErrBroken, &PanicError{v, debug.Stack()}))
		}
	}()
	for len(group) > 0 {
		group = s.commitSome(group)
	}
}

// commitSome runs the group in one transaction, answers what has an answer and returns the rest to be run again.
//
// The error of an fn is final only when nothing ran before it that is still to be committed: what it saw of its neighbours was
// not durable yet, and may never be. One that fails in company therefore runs again, first in the next transaction. If it
// wrote nothing, the others need not.
func (s *Store) commitSome(group []*request) (again []*request) {
	tx, err := s.beginUpdate()
	if err != nil {
		answer(group, err)
		return nil
	}
	var ran []*request
	for i, r := range group {
		m := tx.mark()
		err := tx.run(r.fn)
		if err == nil {
			ran = append(ran, r)
			continue
		}
		if m.changed {
			again = append(again, r)
		} else {
			answer(group[i:i+1], err)
		}
		if !tx.goBack(m) {
			tx.ended = true
			tx.rows.rollback()
			return slices.Concat(again, ran, group[i+1:])
		}
	}
	tx.ended = true
	answer(ran, s.finish(tx))
	return again
}

// answer gives each its error; who has one keeps that.
func answer(group []*request, err error) {
	for _, r := range group {
		r.done.tell(err)
	}
}

func (s *Store) beginUpdate() (*Tx, error) {
	if s.isBroken() {
		return nil, ErrBroken
	}
	rows, err := s.engine.begin(true)
	if err != nil {
		return nil, err
	}
	tx := s.newTx(rows, s.now(), true)
	if _, err := tx.load(); err != nil {
		rows.rollback()
		return nil, err
	}
	tx.state.serial++
	return tx, nil
}

// run calls fn on a goroutine of its own: one that ends its goroutine (as a failed test does) must not end the leader.
func (tx *Tx) run(fn func(*Tx) error) (err error) {
	done := make(chan struct{})
	err = errExited
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{v, debug.Stack()}
			}
		}()
		err = fn(tx)
	}()
	<-done
	return err
}

// finish commits, then tells everybody.
func (s *Store) finish(tx *Tx) error {
	if !tx.changed {
		tx.rows.rollback() // nothing to write: what it read is durable already
		return nil
	}
	if err := s.write(tx); err != nil {
		return s.failed(err)
	}
	s.serial.Store(tx.state.serial)
	s.settled.Store(tx.keys)
	for _, d := range tx.kept {
		d.settle()
	}
	s.subscribers.publish(tx.state.serial, tx.changes)
	s.removeForgotten(tx.forgotten)
	return nil
}

// write makes the transaction durable: first the keys it needs, then its rows.
func (s *Store) write(tx *Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
		if err != nil {
			tx.giveUp()
		}
	}()
	before := s.keys.Load()
	if tx.newKeys {
		if err := s.saveKeys(tx); err != nil {
			return fmt.Errorf("write key file: %w", err)
		}
	}
	if tx.newVault != nil {
		s.shreds.Add(1)
	}
	// Whoever sees the new rows must have the keys, so these come first.
	s.keys.Store(tx.keys)
	root, p := tx.keys.root(), place{metaBucket, stateKey, 0}
	err = tx.rows.put(p.bucket, p.key, root.seal(p.bind(nil, root.number), tx.state.marshal()))
	if err == nil {
		err = tx.rows.commit()
	}
	if err != nil {
		s.takeBack(before, tx)
	}
	return err
}

// takeBack publishes the keys of before a commit that failed, but for those that it destroyed, and the spare ones where it wrote the
// key file, which may have these no more: the next new scope writes it again.
func (s *Store) takeBack(before *keySet, tx *Tx) {
	keys := before.alone()
	if tx.newKeys {
		keys.spare = nil
	}
	if tx.newVault != nil {
		for n := range before.next {
			if k := before.numbered(n); k != nil && tx.keys.numbered(n) == nil {
				keys = keys.without(k)
			}
		}
	}
	s.keys.Store(keys)
	s.settled.Store(keys)
}

func (s *Store) saveKeys(tx *Tx) error {
	vault := s.vault
	if tx.newVault != nil {
		vault = tx.newVault
	}
	if err := vault.save(tx.keys); err != nil {
		return err
	}
	s.vault = vault
	return nil
}

// giveUp ends a transaction whose commit failed. An engine that panicked may do so again.
func (tx *Tx) giveUp() {
	defer func() { _ = recover() }()
	tx.rows.rollback()
}

// failed turns the error of a write into what all later callers get.
func (s *Store) failed(err error) error {
	if errors.Is(err, ErrFull) {
		return err
	}
	s.breakDown()
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

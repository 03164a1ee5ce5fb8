package store

import (
	"slices"
	"sync"
)

// A Change says what a commit touched. Only Topic is always set; the rest is a matter between those who write and those who
// read.
type Change struct {
	Topic   string // "spool", "due", "queue", "mailbox", "prepare"
	Mailbox uint32
	UID     uint32
	Kind    string
	Seat    string
	Flags   []string
	Message uint64 // of ChangeUnfiled: which message it was
	// Serial is that of the commit; the store sets it.
	Serial uint64
}

// Changed tells subscribers of c once this update is committed.
func (tx *Tx) Changed(c Change) {
	if tx.usable(true) != nil {
		return
	}
	tx.changes = append(tx.changes, c)
	tx.changed = true
}

// A Subscription gathers changes in the order of their commits. It never makes the store wait: what nobody takes stays in
// memory, so a subscriber that has lost its reader must Close.
type Subscription struct {
	// C holds one token whenever something is there to Take.
	C <-chan struct{}

	wake    chan struct{}
	topics  []string
	among   *subscribers
	mu      sync.Mutex
	pending []Change
}

type subscribers struct {
	mu  sync.Mutex
	all map[*Subscription]struct{}
}

// Subscribe gathers the changes of these topics from now on, or all when none is named. Subscribe first, then take a snapshot,
// then leave out changes whose Serial is not above the snapshot's: nothing is missed or seen twice.
func (s *Store) Subscribe(topics ...string) *Subscription {
	wake := make(chan struct{}, 1)
	sub := &Subscription{C: wake, wake: wake, topics: topics, among: &s.subscribers}
	s.subscribers.mu.Lock()
	defer s.subscribers.mu.Unlock()
	if s.subscribers.all == nil {
		s.subscribers.all = map[*Subscription]struct{}{}
	}
	s.subscribers.all[sub] = struct{}{}
	return sub
}

// Take returns all changes since the last Take, perhaps none.
func (sub *Subscription) Take() []Change {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	taken := sub.pending
	sub.pending = nil
	return taken
}

// Close ends the subscription.
func (sub *Subscription) Close() {
	sub.among.mu.Lock()
	defer sub.among.mu.Unlock()
	delete(sub.among.all, sub)
}

func (ss *subscribers) publish(serial uint64, changes []Change) {
	if len(changes) == 0 {
		return
	}
	for i := range changes {
		changes[i].Serial = serial
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for sub := range ss.all {
		sub.give(changes)
	}
}

func (sub *Subscription) give(changes []Change) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	before := len(sub.pending)
	for _, c := range changes {
		if len(sub.topics) == 0 || slices.Contains(sub.topics, c.Topic) {
			sub.pending = append(sub.pending, c)
		}
	}
	if len(sub.pending) == before {
		return
	}
	select {
	case sub.wake <- struct{}{}:
	default:
	}
}

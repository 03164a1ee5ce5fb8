package auth

import (
	"context"
	"sync"

	"parley/mailflow/cores"
)

// line makes tries wait: those of one address for each other, so that they
// are counted exactly and a flood stands in its own way, and the hashing of
// all for a few slots, so that strangers never take all cores. One more slot is for
// addresses that a good login is known of.
type line struct {
	slots chan struct{}
	kept  chan struct{} // for those that are known

	mu    sync.Mutex
	turns map[string]*turn
}

// turn is the place of one address: whoever put a token into it is served.
type turn struct {
	token   chan struct{}
	waiting int
}

func newLine() *line {
	return &line{
		slots: make(chan struct{}, max(1, cores.Count()/2)),
		kept:  make(chan struct{}, 1),
		turns: make(map[string]*turn),
	}
}

// enter waits until no other try from that address is under way.
func (l *line) enter(ctx context.Context, from string) (done func(), err error) {
	t := l.join(from)
	if err := acquire(ctx, t.token); err != nil {
		l.leave(from, t)
		return nil, err
	}
	return func() {
		<-t.token
		l.leave(from, t)
	}, nil
}

func (l *line) join(from string) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.turns[from]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		l.turns[from] = t
	}
	t.waiting++
	return t
}

func (l *line) leave(from string, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.waiting--; t.waiting == 0 {
		delete(l.turns, from)
	}
}

// hash waits for a slot to hash in. Who is known waits for two.
func (l *line) hash(ctx context.Context, known bool) (done func(), err error) {
	var kept chan struct{} // which nobody else can get
	if known {
		kept = l.kept
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case kept <- struct{}{}:
		return func() { <-kept }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func acquire(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

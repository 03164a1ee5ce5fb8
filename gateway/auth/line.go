package auth

import (
	"context"
	"runtime"
	"sync"
)

// line makes tries wait: those of one address for each other, so that they
// are counted exactly and a flood stands in its own way, and the hashing of
// all for a few slots, so that it never takes all cores.
type line struct {
	slots chan struct{}

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
		slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
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

// hash waits for a slot to hash in.
func (l *line) hash(ctx context.Context) (done func(), err error) {
	if err := acquire(ctx, l.slots); err != nil {
		return nil, err
	}
	return func() { <-l.slots }, nil
}

func acquire(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

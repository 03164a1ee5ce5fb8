package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// filesIn reads all files under a directory.
func filesIn(dir string) (all []byte, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	return all, err
}

// A gate stops each delivery before it begins, until it is opened.
type gate struct {
	Deliverer
	reached chan struct{}
	open    chan struct{}
}

func (g gate) Deliver(ctx context.Context, m courier.Mail) courier.Result {
	g.reached <- struct{}{}
	<-g.open
	return g.Deliverer.Deliver(ctx, m)
}

// inBackground runs what is due; the channel gives its end.
func (r *rig) inBackground() <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := r.RunDue(context.Background(), r.clock.Now())
		done <- err
	}()
	return done
}

func TestT4_CancelWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.add(testTo)
	must(t, r.cancel(id))
	must(t, r.cancel(id))
	r.run()
	r.is(id, Dropped, 0)
	if !r.wasTold("D1 dropped") || r.resolve(id, "again") == nil {
		t.Errorf("told %q", r.told)
	}
	wantErr(t, r.cancel(99), ErrNotFound)
}

// A cancel that is committed before DATA wins, also when the attempt is under way.
func TestT4_CancelBeforeDATA(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := gate{r.Courier, make(chan struct{}), make(chan struct{})}
	r.Courier = g
	id := r.add(testTo)
	done := r.inBackground()
	<-g.reached
	if it := r.item(id); it.State != Sending {
		t.Fatalf("%s is %s before the connection", it, it.State)
	}
	must(t, r.cancel(id))
	close(g.open)
	must(t, <-done)
	r.is(id, Dropped, 0)
}

// A cancel that is in its transaction when the courier comes to DATA wins as well: the courier waits for it.
func TestT4_CancelAtDATA(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := gate{r.Courier, make(chan struct{}), make(chan struct{})}
	opening := make(chan struct{})
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		open := m.Open
		m.Open = func() (io.ReadCloser, error) {
			close(opening)
			return open()
		}
		return g.Deliver(ctx, m)
	})
	id := r.add(testTo)
	done := r.inBackground()
	<-g.reached
	cancelled, commit := make(chan struct{}), make(chan struct{})
	var once sync.Once
	result := make(chan error)
	go func() {
		result <- r.Store.Update(func(tx *store.Tx) error {
			err := r.Cancel(tx, id)
			once.Do(func() { close(cancelled) })
			<-commit
			return err
		})
	}()
	<-cancelled
	close(g.open)
	<-opening
	close(commit)
	must(t, <-result)
	must(t, <-done)
	r.is(id, Dropped, 0)
}

// Within DATA it is too late; but what is refused then is not tried again behind the back of whoever wanted it back.
func TestT4_CancelInDATA(t *testing.T) {
	t.Parallel()
	for _, answer := range []int{250, 451} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if answer != 250 {
				r.Courier = stalled{r.Courier, make(chan struct{}), make(chan struct{})}
				r.sink.Fail(mailtest.Dot, answer, 1)
			}
			reached, release := r.sink.StallAfterDot()
			if s, ok := r.Courier.(stalled); ok {
				reached, release = s.reached, func() { close(s.open) }
			}
			id := r.add(testTo)
			done := r.inBackground()
			<-reached
			wantErr(t, r.cancel(id), ErrUnderWay)
			release()
			must(t, <-done)
			if answer == 250 {
				r.is(id, Sent, 1)
				wantErr(t, r.cancel(id), ErrAlreadySent)
				return
			}
			r.is(id, Failed, 0)
			r.clock.Advance(time.Hour)
			r.run()
			r.is(id, Failed, 0)
			must(t, r.cancel(id))
			r.is(id, Dropped, 0)
		})
	}
}

// A stalled delivery stops when its message is opened.
type stalled struct {
	Deliverer
	reached chan struct{}
	open    chan struct{}
}

func (s stalled) Deliver(ctx context.Context, m courier.Mail) courier.Result {
	open := m.Open
	m.Open = func() (io.ReadCloser, error) {
		body, err := open()
		close(s.reached)
		<-s.open
		return body, err
	}
	return s.Deliverer.Deliver(ctx, m)
}

// A mail that was wanted back while one smarthost had it, which broke off, is not handed to the next.
func TestT4_CancelBeforeTheNextSmarthost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	second := r.Courier
	var id uint64
	r.Courier = deliver(func(ctx context.Context, m courier.Mail) courier.Result {
		body, err := m.Open()
		must(t, err)
		must(t, body.Close()) // the line broke within the message
		wantErr(t, r.cancel(id), ErrUnderWay)
		return second.Deliver(ctx, m)
	})
	id = r.add(testTo)
	r.run()
	r.is(id, Failed, 0)
}

func TestT4_CancelUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sink.DropAfterDot(1)
	id := r.add(testTo)
	r.run()
	wantErr(t, r.cancel(id), ErrAlreadySent)
	r.is(id, Unknown, 1)
}

// Cancels race with deliveries: what was cancelled did not arrive, and what was not arrived.
func TestT4_Race(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 60
	for i := range n {
		r.add(fmt.Sprintf("a%d@acme.example", i))
	}
	done := r.inBackground()
	cancelled := make([]bool, n+1)
	var wg sync.WaitGroup
	for id := uint64(n); id > 0; id-- {
		wg.Go(func() {
			switch err := r.cancel(id); {
			case err == nil:
				cancelled[id] = true
			case !errors.Is(err, ErrAlreadySent) && !errors.Is(err, ErrUnderWay):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	must(t, <-done)
	for id := uint64(1); id <= n; id++ {
		if cancelled[id] {
			r.is(id, Dropped, 0)
		} else {
			r.is(id, Sent, 1)
		}
	}
}

// A pause stops what has not come to DATA; the rest waits.
func TestPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var paused bool
	r.Paused = func(*store.Tx) bool { return paused }
	g := gate{r.Courier, make(chan struct{}), make(chan struct{})}
	r.Courier, r.Parallel = g, 1
	first, second := r.add(testTo), r.add("other@acme.example")
	done := r.inBackground()
	<-g.reached
	r.update(func(*store.Tx) error { paused = true; return nil })
	close(g.open)
	must(t, <-done)
	r.clock.Advance(2 * time.Minute)
	if next := r.run(); !next.IsZero() {
		t.Errorf("paused, and next is %s", next)
	}
	r.is(first, Waiting, 0)
	r.is(second, Waiting, 0)
	r.update(func(*store.Tx) error { paused = false; return nil })
	r.Courier = g.Deliverer
	r.run()
	r.is(first, Sent, 1)
	r.is(second, Sent, 1)
}

// Without a smarthost everything waits.
func TestNoCourier(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.Courier
	r.Courier = nil
	id := r.add(testTo)
	r.run()
	r.is(id, Waiting, 0)
	r.Courier = c
	r.run()
	r.is(id, Sent, 1)
}

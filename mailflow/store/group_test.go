package store

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// countingEngine counts the commits that reach the engine.
type countingEngine struct {
	engine
	commits *atomic.Int64
}

func (e countingEngine) begin(write bool) (engineTx, error) {
	tx, err := e.engine.begin(write)
	return countingTx{tx, e.commits}, err
}

type countingTx struct {
	engineTx
	commits *atomic.Int64
}

func (tx countingTx) commit() error {
	tx.commits.Add(1)
	return tx.engineTx.commit()
}

// counting puts a counter under a store that nobody uses yet.
func counting(s *Store) *atomic.Int64 {
	n := new(atomic.Int64)
	s.engine = countingEngine{s.engine, n}
	return n
}

// together makes sure that all fns wait in the queue at once, and returns their errors.
func together(t testing.TB, s *Store, fns ...func(*Tx) error) []error {
	t.Helper()
	started, release := make(chan struct{}), make(chan struct{})
	var first sync.WaitGroup
	first.Go(func() {
		_ = s.Update(func(*Tx) error {
			close(started)
			<-release
			return nil
		})
	})
	<-started
	errs := make([]error, len(fns))
	var rest sync.WaitGroup
	for i, fn := range fns {
		rest.Go(func() { errs[i] = s.Update(fn) })
		for {
			s.queue.mu.Lock()
			n := len(s.queue.waiting)
			s.queue.mu.Unlock()
			if n == i+1 {
				break
			}
			runtime.Gosched()
		}
	}
	close(release)
	first.Wait()
	rest.Wait()
	return errs
}

func TestUpdate_AloneCostsOneCommit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	commits := counting(s)
	must(t, s.Update(putThing(1)))
	if n := commits.Load(); n != 1 {
		t.Errorf("%d commits", n)
	}
	must(t, s.Update(func(tx *Tx) error { _, err := things.Get(tx, Seq(1)); return err }))
	if n := commits.Load(); n != 1 {
		t.Errorf("an update that wrote nothing was committed")
	}
}

// TestTrapBbolt_SerialUpdates: 50 updates, each with a commit of its own, cost 50 fsyncs. Those that wait together cost one.
func TestTrapBbolt_SerialUpdates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	commits := counting(s)
	var fns []func(*Tx) error
	for n := range uint64(50) {
		fns = append(fns, putThing(n))
	}
	for _, err := range together(t, s, fns...) {
		must(t, err)
	}
	if n := commits.Load(); n != 1 {
		t.Errorf("%d commits", n)
	}
}

func TestUpdate_OneFailsTheOthersDoNot(t *testing.T) {
	t.Parallel()
	own := errors.New("its own")
	failWith := func(how func()) func(*Tx) error {
		return func(tx *Tx) error {
			if err := putThing(99)(tx); err != nil {
				return err
			}
			tx.Changed(Change{Topic: "never"})
			how()
			return own
		}
	}
	for name, c := range map[string]struct {
		fail  func(*Tx) error
		check func(error) bool
	}{
		"error":      {failWith(func() {}), func(err error) bool { return errors.Is(err, own) }},
		"clean":      {func(*Tx) error { return own }, func(err error) bool { return errors.Is(err, own) }},
		"panic":      {failWith(func() { panic("canary") }), isPanic},
		"cleanpanic": {func(*Tx) error { panic("canary") }, isPanic},
		"exit":       {failWith(runtime.Goexit), func(err error) bool { return errors.Is(err, errExited) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			sub := s.Subscribe()
			errs := together(t, s, putThing(1), c.fail, putThing(2), c.fail, c.fail, putThing(3))
			for _, i := range []int{0, 2, 5} {
				must(t, errs[i])
			}
			for _, i := range []int{1, 3, 4} {
				if !c.check(errs[i]) {
					t.Errorf("%d failed with %v", i, errs[i])
				}
			}
			must(t, s.View(func(tx *Tx) error {
				if things.Has(tx, Seq(99)) || things.Count(tx, nil) != 3 {
					t.Error("the wrong rows are there")
				}
				return nil
			}))
			if got := sub.Take(); len(got) > 0 {
				t.Errorf("changes of failed updates: %v", got)
			}
			whole(t, s)
		})
	}
}

func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p) && p.Value == "canary" && len(p.Stack) > 0 && !strings.Contains(err.Error(), "canary")
}

// An error seen in company may rest on what a neighbour wrote and never becomes durable, so it is judged again alone.
func TestUpdate_ErrorIsJudgedOnCommittedState(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	tries := 0
	errs := together(t, s,
		putThing(1),
		func(tx *Tx) error {
			tries++
			committed := false
			must(t, s.View(func(before *Tx) error { committed = things.Has(before, Seq(1)); return nil }))
			if !things.Has(tx, Seq(1)) {
				return errors.New("the first one is not seen")
			}
			if !committed {
				return errors.New("seen before it was committed")
			}
			return nil
		})
	must(t, errs[0])
	must(t, errs[1])
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}

// An update that needs something done before leaves nothing behind, holds up no other while that is done, and runs anew. What
// fails there is its error.
func TestUpdate_First(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	tries, others := uint64(0), uint64(0)
	err := s.Update(func(tx *Tx) error {
		tries++
		if err := putThing(tries)(tx); err != nil || others == 2 {
			return err
		}
		return fmt.Errorf("compare: %w", &First{Do: func() error {
			others++
			return s.Update(putThing(100 + others))
		}})
	})
	if err != nil || tries != 3 || others != 2 {
		t.Errorf("%d tries, %d others, %v", tries, others, err)
	}
	must(t, s.View(func(tx *Tx) error {
		for n, want := range map[uint64]bool{1: false, 2: false, 3: true, 101: true, 102: true} {
			if things.Has(tx, Seq(n)) != want {
				t.Errorf("thing %d is there: %t", n, !want)
			}
		}
		return nil
	}))
	cannot := errors.New("cannot")
	if got := s.Update(func(*Tx) error { return &First{Do: func() error { return cannot }} }); got != cannot {
		t.Error(got)
	}
}

func TestUpdate_RunsInOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var got []uint64
	next := func(tx *Tx) error {
		n, err := tx.Next("order")
		got = append(got, n)
		return err
	}
	for _, err := range together(t, s, next, next, next) {
		must(t, err)
	}
	if !slices.Equal(got, []uint64{1, 2, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestUpdate_AfterClose(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.Close())
	must(t, s.Close())
	wantErr(t, s.Update(putThing(1)), ErrClosed)
	wantErr(t, s.View(func(*Tx) error { return nil }), ErrClosed)
}

func TestTx_AfterItsEnd(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var left *Tx
	must(t, s.Update(func(tx *Tx) error { left = tx; return putThing(1)(tx) }))
	_, err := things.Get(left, Seq(1))
	wantErr(t, err, ErrClosed)
	wantErr(t, things.Put(left, "desk", Seq(2), thing{}), ErrClosed)
	for _, err := range things.All(left, nil) {
		wantErr(t, err, ErrClosed)
	}
}

type panickingEngine struct{ engine }

func (e panickingEngine) begin(write bool) (engineTx, error) {
	if write {
		panic("canary")
	}
	return e.engine.begin(write)
}

// An engine that panics takes the store with it, and nobody waits for ever.
func TestUpdate_EnginePanics(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.engine = panickingEngine{s.engine}
	err := s.Update(putThing(1))
	wantErr(t, err, ErrBroken)
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("says %q", err)
	}
	wantErr(t, s.Update(putThing(2)), ErrBroken)
}

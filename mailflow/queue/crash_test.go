package queue

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// childDir, in the environment, makes this program the child of TestT3_Crash: it delivers what is due in the store there, stops at
// childPoint and says so, and is killed. With childEarly it marks a delivery as sent before DATA.
const (
	childDir   = "PARLEY_QUEUE_TEST_CHILD"
	childSink  = "PARLEY_QUEUE_TEST_SINK"
	childPoint = "PARLEY_QUEUE_TEST_POINT"
	childEarly = "PARLEY_QUEUE_TEST_EARLY"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir, os.Getenv(childSink), point(os.Getenv(childPoint)), os.Getenv(childEarly) != ""))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A point is where the process dies.
type point string

const (
	beforeSending point = "before Sending is committed"
	beforeDial    point = "after Sending is committed, before the connection"
	beforeDATA    point = "before DATA"
	inDATA        point = "in DATA"
	afterDot      point = "after the dot, before the answer"
	afterAnswer   point = "after 250, before it is committed"
	afterCommit   point = "after all"
)

// stop says that the point was reached, and waits to be killed.
func stop() {
	fmt.Println("here")
	select {}
}

func child(dir, sink string, at point, early bool) error {
	s, err := store.Open(store.Options{Dir: dir, Unlock: testKey, Now: func() time.Time { return testStart }})
	if err != nil {
		return err
	}
	h, err := courier.ParseSmarthost("smtp://" + sink)
	if err != nil {
		return err
	}
	q := &Queue{Store: s, Retry: []time.Duration{time.Minute}}
	q.Courier = dying{&courier.Courier{Smarthost: h, Hello: "vdp.example.org", Timeout: time.Minute}, q, at, early}
	asked := 0
	q.Paused = func(*store.Tx) bool {
		if asked++; at == beforeSending && asked == 2 { // first when looking for rows, then when committing to one
			stop()
		}
		return false
	}
	_, err = q.RunDue(context.Background(), testStart)
	if at == afterCommit {
		stop()
	}
	return errors.Join(errors.New("the child was not killed"), err)
}

// dying is a courier that stops at a point.
type dying struct {
	Deliverer
	q     *Queue
	at    point
	early bool
}

func (d dying) Deliver(ctx context.Context, m courier.Mail) courier.Result {
	if d.early {
		// The control: as a queue would that takes the intent for the deed.
		err := d.q.Store.Update(func(tx *store.Tx) error {
			it, err := d.q.Item(tx, 1)
			if err != nil {
				return err
			}
			return d.q.end(tx, it, Sent)
		})
		if err != nil {
			return courier.Result{Outcome: courier.Unknown, Err: err}
		}
		m.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(testMail)), nil }
	}
	if d.at == beforeDial {
		stop()
	}
	open := m.Open
	m.Open = func() (io.ReadCloser, error) {
		body, err := open()
		switch d.at {
		case beforeDATA:
			stop()
		case inDATA:
			return io.NopCloser(io.MultiReader(io.LimitReader(body, int64(len(testMail)/2)), stopper{})), err
		}
		return body, err
	}
	r := d.Deliverer.Deliver(ctx, m)
	if d.at == afterAnswer {
		stop()
	}
	return r
}

type stopper struct{}

func (stopper) Read([]byte) (int, error) {
	stop()
	return 0, io.EOF
}

// killAt delivers in a child that is killed at a point.
func (r *rig) killAt(at point, early bool) {
	r.t.Helper()
	must(r.t, r.Store.Close())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+r.dir, childSink+"="+r.sink.Addr, childPoint+"="+string(at))
	if early {
		cmd.Env = append(cmd.Env, childEarly+"=1")
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(r.t, err)
	var reached <-chan struct{}
	release := func() {}
	if at == afterDot {
		reached, release = r.sink.StallAfterDot()
	}
	must(r.t, cmd.Start())
	if at == afterDot {
		select {
		case <-reached:
		case <-ctx.Done():
			r.t.Errorf("the child never got to the point %q: %s", at, stderr.String())
		}
	} else if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "here\n" {
		r.t.Errorf("the child said %q, %v, %s", line, err, stderr.String())
	}
	must(r.t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	release()
	r.open()
}

// days lets days go by.
func (r *rig) days() {
	r.t.Helper()
	for range 6 {
		r.run()
		r.clock.Advance(12 * time.Hour)
	}
}

// keepsT3 says what is wrong with the end of a delivery after a crash.
func (r *rig) keepsT3(id uint64) error {
	it, arrived := r.item(id), len(r.sink.To(testTo))
	switch {
	case arrived > 1:
		return fmt.Errorf("it was sent %d times and no person was asked", arrived)
	case it.State == Sent && arrived == 0:
		return errors.New("it counts as sent and never left")
	case it.State == Unknown && !r.wasTold(fmt.Sprintf("%s unknown", it)):
		return errors.New("nobody was asked")
	case it.State != Sent && it.State != Unknown:
		return fmt.Errorf("it is %s", it.State)
	}
	return nil
}

// The process is killed at each point, the store opened again, and days go by.
func TestT3_Crash(t *testing.T) {
	t.Parallel()
	for at, want := range map[point]struct {
		state   State
		arrived int
	}{
		beforeSending: {Sent, 1}, // nothing was begun: delivered by the next process
		beforeDial:    {Unknown, 0},
		beforeDATA:    {Unknown, 0},
		inDATA:        {Unknown, 0},
		afterDot:      {Unknown, 1},
		afterAnswer:   {Unknown, 1},
		afterCommit:   {Sent, 1},
	} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			id := r.add(testTo)
			r.killAt(at, false)
			r.update(r.Recover)
			r.days()
			if err := r.keepsT3(id); err != nil {
				t.Error(err)
			}
			r.is(id, want.state, want.arrived)
			if want.state != Unknown {
				return
			}
			r.update(r.Recover) // again changes nothing
			must(t, r.resolve(id, "again"))
			r.run()
			r.is(id, Sent, want.arrived+1)
		})
	}
}

// The controls: a queue that marks a mail as sent before DATA loses it, and one that tries again by itself sends it twice. The
// check above sees both.
func TestT3_CrashControls(t *testing.T) {
	t.Parallel()
	for _, at := range []point{beforeDial, beforeDATA, inDATA} {
		t.Run("sent first, "+string(at), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			id := r.add(testTo)
			r.killAt(at, true)
			r.update(r.Recover)
			r.days()
			if err := r.keepsT3(id); err == nil || !strings.Contains(err.Error(), "never left") {
				t.Errorf("the check does not see the loss: %v", err)
			}
		})
	}
	for _, at := range []point{afterDot, afterAnswer} {
		t.Run("again by itself, "+string(at), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			id := r.add(testTo)
			r.killAt(at, false)
			r.update(func(tx *store.Tx) error {
				it, err := r.Item(tx, id)
				if err != nil {
					return err
				}
				return wait(tx, it, tx.Now)
			})
			r.days()
			if err := r.keepsT3(id); err == nil || !strings.Contains(err.Error(), "2 times") {
				t.Errorf("the check does not see the second copy: %v", err)
			}
		})
	}
}

// A crash before the caller's transaction was committed leaves nothing that could be sent.
func TestT3_AddIsTheCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, err := r.Store.SealBytes(testMail)
	must(t, err)
	failed := errors.New("something else failed")
	err = r.Store.Update(func(tx *store.Tx) error {
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		if _, err := r.Add(tx, Item{Scope: testCase, To: testTo, MessageID: "m1@vdp.example.org", Body: body}); err != nil {
			return err
		}
		return failed
	})
	wantErr(t, err, failed)
	d.Drop()
	r.run()
	if n := len(r.sink.Mails()); n != 0 {
		t.Errorf("%d mails left", n)
	}
}

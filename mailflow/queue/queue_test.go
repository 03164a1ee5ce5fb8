package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/mailflow/courier"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

var (
	testKey   = store.UnlockKey(bytes.Repeat([]byte{7}, 32))
	testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testMail  = []byte("Message-ID: <m1@vdp.example.org>\r\nSubject: x\r\n\r\n.dot\r\n" + strings.Repeat("sealed text\r\n", 10_000))
)

const (
	testCase = "PAR-2026-0007"
	testTo   = "psirt@acme.example"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// A rig is a queue on a store of its own, a real courier and a real server.
type rig struct {
	*Queue
	t     testing.TB
	dir   string
	clock *mailtest.Clock
	sink  *mailtest.Sink

	mu   sync.Mutex
	told []string // what Done was told: "D1 sent"
}

func newRig(t testing.TB) *rig {
	t.Helper()
	sink, err := mailtest.NewSink()
	must(t, err)
	t.Cleanup(sink.Close)
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "store"), clock: mailtest.NewClock(testStart), sink: sink}
	must(t, store.Create(r.dir, testKey))
	r.open()
	must(t, r.Store.Update(func(tx *store.Tx) error { return tx.NewScope(testCase) }))
	return r
}

// open opens the store as a new process does.
func (r *rig) open() {
	r.t.Helper()
	s, err := store.Open(store.Options{Dir: r.dir, Unlock: testKey, Now: r.clock.Now})
	must(r.t, err)
	c := smarthost(r.t, r.sink.Addr)
	r.Queue = &Queue{Store: s, Courier: c, Retry: []time.Duration{time.Minute, 5 * time.Minute}, GiveUp: 3 * time.Hour, Parallel: 4,
		Now: r.clock.Now, After: r.clock.After, Done: r.note}
	r.t.Cleanup(func() {
		c.Close()
		report, err := s.Verify(context.Background())
		if err == nil && len(report.Problems) > 0 {
			r.t.Errorf("the store has problems: %q", report.Problems)
		}
		must(r.t, s.Close())
	})
}

func smarthost(t testing.TB, addr string) *courier.Courier {
	t.Helper()
	h, err := courier.ParseSmarthost("smtp://" + addr)
	must(t, err)
	return &courier.Courier{Smarthost: h, Hello: "vdp.example.org", Timeout: 20 * time.Second, Answer: 20 * time.Second}
}

func (r *rig) note(_ *store.Tx, it Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf("%s %s", it, it.State))
	return nil
}

func (r *rig) wasTold(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.told, what)
}

// add queues one mail.
func (r *rig) add(to string) (id uint64) {
	r.t.Helper()
	return r.addAs(Item{To: to})
}

// addAs is add with what else stands in the item.
func (r *rig) addAs(it Item) (id uint64) {
	r.t.Helper()
	it.Case, it.Party, it.Notice, it.Scope, it.From, it.MessageID = testCase, "canaryparty", 3, testCase, "bounce+x@vdp.example.org", "m1@vdp.example.org"
	d, err := r.Store.SealBytes(testMail)
	must(r.t, err)
	r.update(func(tx *store.Tx) error {
		if it.Body, err = tx.Keep(d); err != nil {
			return err
		}
		id, err = r.Add(tx, it)
		return err
	})
	return id
}

func (r *rig) update(fn func(*store.Tx) error) {
	r.t.Helper()
	must(r.t, r.Store.Update(fn))
}

func (r *rig) item(id uint64) (it Item) {
	r.t.Helper()
	must(r.t, r.Store.View(func(tx *store.Tx) (err error) {
		it, err = r.Item(tx, id)
		return err
	}))
	return it
}

func (r *rig) run() time.Time {
	r.t.Helper()
	next, err := r.RunDue(context.Background(), r.clock.Now())
	must(r.t, err)
	return next
}

func (r *rig) cancel(id uint64) (err error) {
	r.update(func(tx *store.Tx) error {
		err = r.Cancel(tx, id)
		return nil // what it wrote stays, as when a hold names what it could not take back
	})
	return err
}

func (r *rig) resolve(id uint64, how string) error {
	return r.Store.Update(func(tx *store.Tx) error { return r.Resolve(tx, id, how) })
}

// is fails the test unless the delivery stands so and so many copies arrived.
func (r *rig) is(id uint64, s State, arrived int) {
	r.t.Helper()
	it := r.item(id)
	if it.State != s {
		r.t.Errorf("%s is %s (%s), want %s", it, it.State, it.Reply, s)
	}
	got := r.sink.To(it.To)
	if len(got) != arrived {
		r.t.Errorf("%d copies of %s arrived, want %d", len(got), it, arrived)
	}
	for _, m := range got {
		if !bytes.Equal(m.Raw, testMail) || m.From != it.From {
			r.t.Errorf("%s arrived as other bytes or from %q", it, m.From)
		}
	}
}

func TestT3_Sent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.add(testTo)
	if it := r.item(id); it.State != Waiting || it.String() != "D1" || !it.Next.Equal(testStart) {
		t.Errorf("added %+v", it)
	}
	if next := r.run(); !next.IsZero() {
		t.Errorf("next is %s", next)
	}
	r.is(id, Sent, 1)
	if it := r.item(id); it.Attempts != 1 || !it.Last.Equal(testStart) || it.Reply != "final dot answered 250 2.0.0" || !r.wasTold("D1 sent") {
		t.Errorf("sent %+v", it)
	}
	r.clock.Advance(24 * time.Hour)
	r.run()
	r.is(id, Sent, 1)
	for _, how := range []string{"sent", "again", "drop"} {
		if r.resolve(id, how) == nil {
			t.Errorf("%s after it was sent", how)
		}
	}
	_, err := r.Add(nil, Item{To: testTo})
	wantErr(t, err, errIncomplete)
}

// Temporary refusals: the same bytes later, never before their time, as the settings say, and then no more.
func TestT3_Retries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sink.Fail(mailtest.Dot, 451, 2)
	id := r.add(testTo)
	at := testStart
	for n, wait := range r.Retry {
		next := r.run()
		it := r.item(id)
		if it.State != Waiting || it.Attempts != n+1 || !it.Next.Equal(next) || !it.First.Equal(testStart) || !it.Last.Equal(at) {
			t.Fatalf("after attempt %d: %+v, next %s", n+1, it, next)
		}
		if d := next.Sub(at); d < wait || d > wait+wait/10 {
			t.Errorf("waits %s after attempt %d", d, n+1)
		}
		r.clock.Set(next.Add(-1))
		if again := r.run(); !again.Equal(next) || r.item(id).Attempts != n+1 {
			t.Errorf("tried before its time")
		}
		r.clock.Set(next)
		at = next
	}
	r.run()
	r.is(id, Sent, 1)
}

func TestT3_GivesUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sink.Fail(mailtest.Rcpt, 450, 1000)
	r.clock.Advance(100 * time.Hour)
	id := r.add(testTo)
	begin := r.clock.Now()
	for next := r.run(); !next.IsZero(); next = r.run() {
		r.clock.Set(next)
	}
	r.is(id, Failed, 0)
	it := r.item(id)
	if d := r.clock.Now().Sub(begin); d < r.GiveUp || d > r.GiveUp+6*time.Minute {
		t.Errorf("gave up after %s", d)
	}
	if !strings.Contains(it.Reply, "RCPT answered 450 4.1.1; given up after") || !r.wasTold("D1 failed") {
		t.Errorf("reply %q, told %q", it.Reply, r.told)
	}
	r.sink.Fail(mailtest.Rcpt, 450, 1)
	must(t, r.resolve(id, "again")) // the clock of giving up starts anew
	r.clock.Set(r.run())
	r.run()
	r.is(id, Sent, 1)
}

func TestT3_Refused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sink.Refuse(testTo, 550)
	bad, good := r.add(testTo), r.add("other@acme.example")
	r.run()
	r.is(bad, Failed, 0)
	r.is(good, Sent, 1)
	if it := r.item(bad); it.Reply != "RCPT answered 550 5.1.1" || it.Said != "as the test wants it" || !r.wasTold("D1 failed") {
		t.Errorf("refused: %+v", it)
	}
	r.sink.Refuse(testTo, 0)
	must(t, r.resolve(bad, "again"))
	if !r.wasTold("D1 waiting") {
		t.Errorf("told %q", r.told)
	}
	r.run()
	r.is(bad, Sent, 1)
}

// The answer is lost: a person is asked, and only a person sends again.
func TestT3_AnswerLost(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]struct {
		state   State
		arrived int
	}{"sent": {Sent, 1}, "drop": {Dropped, 1}, "again": {Sent, 2}} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.sink.DropAfterDot(1)
			id := r.add(testTo)
			r.run()
			r.is(id, Unknown, 1)
			if !r.wasTold("D1 unknown") {
				t.Error("nobody was asked")
			}
			for range 20 {
				r.clock.Advance(12 * time.Hour)
				r.run()
			}
			r.is(id, Unknown, 1)
			if err := r.resolve(id, "perhaps"); err == nil {
				t.Error("perhaps is an answer")
			}
			must(t, r.resolve(id, how))
			r.run()
			r.is(id, want.state, want.arrived)
			wantErr(t, r.resolve(99, how), ErrNotFound)
		})
	}
}

// The line breaks before the dot: it is certain that nothing was taken, and it is tried again.
func TestT3_BrokenInData(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sink.DropInData(1, 100)
	id := r.add(testTo)
	// The message is larger than what may wait in the buffers of a connection, so that the break is seen before its end.
	testLarge(r, id)
	r.clock.Set(r.run())
	if it := r.item(id); it.State != Waiting || it.Attempts != 1 {
		t.Fatalf("after the break: %+v", it)
	}
	r.run()
	if it := r.item(id); it.State != Sent || len(r.sink.To(testTo)) != 1 {
		t.Errorf("then: %+v", it)
	}
}

// testLarge gives a delivery a body of 16 MB.
func testLarge(r *rig, id uint64) {
	r.t.Helper()
	d, err := r.Store.SealBytes(append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("text of a large message\r\n"), 640_000)...))
	must(r.t, err)
	r.update(func(tx *store.Tx) error {
		it, err := r.Item(tx, id)
		if err != nil {
			return err
		}
		if err := tx.Forget(it.Body); err != nil {
			return err
		}
		if it.Body, err = tx.Keep(d); err != nil {
			return err
		}
		return items.Put(tx, it.Scope, store.Seq(id), it)
	})
}

// No server, no certificate, nothing listening: everything waits.
func TestM6_Unreachable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	r.Courier = smarthost(t, l.Addr().String())
	id := r.add(testTo)
	if next := r.run(); next.IsZero() {
		t.Error("it is not tried again")
	}
	r.is(id, Waiting, 0)
}

// Names of cases, parties and addresses stand in no plain byte of the store, and in no log line (H1, H6).
func TestH1_Sealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.sink.Refuse(testTo, 550)
	r.add(testTo)
	r.run()
	data, err := filesIn(r.dir)
	must(t, err)
	for _, canary := range []string{"canaryparty", testTo, "vdp.example.org", "sealed text", "as the test"} {
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%q stands in the store", canary)
		}
		if strings.Contains(log.String(), canary) {
			t.Errorf("%q stands in the log: %s", canary, log.String())
		}
	}
	if !strings.Contains(log.String(), "id=D1") || !strings.Contains(log.String(), "result.code=550") {
		t.Errorf("logged %s", log.String())
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 3 {
		r.add(fmt.Sprintf("a%d@acme.example", i))
	}
	must(t, r.Store.View(func(tx *store.Tx) error {
		all, err := r.All(tx)
		if err != nil || len(all) != 3 || all[2].String() != "D3" || all[2].To != "a2@acme.example" {
			t.Errorf("got %v, %v", all, err)
		}
		_, err = r.Item(tx, 4)
		wantErr(t, err, ErrNotFound)
		return nil
	}))
}

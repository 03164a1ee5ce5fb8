package mailflow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

const (
	testReserve = 64 << 20
	plenty      = 1 << 40
)

// disk tells how much is free, as a test wants it, with an error or without.
type disk struct {
	free atomic.Uint64
	err  error
}

// on gives a reserve of a disk.
func (d *disk) on(l *logged) *Reserve {
	return &Reserve{Size: testReserve, Free: func() (uint64, error) { return d.free.Load(), d.err }, Log: slog.New(slog.NewTextHandler(l, nil))}
}

// reserves gives a world a disk with much room.
func (w *world) reserves() (*disk, *logged) {
	d, l := new(disk), new(logged)
	d.free.Store(plenty)
	w.Reserve = d.on(l)
	return d, l
}

// noRoom wants the refusal of a disk that is down to its reserve.
func noRoom(t *testing.T, what string, err error) {
	t.Helper()
	var reply *Reply
	if !errors.As(err, &reply) || reply.Error() != "452 4.3.1 No room now, try again later" {
		t.Errorf("%s: %v", what, err)
	}
}

func TestT8_Edges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		free   uint64
		err    error
		octets int64
		full   bool
	}{
		"as much as the reserve":     {free: testReserve},
		"a byte less":                {free: testReserve - 1, full: true},
		"nothing":                    {full: true},
		"a mail that fits above it":  {free: testReserve + 1000, octets: 1000},
		"one that is a byte larger":  {free: testReserve + 1000, octets: 1001, full: true},
		"no size, which is no room":  {free: testReserve, octets: -1},
		"a disk that does not tell":  {free: plenty, err: syscall.EIO, full: true},
		"a system that cannot tell":  {err: errors.ErrUnsupported},
		"a system call not there is": {err: syscall.ENOSYS},
	} {
		d := &disk{err: c.err}
		d.free.Store(c.free)
		if err := d.on(new(logged)).Takes(c.octets); errors.Is(err, store.ErrFull) != c.full || (err != nil) != c.full {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (*Reserve)(nil).Takes(1); err != nil {
		t.Errorf("no reserve: %v", err)
	}
}

// People are told once when it begins and once when it is over, however many mails
// are refused at the edge.
func TestT8_TwoLinesInTheLog(t *testing.T) {
	t.Parallel()
	d, l := new(disk), new(logged)
	r := d.on(l)
	for _, free := range []uint64{plenty, testReserve, testReserve - 1, testReserve, 0, testReserve - 1, testReserve + testReserve/4 - 1} {
		d.free.Store(free)
		for range 3 {
			_ = r.Takes(1000)
		}
	}
	if got := l.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "down to its reserve") || !strings.Contains(got, "free=67108863 reserve=67108864") {
		t.Errorf("it says:\n%s", got)
	}
	d.free.Store(testReserve + testReserve/4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if err := r.Run(ctx); err != nil { // it looks before a mail comes
			t.Error(err)
		}
	}
	if got := l.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "has room again") {
		t.Errorf("it says:\n%s", got)
	}
}

// The room goes while a text comes: it is refused at its end where it is small, and
// at once where it is large, and what refused it once does so for good.
func TestT8_WhileATextComes(t *testing.T) {
	t.Parallel()
	d := new(disk)
	r := d.on(new(logged))
	for name, c := range map[string]struct {
		size, room int
		taken      int // at most, where it is refused
	}{
		"it fits":         {size: 1000, room: 1000},
		"a byte too much": {size: 1001, room: 1000, taken: 1001},
		"large, and fits": {size: 5 << 20, room: 2 << 20},
		"large":           {size: 5 << 20, room: 1<<20 - 1, taken: 2 << 20},
	} {
		d.free.Store(testReserve + uint64(c.room))
		for how, text := range map[string]io.Reader{
			"": strings.NewReader(strings.Repeat("x", c.size)), "its end comes with it": iotest.DataErrReader(strings.NewReader(strings.Repeat("x", c.size))),
		} {
			in := r.watch(text)
			got, err := io.ReadAll(in)
			if full := c.taken > 0; errors.Is(err, store.ErrFull) != full || !full && len(got) != c.size || full && len(got) > c.taken {
				t.Errorf("%s, %s: %d octets, %v", name, how, len(got), err)
			}
			d.free.Store(plenty)
			if _, again := in.Read(make([]byte, 1)); err != nil && again != err {
				t.Errorf("%s: it goes on: %v", name, again)
			}
			d.free.Store(testReserve + uint64(c.room))
		}
	}
	broken := r.watch(iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := io.ReadAll(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken line: %v", err)
	}
}

// Below the reserve whatever brings new bytes is refused for the time being. What was
// accepted is filed, a notice under way is recorded as accepted by the smarthost, and
// commands of the operator go on. When room is made, mail is taken again.
func TestT8_BelowTheReserve(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acme")
	disk, log := w.reserves()
	w.do("case "+string(id), "start now")
	w.clock.Advance(2 * w.Undo)
	w.accepts("a@x.example", mailtest.Plain("a@x.example", reportTo, "before", "x", w.clock.Now()), reportTo)
	reached, release := w.sink.StallAfterDot()
	sent := make(chan error, 1)
	if _, err := w.sched.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := w.Queue.RunDue(t.Context(), w.clock.Now())
		sent <- err
	}()
	select {
	case <-reached:
	case err := <-sent:
		t.Fatalf("nothing was sent: %v", err)
	}
	disk.free.Store(testReserve - 1)

	env := Envelope{From: "a@x.example", To: []string{reportTo}}
	late := mailtest.Plain("a@x.example", reportTo, "late", "x", w.clock.Now())
	noRoom(t, "MAIL", w.intake.CheckRoom(0))
	noRoom(t, "a mail", w.intake.Receive(t.Context(), env, bytes.NewReader(late)))
	noRoom(t, "a large mail", w.intake.Receive(t.Context(), env, io.MultiReader(bytes.NewReader(late), strings.NewReader(strings.Repeat("x\r\n", 1<<20)))))
	noRoom(t, "submission", w.trySubmit("ana", "control@"+w.DeskDomain, false, "commands", "tasks"))
	release()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	w.shows(id, "accepted", "the answer: 250 ")
	w.process()
	if got := w.subjects("Intake"); len(got) != 1 || !strings.HasSuffix(got[0], "before") || w.waiting() != 0 {
		t.Errorf("Intake %q, %d wait", got, w.waiting())
	}
	w.do("case "+string(id), "hold acme")

	disk.free.Store(plenty)
	if err := w.intake.CheckRoom(w.Limits.Size); err != nil {
		t.Errorf("with room: %v", err)
	}
	w.arrives("a@x.example", reportTo, late)
	w.submits("ana", "control@"+w.DeskDomain, false, "commands", "tasks")
	if got := w.subjects("Intake"); len(got) != 2 {
		t.Errorf("with room again: Intake %q", got)
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || strings.Contains(got, "x.example") {
		t.Errorf("it says:\n%s", got)
	}
	w.sound()
}

// Of a mail that was refused nothing stays on the disk.
func TestT8_NothingStaysOfARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disk, _ := w.reserves()
	disk.free.Store(testReserve + 1<<20)
	for range 3 {
		text := iotest.OneByteReader(strings.NewReader("Subject: x\r\n\r\n"))
		noRoom(t, "3 MiB", w.intake.Receive(t.Context(), Envelope{To: []string{reportTo}},
			io.MultiReader(text, strings.NewReader(strings.Repeat("x\r\n", 1<<20)), readerFunc(func() { disk.free.Store(testReserve) }))))
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "blobs", "*"))
	if err != nil || len(left) > 0 || w.waiting() != 0 {
		t.Errorf("%q is left, %v, and %d wait", left, err, w.waiting())
	}
	w.sound()
}

// readerFunc does something once all before it was read.
type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) { f(); return 0, io.EOF }

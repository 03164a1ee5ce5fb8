package mailflow

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// stand puts a device in the place of every open file of the store.
func (w *world) stand(device string) {
	w.t.Helper()
	other, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer other.Close()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, l := range links {
		name, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(name, w.dir+"/") {
			continue
		}
		fd := 0
		for _, d := range filepath.Base(l) {
			fd = fd*10 + int(d-'0')
		}
		if err := syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		w.t.Fatal("the store has no open file")
	}
}

// After a failed fsync nothing is accepted any more, and the next process finds
// what was acknowledged (rule T1). /dev/null takes writes and fails fsync.
func TestT1_FailedFsync(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := func(subject string) *bytes.Reader {
		return bytes.NewReader(mailtest.Plain("a@x.example", reportTo, subject, "x", w.clock.Now()))
	}
	env := Envelope{From: "a@x.example", To: []string{reportTo}}
	for range 2 { // the first one goes into the tree, whose scope it makes, the second one is appended
		if err := w.intake.Receive(t.Context(), env, mail("kept")); err != nil {
			t.Fatal(err)
		}
	}
	w.stand(os.DevNull)
	var reply *Reply
	for range 2 {
		if err := w.intake.Receive(t.Context(), env, mail("lost")); !errors.As(err, &reply) || reply.Code != 451 {
			t.Errorf("after a failed fsync: %v", err)
		}
	}
	if err := w.intake.RunSpool(t.Context()); !errors.Is(err, store.ErrBroken) {
		t.Errorf("processing goes on: %v", err)
	}
	select {
	case <-w.Store.Broken():
	default:
		t.Error("the gateway is not told to stop")
	}
	if err := w.intake.CheckRcpt(t.Context(), env, reportTo); !errors.As(err, &reply) || reply.Code != 451 {
		t.Errorf("RCPT: %v", err)
	}
	w.restart()
	w.process()
	if s := w.subjects("Intake"); len(s) != 2 || !strings.HasSuffix(s[0], "kept") || !strings.HasSuffix(s[1], "kept") {
		t.Errorf("Intake %q", s)
	}
	w.sound()
}

// The control of TestT1_FailedFsync: without fsync the same disk takes a mail,
// acknowledges it, and the next process does not find it.
func TestT1_FailedFsyncControl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(store.Options{Dir: w.dir, Unlock: w.unlock, Now: w.clock.Now, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	base := *w.Base
	base.Store = st
	w.stand(os.DevNull)
	raw := mailtest.Plain("a@x.example", reportTo, "lost", "x", w.clock.Now())
	err = (&Intake{Base: &base}).Receive(t.Context(), Envelope{From: "a@x.example", To: []string{reportTo}}, bytes.NewReader(raw))
	if err != nil {
		t.Errorf("the control fails: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	if n := w.waiting(); n != 0 {
		t.Errorf("the control kept %d mails", n)
	}
}

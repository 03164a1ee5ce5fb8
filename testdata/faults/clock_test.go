package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clockJumps puts the clock of a running gateway forward or back: nothing leaves until a person says so.
func clockJumps(t *testing.T, k kind, by time.Duration) (f findings) {
	t.Helper()
	shift := filepath.Join(t.TempDir(), "shift")
	must(t, os.WriteFile(shift, []byte("0s"), 0o600))
	k.env = append(k.env, "PARLEY_FAULTS_SHIFT="+shift)
	l := newLoad(t, k)
	const later = 2 * time.Hour // than all keys are, which a clock put back would make too new
	must(t, os.WriteFile(shift, []byte(later.String()), 0o600))
	must(t, l.g.start())
	time.Sleep(300 * time.Millisecond) // it looked at the clock
	before := len(l.sink.mails(l.p.vendors[0].Address))
	// In one step: the file is never empty.
	must(t, os.WriteFile(shift+".new", []byte((later+by).String()), 0o600))
	must(t, os.Rename(shift+".new", shift))
	l.opensCase(t, "now", time.Time{})
	told := func() bool { return len(l.sink.mails(l.p.vendors[0].Address)) > before }
	if within(2*time.Second, told) {
		f.add("after a jump by %s mail leaves, and nobody was asked", by)
	}
	if status := l.g.mustDo("status"); !strings.Contains(status, "PAUSED") || !strings.Contains(status, "the clock jumped") {
		f.add("after a jump by %s status says %s", by, status)
	}
	if len(f) == 0 {
		l.g.resume()
		if !within(10*time.Second, told) {
			f.add("after a jump by %s and `sending resume` nothing leaves: %s", by, l.g.mustDo("case "+l.case1, "plan"))
		}
	}
	l.g.kill()
	return append(f, l.once(t)...)
}

func TestT5_ClockJumpsUnderTheGateway(t *testing.T) {
	t.Parallel()
	needsFull(t)
	for _, by := range []time.Duration{10 * time.Minute, -10 * time.Minute, 48 * time.Hour} {
		clockJumps(t, kind{program: broken}, by).sound(t)
	}
	if !t.Failed() {
		t.Log("3 jumps of the clock: nothing left until a person said so")
	}
	control(t, "blind-to-clock", 1, func(t *testing.T, k kind) findings { return clockJumps(t, k, 10*time.Minute) })
}

// A released program reads none of what breaks a promise.
func TestT1_ReleasedBreaksNothing(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(released)
	must(t, err)
	if strings.Contains(string(program), "PARLEY_FAULTS") {
		t.Error("the released program can be told to break a promise")
	}
	if broken == "" {
		return
	}
	if program, err = os.ReadFile(broken); err != nil || !strings.Contains(string(program), "PARLEY_FAULTS") {
		t.Errorf("the search above finds nothing where it should: %v", err)
	}
}

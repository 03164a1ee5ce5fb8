package cvd

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// P7: ten thousands of tags in one Subject are found in little more than the time of
// looking for them; each once was compared with all before it. What is counted is
// the processor's time, so that a busy machine changes nothing.
func TestP7_ManyTags(t *testing.T) {
	const n = 60_000
	var b strings.Builder
	for i := range uint64(n) {
		b.WriteString(string(NewCaseID("X", 2026, i)) + " ")
	}
	text := b.String()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begun := ownTime(t)
	found := len(tagPattern.FindAllString(text, -1))
	looked := ownTime(t) - begun
	ids := len(FindCaseIDs(text))
	took := ownTime(t) - begun - looked
	if found != n || ids != n || took > 4*looked {
		t.Errorf("%d of %d tags took %v, where looking takes %v", ids, found, took, looked)
	}
}

// ownTime is what the thread has used (getrusage(2), RUSAGE_THREAD).
func ownTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(1, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package mailflow

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A random history of a desk has from 6 to 20 steps, before the end in which
// everything is mended: many short lives find more in the same time than few long
// ones, and some faults need a long one.
const (
	fewestSteps = 6
	mostSteps   = 20
)

// TestGate_Histories lives through as many random histories of a desk as GATE_N
// says, from the seed GATE_SEED on, through the real commands, letters, store,
// OpenPGP and SMTP. After every step an oracle that knows product.md and nothing of
// MayRelease judges each mail that left; in the end, with everything mended,
// nothing may be lost; and what any two vendors got may share nothing (rules V1,
// V2). A history that fails is told with its seed, and as few steps as will do.
func TestGate_Histories(t *testing.T) {
	n, first := gateSetting(t, "GATE_N", 40), gateSetting(t, "GATE_SEED", 1)
	tally, putBack := countRows()
	defer putBack()
	failures := 0
	did := liveThrough(t, first, n, func(seed int, failed string, steps []deed) bool {
		failures++
		if failures == 1 && os.Getenv("GATE_WHOLE") == "" {
			steps = shrink(t, seed, steps, failed)
		}
		t.Errorf("history %d: %s\n%s\nrepeat it with GATE_N=1 GATE_SEED=%d", seed, failed, tellDeeds(steps), seed)
		return failures == 8
	})
	for _, what := range expected {
		if n >= 100 && did[what] == 0 {
			t.Errorf("no history came by %q", what)
		}
	}
	var words []string
	for _, what := range slices.Sorted(maps.Keys(did)) {
		words = append(words, fmt.Sprintf("%s %d", what, did[what]))
	}
	t.Logf("%d histories from seed %d: %s", n, first, strings.Join(words, ", "))
	t.Logf("what the rows of the gate stopped:\n%s", tally())
}

// expected is what of a hundred histories at least one comes by.
var expected = []string{
	"mail stage", "mail reminder", "mail leak", "mail other", "mail tried with all keys", "mail once more", "mail question", "mail introduction", "mail counts", "CONSENT counted", "mail stage to a finder", "mail stage of a desk of one",
	"step restart", "step jump", "answer", "hold", "release", "embargo", "approve", "material", "code counted", "later start", "came back",
	"delivery again", "delivery sent", "delivery drop", "revoked jo", "revoked ps", "took back approve", "took back hold", "took back embargo",
}

// liveThrough lives histories on as many goroutines as there are cores, until
// one fails and found says that this is enough; it counts what they came by.
func liveThrough(t *testing.T, first, n int, found func(seed int, failed string, steps []deed) (enough bool)) map[string]int {
	t.Helper()
	var (
		mu     sync.Mutex
		did    = map[string]int{}
		next   = first
		enough bool
		wg     sync.WaitGroup
	)
	dir := t.TempDir()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				seed, stop := next, enough || next >= first+n
				next++
				mu.Unlock()
				if stop {
					return
				}
				steps := deedsOf(seed)
				h, failed := live(t, dir, seed, steps)
				mu.Lock()
				for what, times := range h.did {
					did[what] += times
				}
				did["histories"]++
				if failed != "" && !enough {
					enough = found(seed, failed, steps)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return did
}

// gateSetting is a number from the environment.
func gateSetting(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A deed is one step of a history. What its numbers mean depends on what there is
// when it is done, so that any of them can be left out.
type deed struct {
	what    string
	a, b, c int
}

// deedsOf are the steps of a history.
func deedsOf(seed int) []deed {
	r := rand.New(rand.NewPCG(uint64(seed), 5))
	var out []deed
	for range fewestSteps + r.IntN(mostSteps-fewestSteps+1) {
		k := r.IntN(deedWeights)
		for _, d := range deedTable {
			if k -= d.weight; k < 0 {
				out = append(out, deed{d.what, r.IntN(1 << 16), r.IntN(1 << 16), r.IntN(1 << 16)})
				break
			}
		}
	}
	return deedsBetween(r, seed, out)
}

// live lives through one history, and says what was wrong, or nothing.
func live(t testing.TB, dir string, seed int, steps []deed) (h *history, failed string) {
	j := &historyJudge{TB: t}
	defer j.end()
	place, err := os.MkdirTemp(dir, "h")
	if err != nil {
		t.Fatal(err)
	}
	j.cleanups = append(j.cleanups, func() { _ = os.RemoveAll(place) })
	h = &history{did: map[string]int{}}
	defer func() {
		if r := recover(); r != nil && r != (endOfHistory{}) {
			panic(r)
		}
		failed = j.failed
	}()
	h.begin(j, filepath.Join(place, "state"), seed)
	for i, d := range steps {
		j.at = fmt.Sprintf("step %d (%s): ", i+1, d.what)
		h.traces(j.at+fmt.Sprint(d), true)
		h.does(d)
		h.did["step "+d.what]++
	}
	j.at = "at the end: "
	h.mend()
	h.nothingLost()
	h.nothingShared()
	return h, j.failed
}

// shrink leaves out steps for as long as the history fails in the same way.
func shrink(t testing.TB, seed int, steps []deed, failed string) []deed {
	dir := t.TempDir()
	same := func(try []deed) bool {
		_, f := live(t, dir, seed, try)
		return f != "" && failureKind(f) == failureKind(failed)
	}
	for size, tries := len(steps)/2, 0; size > 0; size /= 2 {
		for i := 0; i+size <= len(steps) && tries < 40; tries++ {
			if try := slices.Delete(slices.Clone(steps), i, i+size); same(try) {
				steps = try
			} else {
				i += size
			}
		}
	}
	return steps
}

// failureKind is what a failure is about, without where and when.
func failureKind(f string) string {
	_, f, _ = strings.Cut(f, ": ")
	kind, _, _ := strings.Cut(f, ":")
	return kind
}

func tellDeeds(steps []deed) string {
	var out []string
	for _, d := range steps {
		out = append(out, fmt.Sprintf("\t{%q, %d, %d, %d}", d.what, d.a, d.b, d.c))
	}
	return strings.Join(out, "\n")
}

// historyJudge is the TB of one history: what ends a test ends the history.
type historyJudge struct {
	testing.TB
	at, failed string
	cleanups   []func()
}

type endOfHistory struct{}

func (j *historyJudge) Fatalf(format string, a ...any) {
	if j.failed == "" {
		j.failed = j.at + fmt.Sprintf(format, a...)
	}
	panic(endOfHistory{})
}

func (j *historyJudge) Fatal(a ...any)                 { j.Fatalf("%s", fmt.Sprint(a...)) }
func (j *historyJudge) Errorf(format string, a ...any) { j.Fatalf(format, a...) }
func (j *historyJudge) Error(a ...any)                 { j.Fatalf("%s", fmt.Sprint(a...)) }
func (j *historyJudge) Cleanup(f func())               { j.cleanups = append(j.cleanups, f) }
func (j *historyJudge) Output() io.Writer              { return io.Discard }
func (j *historyJudge) Helper()                        {}

func (j *historyJudge) end() {
	for _, f := range slices.Backward(j.cleanups) {
		f()
	}
}

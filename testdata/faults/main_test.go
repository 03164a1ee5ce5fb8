// Package faults breaks things under the real program, from outside, and looks whether the third promise holds: 250 means kept,
// once means once. Nothing here knows the inside of the gateway: it talks SMTP, IMAP and the command line.
//
// Every part runs twice: with the program as it is released, where it must find nothing, and with a build of the tag faults in
// which one promise is broken (package broken), where it must find that. `make faults` runs all of it, N times as long with
// N=20; a plain go test runs a few rounds without the controls.
package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Where TestMain built the program, as released and as broken on purpose; the second is empty in a short run.
var released, broken string

// times is what N says: 0 is a short run.
var times int

func TestMain(m *testing.M) {
	if os.Getenv(tracerPid) != "" {
		runTracer()
		return
	}
	os.Exit(withPrograms(m))
}

func withPrograms(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if times, err = strconv.Atoi(os.Getenv("FAULTS_N")); err != nil {
		times = 0
	}
	released = filepath.Join(dir, "parley")
	if err := build(released, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if times > 0 {
		broken = filepath.Join(dir, "parley-broken")
		if err := build(broken, "faults"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func build(to, tags string) error {
	out, err := exec.Command("go", "build", "-trimpath", "-tags", tags, "-o", to, "../../gateway").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the program: %w: %s", err, out)
	}
	return nil
}

// rounds is how many there are: a few in a short run, else full, times N.
func rounds(short, full int) int {
	if times == 0 {
		return short
	}
	return full * times
}

// needsFull skips what a short run leaves out.
func needsFull(t *testing.T) {
	t.Helper()
	if times == 0 {
		t.Skip("left out of a short run: make faults")
	}
}

// findings are promises that were seen broken, in words.
type findings []string

func (f *findings) add(format string, a ...any) { *f = append(*f, fmt.Sprintf(format, a...)) }

// figures prints what was seen, where nothing was found.
func (f findings) figures(t *testing.T, format string, a ...any) {
	t.Helper()
	if len(f) == 0 {
		t.Logf(format, a...)
	}
}

// sound fails a test for each finding.
func (f findings) sound(t *testing.T) {
	t.Helper()
	for i, s := range f {
		if i == 10 {
			t.Errorf("and %d more", len(f)-i)
			return
		}
		t.Error(s)
	}
}

// control runs a part with one promise broken, which the part must find. A part that depends on an instant is tried a few times.
func control(t *testing.T, promise string, tries int, part func(t *testing.T, k kind) findings) {
	t.Run("control "+promise, func(t *testing.T) {
		if times == 0 {
			t.Skip("a short run has no controls: make faults")
		}
		for i := range tries {
			if f := part(t, kind{program: broken, env: []string{"PARLEY_FAULTS_BREAK=" + promise}}); len(f) > 0 {
				t.Logf("control found: %s, after %d: %s", promise, i+1, f[0])
				return
			}
		}
		t.Errorf("control %s was not found in %d tries", promise, tries)
	})
}

// kind is which program is run, and how.
type kind struct {
	program string
	env     []string
}

func asReleased() kind { return kind{program: released} }

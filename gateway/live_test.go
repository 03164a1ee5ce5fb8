package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/testdata/live"
)

// program is parley as a file to run: what PARLEY names, or this test binary by that
// name.
func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PARLEY"); path != "" {
		return path
	}
	self, err := os.Executable()
	path := filepath.Join(t.TempDir(), "parley")
	if err := errors.Join(err, os.Symlink(self, path)); err != nil {
		t.Fatal(err)
	}
	return path
}

// runs makes a gateway that runs until the end of the test.
func runs(t *testing.T, more string, edits ...live.Edit) *live.Gateway {
	t.Helper()
	g, err := live.Make(program(t), filepath.Join(t.TempDir(), "gw"), more, edits...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// awaits asks until something is there; a machine may be slow.
func awaits[T any](t *testing.T, what string, ask func() (T, bool, error)) T {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, ok, err := ask()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			return got
		}
	}
	t.Fatalf("%s did not come", what)
	panic("unreachable")
}

// The soak runs, and judges: half a minute of it is no proof of anything but that.
func TestSoak_Smoke(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	path := filepath.Join(t.TempDir(), "soak")
	if out, err := exec.Command("go", "build", "-o", path, "../testdata/soak").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(path, "-parley", program(t), "-minutes", "0.4", "-rate", "5", "-sessions", "6").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

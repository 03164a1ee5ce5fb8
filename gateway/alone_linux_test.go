package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*", "*/*"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if data, err := os.ReadFile(p); err == nil {
				all[p] = string(data)
			}
		}
	}
	return all
}

// Without a daemon, doctor and verify look at the store and change no byte of it.
func TestDoctor_ChangesNothing(t *testing.T) {
	t.Parallel()
	config := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	state := filepath.Join(filepath.Dir(config), "state")
	if err := os.WriteFile(filepath.Join(state, "blobs", "00000000000000ff"), []byte("of no commit"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := treeOf(t, state)
	out, _ := parley(t, "doctor", "--offline", "--config", config).CombinedOutput() // what is BAD is another matter
	if !strings.Contains(string(out), "no coordinator") || strings.Contains(string(out), "cannot be looked at") {
		t.Errorf("doctor said: %s", out)
	}
	if out, err := parley(t, "verify", "--config", config).CombinedOutput(); err != nil {
		t.Errorf("verify: %v: %s", err, out)
	}
	after := treeOf(t, state)
	if len(before) != len(after) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
	for path, data := range before {
		if after[path] != data {
			t.Errorf("%s changed", path)
		}
	}
	if out, err := parley(t, "do", "--config", config, "status").CombinedOutput(); err != nil { // the control
		t.Fatalf("do: %v: %s", err, out)
	}
	if len(treeOf(t, state)) == len(before) {
		t.Error("nothing was to be cleared away")
	}
}

// A second daemon on a state directory is refused in a sentence, and the first goes on.
func TestT10_TwoDaemons(t *testing.T) {
	t.Parallel()
	config := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	serve(t, config)
	out, err := parley(t, "serve", "--config", config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "one gateway serves a state directory") {
		t.Errorf("the second: %v: %s", err, out)
	}
	if out, err := parley(t, "do", "--config", config, "status").CombinedOutput(); err != nil {
		t.Errorf("the first: %v: %s", err, out)
	}
}

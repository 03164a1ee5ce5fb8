package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Ten seconds of bombs on few connections: honest clients are served, memory stays
// bounded until all is filed, and nothing ends the daemon.
func TestM8_HostileSmoke(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	path := filepath.Join(t.TempDir(), "hostile")
	if out, err := exec.Command("go", "build", "-o", path, "../testdata/hostile").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(path, "-parley", program(t), "-conns", "4", "-time", "10s").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
)

func does(t *testing.T, args ...string) string {
	t.Helper()
	out, err := parley(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return string(out)
}

func refuses(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := parley(t, args...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
		t.Errorf("%q: %v: %s", args, err, out)
	}
}

// While the gateway runs, a case gets a new key and the store a new credential. After that the old one opens nothing, the new one all, and
// a backup of before restores.
func TestH2_RotateWhileServing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := newGateway(t, filepath.Join(dir, "gw"))
	first := killable(t, config)
	does(t, "do", "--config", config, `case open "An overflow"`)
	id := caseTag.FindString(does(t, "do", "--config", config, "status"))
	identity, recipient := newIdentity(t, dir)
	does(t, "backup", filepath.Join(dir, "before.age"), "--recipient", recipient, "--config", config)

	refuses(t, "there is no case PAR-2020-0001", "store", "rotate", "PAR-2020-0001", "--config", config)
	refuses(t, "or --to", "store", "rotate", "--config", config)
	refuses(t, "keep that", "store", "rotate", "--to", "file:unlock", "--config", config)
	if out := does(t, "store", "rotate", id, "--config", config); !strings.Contains(out, "the one of before is destroyed") {
		t.Errorf("it said %s", out)
	}
	does(t, "store", "rotate", "--to", "file:unlock-2", "--config", config)
	does(t, "store", "rotate", id, "--config", config) // under the new credential
	if out := does(t, "verify", "--config", config); !strings.Contains(out, "shredded 0\n") {
		t.Errorf("verify said %s", out)
	}
	if err := first.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, filepath.Join(dir, "gw", "state"), config)

	refuses(t, "does not open this store", "verify", "--config", config)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), `"file:unlock"`, `"file:unlock-2"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, config)
	if out := does(t, "do", "--config", config, "status"); !strings.Contains(out, id) {
		t.Errorf("the case is gone: %s", out)
	}
	does(t, "restore", filepath.Join(dir, "before.age"), "--identity", identity, "--to", filepath.Join(dir, "again"))
	if out := does(t, "do", "--config", filepath.Join(dir, "again", configName), "status"); !strings.Contains(out, id) {
		t.Errorf("the backup lacks the case: %s", out)
	}
}

var caseTag = regexp.MustCompile(`PAR-\d{4}-\d{4}`)

// killable is serve of a gateway that the test kills.
func killable(t *testing.T, config string) *os.Process {
	t.Helper()
	cmd := parley(t, "serve", "--config", config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("serve said %q, %v", line, err)
	}
	return cmd.Process
}

// newIdentity makes an age key.
func newIdentity(t *testing.T, dir string) (file, recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "backup-key.txt")
	if err := os.WriteFile(file, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, id.Recipient().String()
}

// waitGone waits until a killed daemon's lock is free.
func waitGone(t *testing.T, state, config string) {
	t.Helper()
	for range 100 {
		out, _ := parley(t, "verify", "--config", config).CombinedOutput()
		if !strings.Contains(string(out), "in use") && !strings.Contains(string(out), "did not answer") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s stays locked", state)
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// parley is a run of the program: this test binary, called by that name.
func parley(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"parley"}, args...)
	return cmd
}

// newGateway makes one whose ports are free ones, and gives its configuration.
func newGateway(t *testing.T, dir string) string {
	t.Helper()
	if out, err := parley(t, "init", dir, "--domain", "vdp.example.org").CombinedOutput(); err != nil {
		t.Fatalf("init: %v: %s", err, out)
	}
	path := filepath.Join(dir, configName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(?m)^listen = "[^"]*"`).ReplaceAll(data, []byte(`listen = "127.0.0.1:0"`))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts a gateway, waits for the ready line, and gives the process; it
// is stopped at the end of the test and must end well.
func serve(t *testing.T, config string) *os.Process {
	t.Helper()
	cmd := parley(t, "serve", "--config", config)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v: %s", err, &log)
		}
	})
	if err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("serve said %q, %v: %s", line, err, &log)
	}
	return cmd.Process
}

func procFile(t *testing.T, p *os.Process, name string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestH4_NoCoreDumps(t *testing.T) {
	t.Parallel()
	p := serve(t, newGateway(t, filepath.Join(t.TempDir(), "gw")))
	if limits := procFile(t, p, "limits"); !regexp.MustCompile(`Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("core dumps are allowed:\n%s", limits)
	}
}

// TestH4_NotDumpable asks about this process, since no other may.
func TestH4_NotDumpable(t *testing.T) {
	if err := harden(); err != nil {
		t.Fatal(err)
	}
	if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || got != 0 {
		t.Errorf("dumpable is %d, %v", got, err)
	}
}

func TestH5_NotRootAfterBinding(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give up root")
	}
	const nobody = 65534
	top, err := os.MkdirTemp("", "parley-owner-") // t.TempDir lies in a directory that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	})
	config := newGateway(t, filepath.Join(top, "gw"))
	for _, dir := range []string{top, filepath.Join(top, "gw")} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(top, "gw", "state")
	err = filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}

	// The credential and the TLS key are root's alone, and are read before.
	p := serve(t, config)
	status := procFile(t, p, "status")
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n"} {
		if !strings.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, status)
		}
	}
	if out, err := parley(t, "do", "--config", config, "status").CombinedOutput(); err != nil {
		t.Errorf("root asks the daemon: %v: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(state, "ctl.sock"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
		t.Errorf("the socket is not the owner's: %+v, %v", info, err)
	}
}

package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// enclosed names the folder of a test that runs again in namespaces of its
	// own, as a machine where the hosts of a gateway are this machine.
	enclosed    = "PARLEY_TEST_ENCLOSED"
	authorities = "/etc/ssl/certs/ca-certificates.crt"
)

// exportedSite is one that a new gateway wrote, and the fingerprint of its key.
func exportedSite(t *testing.T) (dir, fingerprint string) {
	t.Helper()
	home := t.TempDir()
	config := newGateway(t, filepath.Join(home, "gw"))
	dir = filepath.Join(home, "site")
	for _, args := range [][]string{{"web", dir, "--config", config}, {"key", "own", "--config", config}} {
		out, err := parley(t, args...).Output()
		if err != nil {
			t.Fatalf("%s: %v", args[0], err)
		}
		fingerprint, _, _ = strings.Cut(string(out), " ")
	}
	return dir, fingerprint
}

// tool finds a program, or skips the test.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s (Debian package %s)", name, debian)
	}
	return path
}

// GnuPG finds our key in what parley web wrote, served by a plain file server,
// by both methods of the Web Key Directory. It asks port 443 of hosts by their
// names and trusts the machine's authorities, so this runs in namespaces of its
// own, which have no other network.
func TestWebGnuPGLocatesOurKey(t *testing.T) {
	t.Parallel()
	for name, debian := range map[string]string{"gpg": "gnupg", "dirmngr": "dirmngr", "gpgconf": "gnupg"} {
		tool(t, name, debian)
	}
	if _, err := os.Stat(authorities); err != nil {
		t.Skipf("needs the machine's authorities (Debian package ca-certificates): %v", err)
	}
	dir, fingerprint := exportedSite(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestEnclosedGnuPG$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), enclosed+"="+dir, enclosed+"_KEY="+fingerprint)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Skipf("needs leave to make namespaces: %v", err)
	}
	if strings.Contains(string(out), "--- SKIP: TestEnclosedGnuPG ") {
		t.Skipf("%s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestEnclosedGnuPG ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEnclosedGnuPG is the inside of TestWebGnuPGLocatesOurKey.
func TestEnclosedGnuPG(t *testing.T) {
	dir := os.Getenv(enclosed)
	if dir == "" {
		t.Skip("is run by TestWebGnuPGLocatesOurKey")
	}
	var s asked
	server, cert := webServer(t, dir)
	enclose(t, cert)
	s.Handler, server.Config.Handler = server.Config.Handler, &s
	s.listen(t, server)
	knowsNothing(t)
	const path = "/hu/wj3jxxxjqcz1hh95abs5raezcut45gni?l=report" // z-base-32 of SHA-1 of "report"
	for _, row := range []struct{ hosts, want string }{
		{keysHost + " " + demoDomain, keysHost + "/.well-known/openpgpkey/" + demoDomain + path},
		{demoDomain, demoDomain + "/.well-known/openpgpkey" + path},
	} {
		resolves(t, row.hosts)
		home := newGPGHome(t)
		out, err := locate(t, home, "report@"+demoDomain)
		if err != nil || !strings.Contains(out, "\nfpr:::::::::"+os.Getenv(enclosed+"_KEY")+":") {
			t.Errorf("%s: %v\n%s", row.hosts, err, out)
		}
		if got := s.forget(); !slices.Contains(got, row.want) {
			t.Errorf("%s: asked for %q", row.hosts, got)
		}
		signed := filepath.Join(dir, ".well-known/security.txt")
		if out, err := exec.Command("gpg", "--homedir", home, "--batch", "--status-fd", "1", "--verify", signed).Output(); err != nil || !strings.Contains(string(out), " VALIDSIG "+os.Getenv(enclosed+"_KEY")) {
			t.Errorf("security.txt: %v\n%s", err, out)
		}
		if out, err := locate(t, home, "nobody@"+demoDomain); err == nil {
			t.Errorf("it finds a key of nobody:\n%s", out)
		}
		if sq, err := exec.LookPath("sq"); err == nil {
			sequoia(t, sq)
		}
		s.forget()
	}
}

// enclose gives this process a loopback of its own, and authorities that are
// ours.
func enclose(t *testing.T, cert []byte) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skipf("needs leave to mount: %v", err)
	}
	file := filepath.Join(t.TempDir(), "authorities")
	if err := os.WriteFile(file, cert, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(file, authorities, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// resolves makes these hosts, and no others, this machine.
func resolves(t *testing.T, hosts string) {
	t.Helper()
	for file, text := range map[string]string{"/etc/hosts": "127.0.0.1 localhost " + hosts, "/etc/nsswitch.conf": "hosts: files dns", "/etc/resolv.conf": "nameserver 127.0.0.1"} {
		ours := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(ours, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(ours, file, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(file, unix.MNT_DETACH) }) // ends with the namespace anyway
	}
}

// knowsNothing answers every question to the DNS: there is no such name.
func knowsNothing(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		for b := make([]byte, 512); ; {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= 12 { // RFC 1035, section 4.1.1: an answer, recursive, NXDOMAIN, with nothing in it
				b[2], b[3] = b[2]|0x80, 0x83
				clear(b[6:12])
				_, _ = c.WriteTo(b[:n], from) // who hears nothing asks again
			}
		}
	}()
}

// asked remembers what a file server was asked for.
type asked struct {
	http.Handler
	mu  sync.Mutex
	all []string
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.all = append(a.all, r.Host+r.URL.RequestURI())
	a.mu.Unlock()
	a.Handler.ServeHTTP(w, r)
}

func (a *asked) forget() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

func (a *asked) listen(t *testing.T, s *httptest.Server) {
	t.Helper()
	_ = s.Listener.Close() // it has a port of its own
	var err error
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:443"); err != nil {
		t.Fatal(err)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
}

// newGPGHome has a dirmngr that asks the system for names.
func newGPGHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "g") // short: gpg makes sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home) // dirmngr may take its socket away meanwhile
	})
	if err := os.WriteFile(filepath.Join(home, "dirmngr.conf"), []byte("standard-resolver\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

func locate(t *testing.T, home, address string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "gpg", "--homedir", home, "--batch", "--with-colons", "--auto-key-locate", "clear,nodefault,wkd", "--locate-keys", address).CombinedOutput()
	return string(out), err
}

func sequoia(t *testing.T, sq string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sq, "wkd", "get", "report@"+demoDomain)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+authorities)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "BEGIN PGP PUBLIC KEY BLOCK") {
		t.Errorf("sq wkd get: %v\n%s", err, out)
	}
}

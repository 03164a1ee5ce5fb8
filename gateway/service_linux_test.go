package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serviceManager stands for systemd: it hands the sockets over, and hears how it
// goes.
type serviceManager struct {
	*testing.T
	notes  *net.UnixConn
	config string
	log    lockedLog
	pid    *os.Process
	ready  string
	over   bool // it was told to stop
}

// lockedLog is written by a process and read by a test.
type lockedLog struct {
	path string
}

func (l lockedLog) String() string {
	data, err := os.ReadFile(l.path)
	return string(data) + fmt.Sprint(err)
}

// manage starts a gateway as a service with one socket passed, under a name.
func manage(t *testing.T, config, name string, passed net.Listener) *serviceManager {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "notify")
	notes, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = notes.Close() })
	m := &serviceManager{T: t, notes: notes, config: config, log: lockedLog{filepath.Join(dir, "log")}}
	needs(t, "bash") // which can start this binary by the name parley, under the number that the variables say
	cmd := exec.Command("bash", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec -a parley "$@"`, "bash", parley(t).Path, "serve", "--config", config)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path, "LISTEN_FDS=1", "LISTEN_FDNAMES="+name, "WATCHDOG_USEC=300000")
	f, err := passed.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{f}
	log, err := os.Create(m.log.path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.pid = cmd.Process
	m.ready, _ = bufio.NewReader(out).ReadString('\n')
	_ = f.Close()
	t.Cleanup(func() {
		if !m.over {
			_ = cmd.Process.Signal(unix.SIGTERM) // it may have ended
		}
		if err := errors.Join(cmd.Wait(), log.Close()); err != nil && !t.Failed() && m.ready != "" {
			t.Errorf("serve: %v: %s", err, m.log)
		}
	})
	return m
}

// freePort is a socket that systemd opened.
func freePort(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// reconfigure changes a configuration: each text, which must be there, into the one
// behind it.
func reconfigure(t *testing.T, config string, pairs ...string) {
	t.Helper()
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("%s does not hold %q once", config, pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hears waits for what the service manager is told.
func (m *serviceManager) hears(want string) {
	m.Helper()
	b := make([]byte, 1000)
	_ = m.notes.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		n, err := m.notes.Read(b)
		if err != nil {
			m.Fatalf("it was not told %q: %v: %s", want, err, m.log)
		}
		if string(b[:n]) == want {
			return
		}
	}
}

func (m *serviceManager) logs(want string) {
	m.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(m.log.String(), want) {
			return
		}
	}
	m.Fatalf("the log does not say %q: %s", want, m.log)
}

// A service takes the socket that systemd opened, says when it is ready, that it
// lives and that it stops; at SIGHUP it reads policies and certificate anew, or
// keeps what it had.
func TestService(t *testing.T) {
	t.Parallel()
	ln := freePort(t)
	config := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	m := manage(t, config, "imap", ln)
	m.hears("READY=1")
	if !strings.Contains(m.ready, " imap="+ln.Addr().String()) {
		t.Fatalf("it does not serve the socket it was given: %q: %s", m.ready, m.log)
	}
	m.hears("WATCHDOG=1")
	before := leaf(t, ln.Addr().String())

	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.pid.Signal(unix.SIGHUP); err != nil {
			t.Fatal(err)
		}
		m.hears("RELOADING=1")
		m.hears("READY=1")
	}
	rewrite(string(good) + "\n[policy.quick]\nembargo = \"soon\"\n")
	m.logs("the configuration is wrong; the one before stays")
	rewrite("domain = ")
	m.logs("the configuration cannot be read; the one before stays")
	open := func() string {
		out, _ := parley(t, "do", "--config", config, "case open \"x\" policy quick").CombinedOutput()
		return string(out)
	}
	if err := os.WriteFile(config, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := open(); !strings.Contains(got, "there is no policy") {
		t.Errorf("a policy from nowhere: %s", got)
	}

	other := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Rename(filepath.Join(filepath.Dir(other), name), filepath.Join(filepath.Dir(config), name)); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(string(good), "connections        = 500", "connections        = 501", 1) +
		"\n[policy.quick]\nembargo = \"10d\"\nlead = \"10d\"\n[[policy.quick.stage]]\nname = \"heads-up\"\nat = \"start\"\n[[policy.quick.stage]]\nname = \"public\"\nat = \"end\"\n"
	rewrite(text)
	m.logs("these keys change with a restart\" keys=limits.connections")
	if got := open(); !strings.Contains(got, "OK") {
		t.Errorf("the new policy: %s %s", got, m.log)
	}
	if bytes.Equal(before, leaf(t, ln.Addr().String())) {
		t.Error("the old certificate is still served")
	}
	if m.over = true; m.pid.Signal(unix.SIGTERM) != nil {
		t.Fatal("it is gone")
	}
	m.hears("STOPPING=1")
}

// leaf is the certificate that a port shows.
func leaf(t *testing.T, addr string) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // only looked at
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].Raw
}

// A socket without a name of ours is refused: which port it is decides who may
// use it.
func TestService_UnknownSocket(t *testing.T) {
	t.Parallel()
	ln := freePort(t)
	m := manage(t, newGateway(t, filepath.Join(t.TempDir(), "gw")), "parley.socket", ln)
	if m.ready != "" {
		t.Errorf("it serves: %q", m.ready)
	}
	m.logs(`its name is "parley.socket"; set FileDescriptorName=`)
}

// Metrics are for this machine alone, also on a socket that systemd opened.
func TestService_PublicMonitorSocket(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	m := manage(t, newGateway(t, filepath.Join(t.TempDir(), "gw")), "monitor", ln)
	if m.ready != "" {
		t.Errorf("it serves: %q", m.ready)
	}
	m.logs("can be a loopback address and port, or a unix socket")
}

// Behind a mail server only LMTP is served where only that is set (RFC 2033).
func TestService_LMTP(t *testing.T) {
	t.Parallel()
	config := newGateway(t, filepath.Join(t.TempDir(), "gw"))
	reconfigure(t, config, "[smtp]\nlisten = \"127.0.0.1:0\"", "[smtp]", `lmtp   = ""`, `lmtp = "127.0.0.1:0"`)
	ln := freePort(t)
	m := manage(t, config, "lmtp", ln)
	if !strings.HasPrefix(m.ready, "ready lmtp="+ln.Addr().String()+" submission=") {
		t.Fatalf("ready line %q: %s", m.ready, m.log)
	}
	c, err := textproto.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, step := range []struct {
		say  string
		want int
	}{
		{"", 220}, {"LHLO mx.example", 250}, {"MAIL FROM:<gil@finder.example>", 250}, {"RCPT TO:<report@vdp.example.org>", 250},
		{"RCPT TO:<nobody@vdp.example.org>", 550}, {"RCPT TO:<report-key@vdp.example.org>", 250}, {"DATA", 354},
	} {
		if step.say != "" {
			if err := c.PrintfLine("%s", step.say); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := c.ReadResponse(step.want); err != nil {
			t.Fatalf("%s: %v", step.say, err)
		}
	}
	w := c.DotWriter()
	if _, err := fmt.Fprintf(w, "From: gil@finder.example\r\nSubject: overflow\r\n\r\nIt overflows.\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one reply for each recipient that was accepted
		if _, _, err := c.ReadResponse(250); err != nil {
			t.Fatal(err)
		}
	}
}

package faults

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const domain = "vdp.example.org"

// policies: a notice that is due at once, and one that is due two seconds later.
const (
	policies = `
[policy.now]
embargo = "30d"
remind = []
[[policy.now.stage]]
name = "heads-up"
at = "start"
trust = "claimed"
approvals = 0
[[policy.now.stage]]
name = "public"
at = "end"
trust = "claimed"
approvals = 1

[policy.soon]
embargo = "30d"
remind = []
[[policy.soon.stage]]
name = "heads-up"
at = "start+2s"
trust = "claimed"
approvals = 0
[[policy.soon.stage]]
name = "public"
at = "end"
trust = "claimed"
approvals = 1
`
	noticeWait = 2 * time.Second
)

// gateway is one program with its directory.
type gateway struct {
	kind
	t      testing.TB
	dir    string
	smtp   string // where it listens
	imap   string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	err    error         // of the process, once it ended
	stderr string        // a file
	launch []string      // what starts it, before its own command line
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newGateway makes a gateway that sends to a smarthost, as an operator does.
func newGateway(t testing.TB, k kind, dir, smarthost string) *gateway {
	t.Helper()
	g := &gateway{kind: k, t: t, dir: dir}
	_, err := g.parley("init", dir, "--domain", domain)
	must(t, err)
	g.configure(func(text string) string { return text + policies },
		`(?m)^listen *= *".*?"`, `listen = "127.0.0.1:0"`,
		`(?m)^discovery *=.*$`, `discovery = false`,
		`(?m)^undo *=.*$`, `undo = "0s"`,
		`(?m)^digest *=.*$`, `digest = "off"`,
		`(?m)^retry *=.*$`, `retry = ["1s"]`,
		`(?m)^connections_per_ip *=.*$`, `connections_per_ip = 200`)
	g.sendsTo(smarthost)
	return g
}

func (g *gateway) sendsTo(smarthost string) {
	g.t.Helper()
	g.configure(func(s string) string { return s }, `(?m)^smarthost *=.*$`, fmt.Sprintf("smarthost = %q", "smtp://"+smarthost))
}

// configure changes the configuration by pairs of an expression, which must be found, and what stands in its place.
func (g *gateway) configure(last func(string) string, pairs ...string) {
	g.t.Helper()
	data, err := os.ReadFile(g.config())
	must(g.t, err)
	text := string(data)
	for i := 0; i < len(pairs); i += 2 {
		re := regexp.MustCompile(pairs[i])
		if !re.MatchString(text) {
			g.t.Fatalf("the configuration has no %s", pairs[i])
		}
		text = re.ReplaceAllString(text, pairs[i+1])
	}
	must(g.t, os.WriteFile(g.config(), []byte(last(text)), 0o600))
}

func (g *gateway) config() string { return filepath.Join(g.dir, "parley.toml") }

// copied is another gateway with all that this one, which does not run, has stored. It
// keeps no reserve: it goes onto a small disk, which is to be full.
func (g *gateway) copied(t testing.TB, k kind, to, smarthost string) *gateway {
	t.Helper()
	if out, err := exec.Command("cp", "-a", g.dir, to).CombinedOutput(); err != nil {
		t.Fatalf("copy a gateway: %v: %s", err, out)
	}
	c := &gateway{kind: k, t: t, dir: to}
	c.configure(func(s string) string { return s }, `(?m)^reserve *=.*$`, `reserve = "0B"`)
	c.sendsTo(smarthost)
	return c
}

// parley runs one of the program's commands.
func (g *gateway) parley(args ...string) (string, error) {
	cmd := exec.Command(g.program, args...)
	cmd.Env = append(os.Environ(), g.env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("parley %s: %w: %s%s", strings.Join(args, " "), err, errs.String(), out)
	}
	return string(out), err
}

// do gives commands of the desk.
func (g *gateway) do(commands ...string) (string, error) {
	return g.parley(append([]string{"do", "--config", g.config()}, commands...)...)
}

func (g *gateway) mustDo(commands ...string) string {
	g.t.Helper()
	out, err := g.do(commands...)
	must(g.t, err)
	return out
}

var readyLine = regexp.MustCompile(`^ready smtp=(\S+) submission=\S+ imap=(\S+)`)

// start runs the daemon until it listens.
func (g *gateway) start() error {
	line := append(append([]string{}, g.launch...), g.program, "serve", "--config", g.config())
	g.cmd = exec.Command(line[0], line[1:]...)
	g.cmd.Env = append(os.Environ(), g.env...)
	g.stderr = filepath.Join(g.dir, "log")
	log, err := os.OpenFile(g.stderr, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	g.cmd.Stderr = log
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	g.cmd.Stdout = w
	if err := errors.Join(g.cmd.Start(), w.Close()); err != nil {
		return err
	}
	cmd, ended := g.cmd, make(chan struct{})
	g.ended = ended
	go func() { g.err = cmd.Wait(); close(ended) }()
	ready, err := bufio.NewReader(r).ReadString('\n')
	m := readyLine.FindStringSubmatch(ready)
	if m == nil {
		<-ended
		return fmt.Errorf("the gateway does not start: %w: %s", errors.Join(err, g.err), g.log())
	}
	g.smtp, g.imap = m[1], m[2]
	return nil
}

func (g *gateway) mustStart() {
	g.t.Helper()
	must(g.t, g.start())
	g.t.Cleanup(g.kill)
}

// log is what the daemon wrote last.
func (g *gateway) log() string {
	data, _ := os.ReadFile(g.stderr)
	return string(data[max(0, len(data)-2000):])
}

// kill ends it at once.
func (g *gateway) kill() {
	if g.cmd != nil {
		_ = g.cmd.Process.Kill() // it may be gone
		<-g.ended
	}
}

// stop ends it in peace.
func (g *gateway) stop() {
	g.t.Helper()
	must(g.t, g.cmd.Process.Signal(syscall.SIGTERM))
	<-g.ended
	if g.err != nil {
		g.t.Fatalf("the gateway stops with %v: %s", g.err, g.log())
	}
}

// endsWithin says whether it ends by itself.
func (g *gateway) endsWithin(d time.Duration) bool {
	select {
	case <-g.ended:
		return true
	case <-time.After(d):
		return false
	}
}

// whole says what is wrong with the store of a gateway that does not run; verify checks bbolt's pages too.
func (g *gateway) whole() error {
	_, err := g.parley("verify", "--config", g.config())
	return err
}

// ours is the gateway's certificate.
func (g *gateway) ours() []byte {
	g.t.Helper()
	out, err := g.parley("key", "export", "--config", g.config())
	must(g.t, err)
	return []byte(out)
}

// within asks until something holds.
func within(d time.Duration, holds func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// resume lets sending go on, where a resume was lost to a kill; where it was not, there is nothing to resume.
func (g *gateway) resume() {
	g.t.Helper()
	if _, err := g.do("sending resume"); err != nil && !strings.Contains(err.Error(), "sending is not paused") {
		g.t.Fatal(err)
	}
}

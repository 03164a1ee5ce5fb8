// Package live drives a gateway as a process, the program that an operator runs, for
// what can only be seen from outside: what it leaves on the disk, how it grows, what
// a kill costs. It knows the command line and the ports alone.
package live

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Domain is where the gateway's addresses are, a name that exists nowhere (RFC 2606).
const Domain = "vdp.example.org"

// Desk is the coordinators' own domain.
const Desk = "desk." + Domain

// Gateway is one in a directory of its own. It runs between Start and Stop or Kill.
type Gateway struct {
	Program string // of parley
	Home    string // what init made
	Config  string // path of the configuration
	Log     string // path of what it wrote to standard error, in all runs
	Env     []string
	Dir     string // where it works, and a core would lie; "" for here
	Session bool   // it starts in a session of its own, as a service does; an interrupt from the terminal does not reach it

	process *exec.Cmd
	ended   chan error
	ports   map[string]string
}

// Edit changes the text of a configuration: a pattern, which must match, and what
// stands in its place.
type Edit struct{ Pattern, Text string }

// Set is an edit of the line of a key.
func Set(key, value string) Edit {
	return Edit{`(?m)^` + regexp.QuoteMeta(key) + `\s*=.*$`, key + " = " + value}
}

// free lets a gateway take any free ports, answer to the monitoring system, and ask
// nobody outside.
var free = []Edit{Set("listen", `"127.0.0.1:0"`), Set("address", `"127.0.0.1:0"`), Set("discovery", "false")}

// Make makes a gateway in home with parley init. more goes behind its configuration.
func Make(program, home, more string, edits ...Edit) (*Gateway, error) {
	g := At(program, home)
	if _, err := g.Run("init", home, "--domain", Domain); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(g.Config)
	if err != nil {
		return nil, err
	}
	for _, e := range append(append([]Edit(nil), free...), edits...) {
		p := regexp.MustCompile(e.Pattern)
		if !p.Match(text) {
			return nil, fmt.Errorf("the configuration has nothing like %s", e.Pattern)
		}
		text = p.ReplaceAllLiteral(text, []byte(e.Text))
	}
	return g, os.WriteFile(g.Config, append(text, more...), 0o600)
}

// At is a gateway that stands in home already.
func At(program, home string) *Gateway {
	return &Gateway{Program: program, Home: home, Config: filepath.Join(home, "parley.toml"), Log: home + ".log"}
}

// State is the directory of the sealed store.
func (g *Gateway) State() string { return filepath.Join(g.Home, "state") }

// Run runs a command of parley to its end; the error holds what it said.
func (g *Gateway) Run(args ...string) (string, error) {
	cmd := exec.Command(g.Program, args...)
	cmd.Env = append(os.Environ(), g.Env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("parley %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// On is Run with the configuration of this gateway.
func (g *Gateway) On(args ...string) (string, error) {
	return g.Run(append(args, "--config", g.Config)...)
}

// Do gives commands of the desk language.
func (g *Gateway) Do(commands ...string) (string, error) {
	return g.On(append([]string{"do"}, commands...)...)
}

var readyPort = regexp.MustCompile(`(\w+)=(\S+)`)

// Start runs the gateway, and returns once it says that it is ready.
func (g *Gateway) Start(args ...string) error {
	log, err := os.OpenFile(g.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := exec.Command(g.Program, append([]string{"serve", "--config", g.Config}, args...)...)
	cmd.Env, cmd.Dir, cmd.Stderr = append(os.Environ(), g.Env...), g.Dir, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: g.Session}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	g.process, g.ended = cmd, make(chan error, 1)
	go func() { g.ended <- cmd.Wait() }()
	if err != nil || !strings.HasPrefix(line, "ready ") {
		said, _ := os.ReadFile(g.Log)
		return errors.Join(fmt.Errorf("serve said %q: %s", line, said), g.Kill())
	}
	g.ports = map[string]string{}
	for _, m := range readyPort.FindAllStringSubmatch(line, -1) {
		g.ports[m[1]] = m[2]
	}
	return nil
}

// PID is that of the running process.
func (g *Gateway) PID() int { return g.process.Process.Pid }

// Runs says whether it was started and not stopped.
func (g *Gateway) Runs() bool { return g.process != nil }

// Port is where an endpoint listens: smtp, submission, imap, monitor.
func (g *Gateway) Port(name string) string { return g.ports[name] }

// stopWithin is how long a gateway may take to stop.
const stopWithin = time.Minute

// Stop asks the gateway to stop, and waits. A fault is what it ended with.
func (g *Gateway) Stop() error { return g.end(syscall.SIGTERM) }

// Kill lets it no time for anything.
func (g *Gateway) Kill() error {
	err := g.end(syscall.SIGKILL)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	return err
}

// Crash lets it die of a fault, as a panic that nobody contains does where the
// environment says GOTRACEBACK=crash: a core is written if anything allows it.
func (g *Gateway) Crash() error {
	err := g.end(syscall.SIGABRT)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return fmt.Errorf("it ended with %v", err)
}

func (g *Gateway) end(by os.Signal) error {
	if g.process == nil {
		return nil
	}
	p := g.process
	g.process = nil
	if err := p.Process.Signal(by); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-g.ended:
		return err
	case <-time.After(stopWithin):
		return errors.Join(errors.New("it did not stop within a minute"), p.Process.Kill())
	}
}

// Trust is the TLS configuration of a client that knows the gateway's certificate.
func (g *Gateway) Trust() (*tls.Config, error) {
	pem, err := os.ReadFile(filepath.Join(g.Home, "tls.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the gateway's certificate cannot be read")
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}, nil
}

// Key is the gateway's public key, armored.
func (g *Gateway) Key() ([]byte, error) {
	out, err := g.On("key", "export")
	return []byte(out), err
}

var monitorClient = &http.Client{Timeout: 30 * time.Second}

// Get asks what the monitoring system asks: /metrics or /ready.
func (g *Gateway) Get(path string) (string, error) {
	r, err := monitorClient.Get("http://" + g.Port("monitor") + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Body.Close() }() // only read
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, r.Status, body)
	}
	return string(body), err
}

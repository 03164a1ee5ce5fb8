package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"parley/config"
	"parley/mailflow"
	"parley/mailflow/mailtest"
)

// demoDomain is a name that exists nowhere (RFC 2606).
const demoDomain = "vdp.example.org"

type demoCommand struct {
	Once    bool          `help:"Exit after the story: 0 only if the table is what it demands."`
	Take    time.Duration `default:"50s" help:"How long the 90 days take."`
	Verbose bool          `help:"Show the gateway's log."`
}

// Run plays one disclosure on loopback, in a temporary directory: a real
// gateway, and people who are not part of it.
func (c demoCommand) Run(ctx context.Context, w world) (err error) {
	d := newDemo(w.out, newFastClock(time.Now()))
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.build(w, c.Verbose); err != nil {
		return fmt.Errorf("build the demo: %w", err)
	}
	if err := d.story(ctx, c.Take); err != nil {
		return fmt.Errorf("play the demo: %w", err)
	}
	if err := d.table(); err != nil {
		return err
	}
	if c.Once {
		return nil
	}
	d.fast.setSpeed(1)
	d.explain()
	<-ctx.Done()
	return nil
}

// demo is the stage with everybody on it.
type demo struct {
	out    io.Writer
	domain string // "" for demoDomain
	clock  mailflow.Clock
	fast   *fastClock // the clock, where it runs; nil where it is moved in steps
	dir    string
	path   string // of the configuration
	sink   *mailtest.Sink
	app    *app
	gate   *gateway
	cast   cast
	edit   func([]byte) []byte // of the configuration; nil: none
}

// newDemo is a stage on which the time runs fast.
func newDemo(out io.Writer, fast *fastClock) *demo {
	return &demo{out: out, clock: fast.clock(), fast: fast}
}

func (d *demo) say(format string, a ...any) {
	_, _ = fmt.Fprintf(d.out, format+"\n", a...)
}

// day is the day of the story, from 1; 0 before it starts.
func (d *demo) day(at time.Time) int {
	if d.cast.start.IsZero() || at.Before(d.cast.start) {
		return 0
	}
	return int(at.Sub(d.cast.start)/(24*time.Hour)) + 1
}

// build makes a gateway as an operator would, and starts it.
func (d *demo) build(w world, verbose bool) (err error) {
	if d.dir, err = os.MkdirTemp("", "parley-demo-"); err != nil {
		return err
	}
	if d.sink, err = mailtest.NewSink(); err != nil {
		return err
	}
	d.sink.UseClock(d.clock.Now)
	home := filepath.Join(d.dir, "gateway")
	d.path = filepath.Join(home, configName)
	init := initCommand{Dir: home, Domain: cmp.Or(d.domain, demoDomain), Name: "Demo CERT", Key: "ed25519", Expires: "3y", Unlock: "file:unlock"}
	if err := init.Run(context.Background(), world{w.in, io.Discard, w.err}); err != nil {
		return err
	}
	if err := d.configure(); err != nil {
		return err
	}
	set, err := loadSettings(d.path)
	if err != nil {
		return err
	}
	p, err := preparePorts(set, w.asker())
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if verbose {
		log = newLog(w.err, slog.LevelInfo)
	}
	d.app, err = openApp(set, given{unlock: p.unlock, couriers: p.couriers, clock: d.clock, log: log})
	if err != nil {
		p.close()
		return err
	}
	if d.gate, err = d.app.gateway(p); err != nil {
		return err
	}
	return d.gate.start()
}

var listenLine = regexp.MustCompile(`(?m)^listen = ".*?"`)
var discoveryLine = regexp.MustCompile(`(?m)^(discovery|origin) = .*$`)
var smarthostLine = regexp.MustCompile(`(?m)^smarthost\s*=.*$`)

// configure lets the gateway take any free ports, send to the sink, and ask
// nobody outside.
func (d *demo) configure() error {
	text, err := os.ReadFile(d.path)
	if err != nil {
		return err
	}
	text = listenLine.ReplaceAll(text, []byte(`listen = "127.0.0.1:0"`))
	text = discoveryLine.ReplaceAll(text, []byte("$1 = false"))
	text = smarthostLine.ReplaceAll(text, []byte(fmt.Sprintf("smarthost = %q", "smtp://"+d.sink.Addr)))
	if d.edit != nil {
		text = d.edit(text)
	}
	if _, err := config.Parse(d.path, text); err != nil {
		return err
	}
	return os.WriteFile(d.path, text, 0o600)
}

// close stops the gateway and removes everything.
func (d *demo) close() error {
	var errs []error
	if d.gate != nil {
		done, cancel := context.WithCancel(context.Background())
		cancel()
		errs = append(errs, d.gate.wait(done))
	}
	if d.app != nil {
		errs = append(errs, d.app.Close())
	}
	if d.sink != nil {
		d.sink.Close()
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

// addr is where an endpoint listens.
func (d *demo) addr(name string) string { return d.gate.ports.listeners[name].Addr().String() }

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"parley/mailflow"
	"parley/mailflow/cores"
)

// drainTime is how long sessions and commands that are under way may take
// after SIGTERM.
const drainTime = 20 * time.Second

type serveCommand struct {
	configFlag
	Debug bool `help:"Log more; ids only all the same."`
}

// Run serves until ctx ends. Everything that can be refused is refused before
// the ready line; nothing is half up.
func (c serveCommand) Run(ctx context.Context, w world) (err error) {
	set, err := loadSettings(c.Config)
	if err != nil {
		return err
	}
	set.printWarnings(w.err)
	cores.Spare()
	p, err := preparePorts(set, w.asker())
	if err != nil {
		return err
	}
	defer p.close() // once served they are closed already, which does no harm
	if err := becomeOwner(set.StateDir); err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	a, err := openApp(set, given{unlock: p.unlock, couriers: p.couriers, clock: mailflow.WallClock(), log: newLog(w.err, level)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	g, err := a.gateway(p)
	if err != nil {
		return err
	}
	if err := g.start(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.out, p.ready())
	return errors.Join(err, notify("READY=1"), g.wait(ctx))
}

// start opens the control socket and lets everything run. A loop that ends by
// itself ends the gateway.
func (g *gateway) start() error {
	if err := g.ctl.Listen(g.app.set.socket()); err != nil {
		return err
	}
	for name, serve := range g.endpoints() {
		g.run(name, func(context.Context) error { return serve() })
	}
	for name, loop := range g.loops() {
		g.run(name, loop)
	}
	return nil
}

func (g *gateway) run(name string, f func(context.Context) error) {
	g.running.Go(func() {
		err := contain(g.app.log, func() error { return f(g.ctx) })
		if err == nil {
			err = errors.New("it ended")
		}
		select {
		case g.failed <- fmt.Errorf("%s: %w", name, err):
		default: // the first is reported; while stopping nobody listens
		}
	})
}

// contain turns a panic into an error without its value, which could hold
// anything (rule H6); the stack holds no more than addresses.
func contain(log *slog.Logger, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			for frame := range strings.Lines(string(debug.Stack())) {
				log.Error("panic", "at", strings.TrimSpace(frame))
			}
			err = fmt.Errorf("it panicked with a %T; the log says where", p)
		}
	}()
	return f()
}

// wait serves until ctx ends or something fails, and drains then: first the
// ports, so that what is under way gets its answer, then the loops.
func (g *gateway) wait(ctx context.Context) error {
	failed := g.untilOver(ctx)
	close(g.stopping)
	_ = notify("STOPPING=1") // we stop, heard or not
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := g.shutdown(drain)
	g.cancel()
	g.running.Wait()
	if failed != nil {
		return failed
	}
	if errors.Is(err, context.DeadlineExceeded) {
		g.app.log.Warn("sessions were cut off", "after", drainTime)
		return nil
	}
	return err
}

// untilStopping ends a loop as soon as the gateway stops, and not when the ports
// have drained: what is under way there needs no new mail to leave, and would wait
// for the store behind it. What it leaves undone is done after the next start.
func (g *gateway) untilStopping(loop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-g.stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
		return loop(ctx)
	}
}

// untilOver returns when the gateway is to stop, with the reason if that is a
// fault.
func (g *gateway) untilOver(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			g.app.log.Info("stopping")
			return nil
		case err := <-g.failed:
			return err
		case <-g.app.store.Broken():
			return errors.New("the store could not be written: stopped, and what is on the disk is checked at the next start")
		case <-hangups:
			g.reload()
		}
	}
}

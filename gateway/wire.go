package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"parley/gateway/auth"
	"parley/gateway/ctl"
	"parley/gateway/imapd"
	"parley/gateway/monitor"
	"parley/gateway/smtpd"
	"parley/keyring"
	"parley/mailflow"
	"parley/mailflow/cores"
	"parley/mailflow/courier"
	"parley/mailflow/cvd"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// This page builds and wires everything, top to bottom.

const (
	certificates = 4096        // parsed ones kept in memory, a few kB each
	sendTime     = time.Minute // without progress towards the smarthost
	sendParallel = 4           // mails on their way to the smarthost at once
)

// given is what an app is built from beside its settings.
type given struct {
	unlock   store.Unlock
	couriers []*courier.Courier // to the smarthosts, in order; none: nothing leaves
	clock    mailflow.Clock
	log      *slog.Logger
	readOnly bool // nothing of the store changes
}

// openApp opens the store and builds the flows over it. Nothing runs yet.
func openApp(set *settings, with given) (a *app, err error) {
	a = &app{set: set, log: with.log, counts: monitor.NewCounts(), dns: net.DefaultResolver}
	a.keepUnlock(with.unlock)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.store, err = openStore(set, with); err != nil {
		return a, err
	}
	a.close = append(a.close, a.store.Close)
	own, err := mailflow.OpenOwnKeys(a.store)
	if errors.Is(err, mailflow.ErrNoOwnKey) {
		return a, fmt.Errorf("%w: parley init was cut short; make a new gateway", err)
	}
	if err != nil {
		return a, err
	}
	signing, err := mailflow.OpenDomainKeys(a.store)
	if err != nil {
		return a, err
	}
	words, err := set.words()
	if err != nil {
		return a, err
	}
	a.base = &mailflow.Base{
		Settings: mailflow.Settings{
			Domain: set.Domain, DeskDomain: set.DeskDomain, CasePrefix: set.CasePrefix, Subject: set.Subject,
			Plaintext: set.Plaintext, Undo: set.Undo, CoolOff: set.CoolOff, Digest: set.Digest, Zone: set.Zone, KeyPause: set.KeyPause, Retention: set.Retention, Discovery: set.Discovery.On, CVEOrg: set.CVEOrg, Limits: set.Message, Policies: set.Policies,
		},
		Clock: with.clock, Store: a.store, Own: own, DomainKeys: signing, Certs: keyring.NewCache(certificates), Templates: words, Guard: mailflow.NewGuard(set.Limits.Guard), Log: with.log,
		Credential: a.credential, Reserve: set.reserve(with.log),
	}
	a.base.Reloaded = func() map[string]cvd.Policy {
		if all := a.policies.Load(); all != nil {
			return *all
		}
		return nil
	}
	a.base.Queue = a.queue(with)
	a.desk = &mailflow.Desk{Base: a.base}
	a.logins = &auth.Logins{Store: a.store, DeskDomain: set.DeskDomain, Failures: set.Limits.AuthFailures, Now: with.clock.Now,
		Tried: func(result string) { a.counts.Logins.WithLabelValues(result).Inc() }}
	if with.readOnly {
		return a, nil
	}
	if err := a.base.Setup(); err != nil {
		return a, fmt.Errorf("prepare store: %w", err)
	}
	return a, nil
}

// reserve is room on the disk of the store that mail does not get (rule T8); nil: none.
func (s *settings) reserve(log *slog.Logger) *mailflow.Reserve {
	if s.Limits.Reserve == 0 {
		return nil
	}
	return &mailflow.Reserve{Size: s.Limits.Reserve, Free: func() (uint64, error) { return freeBytes(s.StateDir) }, Log: log}
}

// queue delivers through the smarthosts; without one everything waits.
func (a *app) queue(with given) *queue.Queue {
	q := &queue.Queue{
		Store: a.store, Retry: a.set.Retry, GiveUp: a.set.GiveUp, Parallel: sendParallel,
		Now: with.clock.Now, After: with.clock.After, Paused: mailflow.SendingPaused, Done: a.base.Delivered, Waits: a.base.Delayed,
	}
	if len(with.couriers) == 0 {
		q.Paused = func(*store.Tx) bool { return true }
		return q
	}
	relays := &courier.Relays{All: with.couriers, Log: with.log, Heard: a.counts.Heard}
	a.close = append(a.close, func() error { relays.Close(); return nil })
	q.Courier = countedDeliveries{relays, a.counts}
	return q
}

// gateway is an app with its ports and loops.
type gateway struct {
	app        *app
	ctl        *ctl.Server
	smtp       *smtpd.Server
	lmtp       *smtpd.Server // for the mail server in front of us
	submission *smtpd.Server
	imap       *imapd.Server
	monitor    *monitor.Server
	ports      *ports
	limiters   limiters
	stopping   chan struct{} // closed once it stops

	intake    *mailflow.Intake
	scheduler *mailflow.Scheduler
	seats     *mailflow.Seats
	lookups   *mailflow.Lookups

	ctx     context.Context // of the loops
	cancel  context.CancelFunc
	running sync.WaitGroup
	failed  chan error
}

// gateway puts the ports in front of the flows.
func (a *app) gateway(p *ports) (g *gateway, err error) {
	g = &gateway{app: a, ports: p, failed: make(chan error, 1), stopping: make(chan struct{})}
	a.ports = p
	g.intake = &mailflow.Intake{Base: a.base, Parallel: 4 * cores.Count(), Waiting: 12 * cores.Count()}
	if a.set.Origin {
		g.intake.Resolver = net.DefaultResolver
	}
	g.scheduler = &mailflow.Scheduler{Base: a.base, Outbox: &mailflow.Outbox{Base: a.base}}
	g.seats = &mailflow.Seats{Base: a.base, Desk: a.desk}
	client, err := a.set.Discovery.client()
	if err != nil {
		return nil, err
	}
	g.lookups = &mailflow.Lookups{Base: a.base, Client: client}
	g.limiters = newLimiters(a.set.Limits, a.logins.Known)
	g.monitor = monitor.New(a.counts, g.isReady, g.figures, a.log)
	smtp := smtpd.Config{Domain: a.set.Domain, Limits: a.smtpLimits(), TLS: p.tls.config(), Limiter: g.limiters.smtp,
		Intake: countedPublic{g.intake, a.counts, "smtp"}, Log: a.log}
	if g.smtp, err = smtpd.New(smtp); err != nil {
		return nil, err
	}
	behind := smtp
	behind.LMTP, behind.TLS, behind.Limiter = true, nil, g.limiters.lmtp // RFC 2033 is for one machine
	behind.Intake = countedPublic{g.intake, a.counts, "lmtp"}
	if g.lmtp, err = smtpd.New(behind); err != nil {
		return nil, err
	}
	smtp.Intake, smtp.Submission, smtp.Logins = nil, countedSubmission{&mailflow.Submission{Base: a.base, Desk: a.desk}, a.counts}, a.logins
	smtp.Limiter = g.limiters.submission
	if g.submission, err = smtpd.New(smtp); err != nil {
		return nil, err
	}
	g.imap = imapd.New(imapd.Config{
		Seats: g.seats, Logins: a.logins, Limiter: g.limiters.imap, TLS: p.tls.config(), Log: a.log,
		Login: a.set.Limits.Command, Write: a.set.Limits.Command,
		Command: a.set.Limits.Command, Data: a.set.Limits.Data,
	})
	g.ctl = &ctl.Server{Handle: a.handle, Log: a.log}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

func (a *app) smtpLimits() smtpd.Limits {
	l := smtpd.DefaultLimits()
	l.Size, l.Recipients = a.set.Message.Size, a.set.Limits.Recipients
	l.Command, l.Data = a.set.Limits.Command, a.set.Limits.Data
	return l
}

// endpoints answer peers until shutdown.
func (g *gateway) endpoints() map[string]func() error {
	all := map[string]func() error{"control socket": g.ctl.Serve}
	for name, serve := range map[string]func(net.Listener) error{
		"smtp": g.smtp.Serve, "lmtp": g.lmtp.Serve, "submission": g.submission.Serve, "imap": g.imap.Serve, "monitor": g.monitor.Serve,
	} {
		if ln := g.ports.listeners[name]; ln != nil {
			all[name] = func() error { return serve(ln) }
		}
	}
	return all
}

// loops do what is due until their context ends.
func (g *gateway) loops() map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{
		"intake":    g.intake.Run,
		"scheduler": g.untilStopping(g.scheduler.Run),
		"queue":     g.app.base.Queue.Run,
		"seats":     g.seats.Run,
		"guard":     g.app.base.KeepGuard,
		"watchdog":  g.keepAlive,
		"tls":       func(ctx context.Context) error { return g.ports.tls.keep(ctx, g.app.log) },
	}
	if r := g.app.base.Reserve; r != nil {
		all["reserve"] = r.Run
	}
	if g.app.set.Discovery.On {
		all["discovery"] = g.lookups.Run
	}
	return all
}

// shutdown lets each endpoint finish what is under way, all at once.
func (g *gateway) shutdown(ctx context.Context) error {
	stops := []func(context.Context) error{g.smtp.Shutdown, g.lmtp.Shutdown, g.submission.Shutdown, g.imap.Shutdown, g.ctl.Shutdown, g.monitor.Shutdown}
	errs := make([]error, len(stops))
	var all sync.WaitGroup
	for i, stop := range stops {
		all.Go(func() { errs[i] = stop(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

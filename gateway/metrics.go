package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"parley/gateway/monitor"
	"parley/mailflow"
	"parley/mailflow/courier"
	"parley/mailflow/queue"
)

// figures are what the monitoring system is told beside what is counted.
func (g *gateway) figures() ([]monitor.Figure, error) {
	f, err := g.app.base.Figures()
	if err != nil {
		return nil, err
	}
	now := g.app.base.Clock.Now()
	late := 0.0
	if !f.Due.IsZero() {
		late = max(0, now.Sub(f.Due).Seconds())
	}
	all := []monitor.Figure{
		{Name: "parley_mails_spooled", Help: "Mails that were accepted and are not filed yet.", Value: float64(f.Spooled)},
		{Name: "parley_notices_planned", Help: "Notices that are asked about, now or later.", Value: float64(f.Planned)},
		{Name: "parley_notices_late_seconds", Help: "How long the first of them is due.", Value: late},
		{Name: "parley_deliveries_waiting", Help: "Mails that wait for the smarthost.", Value: float64(f.Waiting)},
		{Name: "parley_deliveries_under_way", Help: "Mails that are being handed over.", Value: float64(f.UnderWay)},
		{Name: "parley_tasks_open", Help: "What waits for a person.", Value: float64(f.Tasks)},
		{Name: "parley_sending_paused", Help: "1 while nothing may leave.", Value: truth(f.Paused)},
		{Name: "parley_store_commits", Help: "Commits since the store was made.", Value: float64(f.Commits)},
		{Name: "parley_journal_links", Help: "Links of the journal.", Value: float64(f.Journal)},
		{Name: "parley_backup_last_timestamp_seconds", Help: "When the last backup was taken; 0: never.", Value: seconds(f.LastBackup)},
		{Name: "parley_connections_open", Help: "Connections on all ports.", Value: float64(g.limiters.open())},
		{Name: "parley_tls_certificate_ends_timestamp_seconds", Help: "When the TLS certificate expires.", Value: seconds(g.ports.tls.now.Load().Leaf.NotAfter)},
		{Name: "parley_own_key_ends_timestamp_seconds", Help: "When the OpenPGP key that we sign with expires; 0: never.", Value: seconds(g.app.base.Own.Signing().Certificate().Expires())},
	}
	if info, err := os.Stat(filepath.Join(g.app.set.StateDir, "parley.db")); err == nil {
		all = append(all, monitor.Figure{Name: "parley_store_bytes", Help: "Size of the store's tree; large bodies lie beside it.", Value: float64(info.Size())})
	}
	if r := g.app.base.Reserve; r != nil {
		if free, err := r.Look(); err == nil {
			all = append(all, monitor.Figure{Name: "parley_disk_free_bytes", Help: "What can still be written to the disk of the store.", Value: float64(free)},
				monitor.Figure{Name: "parley_disk_reserve_bytes", Help: "Below this much of it mail is refused.", Value: float64(r.Size)})
		}
	}
	return all, nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is an instant in Unix time, and 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}

var errStopping = errors.New("the gateway stops")

// isReady says why the gateway does not do its work: it stops, or the store could
// not be written. That sending is paused is somebody's wish.
func (g *gateway) isReady() error {
	select {
	case <-g.app.store.Broken():
		return errors.New("the store could not be written")
	case <-g.stopping:
		return errStopping
	default:
		return nil
	}
}

// countedPublic counts what a public port takes.
type countedPublic struct {
	*mailflow.Intake
	counts *monitor.Counts
	port   string
}

func (c countedPublic) Receive(ctx context.Context, env mailflow.Envelope, r io.Reader) error {
	err := c.Intake.Receive(ctx, env, r)
	c.counts.Take(c.port, err)
	return err
}

// countedSubmission counts what coordinators send.
type countedSubmission struct {
	*mailflow.Submission
	counts *monitor.Counts
}

func (c countedSubmission) Submit(ctx context.Context, env mailflow.Envelope, r io.Reader) error {
	err := c.Submission.Submit(ctx, env, r)
	c.counts.Take("submission", err)
	return err
}

// countedDeliveries counts what becomes of attempts.
type countedDeliveries struct {
	queue.Deliverer
	counts *monitor.Counts
}

func (c countedDeliveries) Deliver(ctx context.Context, m courier.Mail) courier.Result {
	r := c.Deliverer.Deliver(ctx, m)
	c.counts.Deliveries.WithLabelValues(string(r.Outcome)).Inc()
	return r
}

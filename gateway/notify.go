package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"parley/mailflow/store"
)

// notifyTime is how long systemd may take to read what it is told.
const notifyTime = 2 * time.Second

// notify tells systemd how it goes (sd_notify(3)): READY=1, RELOADING=1,
// STOPPING=1 or WATCHDOG=1. Elsewhere it does nothing. Where nobody reads, nothing
// waits for that: not the end of the gateway either.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if path[0] == '@' { // an abstract one (unix(7))
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(time.Now().Add(notifyTime)) // an open socket has one
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}

// watchdogTime is how often systemd wants to hear that we live; 0: it does not.
func watchdogTime() time.Duration {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	pid := os.Getenv("WATCHDOG_PID")
	if err != nil || us <= 0 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// keepAlive tells systemd that we live, as long as the store answers: a writer
// that hangs stops everything, and only a restart helps then.
func (g *gateway) keepAlive(ctx context.Context) error {
	every := watchdogTime()
	if every == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := g.app.store.Update(func(*store.Tx) error { return nil }); err == nil {
			if err := notify("WATCHDOG=1"); err != nil {
				g.app.log.Warn("tell systemd that we live", "err", err)
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"parley/mailflow/courier"
	"parley/mailflow/store"
)

// ports are the listeners and what has to be read before root is given up.
type ports struct {
	set       *settings
	listeners map[string]net.Listener // by portNames; those that are served
	unlock    store.Unlock
	couriers  []*courier.Courier
	tls       *tlsFiles
}

// portNames is the order of the ready line.
var portNames = [...]string{"smtp", "lmtp", "submission", "imap", "monitor"}

// preparePorts reads the secrets and takes the ports.
func preparePorts(set *settings, ask asker) (p *ports, err error) {
	p = &ports{set: set, listeners: map[string]net.Listener{}}
	if p.tls, err = set.tls(); err != nil {
		return nil, err
	}
	if p.unlock, err = set.unlock(ask); err != nil {
		return nil, err
	}
	if p.couriers, err = set.couriers(); err != nil {
		return nil, err
	}
	given, err := passedListeners()
	if err != nil {
		return nil, err
	}
	if ln := given["monitor"]; ln != nil && !privateAddr(ln.Addr()) {
		return nil, fmt.Errorf("take socket monitor from systemd: it listens on %s; ListenStream= can be a loopback address and port, or a unix socket", ln.Addr())
	}
	for _, name := range portNames {
		if p.listeners[name] = given[name]; given[name] != nil || set.Listen.of(name) == "" {
			continue
		}
		if p.listeners[name], err = listenAt(set.Listen.of(name)); err == nil && name == "lmtp" {
			err = openToGroup(set.Listen.LMTP)
		}
		if err != nil {
			p.close()
			return nil, listenError(name, set.Listen.of(name), err)
		}
	}
	return p, nil
}

// privateAddr says that an address is reached from this machine alone.
func privateAddr(a net.Addr) bool { return a.Network() == "unix" || onLoopback(a.String()) }

// listenAt takes a port, or makes a unix socket in the place of one that a killed
// daemon left.
func listenAt(addr string) (net.Listener, error) {
	path, unix := strings.CutPrefix(addr, unixListen)
	if !unix {
		return net.Listen("tcp", addr)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(syscall.EADDRINUSE, conn.Close())
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

// openToGroup lets the group of a unix socket connect, which is that of its folder
// where the folder's set-group-ID bit is set: the mail server in front runs as
// somebody else. Whoever connects can say who wrote a mail, so others may not.
func openToGroup(addr string) error {
	path, unix := strings.CutPrefix(addr, unixListen)
	if !unix {
		return nil
	}
	return os.Chmod(path, 0o660)
}

func (l listen) of(name string) string {
	return map[string]string{"smtp": l.SMTP, "lmtp": l.LMTP, "submission": l.Submission, "imap": l.IMAP, "monitor": l.Monitor}[name]
}

func listenError(name, addr string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EACCES):
		hint = ": ports below 1024 need the capability CAP_NET_BIND_SERVICE, or choose another"
	case errors.Is(err, syscall.EADDRINUSE):
		hint = ": something else listens there"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("listen on %s for [%s]: %w%s", addr, name, err, hint)
}

func (p *ports) close() {
	for _, ln := range p.listeners {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// ready is the one line that says that everything is up, and where.
func (p *ports) ready() string {
	var b strings.Builder
	b.WriteString("ready")
	for _, name := range portNames {
		if ln := p.listeners[name]; ln != nil {
			fmt.Fprintf(&b, " %s=%s", name, ln.Addr())
		}
	}
	return b.String()
}

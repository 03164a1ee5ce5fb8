// Package imapd is the port on which coordinators read their mail: IMAP4rev1
// and rev2 (RFC 3501, RFC 9051) over TLS from the first octet.
//
// It speaks the protocol and decides nothing: what a folder shows and what
// moving a message there means is mailflow's. The library's server reads and
// writes the commands; a conn of our own beneath it closes what that server
// leaves open.
package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/gateway/auth"
	"parley/mailflow"
)

// Config is what a Server is made of. TLS, Seats, Logins, Limiter and Log
// must be set.
type Config struct {
	TLS     *tls.Config // with a certificate; versions below 1.2 are refused whatever it says (rule A1)
	Seats   *mailflow.Seats
	Logins  *auth.Logins
	Limiter *auth.Limiter
	Log     *slog.Logger

	// Login is how long a client may take until it is logged in, Write how
	// long it may take to accept 64 KiB. One minute where zero.
	Login, Write time.Duration

	// Command is how long a client may take from the first octet of a command to
	// its last, a minute where zero; one with a message in it may take Data from
	// there on, five minutes where zero.
	Command, Data time.Duration
}

// Server serves IMAP.
type Server struct {
	Config
	inner *imapserver.Server
	ready chan net.Conn // connections with TLS on, for the library to take
	ctx   context.Context
	stop  context.CancelFunc

	mu     sync.Mutex
	ports  map[net.Listener]bool
	wires  map[*wire]bool
	empty  chan struct{} // closed when the last connection is gone, after Shutdown began
	closed bool
}

// New makes a server that serves nothing yet.
func New(c Config) *Server {
	if c.Login == 0 {
		c.Login = time.Minute
	}
	if c.Write == 0 {
		c.Write = time.Minute
	}
	if c.Command == 0 {
		c.Command = time.Minute
	}
	if c.Data == 0 {
		c.Data = 5 * time.Minute
	}
	c.TLS = c.TLS.Clone()
	c.TLS.MinVersion = max(c.TLS.MinVersion, tls.VersionTLS12)
	s := &Server{Config: c, ready: make(chan net.Conn), ports: map[net.Listener]bool{}, wires: map[*wire]bool{}, empty: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.inner = imapserver.New(&imapserver.Options{
		NewSession: s.newSession,
		Caps:       capabilities(),
		Logger:     quiet{c.Log},
		// The library sees our conn and not a *tls.Conn, so it would offer no
		// login. That there is TLS beneath is sure: newWire takes nothing else.
		InsecureAuth: true,
	})
	go func() { _ = s.inner.Serve(handoff{s}) }() // it ends with s.ctx
	return s
}

// capabilities are what the sessions here can do. LITERAL+ is not among them
// and must not be: the library takes what follows a literal that it refused
// for commands.
func capabilities() imap.CapSet {
	set := imap.CapSet{}
	for _, c := range []imap.Cap{
		imap.CapIMAP4rev1, imap.CapIMAP4rev2,
		imap.CapNamespace, imap.CapUIDPlus, imap.CapESearch, imap.CapSearchRes, imap.CapListExtended, imap.CapListStatus,
		imap.CapMove, imap.CapStatusSize, imap.CapBinary, imap.CapChildren, imap.CapSpecialUse,
	} {
		set[c] = struct{}{}
	}
	return set
}

var errShutdown = errors.New("imapd: the server was shut down")

// Serve takes connections from ln until Shutdown, and returns nil then.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errShutdown
	}
	s.ports[ln] = true
	s.mu.Unlock()
	for pause := time.Millisecond; ; {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			pause = time.Millisecond
			s.admit(conn)
		case s.ctx.Err() != nil || s.shutting():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of file descriptors, or a client that left at once
			s.Log.Warn("imap: accept failed", "err", err)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
		}
	}
}

func (s *Server) shutting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Shutdown takes no more connections, lets commands that are under way end,
// says BYE to every client, and cuts off those that are left when ctx ends,
// whose error it returns then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	for ln := range s.ports {
		_ = ln.Close()
	}
	open := make([]*wire, 0, len(s.wires))
	for w := range s.wires {
		open = append(open, w)
	}
	if first && len(s.wires) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	for _, w := range open {
		go w.bye("The server is shutting down")
	}
	var err error
	select {
	case <-s.empty:
	case <-ctx.Done():
		err = ctx.Err()
		for _, w := range open {
			w.cut()
		}
		select {
		case <-s.empty:
		case <-time.After(time.Second): // whatever still runs has nobody to answer
		}
	}
	s.stop()
	return err
}

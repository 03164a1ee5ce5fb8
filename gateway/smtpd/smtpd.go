// Package smtpd speaks SMTP to the outside (RFC 5321): the public port, where
// anyone may mail, and the submission port (RFC 6409, RFC 8314), where
// coordinators do. It decides nothing: each verb is one question to the flow
// behind it, and the flow's answer goes to the client.
//
// The server is go-smtp behind a gate, a net.Conn that hands it one complete
// command at a time and keeps from it everything that it gets wrong: STARTTLS,
// BDAT, the text of a message, and all timing.
package smtpd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"parley/gateway/auth"
	"parley/mailflow"
)

// Public is what the public port asks; *mailflow.Intake is one. Errors are
// *mailflow.Reply, or else become a 451 without their text.
type Public interface {
	// CheckRoom answers MAIL for so many octets; 0: the client did not say.
	CheckRoom(octets int64) error
	// CheckRcpt answers RCPT; env holds what is known so far.
	CheckRcpt(ctx context.Context, env mailflow.Envelope, rcpt string) error
	// Receive keeps the message that r yields to its end, with CRLF line ends
	// and without the dots of RFC 5321 section 4.5.2. nil means that it stays
	// through a power cut (rule T1). After an error of r nothing may be kept.
	Receive(ctx context.Context, env mailflow.Envelope, r io.Reader) error
}

// Submission is what the submission port asks; *mailflow.Submission is one.
// Errors are as those of Public. Their texts are shown to the coordinator.
type Submission interface {
	CheckRoom(octets int64) error
	CheckSender(ctx context.Context, by, from string) error
	CheckRcpt(ctx context.Context, by string, before []string, rcpt string) error
	Submit(ctx context.Context, env mailflow.Envelope, r io.Reader) error
}

// Config makes a Server. With Intake it is the public port: no AUTH ever, and
// STARTTLS where TLS is set. With Submission it is the submission port: TLS
// from the first octet, which New insists on, and a login before any mail.
type Config struct {
	Domain     string // names us in the greeting, and completes a bare postmaster
	LMTP       bool   // the public port behind a mail server of ours (RFC 2033)
	Limits     Limits
	TLS        *tls.Config // used with TLS 1.2 or newer whatever it says (rule A1)
	Limiter    *auth.Limiter
	Intake     Public
	Submission Submission
	Logins     *auth.Logins // for Submission
	Log        *slog.Logger // gets ids, verbs and reply codes only (rule H6)
}

// Limits bound what one connection may take (rule M8). DefaultLimits gives
// those of product.md; every field must be set.
type Limits struct {
	Size       int64         // octets of a message without transparency dots (RFC 1870)
	Recipients int           // accepted for one message
	Commands   int           // without a message accepted in between
	Command    time.Duration // for one complete command line, for writing to the client, and until a login
	Data       time.Duration // for the whole text of one message
	Session    time.Duration // without a message accepted in between
	Logins     int           // failed on one connection
}

// DefaultLimits are 50 MiB, 100 recipients, 500 commands, a minute for a
// command, 5 minutes for a message, 15 minutes without one, and 3 logins.
func DefaultLimits() Limits {
	return Limits{
		Size: 50 << 20, Recipients: 100, Commands: 500, Logins: 3,
		Command: time.Minute, Data: 5 * time.Minute, Session: 15 * time.Minute,
	}
}

// lineLimit is the longest line in octets, CRLF included, of a command (four
// times what RFC 5321 section 4.5.3.1.4 asks for, and enough for AUTH) and
// textLimit that of a message (eight times section 4.5.3.1.6).
const (
	lineLimit = 2048
	textLimit = 8192
)

// Server is one port. Make it with New.
type Server struct {
	Config
	smtp *smtp.Server

	ctx  context.Context // of all sessions: ends when Shutdown runs out of patience
	kill context.CancelFunc

	readers sync.Pool // of *bufio.Reader, which gates that are closed leave to others

	mu       sync.Mutex
	doors    []*door
	gates    map[*gate]struct{}
	stopping bool
}

// New checks the configuration and makes a server that listens nowhere yet.
func New(c Config) (*Server, error) {
	switch {
	case (c.Intake == nil) == (c.Submission == nil):
		return nil, errors.New("make smtp server: it needs an intake or a submission, and not both")
	case c.Submission != nil && (c.TLS == nil || c.Logins == nil):
		return nil, errors.New("make submission server: it needs TLS and logins")
	case c.Submission != nil && c.LMTP:
		return nil, errors.New("make submission server: it does not speak LMTP")
	case c.Limiter == nil || c.Log == nil || c.Domain == "":
		return nil, errors.New("make smtp server: it needs a limiter, a log and a domain")
	case !c.Limits.complete():
		return nil, errors.New("make smtp server: every limit must be set")
	}
	if c.TLS != nil {
		c.TLS = c.TLS.Clone()
		c.TLS.MinVersion = max(c.TLS.MinVersion, tls.VersionTLS12)
	}
	s := &Server{Config: c, gates: make(map[*gate]struct{})}
	s.ctx, s.kill = context.WithCancel(context.Background())
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.session))
	s.smtp.Domain, s.smtp.LMTP = c.Domain, c.LMTP
	s.smtp.MaxMessageBytes = c.Limits.Size // for SIZE= only: the text goes past the library
	s.smtp.MaxRecipients = c.Limits.Recipients
	s.smtp.MaxLineLength = lineLimit + len(c.Domain)
	s.smtp.AllowInsecureAuth = true // TLS is the gate's, which the library cannot see
	s.smtp.ErrorLog = quiet{c.Log}
	return s, nil
}

func (l Limits) complete() bool {
	return l.Size > 0 && l.Recipients > 0 && l.Commands > 0 && l.Command > 0 && l.Data > 0 && l.Session > 0 && l.Logins > 0
}

// session begins a session at the first EHLO, HELO or LHLO of a connection.
func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	t := transaction{server: s, gate: c.Conn().(*gate), conn: c}
	if s.Submission != nil {
		return &submissionSession{transaction: t}, nil
	}
	return &publicSession{transaction: t}, nil
}

// Serve takes connections until Shutdown, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	d := newDoor(s, l)
	s.mu.Lock()
	s.doors = append(s.doors, d)
	stopping := s.stopping
	s.mu.Unlock()
	if stopping {
		return d.Close()
	}
	err := s.smtp.Serve(d)
	if s.closing() {
		return nil
	}
	return err
}

func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Shutdown stops listening, lets messages that are under way come to their
// reply, and tells every other client 421. Once ctx ends it closes what is
// left, cutting messages off before they are accepted, and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.smtp.Shutdown(ctx)
	s.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	for g := range s.gates {
		_ = g.raw.Close()
	}
	if errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return err
}

// stop closes the doors and dismisses whoever is inside.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for _, d := range s.doors {
		_ = d.Close()
	}
	for g := range s.gates {
		g.dismiss()
	}
}

// open registers a connection; false when the server stops.
func (s *Server) open(g *gate) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.gates[g] = struct{}{}
	return true
}

// reader gives a buffer as long as the longest line of a text.
func (s *Server) reader(c net.Conn) *bufio.Reader {
	if in, ok := s.readers.Get().(*bufio.Reader); ok {
		in.Reset(c)
		return in
	}
	return bufio.NewReaderSize(c, textLimit)
}

func (s *Server) forget(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gates, g)
}

// Package mailtest holds the peers that tests and the demo talk to: a mail server that keeps what it is given, a person with an
// OpenPGP key, and a clock. They are independent of the code they test: OpenPGP is go-crypto's, MIME is put together by hand.
package mailtest

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Received is one mail that a Sink took, for one of its recipients.
type Received struct {
	From  string
	To    string
	Raw   []byte // as it came, CRLF, dots removed
	At    time.Time
	Hello string // what the client called itself
	TLS   bool
	Login string // who it logged in as; "" if it did not
	// EnvelopeID, Return and Notify are what was asked for with the envelope (RFC 3461): "HDRS", "FAILURE,DELAY".
	EnvelopeID, Return, Notify string
}

// SinkOptions say what kind of server a Sink is.
type SinkOptions struct {
	// Config, if not nil, gives the certificate for STARTTLS, or for TLS from the start where Implicit says so.
	Config   *tls.Config
	Implicit bool
	// User and Password, if not empty, are wanted by AUTH before MAIL.
	User, Password string
}

// Sink is a real SMTP server on loopback. How it behaves may be changed while it runs.
type Sink struct {
	Addr string

	options SinkOptions
	server  *smtp.Server

	mu          sync.Mutex
	now         func() time.Time
	mails       []Received
	waiters     []chan struct{}
	connections int
	forget      bool // what mails said
	faults
}

// NewSink starts a sink without TLS on a port of its own.
func NewSink() (*Sink, error) { return StartSink(SinkOptions{}) }

// StartSink starts a sink on a port of its own.
func StartSink(o SinkOptions) (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{Addr: l.Addr().String(), options: o, now: time.Now}
	s.server = smtp.NewServer(smtp.BackendFunc(s.session))
	s.server.Domain = "sink.example"
	s.server.MaxMessageBytes = 200 << 20
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.AllowInsecureAuth, s.server.EnableDSN = true, true
	s.server.ErrorLog = log.New(io.Discard, "", 0) // lines that break are what it is for
	if o.Config != nil && o.Implicit {
		l = tls.NewListener(l, o.Config)
	} else {
		s.server.TLSConfig = o.Config
	}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// UseClock stamps what arrives by another clock.
func (s *Sink) UseClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Forget lets it note that a mail came, and not what it said: for measuring memory.
func (s *Sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget = true
}

// Close stops the sink and breaks its connections.
func (s *Sink) Close() { _ = s.server.Close() }

// Connections is how many connections got as far as EHLO so far, or to it again after STARTTLS.
func (s *Sink) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// Mails gives all that came, oldest first.
func (s *Sink) Mails() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.mails...)
}

// To gives what came for one address.
func (s *Sink) To(addr string) []Received {
	var out []Received
	for _, m := range s.Mails() {
		if strings.EqualFold(m.To, addr) {
			out = append(out, m)
		}
	}
	return out
}

// Next waits until there are more than n mails, or the time is over.
func (s *Sink) Next(n int, d time.Duration) error {
	end := time.After(d)
	for {
		s.mu.Lock()
		if len(s.mails) > n {
			s.mu.Unlock()
			return nil
		}
		w := make(chan struct{})
		s.waiters = append(s.waiters, w)
		s.mu.Unlock()
		select {
		case <-w:
		case <-end:
			return fmt.Errorf("no mail after the %dth within %s", n, d)
		}
	}
}

func (s *Sink) keep(m Received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.At = s.now()
	s.mails = append(s.mails, m)
	for _, w := range s.waiters {
		close(w)
	}
	s.waiters = nil
}

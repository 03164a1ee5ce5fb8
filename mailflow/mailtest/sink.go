// Package mailtest holds the peers that tests and the demo talk to: a mail
// server that keeps what it is given, a person with an OpenPGP key, and a
// clock. They are independent of the code they test: OpenPGP is go-crypto's,
// MIME is put together by hand.
package mailtest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Received is one mail that a Sink took.
type Received struct {
	From string
	To   string
	Raw  []byte
	At   time.Time
}

// Sink is a real SMTP server on loopback. Its behaviours may be changed while
// it runs.
type Sink struct {
	Addr string

	mu       sync.Mutex
	mails    []Received
	refuse   map[string]*smtp.SMTPError
	dropDot  int // how many more connections break after the final dot
	waiters  []chan struct{}
	listener net.Listener
	server   *smtp.Server
	now      func() time.Time
}

// NewSink starts a sink on a port of its own.
func NewSink() (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{Addr: l.Addr().String(), refuse: map[string]*smtp.SMTPError{}, listener: l, now: time.Now}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s, conn: c}, nil }))
	s.server.Domain = "sink.example"
	s.server.MaxMessageBytes = 200 << 20
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// UseClock stamps what arrives by another clock.
func (s *Sink) UseClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Close stops the sink.
func (s *Sink) Close() { _ = s.server.Close() }

// Refuse answers RCPT for an address with a reply code; 0 takes that back.
func (s *Sink) Refuse(addr string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code == 0 {
		delete(s.refuse, addr)
		return
	}
	s.refuse[addr] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "as the test wants it"}
}

// DropAfterDot takes the next n mails, and breaks the connection instead of
// answering.
func (s *Sink) DropAfterDot(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropDot = n
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

func (s *Sink) keep(m Received) (drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.At = s.now()
	s.mails = append(s.mails, m)
	for _, w := range s.waiters {
		close(w)
	}
	s.waiters = nil
	if s.dropDot > 0 {
		s.dropDot--
		return true
	}
	return false
}

type sinkSession struct {
	sink *Sink
	conn *smtp.Conn
	from string
	to   []string
}

func (c *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	c.from, c.to = from, nil
	return nil
}

func (c *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.sink.mu.Lock()
	defer c.sink.mu.Unlock()
	if e := c.sink.refuse[to]; e != nil {
		return e
	}
	c.to = append(c.to, to)
	return nil
}

func (c *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	drop := false
	for _, to := range c.to {
		drop = c.sink.keep(Received{From: c.from, To: to, Raw: raw}) || drop
	}
	if drop {
		_ = c.conn.Conn().Close()
	}
	return nil
}

func (c *sinkSession) Reset()        {}
func (c *sinkSession) Logout() error { return nil }

// Send hands a mail to an SMTP server, without TLS.
func Send(addr, from, to string, raw []byte) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Hello("peer.example"); err != nil {
		return err
	}
	if err := c.SendMail(from, []string{to}, strings.NewReader(string(raw))); err != nil {
		return err
	}
	return c.Quit()
}

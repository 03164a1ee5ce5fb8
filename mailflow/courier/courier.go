// Package courier carries one mail to one recipient over one SMTP hop, to the smarthost of the operator, and says exactly what
// is known of its fate.
//
// It never weakens a connection to get a mail through: what cannot be verified defers (M6).
package courier

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"
)

// Default limits of time. RFC 5321 section 4.5.3.2 asks for 5 minutes on most commands and 10 on the final answer; a smarthost
// that takes 2 for a command is better tried again later, but an answer given up too early is an unknown delivery.
const (
	defaultTimeout = 2 * time.Minute
	defaultAnswer  = 10 * time.Minute
	// afterCancel is how long an answer to a mail handed over whole is still waited for when the context ends.
	afterCancel = 10 * time.Second
	// slowest is the transfer rate, in bytes a second, below which a message is given up.
	slowest = 16 << 10
)

// A Courier hands mails to one smarthost. It keeps a few idle connections for the next mail. Its fields are not changed while
// it is used; it is safe for concurrent use.
type Courier struct {
	Smarthost
	// Password is asked for each connection when the smarthost has a login.
	Password func() (string, error)
	// Hello is the name given in EHLO: our public domain.
	Hello string
	// Timeout bounds each step: dialling, the handshake, one command and its answer; 0 means 2 minutes. A message may take as
	// much longer as 16 KiB a second need.
	Timeout time.Duration
	// Answer bounds the wait for the answer to a whole message; 0 means 10 minutes (RFC 5321 section 4.5.3.2.6).
	Answer time.Duration
	// TLS gives roots other than the system's. The server's name, verification and TLS 1.2 as the least are set whatever it says.
	TLS *tls.Config

	idle pool
}

// A Mail is one message for one recipient.
type Mail struct {
	From string // reverse-path without brackets; "" is the null one
	To   string // forward-path without brackets
	Size int64  // bytes that Open gives; 0 if not known
	// EnvelopeID comes back in reports about the mail (RFC 3461 section 4.4), where the server notes it; "" is none. It
	// crosses every server on the way, so it must say nothing.
	EnvelopeID string
	// Open gives the message: CRLF line ends, dots as they are. It is called at most once by a Courier, after the recipient was
	// accepted and right before DATA; an error then means that nothing of the message leaves.
	Open func() (io.ReadCloser, error)
}

var errNoHello = errors.New("no valid name for EHLO is set")

// Deliver makes one attempt. The end of ctx breaks it off, except that an answer to a message handed over whole is waited for
// ten seconds more.
func (c *Courier) Deliver(ctx context.Context, m Mail) Result {
	if err := m.check(); err != nil {
		return Result{Outcome: Failed, Step: Envelope, Err: err}
	}
	if !isDomain(c.Hello) {
		return Result{Outcome: Later, Step: Connect, Err: errNoHello}
	}
	if err := ctx.Err(); err != nil {
		return Result{Outcome: Later, Step: Connect, Err: err}
	}
	for s := c.idle.take(); s != nil; s = c.idle.take() {
		// A kept connection may have died, or come to the end of what the server allows: then MAIL says so, and a fresh one
		// is no second attempt.
		if r := c.over(ctx, s, m); r.Step != MailFrom || ctx.Err() != nil {
			return r
		}
	}
	s, err := c.connect(ctx)
	if err != nil {
		return unconnected(err)
	}
	return c.over(ctx, s, m)
}

// over sends a mail over a connection and then keeps or closes it.
func (c *Courier) over(ctx context.Context, s *session, m Mail) Result {
	stop := context.AfterFunc(ctx, s.line.interrupt)
	r := s.send(m)
	if !stop() || !s.reusable(r) {
		s.close()
		return r
	}
	c.idle.put(s)
	return r
}

// Close ends the idle connections. The courier may be used again.
func (c *Courier) Close() { c.idle.close() }

func (c *Courier) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

func (c *Courier) answer() time.Duration {
	if c.Answer > 0 {
		return c.Answer
	}
	return defaultAnswer
}

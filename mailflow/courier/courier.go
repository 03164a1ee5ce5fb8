// Package courier hands one mail over one SMTP hop to the smarthost, and says
// exactly what is known of it afterwards (RFC 5321 section 4.5.4.1; rules M6,
// T3).
package courier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Outcome is what is known of a mail after an attempt.
type Outcome string

// Outcomes. Unknown is everything between the final dot and its answer: the
// other side may have the mail or not.
const (
	Sent    Outcome = "sent"
	Later   Outcome = "later"  // certainly not accepted; worth another try
	Failed  Outcome = "failed" // refused for good
	Unknown Outcome = "unknown"
)

// Mail is what is delivered: one recipient, exact bytes.
type Mail struct {
	From string // reverse-path without brackets
	To   string // forward-path without brackets
	Size int64  // octets
	Open func() (io.ReadCloser, error)
}

// Result says what became of an attempt. Code and Enhanced are the other
// side's reply codes (RFC 5321, RFC 3463), zero where there was no answer.
type Result struct {
	Outcome  Outcome
	Code     int
	Enhanced string
	Err      error
}

// Words tells a result by its codes and our own words: the other side's text
// may hold anything.
func (r Result) Words() string {
	switch {
	case r.Code != 0:
		return fmt.Sprintf("%s: reply %d %s", r.Outcome, r.Code, r.Enhanced)
	case r.Err != nil:
		return fmt.Sprintf("%s: %s", r.Outcome, cause(r.Err))
	}
	return string(r.Outcome)
}

// Courier delivers to one smarthost and keeps its connection for the next
// mail. It may be used by several goroutines; each delivery has a connection
// of its own.
type Courier struct {
	Smarthost Smarthost
	Password  func() (string, error) // nil: no AUTH
	Hello     string                 // our name in EHLO
	Timeout   time.Duration          // of a command; ten minutes for DATA's answer is RFC 5321's, ours is this
	TLS       *tls.Config            // roots; nil: the system's

	mu   sync.Mutex
	idle []*line
}

const defaultTimeout = 5 * time.Minute

func (c *Courier) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

// line is an open connection to the smarthost.
type line struct {
	conn   net.Conn
	client *smtp.Client
}

// Deliver tries to hand over one mail. An idle connection that turns out to
// be dead before MAIL is replaced by a new one.
func (c *Courier) Deliver(ctx context.Context, m Mail) Result {
	if err := errors.Join(checkPath(m.From, true), checkPath(m.To, false)); err != nil {
		return Result{Outcome: Failed, Err: err}
	}
	if l := c.take(); l != nil {
		if err := l.client.Reset(); err == nil {
			return c.deliver(ctx, l, m)
		}
		_ = l.conn.Close()
	}
	l, err := c.dial(ctx)
	if err != nil {
		return Result{Outcome: Later, Code: code(err), Enhanced: enhanced(err), Err: err}
	}
	return c.deliver(ctx, l, m)
}

// deliver runs one mail transaction; the line is kept where it can go on.
func (c *Courier) deliver(ctx context.Context, l *line, m Mail) Result {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Close() })
	r, usable := c.transaction(l, m)
	if stop() && usable {
		c.put(l)
	} else {
		_ = l.conn.Close()
	}
	return r
}

func (c *Courier) transaction(l *line, m Mail) (r Result, usable bool) {
	_ = l.conn.SetDeadline(time.Now().Add(c.timeout()))
	if err := l.client.Mail(m.From, &smtp.MailOptions{Size: m.Size}); err != nil {
		// Nothing of this recipient is known yet: our smarthost refuses us.
		return Result{Outcome: Later, Code: code(err), Enhanced: enhanced(err), Err: err}, false
	}
	if err := l.client.Rcpt(m.To, nil); err != nil {
		return refused(err), code(err) != 0
	}
	body, err := m.Open()
	if err != nil {
		return Result{Outcome: Later, Err: fmt.Errorf("read our own mail: %w", err)}, false
	}
	defer body.Close()
	w, err := l.client.Data()
	if err != nil {
		return refused(err), code(err) != 0
	}
	if _, err := io.Copy(w, deadlineReader{body, l.conn, c.timeout()}); err != nil {
		_ = l.conn.Close() // before the final dot: certainly not accepted
		return Result{Outcome: Later, Err: fmt.Errorf("write mail: %w", err)}, false
	}
	_ = l.conn.SetDeadline(time.Now().Add(c.timeout()))
	if err := w.Close(); err != nil {
		if code(err) == 0 {
			return Result{Outcome: Unknown, Err: fmt.Errorf("after the final dot: %w", err)}, false
		}
		return refused(err), true
	}
	return Result{Outcome: Sent, Code: 250}, true
}

// refused turns the answer to RCPT, DATA or the final dot into an outcome.
func refused(err error) Result {
	r := Result{Outcome: Later, Code: code(err), Enhanced: enhanced(err), Err: err}
	if r.Code >= 500 {
		r.Outcome = Failed
	}
	return r
}

// deadlineReader moves the connection's deadline on with each piece: go-smtp
// gives writing DATA none, so that a peer that stops reading would hold it
// for ever.
type deadlineReader struct {
	r    io.Reader
	conn net.Conn
	d    time.Duration
}

func (d deadlineReader) Read(p []byte) (int, error) {
	if len(p) > 32<<10 {
		p = p[:32<<10]
	}
	_ = d.conn.SetDeadline(time.Now().Add(d.d))
	return d.r.Read(p)
}

func (c *Courier) take() *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	l := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	_ = l.conn.SetDeadline(time.Now().Add(c.timeout()))
	return l
}

func (c *Courier) put(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, l)
}

// Close says goodbye on idle connections.
func (c *Courier) Close() {
	for l := c.take(); l != nil; l = c.take() {
		_ = l.conn.SetDeadline(time.Now().Add(time.Second))
		_ = l.client.Quit()
		_ = l.conn.Close()
	}
}

func (c *Courier) login(l *line) error {
	if c.Smarthost.User == "" {
		return nil
	}
	if c.Password == nil {
		return errors.New("the smarthost wants a login and no password is configured")
	}
	pw, err := c.Password()
	if err != nil {
		return fmt.Errorf("read the smarthost's password: %w", err)
	}
	return l.client.Auth(sasl.NewPlainClient("", c.Smarthost.User, pw))
}

func code(err error) int {
	var e *smtp.SMTPError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func enhanced(err error) string {
	var e *smtp.SMTPError
	if !errors.As(err, &e) || e.EnhancedCode == smtp.NoEnhancedCode || e.EnhancedCode[0] <= 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
}

// cause names the kind of a fault without what the other side wrote.
func cause(err error) string {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		return "the smarthost's certificate is not valid"
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection broke"
	}
	return err.Error()
}

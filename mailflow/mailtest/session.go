package mailtest

import (
	"crypto/subtle"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A sinkSession is one connection to a Sink.
type sinkSession struct {
	sink  *Sink
	conn  *smtp.Conn
	login string
	from  string
	to    []string
	asked Received // with the envelope
}

func (s *Sink) session(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections++
	session := &sinkSession{sink: s, conn: c}
	if s.options.User != "" {
		return &authSession{session}, nil
	}
	return session, nil
}

func (c *sinkSession) Mail(from string, o *smtp.MailOptions) error {
	if c.sink.options.User != "" && c.login == "" {
		return smtp.ErrAuthRequired
	}
	if err := c.sink.failing(Mail); err != nil {
		return err
	}
	c.from, c.to = from, nil
	c.asked = Received{EnvelopeID: o.EnvelopeID, Return: string(o.Return)}
	return nil
}

func (c *sinkSession) Rcpt(to string, o *smtp.RcptOptions) error {
	if err := c.sink.refused(to); err != nil {
		return err
	}
	if err := c.sink.failing(Rcpt); err != nil {
		return err
	}
	c.to = append(c.to, to)
	var notify []string
	for _, n := range o.Notify {
		notify = append(notify, string(n))
	}
	c.asked.Notify = strings.Join(notify, ",")
	return nil
}

var errBroken = errors.New("the line was broken")

func (c *sinkSession) Data(r io.Reader) error {
	if octets, breaks := c.sink.breaksIn(); breaks {
		_, _ = io.CopyN(io.Discard, r, int64(octets)) // as far as there is that much
		_ = c.conn.Conn().Close()
		return errBroken
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		_ = c.conn.Conn().Close() // what follows a broken message is not commands
		return err
	}
	if err := c.sink.failing(Dot); err != nil {
		return err
	}
	return c.take(raw)
}

// take keeps a whole message, and answers or not.
func (c *sinkSession) take(raw []byte) error {
	end := c.sink.ending()
	if end.forget {
		raw = nil
	}
	_, tls := c.conn.TLSConnectionState()
	for _, to := range c.to {
		if !end.lose {
			c.sink.keep(Received{From: c.from, To: to, Raw: raw, Hello: c.conn.Hostname(), TLS: tls, Login: c.login,
				EnvelopeID: c.asked.EnvelopeID, Return: c.asked.Return, Notify: c.asked.Notify})
		}
	}
	if end.stall != nil {
		close(end.stall.reached)
		<-end.stall.release
	}
	if end.drop {
		_ = c.conn.Conn().Close()
		return errBroken
	}
	return nil
}

func (c *sinkSession) Reset()        {}
func (c *sinkSession) Logout() error { return nil }

// An authSession offers AUTH.
type authSession struct{ *sinkSession }

func (a *authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (a *authSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		o := a.sink.options
		if subtle.ConstantTimeCompare([]byte(user+"\x00"+password), []byte(o.User+"\x00"+o.Password)) != 1 {
			return smtp.ErrAuthFailed
		}
		a.login = user
		return nil
	}), nil
}

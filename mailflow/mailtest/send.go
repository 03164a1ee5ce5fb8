package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Refused is the answer of a server that did not take a mail; errors.As finds it in what Send returns.
type Refused struct {
	Code     int
	Enhanced [3]int
	Text     string
}

func (r *Refused) Error() string { return fmt.Sprintf("refused: %d %s", r.Code, r.Text) }

// A Mailer is somebody's mail program.
type Mailer struct {
	Addr string
	// TLS, if not nil, is used from the start, or after STARTTLS where that is set.
	TLS            *tls.Config
	StartTLS       bool
	User, Password string // AUTH PLAIN, where User is not empty
	Hello          string // "peer.example" if empty
}

// Send hands a mail to an SMTP server as anybody on the net does, without TLS.
func Send(addr, from, to string, raw []byte) error {
	return Mailer{Addr: addr}.Send(from, []string{to}, raw)
}

// Send hands over one mail, in one transaction. The bytes need CRLF line ends.
func (m Mailer) Send(from string, to []string, raw []byte) error {
	c, err := m.dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // Quit has, unless something failed
	if err := m.begin(c); err != nil {
		return asRefused(err)
	}
	if err := c.SendMail(from, to, bytes.NewReader(raw)); err != nil {
		return asRefused(err)
	}
	return asRefused(c.Quit())
}

func (m Mailer) dial() (*smtp.Client, error) {
	switch {
	case m.TLS == nil:
		return smtp.Dial(m.Addr)
	case m.StartTLS:
		return smtp.DialStartTLS(m.Addr, m.TLS)
	}
	return smtp.DialTLS(m.Addr, m.TLS)
}

func (m Mailer) begin(c *smtp.Client) error {
	hello := m.Hello
	if hello == "" {
		hello = "peer.example"
	}
	if err := c.Hello(hello); err != nil {
		return err
	}
	if m.User == "" {
		return nil
	}
	return c.Auth(sasl.NewPlainClient("", m.User, m.Password))
}

func asRefused(err error) error {
	var e *smtp.SMTPError
	if errors.As(err, &e) {
		return &Refused{Code: e.Code, Enhanced: e.EnhancedCode, Text: e.Message}
	}
	return err
}

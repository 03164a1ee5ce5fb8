package smtpd

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-smtp"

	"parley/mailflow"
)

// transaction is what both ports share: the envelope, and the way of a
// message to the flow behind.
type transaction struct {
	server *Server
	gate   *gate
	conn   *smtp.Conn

	open bool // a sender is set
	from string
	to   []string
}

var (
	replyKept      = &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "kept"}
	replySecond    = &smtp.SMTPError{Code: 503, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "The sender is set"}
	replyBadSender = &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 1, 7}, Message: "Sender address is too long or not ASCII"}
	replyNoData    = &smtp.SMTPError{Code: 502, EnhancedCode: smtp.EnhancedCode{5, 5, 1}, Message: "Only DATA is offered"}
	replyTooLarge  = &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Message too large"}
	replyLater     = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not possible now, try again later"}
)

// publicSession is a client of the public port.
type publicSession struct{ transaction }

// Mail takes any sender, the null one too: who may write is seen at RCPT.
func (s *publicSession) Mail(from string, said *smtp.MailOptions) error {
	sender, err := s.sender(from)
	if err != nil {
		return err
	}
	if err := s.server.Intake.CheckRoom(said.Size); err != nil {
		return s.answer(err)
	}
	s.begin(sender)
	return nil
}

// Rcpt asks the intake for one recipient.
func (s *publicSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	rcpt := mailbox(to)
	if err := s.server.Intake.CheckRcpt(s.gate.ctx, s.envelope(), rcpt); err != nil {
		return s.answer(err)
	}
	s.to = append(s.to, rcpt)
	return nil
}

// Data hands the message to the intake.
func (s *publicSession) Data(io.Reader) error {
	env := s.envelope()
	env.Front = s.server.LMTP
	return s.deliver(s.server.Intake.Receive, env)
}

// sender checks a reverse-path before the flow sees it. go-smtp takes a second
// MAIL as if it were the first, and would keep the recipients (RFC 5321
// section 4.1.4).
func (t *transaction) sender(from string) (string, error) {
	if t.open {
		return "", replySecond
	}
	if len(from) > maxPath || !isASCII(from) {
		return "", replyBadSender
	}
	return mailbox(from), nil
}

func (t *transaction) begin(sender string) { t.open, t.from = true, sender }

// Reset forgets the message, as RSET, EHLO and the end of DATA ask.
func (t *transaction) Reset() { t.open, t.from, t.to = false, "", nil }

// Logout has nothing to free.
func (t *transaction) Logout() error { return nil }

func (t *transaction) envelope() mailflow.Envelope {
	return mailflow.Envelope{
		From:   t.from,
		To:     slices.Clone(t.to),
		Remote: t.gate.host,
		Hello:  plain(t.conn.Hostname(), maxHello),
		TLS:    t.gate.secure,
	}
}

// deliver hands the text of a message to a flow, and answers for it. The
// client is heard only after the whole text was read, whoever refused it.
func (t *transaction) deliver(keep func(context.Context, mailflow.Envelope, io.Reader) error, env mailflow.Envelope) error {
	text, ok := t.gate.message()
	if !ok { // BDAT, which the gate lets nobody say
		t.gate.hangUp()
		return replyNoData
	}
	err := keep(t.gate.ctx, env, text)
	if broken := text.drain(); broken != nil {
		t.gate.hangUp()
		return broken
	}
	switch {
	case text.tooLarge:
		return replyTooLarge
	case err != nil:
		return t.answer(err)
	case text.unread: // then it cannot have been kept whole
		return replyLater
	}
	t.gate.accepted()
	return replyKept
}

// answer turns a flow's error into the reply. What is not a Reply stays here:
// its text is not for strangers.
func (t *transaction) answer(err error) error {
	var r *mailflow.Reply
	if errors.As(err, &r) && r.Code >= 400 && r.Code <= 599 {
		return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Enhanced, Message: plain(r.Text, maxText)}
	}
	t.gate.log.Error("flow failed", "verb", t.gate.verb, "kind", kind(err))
	return replyLater
}

package smtpd

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"parley/gateway/auth"
	"parley/mailflow"
)

// submissionSession is a client of the submission port, which has TLS from
// its first octet.
type submissionSession struct {
	transaction
	login   *auth.Login
	tries   int  // failed
	refused bool // a recipient of the mail under way
}

var (
	replyLogIn     = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Log in first"}
	replyLogInNew  = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "This login has changed, log in again"}
	replyDenied    = &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Login or password is wrong"}
	replyThrottled = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Too many failed logins from here, try again in ten minutes"}
	replyNoLogin   = &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Not possible now, try again later"}
)

var replyToAll = &mailflow.Reply{Code: 554, Enhanced: [3]int{5, 5, 1}, Text: "Not sent to anybody, since a recipient was refused"}

// Mail asks whether the sender is the login's own address.
func (s *submissionSession) Mail(from string, said *smtp.MailOptions) error {
	if s.login == nil {
		return replyLogIn
	}
	if !s.server.Logins.Current(*s.login) { // rule A6
		return replyLogInNew
	}
	sender, err := s.sender(from)
	if err != nil {
		return err
	}
	if err := s.server.Submission.CheckRoom(said.Size); err != nil {
		return s.answer(err)
	}
	if err := s.server.Submission.CheckSender(s.gate.ctx, s.login.Coordinator, sender); err != nil {
		return s.answer(err)
	}
	s.begin(sender)
	return nil
}

// Rcpt asks for one recipient; the answer's sentence is what the client shows
// in its compose window.
func (s *submissionSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	rcpt := mailbox(to)
	err := s.server.Submission.CheckRcpt(s.gate.ctx, s.login.Coordinator, slices.Clone(s.to), rcpt)
	if err != nil {
		s.refused = true
		return s.answer(err)
	}
	s.to = append(s.to, rcpt)
	return nil
}

// Reset forgets the message.
func (s *submissionSession) Reset() {
	s.transaction.Reset()
	s.refused = false
}

// Data hands the message to the submission flow. One with a recipient that was
// refused goes to nobody, even where the client goes on: its draft must stay.
func (s *submissionSession) Data(io.Reader) error {
	env := s.envelope()
	env.Login = s.login.Coordinator
	if s.refused {
		return s.deliver(func(context.Context, mailflow.Envelope, io.Reader) error { return replyToAll }, env)
	}
	return s.deliver(s.server.Submission.Submit, env)
}

// AuthMechanisms are those for passwords over TLS (RFC 4954 section 4).
func (s *submissionSession) AuthMechanisms() []string {
	return []string{sasl.Plain, sasl.Login}
}

// Auth begins a login.
func (s *submissionSession) Auth(mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return exchange{sasl.NewPlainServer(s.plain)}, nil
	case sasl.Login:
		return exchange{&loginServer{check: s.logIn}}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// plain takes no identity but the login's own (RFC 4616 section 2).
func (s *submissionSession) plain(identity, login, password string) error {
	if identity != "" && identity != login {
		return s.denied()
	}
	return s.logIn(login, password)
}

func (s *submissionSession) logIn(login, password string) error {
	ctx, cancel := context.WithTimeout(s.gate.ctx, s.server.Limits.Command)
	defer cancel()
	in, err := s.server.Logins.Check(ctx, login, password, s.gate.host)
	switch {
	case err == nil:
		s.login = &in
		s.gate.loggedIn()
		return nil
	case errors.Is(err, auth.ErrThrottled):
		return replyThrottled
	case errors.Is(err, auth.ErrDenied):
		return s.denied()
	}
	s.gate.log.Error("login failed", "kind", kind(err))
	return replyNoLogin
}

// denied counts a failed try; the last that a connection may make ends it.
func (s *submissionSession) denied() error {
	if s.tries++; s.tries >= s.server.Limits.Logins {
		s.gate.hangup = true
	}
	return replyDenied
}

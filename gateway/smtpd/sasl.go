package smtpd

import (
	"errors"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// exchange keeps errors of a mechanism from the client, to whom go-smtp would
// tell any text.
type exchange struct{ sasl.Server }

var replyBadAnswer = &smtp.SMTPError{Code: 501, EnhancedCode: smtp.EnhancedCode{5, 5, 2}, Message: "That is not an answer of this mechanism"}

// Next is one step of the mechanism.
func (e exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = e.Server.Next(response)
	var reply *smtp.SMTPError
	if err != nil && !errors.As(err, &reply) {
		return nil, done, replyBadAnswer
	}
	if err != nil {
		return nil, done, reply // go-smtp knows it only unwrapped
	}
	return challenge, done, nil
}

// loginServer is the server half of the LOGIN mechanism
// (draft-murchison-sasl-login), which older mail clients still want. It asks
// for the login unless it came with the command, and then for the password.
type loginServer struct {
	check func(login, password string) error
	login string
	asked bool // for the password
}

// Next is one step of LOGIN.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case l.asked:
		return nil, true, l.check(l.login, string(response))
	case response == nil:
		return []byte("Username:"), false, nil
	}
	l.login, l.asked = string(response), true
	return []byte("Password:"), false, nil
}

package imapd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/gateway/auth"
	"parley/mailflow"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// session is one client. The library calls one method at a time, except that
// after a broken IDLE the old one may still run while the next command does,
// and Close too: so every method holds mu, and Idle does while it writes.
type session struct {
	server *Server
	conn   *imapserver.Conn
	wire   *wire

	mu       sync.Mutex
	login    auth.Login
	seat     *mailflow.Seat   // nil until the login
	window   *mailflow.Window // nil while no mailbox is selected
	readOnly bool             // it was opened by EXAMINE
	telling  telling
	saved    []uint32 // UIDs that "$" means (RFC 5182), ascending
	failures int      // of logging in
	closed   chan struct{}
}

var (
	_ imapserver.SessionIMAP4rev2   = (*session)(nil)
	_ imapserver.SessionAppendLimit = (*session)(nil)
)

func (s *Server) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	w, ok := c.NetConn().(*wire)
	if !ok {
		return nil, nil, errors.New("a connection that is not ours")
	}
	w.session = &session{server: s, conn: c, wire: w, closed: make(chan struct{})}
	return w.session, nil, nil
}

// Close ends the session.
func (s *session) Close() error {
	close(s.closed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window = nil
	if s.seat != nil {
		s.seat.Close()
	}
	return nil
}

// loginTries is how many wrong passwords one connection may try.
const loginTries = 5

// Login checks a password.
func (s *session) Login(username, password string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	login, err := s.server.Logins.Check(s.server.ctx, username, password, auth.Host(s.wire.RemoteAddr()))
	if err != nil {
		return s.denied(err)
	}
	// What a view withholds must not be served: one that cannot be is no login.
	who := mailflow.SeatFor{Coordinator: login.Coordinator, Login: login.Name, View: mailflow.View(login.View)}
	if s.seat, err = s.server.Seats.SitAs(who); err != nil {
		return s.answer(err)
	}
	s.login = login
	s.wire.loggedIn()
	s.server.Log.Info("imap: logged in", "login", login.Name)
	return nil
}

func (s *session) denied(err error) error {
	if s.failures++; s.failures >= loginTries {
		s.wire.endAfterThis("Too many failed logins")
	}
	switch {
	case errors.Is(err, auth.ErrDenied):
		return imapserver.ErrAuthFailed
	case errors.Is(err, auth.ErrThrottled):
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeUnavailable, Text: err.Error()}
	}
	return s.answer(err)
}

// ended says why the session may not go on, or "": a login that was ended or
// got another password stops at its next command (rule A6).
func (s *session) ended() string {
	if s == nil || s.login.Name == "" || s.server.Logins.Current(s.login) {
		return ""
	}
	return "Your login was ended or changed"
}

// AppendLimit is the largest message that APPEND takes, in octets: what SMTP
// accepts can be appended.
func (s *session) AppendLimit() uint32 {
	limit := s.server.Seats.Limits.Size
	if limit == 0 {
		limit = message.DefaultLimits().Size
	}
	return uint32(min(limit, math.MaxUint32))
}

func no(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: plain(text)}
}

// answer turns an error into the response that the client gets. What a
// coordinator can act on is said; anything else is logged, and generic.
func (s *session) answer(err error) error {
	var (
		refusal  *mailflow.Refusal
		denied   *mailflow.Denied
		response *imap.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &response):
		return response
	case errors.As(err, &refusal) && s.login.View == auth.ViewSealed:
		return no("ALERT", "Not done, and nothing was changed. If there is more to say, a sealed mail in INBOX says it")
	case errors.As(err, &refusal):
		return no("ALERT", refusal.Sentence)
	case errors.As(err, &denied):
		return no(imap.ResponseCodeCannot, denied.Sentence)
	case errors.Is(err, mailflow.ErrNoFolder):
		return no(imap.ResponseCodeNonExistent, "There is no such folder; nothing was done, and LIST shows those there are")
	case errors.Is(err, mailflow.ErrFolderExists):
		return no(imap.ResponseCodeAlreadyExists, "There is a folder of that name already; nothing was changed")
	case errors.Is(err, store.ErrKeywords):
		return no(imap.ResponseCodeLimit, err.Error()+"; nothing was changed, take one that you have")
	case errors.Is(err, store.ErrFull):
		return no(imap.ResponseCodeOverQuota, "The disk is full; nothing was changed")
	case errors.Is(err, context.Canceled), errors.Is(err, store.ErrClosed):
		return no(imap.ResponseCodeUnavailable, "The server is shutting down")
	}
	if s.wire.broken() {
		return err // the client is gone
	}
	s.server.Log.Error("imap: command failed", "login", s.login.Name, "err", fmt.Sprintf("%T", err), "why", safe(err))
	return no(imap.ResponseCodeServerBug, "Internal error; nothing was changed")
}

// safe is the text of an error of the store, which holds no content, and of no
// other.
func safe(err error) string {
	for _, known := range []error{store.ErrNotFound, store.ErrExists, store.ErrTampered, store.ErrShredded, store.ErrBroken} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "see the type"
}

// tryCreate is answer for commands that put something into a mailbox: one that
// does not exist could be made, unless it is certain that it could not (RFC 9051
// section 6.3.12).
func (s *session) tryCreate(mailbox string, err error) error {
	switch {
	case !errors.Is(err, mailflow.ErrNoFolder):
	case !mailflow.MayBeOwn(mailbox):
		return no(imap.ResponseCodeCannot, "There is no folder of that name that takes messages, and none can be made; nothing was put anywhere")
	default:
		return no(imap.ResponseCodeTryCreate, "There is no such folder; nothing was put anywhere, create it first")
	}
	return s.answer(err)
}

// plain makes a text fit for a response line: US-ASCII, no line breaks.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f:
			return '?'
		}
		return r
	}, text)
}

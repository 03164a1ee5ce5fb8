package courier

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// How long connections are kept, and for how much. Servers commonly close an idle one after a minute or more and take a
// hundred mails over one.
const (
	keepIdle  = 30 * time.Second
	keepMails = 100
	keepMost  = 8
)

// A session is one greeted connection. One goroutine has it at a time.
type session struct {
	client   *smtp.Client
	line     *line
	eightBit bool  // the server takes octets above 127 (RFC 6152)
	most     int64 // octets of a message that the server takes (RFC 1870); 0 if it names no limit
	mails    int
	timer    *time.Timer // while it is idle
}

// send holds one mail transaction.
func (s *session) send(m Mail) Result {
	s.mails++
	s.line.begin()
	if s.most > 0 && m.Size > s.most {
		return Result{Outcome: Failed, Step: MailFrom, Err: fmt.Errorf("the message has %d bytes and the server takes %d at most", m.Size, s.most)}
	}
	from, to := m.notification()
	if err := s.client.Mail(m.From, from); err != nil {
		return ended(MailFrom, err)
	}
	if err := s.client.Rcpt(m.To, to); err != nil {
		return ended(RcptTo, err)
	}
	body, err := m.Open()
	if err != nil {
		return ended(Open, err)
	}
	defer func() { _ = body.Close() }() // only read
	w, err := s.client.Data()
	if err != nil {
		return ended(Data, err)
	}
	checked := &checker{r: body, eightBit: s.eightBit, size: m.Size}
	if r, ok := s.write(w, checked, m.Size); !ok {
		return r
	}
	return s.finish(w)
}

var errInterrupted = errors.New("interrupted before the end of the message")

// write sends the message up to, and without, its final dot.
func (s *session) write(w io.Writer, m *checker, size int64) (Result, bool) {
	if err := s.line.SetDeadline(time.Now().Add(s.line.step + time.Duration(size/slowest)*time.Second)); err != nil {
		return ended(Message, err), false
	}
	if _, err := io.Copy(w, m); err != nil {
		r := ended(Message, err)
		if r.ours = m.broken; m.wrong != nil {
			r.Outcome = Failed
		}
		return r, false
	}
	if !s.line.dot() {
		return ended(Message, errInterrupted), false
	}
	return Result{}, true
}

// finish sends the final dot and reads the answer. From here on an error means that nobody knows, unless a part of the dot
// itself stayed here.
func (s *session) finish(w *smtp.DataCommand) Result {
	reply, err := w.CloseWithResponse()
	if err == nil {
		return answered(Answer, 250, reply.StatusText)
	}
	r := ended(Answer, err)
	switch {
	case r.Code != 0:
	case s.line.unfinished():
		r.Step = Message
	default:
		r.Outcome = Unknown
	}
	return r
}

// reusable says whether the connection is ready for another mail, and makes it so after a refusal.
//
// After a message that was broken off nothing may be said any more: the client would end the message first, with a dot, and
// a truncated mail would be delivered.
func (s *session) reusable(r Result) bool {
	if s.mails >= keepMails {
		return false
	}
	switch {
	case r.Outcome == Sent:
		return true
	case r.Step == MailFrom && r.Outcome == Failed && r.Code == 0: // nothing was said
		return true
	case r.Code == 421 || r.Code < 400 || r.Outcome == Unknown: // 421: the server closes (RFC 5321 section 3.8)
		return false
	case r.Step == MailFrom && r.Code == 552, r.Step == RcptTo || r.Step == Data || r.Step == Answer:
		return s.client.Reset() == nil
	}
	return false
}

func (s *session) close() { _ = s.client.Close() } // what it had to say is known

// quit says good-bye, without insisting.
func (s *session) quit() {
	s.client.CommandTimeout = 2 * time.Second
	if s.client.Quit() != nil {
		s.close()
	}
}

// A pool holds idle sessions.
type pool struct {
	mu       sync.Mutex
	sessions []*session
}

// take returns the session that was used last, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sessions) == 0 {
		return nil
	}
	s := p.sessions[len(p.sessions)-1]
	p.sessions = p.sessions[:len(p.sessions)-1]
	s.timer.Stop()
	return s
}

func (p *pool) put(s *session) {
	p.mu.Lock()
	full := len(p.sessions) >= keepMost
	if !full {
		s.timer = time.AfterFunc(keepIdle, func() { p.expire(s) })
		p.sessions = append(p.sessions, s)
	}
	p.mu.Unlock()
	if full {
		s.quit()
	}
}

// expire ends a session that is still idle.
func (p *pool) expire(s *session) {
	p.mu.Lock()
	for i, idle := range p.sessions {
		if idle == s {
			p.sessions = append(p.sessions[:i:i], p.sessions[i+1:]...)
			p.mu.Unlock()
			s.quit()
			return
		}
	}
	p.mu.Unlock()
}

func (p *pool) close() {
	for s := p.take(); s != nil; s = p.take() {
		s.quit()
	}
}

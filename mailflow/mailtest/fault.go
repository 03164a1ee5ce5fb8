package mailtest

import (
	"strings"

	"github.com/emersion/go-smtp"
)

// Verb is a place in the dialogue at which a Sink can refuse.
type Verb string

const (
	// Mail is MAIL FROM.
	Mail Verb = "MAIL"
	// Rcpt is RCPT TO.
	Rcpt Verb = "RCPT"
	// Dot is the end of a message.
	Dot Verb = "."
)

// faults are what a Sink does wrong, guarded by its lock.
type faults struct {
	refuse  map[string]int // RCPT by address
	fail    map[Verb]failure
	dropDot int // lines that break after the final dot
	lose    bool
	dropIn  int // lines that break within a message…
	after   int // …after this many octets
	stall   *stall
}

type failure struct{ code, times int }

type stall struct {
	reached chan struct{}
	release chan struct{}
}

func reply(code int) error {
	if code == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "as the test wants it"}
}

// Refuse answers RCPT for an address with a reply code; 0 takes that back.
func (s *Sink) Refuse(addr string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil {
		s.refuse = map[string]int{}
	}
	s.refuse[strings.ToLower(addr)] = code
}

// Fail answers the next n times at a place in the dialogue with a reply code.
func (s *Sink) Fail(at Verb, code, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.fail = map[Verb]failure{}
	}
	s.fail[at] = failure{code, n}
}

// DropAfterDot keeps the next n mails, and breaks the line instead of answering.
func (s *Sink) DropAfterDot(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropDot, s.lose = n, false
}

// LoseAfterDot is DropAfterDot of a server that loses the mails as well.
func (s *Sink) LoseAfterDot(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropDot, s.lose = n, true
}

// DropInData breaks the line within each of the next n messages after some octets.
func (s *Sink) DropInData(n, octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropIn, s.after = n, octets
}

// StallAfterDot keeps the next mail and does not answer: reached is closed when it is there, and release lets the answer go.
func (s *Sink) StallAfterDot() (reached <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stall{make(chan struct{}), make(chan struct{})}
	s.stall = st
	return st.reached, func() { close(st.release) }
}

// failing takes one failure at a place, if any are left.
func (s *Sink) failing(at Verb) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.fail[at]
	if f.times == 0 {
		return nil
	}
	s.fail[at] = failure{f.code, f.times - 1}
	return reply(f.code)
}

func (s *Sink) refused(addr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return reply(s.refuse[strings.ToLower(addr)])
}

// breaksIn says whether the line breaks within this message, and where.
func (s *Sink) breaksIn() (octets int, breaks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropIn == 0 {
		return 0, false
	}
	s.dropIn--
	return s.after, true
}

// An ending is what happens to a whole message.
type ending struct {
	drop, lose bool
	forget     bool // what it said
	stall      *stall
}

func (s *Sink) ending() ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := ending{drop: s.dropDot > 0, lose: s.dropDot > 0 && s.lose, forget: s.forget, stall: s.stall}
	if e.drop {
		s.dropDot--
	}
	s.stall = nil
	return e
}

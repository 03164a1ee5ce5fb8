package courier

import (
	"errors"
	"net"
	"sync"
	"time"
)

// maxAnswer bounds what a server says to one thing that we wrote, in octets: an answer, of which 512 a line are allowed (RFC 5321
// section 4.5.3.1.5), or its side of a TLS handshake with a long chain of certificates.
const maxAnswer = 256 << 10

var errEndless = errors.New("the answer is longer than any has to be")

// A line is a connection that always has a deadline. The SMTP client clears its deadlines between commands, and sets none while
// a message is written; here a cleared one becomes the time of one step from now. A line can be interrupted, and knows whether
// the last bytes of a message left. It stops reading an answer that does not end.
type line struct {
	net.Conn
	step time.Duration

	mu      sync.Mutex
	cut     time.Time // no deadline is later, once it is set
	dotted  bool      // the end of a message is being written
	waiting bool      // the end was written, its answer is being read
	short   bool      // a write before that left bytes behind
	read    int       // octets since the last write
}

// SetDeadline sets an absolute deadline; the zero time stands for one step from now.
func (l *line) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.IsZero() {
		t = time.Now().Add(l.step)
	}
	if !l.cut.IsZero() && l.cut.Before(t) {
		t = l.cut
	}
	return l.Conn.SetDeadline(t)
}

// interrupt ends what waits on the line, at once or, when only the answer to a whole message is missing, soon.
func (l *line) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = time.Now()
	if l.dotted {
		l.cut = l.cut.Add(afterCancel)
	}
	_ = l.Conn.SetDeadline(l.cut)
}

// begin forgets the message before.
func (l *line) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dotted, l.waiting, l.short = false, false, false
}

// dot says that the end of a message comes next, or false if the line was interrupted and it must not.
func (l *line) dot() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut.IsZero() {
		return false
	}
	l.dotted = true
	return true
}

// unfinished says that the final dot did not leave whole, so that no server can have taken the message.
func (l *line) unfinished() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.short
}

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	l.read = 0
	l.mu.Unlock()
	n, err := l.Conn.Write(b)
	if n < len(b) {
		l.mu.Lock()
		// Once the answer is waited for the message has left, and what TLS still writes (an alert) says nothing about it.
		l.short = l.short || !l.waiting
		l.mu.Unlock()
	}
	return n, err
}

func (l *line) Read(b []byte) (int, error) {
	l.mu.Lock()
	l.waiting = l.dotted
	endless := l.read > maxAnswer
	l.mu.Unlock()
	if endless {
		return 0, errEndless
	}
	n, err := l.Conn.Read(b)
	l.mu.Lock()
	l.read += n
	l.mu.Unlock()
	return n, err
}

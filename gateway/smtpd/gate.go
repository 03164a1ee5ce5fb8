package smtpd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"parley/gateway/auth"
)

// gate stands between a client and go-smtp, on the plaintext side. It does
// STARTTLS, hands over complete command lines one by one, keeps the text of a
// message for the session (see text), and owns all deadlines. Knowing the last
// command and every reply, it knows what the next octets are.
//
// One goroutine, the session's, reads, writes and closes; only dismiss comes
// from elsewhere.
type gate struct {
	server *Server
	limits Limits
	raw    net.Conn // TCP
	conn   net.Conn // raw, or TLS over it
	in     *bufio.Reader
	out    []byte // replies on their way: flushed before waiting for the client
	host   string // the client's address without its port
	leave  func()
	log    *slog.Logger
	ctx    context.Context // ends with the connection

	state   state
	secure  bool
	begun   bool   // the greeting is out
	greeted bool   // EHLO or HELO was answered, since TLS where there is TLS
	hangup  bool   // the next complete reply is the last
	linger  bool   // and the client may still be sending
	verb    string // of the command that is being answered
	given   []byte // a line for go-smtp
	line    []byte // what it has not read of it
	reply   []byte // a line of a reply that is not complete yet
	text    *text  // of the message under way
	count   int    // of commands since the last message
	until   time.Time

	mu        sync.Mutex
	waiting   bool // for a command
	dismissed bool
}

// state says what the client's next octets are.
type state uint8

const (
	atCommand state = iota
	atAnswer        // to a challenge of AUTH (RFC 4954 section 4)
	atText          // of a message (RFC 5321 section 4.1.1.4)
	atEnd           // nothing more is read from or written to the client
)

func newGate(s *Server, c net.Conn, leave func()) *gate {
	g := &gate{server: s, limits: s.Limits, raw: c, conn: c, host: auth.Host(c.RemoteAddr()), in: s.reader(c)}
	g.log = s.Log.With("conn", newID())
	g.until = time.Now().Add(s.Limits.Session)
	if s.Submission != nil { // a stranger holds no place there for longer
		g.until = time.Now().Add(s.Limits.Command)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	g.ctx = ctx
	g.leave = sync.OnceFunc(func() {
		cancel()
		leave()
		s.forget(g)
		g.in.Reset(nil) // nothing of the client is kept alive
		s.readers.Put(g.in)
		g.in = nil
	})
	return g
}

// Read gives go-smtp the next command line, or at most what is left of it.
func (g *gate) Read(p []byte) (int, error) {
	if len(g.line) == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.line)
	g.line = g.line[n:]
	return n, nil
}

// next finds the next line that is meant for go-smtp.
func (g *gate) next() error {
	if g.state == atText {
		return g.endOfText()
	}
	for {
		raw, err := g.command()
		if err != nil {
			return err
		}
		line, pass := string(raw), true
		if g.state == atCommand {
			line, pass = g.admit(line)
		}
		switch {
		case g.state == atEnd:
			return io.EOF
		case pass:
			g.state = atCommand
			g.give(line)
			return nil
		}
	}
}

// endOfText tells go-smtp that the text is over, once the session has read it.
func (g *gate) endOfText() error {
	if g.text == nil || g.text.err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	g.give(".")
	return nil
}

// give puts a line before go-smtp.
func (g *gate) give(line string) {
	g.given = append(append(g.given[:0], line...), '\r', '\n')
	g.line = g.given
}

// command reads one line. A server that stops or a client that breaks the
// rules of lines gets its answer here, and the connection is at its end.
func (g *gate) command() ([]byte, error) {
	if g.state != atEnd && !g.lineBuffered() {
		g.flush()
	}
	if g.state == atEnd {
		return nil, io.EOF
	}
	if !g.await(g.until) {
		g.bye(421, "4.3.2", stopping)
		return nil, io.EOF
	}
	line, err := g.in.ReadSlice('\n')
	dismissed := g.arrived()
	switch {
	case err == bufio.ErrBufferFull || len(line) > lineLimit:
		g.end(500, "5.5.2", "Line too long")
	case err != nil && dismissed:
		g.bye(421, "4.3.2", stopping)
	case os.IsTimeout(err):
		g.bye(421, "4.4.2", "Timeout")
	case err != nil:
		g.state = atEnd // what stands before the break is no command
	case !wellFormed(line):
		g.end(500, "5.5.2", "Lines are text and end in CR LF")
	default:
		return line[:len(line)-2], nil
	}
	return nil, io.EOF
}

const stopping = "Shutting down, try again later"

// lineBuffered tells whether a command can be read without waiting.
func (g *gate) lineBuffered() bool {
	b, _ := g.in.Peek(g.in.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// await sets the deadline for one command, which is never after latest. False
// when the server stops.
func (g *gate) await(latest time.Time) bool {
	until := time.Now().Add(g.limits.Command)
	if latest.Before(until) {
		until = latest
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dismissed {
		return false
	}
	g.waiting = true
	_ = g.raw.SetReadDeadline(until)
	return true
}

// arrived ends await, and tells whether the server began to stop meanwhile.
func (g *gate) arrived() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = false
	return g.dismissed
}

// dismiss asks for the end of the connection: at once where a command is
// waited for, else after the one that is being answered.
func (g *gate) dismiss() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dismissed = true
	if g.waiting {
		_ = g.raw.SetReadDeadline(time.Unix(1, 0))
	}
}

// accepted starts the counts for the next message.
func (g *gate) accepted() {
	g.count = 0
	g.until = time.Now().Add(g.limits.Session)
}

// loggedIn gives a coordinator the time of a session.
func (g *gate) loggedIn() { g.until = time.Now().Add(g.limits.Session) }

// handshake puts TLS between the client and the gate. What the client had
// sent before it is dropped (RFC 3207 section 4.2; rule M5).
func (g *gate) handshake() error {
	tc := tls.Server(g.raw, g.server.TLS)
	_ = g.raw.SetWriteDeadline(time.Now().Add(g.limits.Command))
	if !g.await(g.until) {
		return errStopping
	}
	err := tc.HandshakeContext(g.ctx)
	g.arrived()
	if err != nil {
		return err
	}
	g.conn = tc
	g.in.Reset(tc)
	g.secure, g.greeted = true, false
	return nil
}

var errStopping = errors.New("the server stops")

// The library's own deadlines are off, and these are not called.

func (g *gate) SetDeadline(time.Time) error      { return nil }
func (g *gate) SetReadDeadline(time.Time) error  { return nil }
func (g *gate) SetWriteDeadline(time.Time) error { return nil }

func (g *gate) LocalAddr() net.Addr  { return g.raw.LocalAddr() }
func (g *gate) RemoteAddr() net.Addr { return g.raw.RemoteAddr() }

package smtpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/emersion/go-smtp"
)

// text is the text of one message on its way in. It reads past go-smtp, whose
// own reader lets bare CR and LF through and goes on with the connection when
// the text breaks off (RFC 5321 section 4.1.1.4; rules M5, M8): here the only
// end is CR LF "." CR LF, lines are whole, and there is one deadline for all.
type text struct {
	gate     *gate
	left     int64  // octets that the message may still have
	line     []byte // what is left of the current one
	unread   bool   // drain found more than Read had given out
	tooLarge bool
	err      error // that ended it: io.EOF after its end, else a *smtp.SMTPError
}

// Replies to texts that end the connection. After them nobody can tell what
// the client's next octets are.
var (
	errBare     = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "CR, LF and NUL stand in no message but as CR LF"}
	errLongLine = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Line too long"}
	errSlow     = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "Timeout"}
	errBroken   = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "Connection broke"}
)

// errTooLarge is what a flow reads instead of the octet after the last that a
// message may have.
var errTooLarge = errors.New("message too large")

// message gives the text that the client sends now; false when it was not
// told to send one.
func (g *gate) message() (*text, bool) {
	if g.state != atText || g.text != nil {
		return nil, false
	}
	g.flush()
	_ = g.raw.SetReadDeadline(time.Now().Add(g.limits.Data))
	g.text = &text{gate: g, left: g.limits.Size}
	return g.text, true
}

// Read gives the message with CRLF line ends and without transparency dots.
func (t *text) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(t.line) == 0 {
			if n > 0 && t.gate.in.Buffered() == 0 {
				break // rather than wait with something in hand
			}
			t.next()
		}
		switch {
		case t.tooLarge && n == 0:
			return 0, errTooLarge
		case t.err != nil && n == 0:
			return 0, t.err
		case t.tooLarge || t.err != nil:
			return n, nil
		}
		c := copy(p[n:], t.line)
		t.line = t.line[c:]
		n += c
	}
	return n, nil
}

// next reads one line.
func (t *text) next() {
	if t.err != nil {
		return
	}
	line, err := t.gate.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		t.err = errLongLine
	case os.IsTimeout(err):
		t.err = errSlow
	case err != nil:
		t.err = errBroken
	case string(line) == ".\r\n":
		t.err = io.EOF
	case !isTextLine(line):
		t.err = errBare
	default:
		if line[0] == '.' { // RFC 5321 section 4.5.2
			line = line[1:]
		}
		t.left -= int64(len(line))
		t.tooLarge = t.left < 0
		t.line = line
	}
}

// isTextLine tells whether a line has CR and LF at its end only, and no NUL
// (RFC 5321 section 2.3.8).
func isTextLine(line []byte) bool {
	n := len(line)
	return n >= 2 && bytes.IndexByte(line, '\r') == n-2 && bytes.IndexByte(line, 0) < 0
}

// drain reads what nobody wanted, so that a reply can be given at the end of
// the text. Its error is the reply to a text that has no end.
func (t *text) drain() error {
	t.unread = len(t.line) > 0
	t.line = nil
	for t.err == nil {
		t.next()
		t.unread = t.unread || len(t.line) > 0
		t.line = nil
	}
	if t.err == io.EOF {
		return nil
	}
	return t.err
}

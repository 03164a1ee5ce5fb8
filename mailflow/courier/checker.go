package courier

import (
	"errors"
	"io"
)

// maxLine is the longest line without its CRLF (RFC 5322 section 2.1.1).
const maxLine = 998

var (
	errBareLine = errors.New("the message has a bare CR or LF")
	errNUL      = errors.New("the message has a NUL")
	errControl  = errors.New("the header has a control character")
	errLongLine = errors.New("the message has a line of more than 998 octets")
	errEightBit = errors.New("the message has octets above 127 and the server does not take them")
	errUTF8     = errors.New("the header has octets above 127, which needs SMTPUTF8")
	errNoEnd    = errors.New("the message does not end with CRLF")
	errSize     = errors.New("the message has not the size it should have")
)

// A checker reads a message and fails at the first octet that must not be sent (M6): the client would mend bare LF and a
// missing last CRLF by itself, and so send other bytes than were signed.
type checker struct {
	r        io.Reader
	eightBit bool  // octets above 127 are taken
	size     int64 // what should come; 0 if not known

	wrong  error // what is wrong with the message; nil if reading it failed
	broken bool  // reading it failed, or something is wrong with it
	n      int64
	last   byte
	length int  // of the line so far, with a CR
	body   bool // the empty line was seen
}

func (c *checker) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	for _, o := range b[:n] {
		if wrong := c.octet(o); wrong != nil {
			return 0, c.fail(wrong)
		}
	}
	c.n += int64(n)
	c.broken = err != nil && err != io.EOF
	if err == io.EOF {
		if wrong := c.end(); wrong != nil {
			return 0, c.fail(wrong)
		}
	}
	return n, err
}

func (c *checker) fail(wrong error) error {
	c.wrong, c.broken = wrong, true
	return wrong
}

func (c *checker) octet(o byte) error {
	before := c.last
	c.last = o
	switch {
	case before == '\r' && o != '\n', o == '\n' && before != '\r':
		return errBareLine
	case o == '\n':
		c.body = c.body || c.length == 1
		c.length = 0
		return nil
	case o == 0:
		return errNUL
	case !c.body && (o < ' ' && o != '\r' && o != '\t' || o == 0x7f):
		return errControl
	case o > 0x7f && !c.body:
		return errUTF8 // RFC 6531: no server is asked for it, since the next one on the way may not take it
	case o > 0x7f && !c.eightBit:
		return errEightBit
	}
	if c.length++; c.length > maxLine && o != '\r' {
		return errLongLine
	}
	return nil
}

func (c *checker) end() error {
	switch {
	case c.size > 0 && c.n != c.size:
		return errSize
	case c.last != '\n':
		return errNoEnd
	}
	return nil
}

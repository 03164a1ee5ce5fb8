package pgpmime

import (
	"bytes"
	"errors"
	"io"
)

var (
	errLines = errors.New("the entity has a bare CR or LF")
	errNoEnd = errors.New("entity is a multipart without an end")
)

// checkLines refuses what is not in CRLF lines: signatures and size depend on it.
func checkLines(b []byte) error {
	n := bytes.Count(b, []byte("\r\n"))
	if n != bytes.Count(b, []byte("\n")) || n != bytes.Count(b, []byte("\r")) {
		return errLines
	}
	return nil
}

// bodyReader reads the body of an entity and checks on the way that it is in CRLF
// lines and that the closing boundary is in it.
type bodyReader struct {
	r    io.Reader
	left int64
	mark []byte // the closing boundary; nil once it was seen, or if there is none
	tail []byte // the last octets read, among which a mark may begin
	cr   bool   // the octet read last is a CR
	lf   bool   // is the LF behind one
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if cerr := b.check(p[:n]); cerr != nil {
		return 0, cerr
	}
	if err == io.EOF {
		switch {
		case b.cr:
			return n, errLines
		case b.mark != nil:
			return n, errNoEnd
		}
	}
	return n, err
}

// check looks at the next piece.
func (b *bodyReader) check(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	b.seek(p)
	b.lf = p[len(p)-1] == '\n'
	if b.cr {
		if p[0] != '\n' {
			return errLines
		}
		p = p[1:]
	}
	if b.cr = len(p) > 0 && p[len(p)-1] == '\r'; b.cr {
		p = p[:len(p)-1]
	}
	return checkLines(p)
}

// seek looks for the closing boundary in the next piece, and over its edge.
func (b *bodyReader) seek(p []byte) {
	if b.mark == nil {
		return
	}
	edge := len(b.mark) - 1
	over := append(b.tail, p[:min(edge, len(p))]...)
	if bytes.Contains(over, b.mark) || bytes.Contains(p, b.mark) {
		b.mark, b.tail = nil, nil
		return
	}
	last := p
	if len(p) < edge {
		last = over
	}
	b.tail = append(b.tail[:0:0], last[max(0, len(last)-edge):]...)
}

// endsLine reports whether the body read ends with a line.
func (b *bodyReader) endsLine() bool { return b.lf }

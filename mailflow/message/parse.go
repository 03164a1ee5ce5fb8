package message

import (
	"bytes"
	"strings"
)

// Parse finds the structure of a message in one pass over its bytes, whatever
// its nesting. Lines may end in CRLF or LF. The parts refer to raw, which must
// not change afterwards. Errors are ErrMalformed or a *LimitError.
func Parse(raw []byte, l Limits) (*Part, error) {
	p := &parser{raw: raw, limits: l.orDefaults()}
	if int64(len(raw)) > p.limits.Size {
		return nil, &LimitError{"octets", p.limits.Size}
	}
	root := p.push(0, "text/plain")
	p.run()
	if p.err == nil {
		p.err = p.checkRoot(root)
	}
	if p.err != nil {
		return nil, p.err
	}
	return root, nil
}

// parser walks over the lines of a message. The stack holds the part it is in
// and everything around that part, the message itself first.
type parser struct {
	raw    []byte
	limits Limits
	stack  []frame
	parts  int  // below the message
	header bool // inside the header block of the innermost part
	fields bool // that block had a first line, and it was a field
	err    error
}

// frame is a part that has not ended yet.
type frame struct {
	part     *Part
	fallback string // its media type if it names none
	boundary string // of a multipart that is still open, else ""
}

func (p *parser) run() {
	for pos := 0; p.err == nil; {
		if !p.header && !p.delimited() {
			break // nothing further can end or begin
		}
		if pos = p.nextLine(pos); pos >= len(p.raw) {
			break
		}
		next := lineEnd(p.raw, pos)
		line := p.raw[pos:next]
		if level, closing, ok := p.delimiter(line); ok {
			p.cross(level, closing, pos, next)
		} else if p.header {
			p.headerLine(line, pos, next)
		}
		pos = next
	}
	for p.header && p.err == nil { // the message ended inside a header
		p.endHeader(len(p.raw), len(p.raw))
	}
	p.closeAbove(-1, len(p.raw))
}

// nextLine is the next line that matters: in a header every line, in a body
// only one that could be a boundary.
func (p *parser) nextLine(pos int) int {
	if p.header || bytes.HasPrefix(p.raw[pos:], []byte("--")) {
		return pos
	}
	i := bytes.Index(p.raw[pos:], []byte("\n--"))
	if i < 0 {
		return len(p.raw)
	}
	return pos + i + 1
}

func (p *parser) delimited() bool {
	for _, f := range p.stack {
		if f.boundary != "" {
			return true
		}
	}
	return false
}

// delimiter finds the multipart that a line is a boundary of: the innermost
// open one, though the boundary of any outer one ends what is inside it
// (RFC 2046 section 5.1.2).
func (p *parser) delimiter(line []byte) (level int, closing, ok bool) {
	if !bytes.HasPrefix(line, []byte("--")) {
		return 0, false, false
	}
	line = bytes.TrimRight(line[2:], " \t\r\n")
	for i := len(p.stack) - 1; i >= 0; i-- {
		b := p.stack[i].boundary
		switch {
		case b == "" || len(line) < len(b):
		case len(line) == len(b) && string(line) == b:
			return i, false, true
		case len(line) == len(b)+2 && string(line[:len(b)]) == b && string(line[len(b):]) == "--":
			return i, true, true
		}
	}
	return 0, false, false
}

// cross ends what is inside the multipart at level and begins its next part.
func (p *parser) cross(level int, closing bool, pos, next int) {
	end := pos - eolBefore(p.raw[:pos])
	for p.header && p.err == nil && len(p.stack)-1 > level {
		p.endHeader(end, end)
	}
	p.header = false
	p.closeAbove(level, end)
	f := &p.stack[level]
	if closing {
		f.boundary = ""
		return
	}
	fallback := "text/plain"
	if f.part.MediaType == "multipart/digest" {
		fallback = "message/rfc822"
	}
	p.push(next, fallback)
}

// headerLine takes in one line of the header block of the innermost part.
func (p *parser) headerLine(line []byte, pos, next int) {
	part := p.stack[len(p.stack)-1].part
	if len(bytes.TrimRight(line, "\r\n")) == 0 && !bytes.HasPrefix(line, []byte("\r\r")) {
		p.endHeader(pos, next)
		return
	}
	if next-part.start > p.limits.HeaderBytes {
		p.err = &LimitError{"octets in a header", int64(p.limits.HeaderBytes)}
		return
	}
	if p.fields {
		return
	}
	if _, _, ok := splitField(line); ok || isMboxLine(line) || part.start == 0 {
		p.fields = true
		return
	}
	p.endHeader(part.start, part.start) // no header at all: text from its first line on
}

// endHeader is called when the header block of the innermost part, which goes
// to end, is complete and the body begins.
func (p *parser) endHeader(end, body int) {
	f := &p.stack[len(p.stack)-1]
	part := f.part
	p.header = false
	part.body = body
	part.Header = Header{p.raw[min(part.start, end):end:end]}
	part.readContentFields(f.fallback)
	if p.parts > 0 {
		part.control = controls(p.stack[len(p.stack)-2].part, part)
	}
	switch {
	case part.isMultipart():
		f.boundary = strings.TrimRight(part.Params["boundary"], " \t")
	case part.isEmbedded():
		p.push(body, "text/plain")
	}
}

// push opens a part that begins at pos.
func (p *parser) push(pos int, fallback string) *Part {
	part := &Part{raw: p.raw, start: pos, body: pos, end: len(p.raw)}
	if depth := len(p.stack); depth > 0 {
		if p.parts++; p.parts > p.limits.Parts {
			p.err = &LimitError{"parts", int64(p.limits.Parts)}
		}
		if depth > p.limits.Depth {
			p.err = &LimitError{"levels of nesting", int64(p.limits.Depth)}
		}
		around := p.stack[depth-1].part
		around.Children = append(around.Children, part)
	}
	p.stack = append(p.stack, frame{part: part, fallback: fallback})
	p.header, p.fields = true, false
	return part
}

// closeAbove ends, at end, every part that stands above level on the stack.
func (p *parser) closeAbove(level, end int) {
	for _, f := range p.stack[level+1:] {
		f.part.end = end
		f.part.body = min(f.part.body, end)
		f.part.start = min(f.part.start, end)
	}
	p.stack = p.stack[:level+1]
}

// checkRoot applies the rules that hold for a message but not for its parts.
func (p *parser) checkRoot(root *Part) error {
	fields, received := 0, 0
	for name := range root.Header.all() {
		fields++
		if equalFold(name, "Received") {
			received++
		}
	}
	if received > p.limits.Received {
		return &LimitError{"Received fields", int64(p.limits.Received)}
	}
	if fields == 0 && len(root.Header.raw) > 0 || len(p.raw) == 0 {
		return ErrMalformed
	}
	return nil
}

// controls tells whether part serves the multipart around it only: the
// signature of a multipart/signed, the version part of a multipart/encrypted
// (RFC 1847).
func controls(around, part *Part) bool {
	n := len(around.Children)
	switch around.MediaType {
	case "multipart/signed":
		return n == 2 && around.Children[1] == part
	case "multipart/encrypted":
		return n == 1 && around.Children[0] == part
	}
	return false
}

// isMboxLine recognises the separator of a mail folder, which some programs
// leave in front of a message.
func isMboxLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))
}

func lineEnd(b []byte, pos int) int {
	if i := bytes.IndexByte(b[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(b)
}

// eolBefore is the length of the line break that b ends in.
func eolBefore(b []byte) int {
	switch {
	case bytes.HasSuffix(b, []byte("\r\n")):
		return 2
	case bytes.HasSuffix(b, []byte("\n")):
		return 1
	}
	return 0
}

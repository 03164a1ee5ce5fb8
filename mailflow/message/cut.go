package message

import (
	"bytes"
	"strings"
)

// Cut says of a leaf what is to be served in its place, if anything.
type Cut func(p *Part) (text string, cut bool)

// Without is the message as it was received, but for the bodies of the leaves
// that are cut.
func Without(root *Part, cut Cut) []byte {
	var b bytes.Buffer
	pos := root.start
	root.Walk(func(p *Part) bool {
		if text, ok := cut.of(p); ok {
			b.Write(root.raw[pos:p.body])
			b.WriteString(text)
			pos = p.end
		}
		return true
	})
	b.Write(root.raw[pos:root.end])
	return b.Bytes()
}

// of asks about a leaf; without a function nothing is cut.
func (c Cut) of(p *Part) (string, bool) {
	if c == nil || len(p.Children) > 0 {
		return "", false
	}
	return c(p)
}

// ownMark tells whether a field is one that only we write, or that a reader could
// take for our word (rule S8).
func ownMark(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "parley-") || name == "authentication-results"
}

// withoutMarks is the header of a part inside the message without our marks.
func withoutMarks(p *Part) (header []byte, changed bool) {
	var b bytes.Buffer
	for rest := p.Header.raw; len(rest) > 0; {
		n := FieldEnd(rest)
		if marked(rest[:n]) {
			changed = true
		} else {
			b.Write(withCRLF(rest[:n]))
		}
		rest = rest[n:]
	}
	if !changed {
		return nil, false
	}
	b.WriteString("\r\n")
	return b.Bytes(), true
}

// marked looks at a field and at whatever a reader could take for further lines
// of it: some end a line at a bare CR.
func marked(field []byte) bool {
	for line := range bytes.SplitSeq(field, []byte("\r")) {
		name, _, ok := splitField(bytes.TrimLeft(line, "\n"))
		if ok && ownMark(string(name)) {
			return true
		}
	}
	return false
}

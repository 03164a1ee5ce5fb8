package message

import (
	"bytes"
	"iter"
	"strings"
)

// Field is one header field. Value is unfolded and trimmed but otherwise as it
// stood in the message: not decoded, and possibly not even UTF-8.
type Field struct{ Name, Value string }

// Header is the header block of a part, in the order received. Lines that are
// no header field are passed over: one broken line does not make a letter
// unreadable. The zero value is an empty header.
type Header struct {
	raw []byte // without the blank line; read when asked, so it costs nothing to keep
}

// Fields returns all fields in order.
func (h Header) Fields() []Field {
	var fields []Field
	for name, value := range h.all() {
		fields = append(fields, Field{string(name), unfold(value)})
	}
	return fields
}

// Get returns the value of the first field of that name, "" if there is none.
func (h Header) Get(name string) string {
	for n, v := range h.all() {
		if equalFold(n, name) {
			return unfold(v)
		}
	}
	return ""
}

// Values returns the values of all fields of that name.
func (h Header) Values(name string) []string {
	var values []string
	for n, v := range h.all() {
		if equalFold(n, name) {
			values = append(values, unfold(v))
		}
	}
	return values
}

// Has tells whether a field of that name is there, even an empty one.
func (h Header) Has(name string) bool {
	for n := range h.all() {
		if equalFold(n, name) {
			return true
		}
	}
	return false
}

// Text returns the first field of that name for people to read: encoded words
// are decoded (RFC 2047), and what CheckHeaderValue would refuse is taken out,
// so the result may stand in a header that we write.
func (h Header) Text(name string) string { return readable(h.Get(name)) }

// all yields the fields of the block, values still folded.
func (h Header) all() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		rest := h.raw
		for len(rest) > 0 {
			n := FieldEnd(rest)
			name, value, ok := splitField(rest[:n])
			rest = rest[n:]
			if ok && !yield(name, value) {
				return
			}
		}
	}
}

// FieldEnd is the length of the first line with the continuation lines that
// follow it (RFC 5322 section 2.2.3).
func FieldEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		at += i + 1
		if at == len(b) || (b[at] != ' ' && b[at] != '\t') {
			return at
		}
	}
}

// splitField takes a field apart. The name is printable US-ASCII without colon
// (RFC 5322 section 2.2); space before the colon is the obsolete form (4.5).
func splitField(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return nil, nil, false
	}
	name = bytes.TrimRight(line[:i], " \t")
	if len(name) == 0 {
		return nil, nil, false
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return nil, nil, false
		}
	}
	return name, line[i+1:], true
}

// unfold removes the line breaks of a folded value and trims it.
func unfold(v []byte) string {
	v = bytes.Trim(v, " \t\r\n")
	if bytes.IndexByte(v, '\n') < 0 {
		return string(v)
	}
	var b strings.Builder
	b.Grow(len(v))
	for len(v) > 0 {
		i := bytes.IndexByte(v, '\n')
		if i < 0 {
			b.Write(v)
			break
		}
		b.Write(bytes.TrimSuffix(v[:i], []byte{'\r'}))
		v = v[i+1:]
	}
	return b.String()
}

func equalFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}

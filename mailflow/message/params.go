package message

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// parseContentField takes a value like that of Content-Type apart: the value
// proper in lower case, and its parameters (RFC 2045 section 5.1, RFC 2231).
// What cannot be read is left out.
func parseContentField(s string) (value string, params map[string]string) {
	sc := scanner{rest: s}
	value = strings.ToLower(sc.until(";"))
	var raw []rawParam
	for sc.next(';') {
		name := strings.ToLower(sc.until("=;"))
		if name == "" || !sc.next('=') {
			continue
		}
		raw = append(raw, newRawParam(name, sc.paramValue(strings.Contains(name, "name"))))
	}
	return value, joinParams(raw)
}

// scanner reads a structured field value from left to right.
type scanner struct{ rest string }

// next skips white space and comments and takes c if it stands there.
func (s *scanner) next(c byte) bool {
	s.skip()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// skip passes over white space and comments (RFC 5322 section 3.2.2), nested
// ones included. A comment that does not end swallows the rest.
func (s *scanner) skip() {
	s.rest = strings.TrimLeft(s.rest, " \t")
	for strings.HasPrefix(s.rest, "(") {
		n, _ := commentEnd(s.rest)
		s.rest = strings.TrimLeft(s.rest[n:], " \t")
	}
}

// commentEnd is the length of the comment that s begins with, and whether it
// ends at all.
func commentEnd(s string) (n int, closed bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(s), false
}

// until takes everything before any of stops, without the comment and the
// space around it. (A stop inside a comment leaves a scrap behind that is no
// parameter and is passed over.)
func (s *scanner) until(stops string) string {
	v, _, _ := strings.Cut(s.raw(stops), "(")
	return strings.TrimSpace(v)
}

func (s *scanner) raw(stops string) string {
	s.skip()
	i := strings.IndexAny(s.rest, stops)
	if i < 0 {
		i = len(s.rest)
	}
	v := s.rest[:i]
	s.rest = s.rest[i:]
	return v
}

// paramValue takes a quoted string, or whatever stands before the next
// semicolon: many programs do not quote what they should, so that here a
// comment is one only after a space, and in the name of a file never.
func (s *scanner) paramValue(file bool) string {
	s.skip()
	if !strings.HasPrefix(s.rest, `"`) {
		v := s.raw(";")
		if !file {
			v, _, _ = strings.Cut(v, " (")
		}
		return strings.TrimSpace(v)
	}
	v, n, _ := unquote(s.rest)
	s.rest = s.rest[n:]
	s.raw(";")
	return v
}

// unquote reads the quoted string that s begins with (RFC 5322 section 3.2.4)
// and returns what it means, how long it is, and whether it ends; if not, it
// goes to the end of s.
func unquote(s string) (value string, n int, closed bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i + 1, true
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s), false
}

// rawParam is a parameter, or one section of it, as RFC 2231 spreads it out:
// name, name*, name*0, name*0*.
type rawParam struct {
	name, value string
	section     int // -1: not in sections
	extended    bool
}

func newRawParam(name, value string) rawParam {
	p := rawParam{name: name, value: value, section: -1}
	if strings.HasSuffix(p.name, "*") {
		p.name, p.extended = p.name[:len(p.name)-1], true
	}
	base, digits, ok := strings.Cut(p.name, "*")
	if n, err := strconv.Atoi(digits); ok && err == nil && n >= 0 {
		p.name, p.section = base, n
	}
	return p
}

// joinParams puts sections together (RFC 2231 section 3) and decodes (4). An
// encoded form goes before a plain one that is given beside it for old
// readers, as RFC 6266 section 4.3 has it for the same pair.
func joinParams(raw []rawParam) map[string]string {
	params := make(map[string]string, len(raw))
	slices.SortStableFunc(raw, func(a, b rawParam) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.section, b.section))
	})
	for len(raw) > 0 {
		n := 1
		for n < len(raw) && raw[n].name == raw[0].name {
			n++
		}
		if v, ok := joinOne(raw[:n]); ok && isToken(raw[0].name) {
			params[raw[0].name] = v
		}
		raw = raw[n:]
	}
	return params
}

func joinOne(group []rawParam) (string, bool) {
	for _, p := range group {
		if p.section < 0 && p.extended {
			return decodeExtended(p.value), true
		}
	}
	var parts []rawParam
	for _, p := range group {
		if p.section == len(parts) {
			parts = append(parts, p)
		}
	}
	switch {
	case len(parts) > 0:
		return joinSections(parts), true
	case group[0].section < 0:
		return group[0].value, true
	}
	return "", false
}

// joinSections decodes as a whole: a character may be cut in two.
func joinSections(parts []rawParam) string {
	var encoded strings.Builder
	for _, p := range parts {
		v := p.value
		if !p.extended && parts[0].extended {
			v = percentEncode(v)
		}
		encoded.WriteString(v)
	}
	if !parts[0].extended {
		return encoded.String()
	}
	return decodeExtended(encoded.String())
}

// decodeExtended decodes charset'language'value with its %XX octets.
func decodeExtended(s string) string {
	charset := "utf-8"
	if parts := strings.SplitN(s, "'", 3); len(parts) == 3 {
		charset, s = parts[0], parts[2]
	}
	return toUTF8(percentDecode(s), charset)
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, ok := hexByte(s[i+1], s[i+2]); ok {
				out = append(out, v)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

func percentEncode(s string) string { return strings.ReplaceAll(s, "%", "%25") }

// hexByte reads two hexadecimal digits of either case.
func hexByte(hi, lo byte) (byte, bool) {
	h, ok1 := hexDigit(hi)
	l, ok2 := hexDigit(lo)
	return h<<4 | l, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

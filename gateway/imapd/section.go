package imapd

import (
	"bytes"
	"strings"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/message"
)

// part is a piece of a message: octets [from,to) of it, or bytes that were
// made from it.
type part struct {
	from, to int64
	bytes    []byte
	made     bool
}

func (p part) size() int64 {
	if p.made {
		return int64(len(p.bytes))
	}
	return max(0, p.to-p.from)
}

// slice cuts <offset.size> out of a part (RFC 9051 section 6.4.5).
func (p part) slice(cut *imap.SectionPartial) part {
	if cut == nil {
		return p
	}
	from := min(cut.Offset, p.size())
	to := p.size()
	if cut.Size < to-from {
		to = from + cut.Size
	}
	if p.made {
		return part{bytes: p.bytes[from:to], made: true}
	}
	return part{from: p.from + from, to: p.from + to}
}

// node is what the number of a part leads to. A message that is no multipart
// has one part, 1: its own body.
type node struct {
	s     *message.Structure
	whole bool // s is meant as the message, not as the part that holds it
}

// find follows the numbers of a section, "4.2.1". A zero node: there is no
// such part.
func find(root *message.Structure, path []int) node {
	n := node{root, true}
	for _, number := range path {
		n = n.step(number)
		if n.s == nil {
			return n
		}
	}
	return n
}

func (n node) step(number int) node {
	s := n.s
	if !n.whole && embeds(s) {
		s, n.whole = s.Children[0], true
	}
	switch {
	case s.Type == "multipart" && number >= 1 && number <= len(s.Children):
		return node{s.Children[number-1], false}
	case s.Type != "multipart" && n.whole && number == 1:
		return node{s, false}
	}
	return node{}
}

// embeds says whether a part is a message with a structure of its own.
func embeds(s *message.Structure) bool { return s.Envelope != nil && len(s.Children) == 1 }

// section finds BODY[...]: where its octets are, or the lines of a header. A
// section that does not exist is empty.
func (b *bodyOf) section(sec *imap.FetchItemBodySection) (part, error) {
	if whole(sec) {
		_, err := b.reader()
		return part{to: b.entry.Size}, err
	}
	n := find(b.mail.Structure, sec.Part)
	if n.s == nil {
		return part{made: true}, nil
	}
	inner := n.s // for HEADER and TEXT: those of the message that the part is
	if len(sec.Part) > 0 && sec.Specifier != imap.PartSpecifierNone && sec.Specifier != imap.PartSpecifierMIME {
		if !embeds(n.s) {
			return part{made: true}, nil
		}
		inner = n.s.Children[0]
	}
	header := part{from: inner.HeaderStart, to: inner.HeaderEnd}
	switch sec.Specifier {
	case imap.PartSpecifierMIME:
		return part{from: n.s.HeaderStart, to: n.s.HeaderEnd}, nil
	case imap.PartSpecifierText:
		return part{from: inner.HeaderEnd, to: inner.BodyEnd}, nil
	case imap.PartSpecifierHeader:
		if len(sec.HeaderFields)+len(sec.HeaderFieldsNot) == 0 {
			return header, nil
		}
		raw, err := b.bytes(header.from, header.to)
		return part{made: true, bytes: fields(nil, raw, sec)}, err
	}
	return part{from: n.s.HeaderEnd, to: n.s.BodyEnd}, nil
}

// fields appends the lines of a header that HEADER.FIELDS or
// HEADER.FIELDS.NOT asks for, as they stand, and the blank line.
func fields(dst, header []byte, sec *imap.FetchItemBodySection) []byte {
	for len(header) > 0 {
		n := fieldEnd(header)
		line := header[:n]
		header = header[n:]
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(bytes.TrimRight(line, "\r\n")) == 0 {
			continue
		}
		if wanted(strings.TrimRight(string(name), " \t"), sec) {
			dst = append(dst, line...)
		}
	}
	return append(dst, "\r\n"...)
}

func wanted(name string, sec *imap.FetchItemBodySection) bool {
	if len(sec.HeaderFields) > 0 {
		return contains(sec.HeaderFields, name)
	}
	return !contains(sec.HeaderFieldsNot, name)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// fieldEnd is the length of the first field with its continuation lines (RFC
// 5322 section 2.2.3).
func fieldEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return len(b)
		}
		at += i + 1
		if at == len(b) || b[at] != ' ' && b[at] != '\t' {
			return at
		}
	}
}

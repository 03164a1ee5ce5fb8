package mailflow

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// spellMessage gives the words of a message that is filed: Subject, letter,
// pages, files that are text, and names of files.
func (b *Base) spellMessage(tx *store.Tx, m store.Message) (*spelled, error) {
	raw, err := tx.Bytes(m.Served)
	if err != nil {
		return nil, err
	}
	s := &spelled{}
	root, err := message.Parse(raw, ownLimits(b.Limits))
	if err != nil {
		return s, nil // nobody can read it
	}
	s.spell("", m.Envelope.Subject)
	below := false
	root.Walk(func(p *message.Part) bool {
		if room := guardText - len(s.text); room > 0 {
			s.spellPart(p, room, &below)
		}
		return true
	})
	return s, nil
}

// spellPart adds one part of a message. What stands above the first line that
// ends our words is ours.
func (s *spelled) spellPart(p *message.Part, room int, below *bool) {
	text := partText(p)
	if len(text) > room {
		text = strings.ToValidUTF8(text[:room], "")
	}
	if _, rest, ok := strings.Cut(text, theirs); ok && !*below {
		text, *below = rest, true
	}
	if text != "" {
		s.spell("", text)
	}
	if sum, ok := sumOf(p); ok {
		s.files = append(s.files, sum)
	}
	if len(p.Filename) >= runeRun {
		s.spell("", p.Filename)
	}
}

// partText is what a part says in words, or "".
func partText(p *message.Part) string {
	switch {
	case len(p.Children) > 0 || strings.HasPrefix(p.MediaType, "application/pgp-"):
		return ""
	case p.MediaType == "text/html":
		if t, err := p.Text(); err == nil {
			return message.HTMLToText(t)
		}
	case strings.HasPrefix(p.MediaType, "text/"):
		if t, err := p.Unflowed(); err == nil {
			return t
		}
	}
	data, err := p.Body()
	if err != nil {
		return ""
	}
	return readableText(data)
}

// readableText is the text that bytes are, or "" for what no person reads. Where
// nothing says in which characters it is, what is no UTF-8 may be UTF-16 with its
// mark, as some editors save it, or a text with some characters of its own.
func readableText(data []byte) string {
	text := string(data)
	if order := byteOrder(data); order != nil {
		text = fromUTF16(data[2:], order)
	}
	for _, c := range text[:min(len(text), 64<<10)] {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' {
			return ""
		}
	}
	return strings.ToValidUTF8(text, string(utf8.RuneError))
}

// byteOrder is that of a text in UTF-16, by its mark; nil for any other.
func byteOrder(data []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return binary.BigEndian
	}
	return nil
}

func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// outgoing is a text that is to leave, as its author wrote it.
type outgoing struct {
	subject string
	text    string
	files   []cvd.File // under the names that they leave with
}

// spelled gives the words of what is to leave. It is false where there are too
// many to compare.
func (o outgoing) spelled() (*spelled, bool) {
	s := &spelled{}
	s.spell("", o.text)
	if o.subject != "" {
		s.spell("the Subject", o.subject)
	}
	whole := len(o.text) <= guardText
	for _, f := range o.files {
		s.spell("the name of "+f.Name, f.Name)
		text, all := fileText(f)
		whole = whole && all
		if whole = whole && len(s.text)+len(text) <= guardText; !whole {
			return s, false
		}
		if text != "" {
			s.spell(f.Name, text)
		}
	}
	return s, whole
}

// fileText is what a file says in words, or "". A message in a file is read
// like any other, and so are the files of an archive; it is false where not all
// of those could be.
func fileText(f cvd.File) (string, bool) {
	if strings.HasPrefix(f.MediaType, "application/pgp-") {
		return "", true
	}
	if packed, whole := filesOfZip(f.Data); len(packed) > 0 || !whole {
		var all []string
		for _, p := range packed {
			all = append(all, p.Name, readableText(p.Data))
		}
		return strings.Join(all, "\n"), whole
	}
	return textOfMail(f), true
}

// textOfMail is what a file says that is a text, a page or a mail.
func textOfMail(f cvd.File) string {
	head := "Content-Type: " + f.MediaType + "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	if f.Charset != "" {
		head = "Content-Type: " + f.MediaType + "; charset=\"" + f.Charset + "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	}
	if f.MediaType == "message/rfc822" || f.MediaType == "message/global" {
		head = ""
	}
	root, err := message.Parse(append([]byte(head), f.Data...), message.DefaultLimits())
	if err != nil {
		return readableText(f.Data)
	}
	var all []string
	root.Walk(func(p *message.Part) bool {
		if head == "" && p == root {
			all = append(all, p.Header.Text("Subject"))
		}
		if t := partText(p); t != "" {
			all = append(all, t)
		}
		return true
	})
	return strings.Join(all, "\n")
}

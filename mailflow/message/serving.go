package message

import (
	"bytes"
	"strings"
)

// serving is a message with the changes that it is served with: a new header
// or body for some parts, and the bytes as received for all others.
type serving struct {
	root            *Part
	headers, bodies map[*Part][]byte
	alone           string // the text of a part for the note alone, "" if the letter has it
	loneLF          bool   // some line ends in LF only
	cut             Cut
	letter          *Part // with the note at its top; nil if that is alone
}

// edit decides about the changes. It fails if a header cannot be written.
func (s *serving) edit(note string) error {
	note = strings.ToValidUTF8(strings.TrimRight(note, "\r\n"), "\ufffd")
	above := false
	if s.letter = s.root.FirstText(); s.letter != nil {
		if err := s.editText(s.letter, note); err != nil {
			return err
		}
		above = true
	} else {
		s.alone = note + "\n"
		if page := s.root.FirstHTML(); page != nil {
			s.alone += "\n" + s.pageText(page)
		}
	}
	_, _, err := s.editTree(s.root, &above)
	if err == nil && s.headers[s.root] == nil {
		s.headers[s.root], err = contentHeader(s.root, "", nil)
	}
	return err
}

func (s *serving) pageText(page *Part) string {
	if text, ok := s.cut.of(page); ok {
		return text + "\n"
	}
	source, _ := page.Text()
	return HTMLToText(source) + "\n"
}

// editText writes the letter anew with the note above it.
func (s *serving) editText(text *Part, note string) error {
	words, cut := s.cut.of(text)
	if !cut {
		words, _ = text.Text()
	}
	if page := s.root.FirstHTML(); page != nil && strings.TrimSpace(words) == "" {
		words = s.pageText(page) // a placeholder beside the real letter
	}
	params := map[string]string{"charset": "utf-8"}
	if strings.EqualFold(text.Params["format"], "flowed") {
		params["format"] = "flowed"
		if strings.EqualFold(text.Params["delsp"], "yes") {
			params["delsp"] = "yes"
		}
		note = stuffed(note)
	}
	line, err := formatType("Content-Type", "text/plain", params)
	if err != nil {
		return err
	}
	line += "Content-Transfer-Encoding: quoted-printable\r\n"
	s.bodies[text] = encodeQuotedPrintable(textLines(note + "\n\n" + strings.ToValidUTF8(words, "\ufffd")))
	s.headers[text], err = contentHeader(text, line, []string{"content-transfer-encoding", "content-md5"})
	return err
}

// stuffed keeps the lines of s apart inside format=flowed text (RFC 3676
// sections 4.2 and 4.4).
func stuffed(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRight(line, " \r")
		if strings.HasPrefix(line, ">") || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "From ") {
			line = " " + line
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// retype makes p a multipart/mixed of the same parts: the signature does not
// fit any more, or the parts are no longer versions of one thing and a client
// that shows the last of them would not show the note.
func (s *serving) retype(p *Part) error {
	line, err := formatType("Content-Type", "multipart/mixed", map[string]string{"boundary": p.Params["boundary"]})
	if err != nil {
		return err
	}
	s.headers[p], err = contentHeader(p, line, nil)
	return err
}

// contentHeader writes the Content-* fields of a part, each once, with the
// blank line. The fields in line replace their namesakes; others to leave out
// are named in lower case.
func contentHeader(p *Part, line string, without []string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(line)
	seen := map[string]bool{}
	for _, name := range without {
		seen[name] = true
	}
	name, _, _ := strings.Cut(line, ":")
	seen[strings.ToLower(name)] = true
	for name, value := range p.Header.all() {
		key := strings.ToLower(string(name))
		if !isContentField(key) || seen[key] || key == "content-transfer-encoding" && p.isMultipart() {
			continue
		}
		seen[key] = true
		if err := keepField(&b, string(name), value); err != nil {
			return nil, err
		}
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}

func isContentField(key string) bool {
	switch key {
	case "content-type", "content-transfer-encoding", "content-disposition", "content-id",
		"content-description", "content-language", "content-location", "content-md5":
		return true
	}
	return false
}

// keepField writes a field of the original. With anything in it that some
// reader could take for the end of the line or of the header it is written
// anew from what can be read of it.
func keepField(b *bytes.Buffer, name string, value []byte) error {
	plain := unfold(value)
	if isASCII(plain) && checkPlain(strings.ReplaceAll(plain, "\t", " ")) == nil && !hasBlankLine(value) {
		b.WriteString(name + ":")
		b.Write(withCRLF(value))
		if !bytes.HasSuffix(value, []byte("\n")) {
			b.WriteString("\r\n")
		}
		return nil
	}
	content, params := parseContentField(plain)
	byToken := saysByToken(name)
	switch {
	case len(params) > 0 || byToken && isToken(strings.ReplaceAll(content, "/", "")):
		line, err := formatType(name, clean(content), params)
		b.WriteString(line)
		return err
	case byToken && content == "":
		return nil // it says nothing
	}
	return writeField(b, Field{name, readable(plain)})
}

// saysByToken tells whether a field's value begins with a token, which an encoded word
// would hide (RFC 2047 section 5): a text that is shown would become a file.
func saysByToken(name string) bool {
	return equalFold([]byte(name), "Content-Type") || equalFold([]byte(name), "Content-Disposition") || equalFold([]byte(name), "Content-Transfer-Encoding")
}

// hasBlankLine finds a folded line with nothing but white space on it.
func hasBlankLine(value []byte) bool {
	for i, line := range bytes.Split(bytes.TrimRight(value, "\r\n"), []byte("\n")) {
		if i > 0 && len(bytes.TrimSpace(line)) == 0 {
			return true
		}
	}
	return false
}

// entity writes the message without the header fields that are ours.
func (s *serving) entity(b *bytes.Buffer) { s.part(b, s.root) }

func (s *serving) part(b *bytes.Buffer, p *Part) {
	if h := s.headers[p]; h != nil {
		b.Write(h)
	} else {
		s.raw(b, p.start, p.body)
	}
	if body, ok := s.bodies[p]; ok {
		b.Write(body)
		return
	}
	pos := p.body
	if len(p.Children) > 0 {
		for _, c := range p.Children {
			s.raw(b, pos, c.start)
			if p.isMultipart() && !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
				b.WriteString("\r\n") // an empty part may share its line break with the boundary after it
			}
			s.part(b, c)
			pos = c.end
		}
	}
	s.raw(b, pos, p.end)
}

// raw writes the octets of the message from one offset to another.
func (s *serving) raw(b *bytes.Buffer, from, to int) {
	if s.loneLF {
		b.Write(withCRLF(s.root.raw[from:to]))
		return
	}
	b.Write(s.root.raw[from:to])
}

// withCRLF gives every line end the form of RFC 5322 section 2.1.
func withCRLF(p []byte) []byte {
	if bytes.Count(p, []byte("\n")) == bytes.Count(p, []byte("\r\n")) {
		return p
	}
	out := make([]byte, 0, len(p)+len(p)/32)
	for i, c := range p {
		if c == '\n' && (i == 0 || p[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

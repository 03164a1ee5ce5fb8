package message

import (
	"bytes"
	"strings"
)

// editTree changes the HTML in p into files, and what stands above the letter; it
// cuts what is to be cut, takes our marks out, and changes the multiparts around
// what is changed. It tells whether anything in p is changed, and whether any HTML
// is. above says that the letter is still to come.
func (s *serving) editTree(p *Part, above *bool) (changed, page bool, err error) {
	if len(p.Children) == 0 {
		return s.editLeaf(p, above)
	}
	if !p.isMultipart() { // a message inside the message
		changed, err = s.editEmbedded(p, above)
		return changed, false, err
	}
	if p != s.root {
		changed = s.unmark(p)
	}
	for _, c := range p.Children {
		ch, pg, err := s.editTree(c, above)
		if err != nil {
			return false, false, err
		}
		changed, page = changed || ch, page || pg
	}
	switch p.MediaType {
	case "multipart/signed", "multipart/alternative":
		if changed {
			err = s.retype(p)
		}
	case "multipart/related":
		if page {
			err = s.retype(p)
		}
	}
	return changed, page, err
}

func (s *serving) editLeaf(p *Part, above *bool) (changed, page bool, err error) {
	if p == s.letter {
		*above = false
		return true, false, nil
	}
	if s.cutLeaf(p, *above) {
		return true, false, nil
	}
	page = p.MediaType == "text/html" && !p.IsAttachment() && !p.control
	switch {
	case page:
		s.headers[p], err = contentHeader(p, `Content-Disposition: attachment; filename="message.html"`+"\r\n", []string{"content-disposition"})
	case p.legacy, *above && p.Disposition != "attachment" && !p.control && isShown(p):
		err = s.asFile(p, "above-the-letter")
	case p != s.root:
		return s.unmark(p), false, nil
	default:
		return false, false, nil
	}
	return true, page, err
}

// isShown tells whether clients show a leaf between the texts.
func isShown(p *Part) bool { return isText(p.MediaType) || strings.HasPrefix(p.MediaType, "image/") }

// editEmbedded takes our marks out of a message inside the message, and cuts what
// is to be cut there. It is somebody else's letter, and otherwise left as it is.
func (s *serving) editEmbedded(p *Part, above *bool) (changed bool, err error) {
	if p != s.root {
		changed = s.unmark(p)
	}
	if *above && p.Disposition != "attachment" {
		if err := s.asFile(p, "message.eml"); err != nil {
			return false, err
		}
		changed = true
	}
	inner := false
	p.Walk(func(c *Part) bool {
		if c == p {
			return true
		}
		ch := s.cutLeaf(c, false) || s.unmark(c)
		inner = inner || ch
		return true
	})
	return changed || inner, nil
}

// unmark takes our marks out of the header of an inner part.
func (s *serving) unmark(p *Part) bool {
	if s.headers[p] != nil {
		return false
	}
	header, changed := withoutMarks(p)
	if changed {
		s.headers[p] = header
	}
	return changed
}

// asFile makes a file of what would be shown above the letter.
func (s *serving) asFile(p *Part, name string) error {
	if p.Filename != "" {
		name = p.Filename
	}
	line, err := formatType("Content-Disposition", "attachment", map[string]string{"filename": name})
	if err != nil {
		return err
	}
	s.headers[p], err = contentHeader(p, line, []string{"content-disposition"})
	return err
}

// cutLeaf puts the words for what is cut in the place of a leaf.
func (s *serving) cutLeaf(p *Part, above bool) bool {
	text, ok := s.cut.of(p)
	if !ok {
		return false
	}
	var b bytes.Buffer
	for rest := p.Header.raw; len(rest) > 0 && p != s.root; {
		n := FieldEnd(rest)
		if name, _, ok := splitField(rest[:n]); ok && !marked(rest[:n]) && !strings.HasPrefix(strings.ToLower(string(name)), "content-") {
			b.Write(withCRLF(rest[:n]))
		}
		rest = rest[n:]
	}
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n")
	if above {
		b.WriteString("Content-Disposition: attachment; filename=removed.txt\r\n")
	}
	b.WriteString("\r\n")
	s.headers[p], s.bodies[p] = b.Bytes(), encodeQuotedPrintable(textLines(text))
	return true
}

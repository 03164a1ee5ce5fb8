package pgpmime

import (
	"io"
	"mime"
	"strings"
)

// setSubject takes the Subject that was protected along with the text: of the
// payload itself (RFC 9788, section 2), or of a part that carries it for older
// programs. Of a multipart/signed only what stands inside counts: the header
// around it could be anybody's, and another signature over the whole does not
// make it the inner signer's.
func (j *job) setSubject(root *Part) {
	if part, _ := signedParts(root); part != nil {
		root = part
	}
	j.out.Subject, j.out.HasSubject = subjectOf(root)
}

func subjectOf(p *Part) (string, bool) {
	if v := p.Header("Subject"); len(v) > 0 {
		return decodeWords(v[0]), true
	}
	if p.MediaType == "message/rfc822" && len(p.Children) == 1 {
		return subjectOf(p.Children[0])
	}
	for _, c := range p.Children {
		if c.Params["protected-headers"] == "" {
			continue
		}
		if v, ok := subjectOf(c); ok {
			return v, ok
		}
		if v, ok := legacySubject(c); ok {
			return v, ok
		}
	}
	return "", false
}

// legacySubject reads the part that shows protected fields to programs that do
// not know them (draft-autocrypt-lamps-protected-headers, section 2.1).
func legacySubject(p *Part) (string, bool) {
	if p.MediaType != "text/rfc822-headers" && p.MediaType != "text/plain" || p.Attachment {
		return "", false
	}
	text, err := p.Text()
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(text) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Subject") {
			return decodeWords(strings.TrimSpace(v)), true
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	return "", false
}

// decodeWords decodes RFC 2047 words; what cannot be decoded stays as it is.
func decodeWords(s string) string {
	d := mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
	v, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return strings.ToValidUTF8(v, "\ufffd")
}

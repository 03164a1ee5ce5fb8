package message

import (
	"strings"
)

// readContentFields fills in what the Content-* fields say. Of a field that
// stands there twice the first counts.
func (p *Part) readContentFields(fallback string) {
	var ctype, encoding, disposition []byte
	for name, value := range p.Header.all() {
		switch {
		case ctype == nil && equalFold(name, "Content-Type"):
			ctype = value
		case encoding == nil && equalFold(name, "Content-Transfer-Encoding"):
			encoding = value
		case disposition == nil && equalFold(name, "Content-Disposition"):
			disposition = value
		}
	}
	p.readType(ctype, fallback)
	p.Encoding = "7bit"
	if e, _ := parseContentField(unfold(encoding)); e != "" {
		p.Encoding = e
	}
	p.Disposition, p.dispParams = parseContentField(unfold(disposition))
	p.Filename = fileName(p.dispParams["filename"])
	if p.Filename == "" {
		p.Filename = fileName(p.Params["name"])
	}
}

func (p *Part) readType(field []byte, fallback string) {
	p.MediaType, p.Params = parseContentField(unfold(field))
	main, sub, ok := strings.Cut(p.MediaType, "/")
	if ok && isToken(main) && isToken(sub) {
		return
	}
	p.MediaType, p.Params = fallback, map[string]string{}
	if fallback == "text/plain" {
		p.Params["charset"] = "us-ascii"
	}
}

// isEmbedded tells whether the part is a message that can be read in place.
// An encoded one is forbidden (RFC 2046 section 5.2.1) and stays a file.
func (p *Part) isEmbedded() bool {
	if p.MediaType != "message/rfc822" && p.MediaType != "message/global" {
		return false
	}
	return p.Encoding == "7bit" || p.Encoding == "8bit" || p.Encoding == "binary"
}

func isMultipart(mediaType string) bool { return strings.HasPrefix(mediaType, "multipart/") }

func isText(mediaType string) bool { return strings.HasPrefix(mediaType, "text/") }

// isToken tells whether s is a token of RFC 2045 section 5.1.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// fileName makes a name that a person may save a file under: decoded, on one
// line, without the folders that RFC 2183 section 2.3 tells us to ignore.
func fileName(s string) string {
	s = readable(s)
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimSpace(s)
	if s == "." || s == ".." {
		return ""
	}
	return s
}

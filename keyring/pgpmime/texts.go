package pgpmime

import (
	"bytes"
	"crypto/sha256"
	"html"
	"strings"

	"parley/keyring"
)

// beginPGP starts every block of armor. RFC 9580, section 6.2.1.
var (
	beginPGP     = []byte("-----BEGIN PGP ")
	beginMessage = []byte("-----BEGIN " + keyring.ArmorMessage + "-----")
)

// armorText is what is searched for armor in a leaf: the octets as the sender
// wrote them, since a signature may cover them, or its decoded text where the
// charset hides the armor. Of HTML it is the lines, nothing of which is shown. The
// mark that some editors put in front of UTF-8 is not part of it.
func armorText(p *Part) []byte { return bytes.TrimPrefix(undecorated(p), []byte("\ufeff")) }

func undecorated(p *Part) []byte {
	if p.MediaType == "text/html" {
		text, err := p.Text()
		if err != nil || !strings.Contains(text, "BEGIN") || !strings.Contains(text, "PGP") {
			return nil
		}
		return []byte(htmlLines(text))
	}
	body, err := p.Body()
	if err != nil {
		return nil
	}
	if strings.HasPrefix(p.MediaType, "text/") && hidesASCII(p.Params["charset"]) {
		if text, err := p.Text(); err == nil {
			return []byte(text)
		}
	}
	return body
}

// hidesASCII reports whether a charset writes ASCII in other octets than ASCII.
func hidesASCII(charset string) bool {
	charset = strings.ToLower(charset)
	return strings.HasPrefix(charset, "utf-16") || strings.HasPrefix(charset, "utf-32") || strings.HasPrefix(charset, "utf-7") || strings.HasPrefix(charset, "iso-10646")
}

// openText opens every piece that stands in a text, in order.
func (j *job) openText(p *Part, text []byte) {
	var signed []*keyring.Cleartext
	if p.MediaType != "text/html" { // in HTML nobody can tell which white space was signed
		signed = keyring.FindCleartext(text)
	}
	for _, b := range keyring.FindArmor(text) {
		for len(signed) > 0 && signed[0].Start < b.Start {
			j.addCleartext(p, signed[0])
			signed = signed[1:]
		}
		sum := sha256.Sum256(b.Data)
		if b.Kind != keyring.ArmorMessage || p.MediaType == "text/html" && j.seen[sum] {
			continue
		}
		j.seen[sum] = true
		j.out.Mismatch = j.out.Mismatch || b.Mismatch
		j.openDocument(piece{name: documentName(p.Filename), data: b.Data, charset: p.Params["charset"]})
	}
	for _, c := range signed {
		j.addCleartext(p, c)
	}
}

func (j *job) addCleartext(p *Part, c *keyring.Cleartext) {
	if !j.mayAdd() {
		return
	}
	j.addDocument(Document{Name: documentName(p.Filename), Data: c.Signed, Charset: p.Params["charset"], Signatures: j.verify(c.Signatures, c.Signed)})
}

// htmlLines gives the lines of an HTML text that a block of armor may stand in.
// It renders nothing: marks are dropped, and those that end a line become one.
func htmlLines(source string) string {
	var b strings.Builder
	for source != "" {
		text, rest, found := strings.Cut(source, "<")
		b.WriteString(text)
		if !found {
			break
		}
		source = skipMark(&b, rest)
	}
	return strings.ReplaceAll(html.UnescapeString(b.String()), "\u00a0", " ")
}

// skipMark passes over what stands behind a "<" and returns the rest. Behind a
// line break of HTML, one of the source means nothing.
func skipMark(b *strings.Builder, s string) string {
	if comment, ok := strings.CutPrefix(s, "!--"); ok {
		_, rest, _ := strings.Cut(comment, "-->")
		return rest
	}
	mark, rest, _ := strings.Cut(s, ">")
	name := elementName(mark)
	switch name {
	case "script", "style", "head", "title":
		if strings.HasPrefix(mark, "/") {
			return rest
		}
		return behindElement(rest, name)
	case "br", "p", "div", "pre", "tr", "li", "blockquote":
		b.WriteByte('\n')
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, "\r"), "\n")
	}
	return rest
}

func elementName(mark string) string {
	words := strings.Fields(strings.Trim(mark[:min(len(mark), 64)], "/"))
	if len(words) == 0 {
		return ""
	}
	return strings.ToLower(strings.TrimRight(words[0], "/"))
}

// behindElement returns what follows the end of an element whose content is not
// text; all of the rest belongs to one that does not end.
func behindElement(s, name string) string {
	for {
		i := strings.Index(s, "</")
		if i < 0 {
			return ""
		}
		s = s[i+2:]
		if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
			_, rest, _ := strings.Cut(s, ">")
			return rest
		}
	}
}

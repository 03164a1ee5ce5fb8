package pgpmime

import (
	"io"
	"mime"
	"net/mail"
	"strings"

	"parley/keyring"
)

// Fields are header fields by name, as in protectedNames: all values of each,
// unfolded and not decoded.
type Fields map[string][]string

// protectedNames are the fields that are read from where they are protected.
var protectedNames = []string{"Subject", "From", "To", "Cc", "Date", "Reply-To", "Message-ID", "In-Reply-To", "References"}

// Scheme is how header fields were protected.
type Scheme string

// The schemes.
const (
	Unprotected Scheme = ""
	// HPCipher and HPClear are those of RFC 9788, section 2.1.1: of a payload that
	// is encrypted, and of one that is only signed.
	HPCipher Scheme = "hp-cipher"
	HPClear  Scheme = "hp-clear"
	// DraftV1 is draft-autocrypt-lamps-protected-headers, section 3.
	DraftV1 Scheme = "protected-headers"
	// MemoryHole is its predecessor: the fields stand in or on a part inside.
	MemoryHole Scheme = "memory-hole"
	// Wrapped is RFC 8551, section 3.1: the payload is one message that is not
	// forwarded.
	Wrapped Scheme = "wrapped"
	// Bare are fields on the payload without a word about them.
	Bare Scheme = "bare"
)

// setProtected reads the fields that were protected along with the text. Of a
// multipart/signed only what stands inside counts: the header around it could be
// anybody's, and another signature over the whole does not make it the inner
// signer's.
func (j *job) setProtected(root *Part) {
	if part, _ := signedParts(root); part != nil {
		root = part
	}
	fields, scheme, shown := protectedIn(root)
	if len(fields) == 0 {
		return
	}
	j.out.Protected, j.out.Scheme = fields, scheme
	if v := fields["Subject"]; len(v) > 0 {
		j.out.Subject, j.out.HasSubject = decodeWords(v[0]), true
	}
	if shown != nil {
		j.out.Root = shown
		root = shown
	}
	j.out.HPOuter = hpOuter(root)
}

// protectedIn finds the fields that go with a payload. shown is the message that
// was wrapped, if that is the scheme.
func protectedIn(p *Part) (f Fields, s Scheme, shown *Part) {
	switch {
	case strings.EqualFold(p.Params["hp"], "cipher"):
		return fieldsOf(p), HPCipher, nil
	case strings.EqualFold(p.Params["hp"], "clear"):
		return fieldsOf(p), HPClear, nil
	case isWrapper(p):
		return fieldsOf(p.Children[0]), Wrapped, p.Children[0]
	}
	if f = fieldsOf(p); len(f) > 0 {
		if p.Params["protected-headers"] != "" {
			return f, DraftV1, nil
		}
		return f, Bare, nil
	}
	return inParts(p.Children), MemoryHole, nil
}

// isWrapper tells a message that was wrapped to protect its header from one that
// somebody forwards, whose header is about somebody else.
func isWrapper(p *Part) bool {
	return p.MediaType == "message/rfc822" && len(p.Children) == 1 &&
		(strings.EqualFold(p.Params["forwarded"], "no") || p.Params["protected-headers"] != "")
}

// inParts looks for a part that carries the fields for the whole.
func inParts(parts []*Part) Fields {
	for _, c := range parts {
		if c.Params["protected-headers"] == "" || c.Attachment {
			continue
		}
		for _, f := range []Fields{fieldsOf(c), inParts(c.Children), textFields(c)} {
			if len(f) > 0 {
				return f
			}
		}
	}
	return nil
}

func fieldsOf(p *Part) Fields {
	f := Fields{}
	for _, name := range protectedNames {
		if v := p.Header(name); len(v) > 0 {
			f[name] = v
		}
	}
	return f
}

// maxTextFields is how long fields in a text may be, in octets.
const maxTextFields = 64 << 10

// textFields reads the part that shows protected fields to programs that do not
// know them (draft-autocrypt-lamps-protected-headers, section 2.1).
func textFields(p *Part) Fields {
	if p.MediaType != "text/rfc822-headers" && p.MediaType != "text/plain" {
		return nil
	}
	text, err := p.Text()
	if err != nil {
		return nil
	}
	var head strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || head.Len() > maxTextFields {
			break
		}
		if !strings.HasPrefix(line, " ") {
			head.WriteByte('\n')
		}
		head.WriteString(line)
	}
	return fieldLines(strings.Split(head.String(), "\n"))
}

func fieldLines(lines []string) Fields {
	f := Fields{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		for _, known := range protectedNames {
			if strings.EqualFold(strings.TrimSpace(name), known) {
				f[known] = append(f[known], strings.TrimSpace(value))
			}
		}
	}
	return f
}

// hpOuter are the fields of which the sender says that it wrote them outside.
// RFC 9788, section 2.2.
func hpOuter(p *Part) Fields { return fieldLines(p.Header("HP-Outer")) }

// FromAgrees reports whether the protected From, if there is one, names the one
// sender that the header in the open names. RFC 9788, section 4.4: of two senders
// a reader is shown only one, and the other may be whom the signature vouches for.
func (o *Opened) FromAgrees(outer []string) bool {
	inner, ok := o.Protected["From"]
	if !ok {
		return true
	}
	if len(inner) != 1 || len(outer) != 1 {
		return false
	}
	address, ok := soleAddress(inner[0])
	return ok && keyring.SameAddress(address, outer[0])
}

// soleAddress is the one address of a From field; a group is none (RFC 5322,
// section 3.4).
func soleAddress(field string) (string, bool) {
	list, err := mail.ParseAddressList(field)
	if err != nil || len(list) != 1 || strings.HasSuffix(strings.TrimSpace(field), ";") {
		return "", false
	}
	return list[0].Address, true
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

package pgpmime

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"mime"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Outer is the header of a message as everybody on the way sees it. Empty fields
// are left out. Values are written as they are, folded, and as RFC 2047 words
// where they are not ASCII; line breaks, control, bidi and format characters in
// them are an error.
type Outer struct {
	From, To, Subject, MessageID, ReplyTo, Autocrypt string
	Date                                             time.Time // zero: the instant of signing; always written in UTC
	References                                       []string
	Extra                                            [][2]string // further fields, name and value
}

// lineLength is where header lines are folded. RFC 5322, section 2.1.1.
const lineLength = 78

// Fields lists the fields, MIME's own aside, with their values as they are
// written, encoded and not folded; at is the instant of signing. A field for
// RFC 9788's HP-Outer is made of one of them.
func (o Outer) Fields(at time.Time) ([][2]string, error) {
	date := o.Date
	if date.IsZero() {
		date = at
	}
	all := append([][2]string{
		{"From", o.From}, {"To", o.To}, {"Reply-To", o.ReplyTo}, {"Subject", o.Subject},
		{"Date", date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"Message-ID", msgID(o.MessageID)}, {"References", msgIDs(o.References)}, {"Autocrypt", o.Autocrypt},
	}, o.Extra...)
	var fields [][2]string
	for _, f := range all {
		if f[1] == "" {
			continue
		}
		value, err := encodeField(f[0], f[1])
		if err != nil {
			return nil, err
		}
		fields = append(fields, [2]string{f[0], value})
	}
	return fields, nil
}

// append writes the fields and the MIME version, each line ending in CRLF.
func (o Outer) append(dst []byte, at time.Time) ([]byte, error) {
	fields, err := o.Fields(at)
	if err != nil {
		return nil, err
	}
	for _, f := range append(fields, [2]string{"MIME-Version", "1.0"}) {
		dst = append(append(dst, f[0]...), ':', ' ')
		dst = append(fold(dst, len(f[0])+2, f[1]), '\r', '\n')
	}
	return dst, nil
}

func msgID(id string) string {
	if id == "" || strings.HasPrefix(id, "<") {
		return id
	}
	return "<" + id + ">"
}

func msgIDs(ids []string) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = msgID(id)
	}
	return strings.Join(out, " ")
}

// encodeField checks a field and makes its value US-ASCII.
func encodeField(name, value string) (string, error) {
	if !fieldName(name) {
		return "", fmt.Errorf("write header: bad field name %q", name)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, forbidden) {
		return "", fmt.Errorf("write header: field %s has a line break, control or format character", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
		return encodeWords(name, value)
	}
	return value, nil
}

// encodeWords writes a value that is not ASCII as RFC 2047 words: in fields that
// hold addresses only the names, elsewhere all of it.
func encodeWords(name, value string) (string, error) {
	switch strings.ToLower(name) {
	case "from", "to", "reply-to", "cc", "sender":
	default:
		return mime.QEncoding.Encode("utf-8", value), nil
	}
	list, err := mail.ParseAddressList(value)
	if err != nil {
		return "", fmt.Errorf("write header: field %s does not hold addresses", name)
	}
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return strings.Join(out, ", "), nil
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

func fieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' })
}

// fold writes value, of which used columns of the first line are taken. It
// breaks lines at spaces; only the key data of an Autocrypt field, in which
// white space means nothing, is broken anywhere.
func fold(dst []byte, used int, value string) []byte {
	for i, word := range strings.Split(value, " ") {
		data := strings.HasPrefix(word, "keydata=")
		if i > 0 {
			if used+1+len(word) > lineLength && used > 1 && !data {
				dst, used = append(dst, '\r', '\n'), 0
			}
			dst = append(dst, ' ')
			used++
		}
		for data && used+len(word) > lineLength {
			n := max(1, lineLength-used)
			dst = append(append(dst, word[:n]...), "\r\n "...)
			word, used = word[n:], 1
		}
		dst = append(dst, word...)
		used += len(word)
	}
	return dst
}

// boundary is random, so that nothing links two messages.
func boundary() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

package message

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	lineLength = 78  // characters a line should have at most (RFC 5322 section 2.1.1)
	lineLimit  = 998 // and must
)

// FormatFields writes header fields: in CRLF, in US-ASCII, folded at 78 columns
// where there is a space to fold at. Text is encoded (RFC 2047) where it is not
// US-ASCII, where a word of it fits on no line, and where its reader would decode
// it to something else. It refuses names that are none, values that
// CheckHeaderValue refuses, and words of more than 998 characters in a field with
// a syntax of its own. Nothing is written then.
func FormatFields(fields []Field) ([]byte, error) {
	var b bytes.Buffer
	for _, f := range fields {
		if err := writeField(&b, f); err != nil {
			return nil, fmt.Errorf("format field %q: %w", f.Name, err)
		}
	}
	return b.Bytes(), nil
}

func writeField(b *bytes.Buffer, f Field) error {
	if !isFieldName(f.Name) {
		return fmt.Errorf("not a field name")
	}
	if err := CheckHeaderValue(f.Value); err != nil {
		return err
	}
	f.Value = strings.Trim(f.Value, " ")
	value, err := encodeValue(f)
	if err != nil {
		return err
	}
	line := fold(f.Name + ": " + value)
	for l := range strings.SplitSeq(line, "\r\n") {
		if len(l) > lineLimit {
			return fmt.Errorf("a word of more than %d characters", lineLimit)
		}
	}
	b.WriteString(line + "\r\n")
	return nil
}

func isFieldName(s string) bool {
	name, _, ok := splitField([]byte(s + ":"))
	return ok && string(name) == s && !strings.Contains(s, ":") && len(s) < lineLength
}

// encodeValue makes a value US-ASCII. In a list of addresses only the names
// may be encoded words (RFC 2047 section 5).
func encodeValue(f Field) (string, error) {
	kind := kindOf(f.Name)
	if isASCII(f.Value) && (kind != freeText || !longWord(f.Value) && !strings.Contains(f.Value, "=?")) {
		return f.Value, nil
	}
	switch kind {
	case freeText:
		return encodeWords(f.Value, len(f.Name)+2), nil
	case addresses:
		list, err := ParseAddressList(f.Value)
		if err != nil {
			return "", err
		}
		if value := FormatAddressList(list); isASCII(value) {
			return value, nil
		}
	}
	return "", fmt.Errorf("a value that is not US-ASCII")
}

// valueKind is what the value of a field consists of.
type valueKind int

const (
	freeText valueKind = iota
	addresses
	structured // or not text, as the field of another header that HP-Outer holds
)

func kindOf(name string) valueKind {
	switch strings.ToLower(name) {
	case "from", "sender", "reply-to", "to", "cc", "bcc":
		return addresses
	case "date", "message-id", "in-reply-to", "references", "autocrypt", "auto-submitted", "mime-version", "hp-outer":
		return structured
	}
	return freeText
}

// longWord finds a word that does not fit on a line of 998 characters.
func longWord(s string) bool {
	for word := range strings.SplitSeq(s, " ") {
		if len(word) > lineLimit-lineLength {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// fold breaks a line before white space so that no piece is longer than 78
// characters if that can be (RFC 5322 section 2.2.3). Unfolding gives the line
// back exactly.
func fold(line string) string {
	var b strings.Builder
	for len(line) > lineLength {
		i := foldAt(line)
		if i < 0 {
			break
		}
		b.WriteString(line[:i] + "\r\n")
		line = line[i:]
	}
	b.WriteString(line)
	return b.String()
}

// foldAt is the last place within 78 characters to break line at, or else the
// first after them. The piece before it has more than the name of the field
// or white space in it, because some programs lose an empty piece.
func foldAt(line string) int {
	first := len(line) - len(strings.TrimLeft(line, " "))
	if i := strings.Index(line, ": "); i >= 0 && first == 0 {
		first = i + 2
	}
	at := -1
	for i := first + 1; i < len(line); i++ {
		if line[i] != ' ' || line[i-1] == ' ' {
			continue
		}
		if i > lineLength && at >= 0 {
			break
		}
		at = i
		if i > lineLength {
			break
		}
	}
	return at
}

// encodeWords writes text as encoded words (RFC 2047): whole characters, 75
// columns each at most, separated by spaces to fold at. The first leaves so
// many columns free on its line.
func encodeWords(s string, used int) string {
	var words []string
	for s != "" {
		// 12 columns go to the frame; base64 makes 4 characters of 3 octets.
		room := max((lineLength-used-12)/4*3, utf8.UTFMax)
		n := min(room, len(s))
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s, used = s[n:], lineLength-75
	}
	return strings.Join(words, " ")
}

// FormatAddressList writes addresses as the value of a field, names encoded
// where they must be. It is not folded.
func FormatAddressList(list []Address) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}

// String is the address as it stands in a field (RFC 5322 section 3.4).
func (a Address) String() string {
	name := once(clean(a.Name))
	switch {
	case name == "":
		return a.Addr()
	case !isASCII(name):
		return encodeWords(name, 12) + " <" + a.Addr() + ">"
	case isPhrase(name):
		return name + " <" + a.Addr() + ">"
	}
	return quote(name) + " <" + a.Addr() + ">"
}

func isPhrase(s string) bool {
	for word := range strings.SplitSeq(s, " ") {
		if !isAtom(word) || strings.HasPrefix(word, "=?") {
			return false
		}
	}
	return true
}

package message

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
)

// toUTF8 converts text of the named charset. It never fails: bytes that are no
// UTF-8 and have no known charset are read as windows-1252, which is what
// unlabelled 8-bit mail nearly always is and in which every byte is a letter.
func toUTF8(b []byte, name string) string {
	switch label := strings.ToLower(strings.TrimSpace(name)); label {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		if utf8.Valid(b) {
			return string(b)
		}
		return convert(b, "windows-1252")
	case "iso-8859-1", "latin1":
		// As browsers and mail clients do: the difference is 32 control
		// characters that nobody means.
		return convert(b, "windows-1252")
	default:
		if s := convert(b, label); !lost(b, s) {
			return s
		}
		return toUTF8(b, "")
	}
}

// lost recognises the stand-in that some decoders give for a whole text, and a
// charset that is not known at all.
func lost(b []byte, s string) bool {
	return len(b) > 0 && (s == "" || s == "\ufffd")
}

// convert returns "" for a charset that is not known.
func convert(b []byte, label string) string {
	r, err := charset.Reader(label, bytes.NewReader(b))
	if err != nil {
		return ""
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}

// KnownCharset tells whether a text of the named charset can be read.
func KnownCharset(name string) bool {
	if !isToken(name) {
		return false
	}
	_, err := charset.Reader(strings.ToLower(name), strings.NewReader(""))
	return err == nil
}

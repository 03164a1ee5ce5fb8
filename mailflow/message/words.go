package message

import (
	"encoding/base64"
	"strings"
)

// decodeWords decodes the encoded words of a header value (RFC 2047). Words of
// one charset that follow each other are decoded as one, because many programs
// cut characters in two (against section 5). Other text, when it is 8-bit, is
// read as UTF-8 or else windows-1252.
func decodeWords(s string) string {
	var out strings.Builder
	var run []byte // content of the words just read, all of one charset
	charset := ""
	flush := func() {
		out.WriteString(toUTF8(run, charset))
		run = nil
	}
	for {
		text, w, rest := nextWord(s)
		// White space between two words is no text (section 6.2).
		between := run != nil && w.length > 0 && strings.Trim(text, " \t\r\n") == ""
		if !between || !strings.EqualFold(charset, w.charset) {
			flush()
		}
		if !between {
			out.WriteString(toUTF8([]byte(text), ""))
		}
		if w.length == 0 {
			return out.String()
		}
		run, charset, s = append(run, w.data...), w.charset, rest
	}
}

// nextWord finds the first encoded word of s, and the text before and behind
// it. Without one all of s is text.
func nextWord(s string) (text string, w word, rest string) {
	for at := 0; ; at += 2 {
		i := strings.Index(s[at:], "=?")
		if i < 0 {
			return s, word{}, ""
		}
		at += i
		if w, ok := readWord(s[at:]); ok {
			return s[:at], w, s[at+w.length:]
		}
	}
}

// word is one encoded word, its content decoded to octets.
type word struct {
	charset string
	data    []byte
	length  int
}

// readWord reads the encoded word =?charset*language?B|Q?text?= at the
// beginning of s.
func readWord(s string) (w word, ok bool) {
	rest := s[2:]
	i := strings.IndexByte(rest, '?')
	if i <= 0 || !isToken(rest[:i]) {
		return w, false
	}
	w.charset, _, _ = strings.Cut(rest[:i], "*") // RFC 2231 section 5
	rest = rest[i+1:]
	if len(rest) < 2 || rest[1] != '?' {
		return w, false
	}
	encoding := rest[0] | 0x20
	rest = rest[2:]
	if i = strings.IndexByte(rest, '?'); i < 0 || i+1 >= len(rest) || rest[i+1] != '=' {
		return w, false
	}
	w.length = len(s) - len(rest) + i + 2
	switch encoding {
	case 'b':
		w.data, ok = decodeB(rest[:i])
	case 'q':
		w.data, ok = decodeQ(rest[:i]), true
	}
	return w, ok
}

func decodeB(s string) ([]byte, bool) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return b, err == nil
}

// decodeQ decodes the "Q" encoding of RFC 2047 section 4.2.
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '_' {
			c = ' '
		}
		if c == '=' && i+2 < len(s) {
			if v, ok := hexByte(s[i+1], s[i+2]); ok {
				c, i = v, i+2
			}
		}
		out = append(out, c)
	}
	return out
}

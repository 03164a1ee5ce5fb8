package message

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckHeaderValue refuses a value that must not stand in a header field: with
// line breaks, NUL or other control characters, with characters that change
// the direction of writing or cannot be seen (Unicode categories Cf, Zl, Zp),
// or with bytes that are no UTF-8; none of it hidden in encoded words either.
func CheckHeaderValue(s string) error {
	if err := checkPlain(s); err != nil {
		return err
	}
	if strings.Contains(s, "=?") {
		return checkPlain(decodeWords(s))
	}
	return nil
}

func checkPlain(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("check header value: not UTF-8")
	}
	for _, r := range s {
		if forbidden(r) {
			return fmt.Errorf("check header value: character %U is not allowed", r)
		}
	}
	return nil
}

func forbidden(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// readable decodes a raw header value and takes out whatever CheckHeaderValue
// would refuse, so that CheckHeaderValue(readable(s)) is always nil.
func readable(s string) string { return once(clean(decodeWords(s))) }

// once keeps decoded text that looks like an encoded word from being decoded a
// second time when it is sent on.
func once(s string) string {
	if strings.Contains(s, "=?") && decodeWords(s) != s {
		return strings.ReplaceAll(s, "=?", "= ?")
	}
	return s
}

// clean makes one line of visible text: control characters become a space,
// format characters go.
func clean(s string) string {
	if checkPlain(s) == nil {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !forbidden(r):
			return r
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return ' '
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// maxTitle is in characters.
const maxTitle = 60

// replyPrefix is what mail clients put in front of a Subject, in the languages
// met most often.
var replyPrefix = regexp.MustCompile(
	`(?i)^(?:re|aw|sv|vs|antw|odp|ref|rif|fwd?|wg|tr|rv|enc|vb|doorst)(?:\[\d+\]|\(\d+\))?\s*[:：]\s*`)

// Title makes the title of a case from a Subject: without the marks of replies
// and forwards, without "/", "%" and "*" (which mean something in the name of
// a mailbox, RFC 9051 sections 5.1 and 6.3.9), at most 60 characters on one
// line. It is never empty.
func Title(s string) string {
	s = strings.Map(titleRune, strings.ToValidUTF8(decodeWords(s), "\ufffd"))
	s = strings.Join(strings.Fields(once(s)), " ")
	for {
		mark := replyPrefix.FindString(s)
		if mark == "" {
			break
		}
		s = s[len(mark):]
	}
	if r := []rune(s); len(r) > maxTitle {
		s = strings.TrimSpace(string(r[:maxTitle]))
	}
	if s == "" {
		return "no subject"
	}
	return s
}

func titleRune(r rune) rune {
	switch {
	case forbidden(r):
		return ' '
	case strings.ContainsRune("/%*", r):
		return '-'
	}
	return r
}

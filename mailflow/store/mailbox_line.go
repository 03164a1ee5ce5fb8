package store

import (
	"mime"
	"strconv"
	"strings"

	"parley/mailflow/message"
)

// envelopeDate is the form of the date in an ENVELOPE, which is that of a Date field (RFC 5322 section 3.3).
const envelopeDate = "Mon, 02 Jan 2006 15:04:05 -0700"

// EnvelopeLine writes an envelope as IMAP does, with its parentheses (RFC 9051 section 7.5.2). Text that is not US-ASCII becomes
// encoded words (RFC 2047), or a literal where none may stand.
func EnvelopeLine(e message.Envelope) []byte {
	b := make([]byte, 0, 256)
	b = append(b, '(')
	date := ""
	if !e.Date.IsZero() {
		date = e.Date.Format(envelopeDate)
	}
	b = appendNString(b, date)
	b = append(b, ' ')
	b = appendNString(b, mime.QEncoding.Encode("utf-8", e.Subject))
	for _, list := range [][]message.Address{e.From, orFrom(e.Sender, e), orFrom(e.ReplyTo, e), e.To, e.Cc, e.Bcc} {
		b = appendAddresses(append(b, ' '), list)
	}
	b = appendNString(append(b, ' '), inBrackets(e.InReplyTo...))
	b = appendNString(append(b, ' '), inBrackets(e.MessageID))
	return append(b, ')')
}

func orFrom(list []message.Address, e message.Envelope) []message.Address {
	if len(list) == 0 {
		return e.From
	}
	return list
}

func inBrackets(ids ...string) string {
	if len(ids) == 0 || ids[0] == "" {
		return ""
	}
	return "<" + strings.Join(ids, "> <") + ">"
}

func appendAddresses(b []byte, list []message.Address) []byte {
	if len(list) == 0 {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for _, a := range list {
		b = append(b, '(')
		b = appendNString(b, mime.QEncoding.Encode("utf-8", a.Name))
		b = append(b, " NIL "...)
		b = appendNString(b, a.Local)
		b = append(b, ' ')
		b = appendNString(b, a.Domain)
		b = append(b, ')')
	}
	return append(b, ')')
}

// appendNString writes NIL for "", else a quoted string, else a literal (RFC 9051 section 4.3).
func appendNString(b []byte, s string) []byte {
	if s == "" {
		return append(b, "NIL"...)
	}
	if !quotable(s) {
		s = strings.ReplaceAll(s, "\x00", "")
		b = strconv.AppendInt(append(b, '{'), int64(len(s)), 10)
		return append(append(b, "}\r\n"...), s...)
	}
	return appendQuoted(b, s)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

func quotable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return len(s) <= 4096
}

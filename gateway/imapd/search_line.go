package imapd

import (
	"bytes"
	"strconv"
	"strings"
)

// withoutSmaller writes SMALLER n in a SEARCH as NOT LARGER n-1, which means
// the same: the library forgets a SMALLER when a date or LARGER follows it. A
// line is the first of the command or one that continues it after a literal.
func withoutSmaller(line []byte) []byte {
	if !bytes.Contains(bytes.ToUpper(line), []byte("SMALLER")) {
		return line
	}
	var out strings.Builder
	rest := string(line)
	for rest != "" {
		n := tokenEnd(rest)
		token := rest[:n]
		rest = rest[n:]
		if !strings.EqualFold(token, "SMALLER") {
			out.WriteString(token)
			continue
		}
		digits := rest[min(1, len(rest)):]
		digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
		size, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || rest[0] != ' ' {
			out.WriteString(token) // wrong, which the library says
			continue
		}
		if rest = rest[1+len(digits):]; size == 0 {
			out.WriteString("NOT ALL")
		} else {
			out.WriteString("NOT LARGER " + strconv.FormatInt(size-1, 10))
		}
	}
	return []byte(out.String())
}

func isSearch(line []byte) bool {
	words := strings.SplitN(strings.ToUpper(string(line[:min(len(line), 256)])), " ", 4)
	return len(words) > 2 && (words[1] == "SEARCH" || words[1] == "UID" && words[2] == "SEARCH")
}

// tokenEnd is the length of the first token: a quoted string, a word, or what
// stands between them.
func tokenEnd(s string) int {
	const between = " ()\r\n"
	switch {
	case s[0] == '"':
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(s)
	case strings.IndexByte(between, s[0]) >= 0:
		return 1
	}
	if i := strings.IndexAny(s, between+`"`); i > 0 {
		return i
	}
	return len(s)
}

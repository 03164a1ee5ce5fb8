package advisory

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// line makes one line of visible text: white space becomes a space, and control
// and format characters go, so that a name cannot look like another one.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r > ' ' && r < 0x7f: // most of it
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.Join(strings.Fields(s), " ")
}

// text keeps the lines and words of a text as they were written. Only what no
// reader sees goes: control characters, and marks that turn the direction of
// what follows around. It has no empty lines at its ends.
func text(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n", "\t", "    ").Replace(strings.ToValidUTF8(s, "\ufffd"))
	s = strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.Is(unicode.Cc, r) || turns(r)) {
			return -1
		}
		return r
	}, s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRightFunc(l, unicode.IsSpace)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// turns says whether a character changes the direction of the text around it
// beyond its own word (Unicode Standard Annex 9, embeddings, overrides and
// isolates), or is a byte order mark.
func turns(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// atMost cuts a text to n characters, and shows that it did.
func atMost(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// columns is how wide the plain texts are.
const columns = 72

// wrap breaks a paragraph before words that do not fit any more. The first line
// begins with lead, the others with indent; a word longer than a line stands
// alone.
func wrap(lead, indent, s string) string {
	var b strings.Builder
	at, fresh := lead, true
	for _, word := range strings.Fields(s) {
		if utf8.RuneCountInString(at)+1+utf8.RuneCountInString(word) > columns && at != indent {
			b.WriteString(strings.TrimRight(at, " ") + "\n")
			at, fresh = indent, true
		}
		if !fresh {
			at += " "
		}
		at, fresh = at+word, false
	}
	return b.String() + strings.TrimRight(at, " ") + "\n"
}

// quoted shows a text in the lines in which it was written, broken where they are
// too long.
func quoted(mark, s string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(s, "\n") {
		body := strings.TrimLeft(l, " ")
		lead := mark + l[:min(len(l)-len(body), columns/2)]
		b.WriteString(wrap(lead, mark, body))
	}
	return b.String()
}

// pad fills a cell of a table, cut where it is too long.
func pad(s string, width int) string {
	s = atMost(s, width)
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

// Name makes one line of visible characters of what is to stand as a name.
func Name(s string) string { return line(s) }

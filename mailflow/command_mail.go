package mailflow

import (
	"slices"
	"strings"
	"unicode"
)

// CommandLines takes the commands out of the text of a control mail, one a
// line. Quoted text and the line that introduces it are ignored. The commands
// end at "--", at a line of thanks, or at a blank line after the last
// command: one after which no line begins with a word of the language. What
// a mail client folded (an open quote, or a line that ends in a space) is put
// together again.
func CommandLines(mailText string) []string {
	lines := unquoted(mailText)
	known := firstWords()
	var out []string
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		switch {
		case line == "" && len(out) > 0 && !commandFollows(lines[i:], known):
			return out
		case line == "":
			continue
		case closes(line):
			return out
		}
		folds := foldedLines(lines[i:], known)
		out = append(out, strings.Join(trimAll(lines[i:i+folds]), " "))
		i += folds - 1
	}
	return out
}

// unquoted gives the lines of a text without quoted ones and those that
// introduce them.
func unquoted(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(strings.TrimSpace(line), ">") {
			out = dropIntroduction(out)
			continue
		}
		out = append(out, line)
	}
	return out
}

// dropIntroduction takes "On Tuesday, 1 December, ana wrote:" off the end.
// Clients fold it over two lines; then the date stands on the first.
func dropIntroduction(lines []string) []string {
	n := len(lines)
	if n > 0 && strings.TrimSpace(lines[n-1]) == "" {
		n--
	}
	if n == 0 || !strings.HasSuffix(strings.TrimSpace(lines[n-1]), ":") {
		return lines
	}
	folded := !strings.ContainsAny(lines[n-1], "0123456789")
	n--
	if folded && n > 0 && strings.ContainsAny(lines[n-1], "0123456789") && !begins(lines[n-1], firstWords()) {
		n--
	}
	return lines[:n]
}

// closes says whether a line ends what is said: the mark of a signature
// (RFC 3676 section 4.3), or thanks.
func closes(line string) bool {
	if line == "--" || line == "—" {
		return true
	}
	first := strings.ToLower(strings.TrimRightFunc(firstField(line), unicode.IsPunct))
	return first == "thanks" || first == "thank" || first == "thx"
}

// commandFollows says whether the next line that is not blank begins with a
// word of the language.
func commandFollows(lines []string, known []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return begins(l, known)
		}
	}
	return false
}

func begins(line string, known []string) bool {
	return slices.Contains(known, strings.ToLower(firstField(line)))
}

func firstField(line string) string {
	if f := strings.Fields(line); len(f) > 0 {
		return f[0]
	}
	return ""
}

// maxFolds is how many lines of a mail one command may take.
const maxFolds = 20

// foldedLines counts the lines that the first of these goes on over.
func foldedLines(lines []string, known []string) int {
	text, n := lines[0], 1
	for n < min(len(lines), maxFolds) && goesOn(text, lines[n], known) {
		text += " " + lines[n]
		n++
	}
	if openQuote(text) {
		return 1 // it is never closed, which its refusal will say
	}
	return n
}

func goesOn(text, next string, known []string) bool {
	if line := strings.TrimSpace(next); line == "" || closes(line) || begins(next, known) {
		return false
	}
	return openQuote(text) || strings.HasSuffix(text, " ")
}

// openQuote says whether a text ends within quotes.
func openQuote(text string) bool {
	for rest := strings.TrimLeftFunc(text, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		var err error
		if _, rest, err = lexOne(rest); err != nil {
			return true
		}
	}
	return false
}

func trimAll(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimSpace(l)
	}
	return out
}

package mailflow

import (
	"regexp"
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
// introduce them. Where a client marks no line, but puts a rule, the header of
// the old mail or a sentence above it, all that follows is the old mail.
func unquoted(text string) []string {
	all := slices.Collect(strings.Lines(strings.TrimPrefix(text, "\ufeff")))
	var out []string
	for i, line := range all {
		line = strings.TrimRight(line, "\r\n")
		n := introduces(all[i:])
		switch {
		case marked(line):
			out = dropIntroduction(out)
		case oldMail(line) || n > 0 && !markedNext(all[i+n:]):
			return out
		default:
			out = append(out, line)
		}
	}
	return out
}

// quoteMark stands before each quoted line: >, |, or somebody's initials and >.
var quoteMark = regexp.MustCompile(`^\s*(\||[\pL]{0,4}>)`)

func marked(line string) bool { return quoteMark.MatchString(line) }

func markedNext(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return marked(l)
		}
	}
	return false
}

// oldMail says whether a line stands above an old mail as a whole, such as
// "-----Original Message-----", or "From: ana" (also in German, French and
// other languages).
func oldMail(line string) bool {
	line = strings.TrimSpace(line)
	rule := strings.HasPrefix(line, "-----") || strings.HasPrefix(line, "_____") || strings.HasPrefix(line, "=====")
	return rule || oldHeader.MatchString(line)
}

// introduces says over how many of these lines somebody is said to have
// written what follows: "On 1 Dec 2026, ana wrote:", "Am 1.12.2026 schrieb ana:".
// Clients fold it over two.
func introduces(lines []string) int {
	first := strings.TrimSpace(lines[0])
	switch {
	case introduction.MatchString(first):
		return 1
	case len(lines) > 1 && startsIntroduction.MatchString(first) && introduction.MatchString(first+" "+strings.TrimSpace(lines[1])):
		return 2
	}
	return 0
}

var startsIntroduction = regexp.MustCompile(`(?i)^(on|am|le|el|il|op|den|em|dnia|w dniu)\s.*\d`)

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
	last := strings.TrimSpace(lines[n-1])
	folded := !strings.ContainsAny(last, "0123456789") || strings.HasPrefix(last, "<")
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
	return slices.Contains(partings, first)
}

// partings begin the line with which people end a mail.
var partings = []string{"thanks", "thank", "thx", "cheers", "regards", "best", "kind", "danke", "gruß", "grüße", "viele", "mfg", "lg", "merci", "cordialement", "gracias", "grazie"}

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

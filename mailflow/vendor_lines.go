package mailflow

import (
	"regexp"
	"strings"
)

// commandLines gives the lines at the top of a reply that may be commands:
// the first ones that are not empty, up to where a quotation or a signature
// begins, without those that are too long.
func commandLines(text string) []string {
	var out []string
	seen := 0
	lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
	for i, line := range lines {
		l := strings.TrimSpace(line)
		if l == signatureBelow || quotes(l) || wrapped(lines[i:]) {
			break
		}
		if l == "" {
			continue
		}
		if len(l) <= maxLine {
			out = append(out, l)
		}
		if seen++; seen == firstLines {
			break
		}
	}
	return out
}

// signatureBelow is the line above a signature, "-- " (RFC 3676, section 4.3); many
// clients drop its space.
const signatureBelow = "--"

// quotes says whether a quotation begins with a line. Some clients mark each
// quoted line, some only put a rule or the header of the old mail above, and
// some nothing: the first line of every notice of ours is its TLP banner.
func quotes(line string) bool {
	for _, mark := range []string{">", "|", "-----", "_____", "TLP:"} {
		if strings.HasPrefix(line, mark) {
			return true
		}
	}
	return oldHeader.MatchString(line) || introduction.MatchString(line)
}

// maxIntroduction is over how many lines a client may wrap an introduction.
const maxIntroduction = 3

// wrapped says whether lines begin with an introduction that stands on more than
// one of them, as Gmail wraps it where the name and address are long.
func wrapped(lines []string) bool {
	for n := range min(len(lines), maxIntroduction) {
		if wrappedIntroduction.MatchString(strings.Join(strings.Fields(strings.Join(lines[:n+1], " ")), " ")) {
			return true
		}
	}
	return false
}

const introducing = `(?i)^(on|am|le|el|il|op|den|em|dnia|w dniu)\s.*\d`

var (
	// oldHeader is the first line of a header that was put above a quotation.
	oldHeader = regexp.MustCompile(`(?i)^\**(from|von|de|da|van|fra|från|od|lähettäjä|expéditeur|gesendet|sent|enviado|envoyé)\**\s?:`)
	// introduction says who wrote what follows, as "On 3 Dec, we wrote:". One that
	// was wrapped needs the verb, so that a sentence of theirs is none.
	introduction        = regexp.MustCompile(introducing + `.*:$`)
	wrappedIntroduction = regexp.MustCompile(introducing + `.*(\bschrieb\s.*|\b(wrote|a écrit|escribió|escreveu|ha scritto|schreef|skrev|napisała?))\s?:$`)
)

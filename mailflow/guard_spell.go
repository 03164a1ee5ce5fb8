package mailflow

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// spelled is a text as the guard compares it: the same for a quotation however
// a mail client wrapped it, marked it, or set its quotes, capitals and dashes,
// and for letters that only look alike. Every run of white space is one blank.
type spelled struct {
	text []rune
	line []int32 // of each rune, the line that it stands in, from 1
	from []piece // where each piece of the text begins

	files []fileSum // of a message: its files that are no text
}

// piece is a part of a text that has a name of its own: a file, the Subject.
type piece struct {
	at   int
	name string // "file-1.txt"; empty for the letter itself
}

// between stands between pieces. It is no character of a text.
const between = 0

// spell gives the letter and its files, one after the other, as the guard
// compares them.
func (s *spelled) spell(name, text string) {
	if len(s.text) > 0 {
		s.add(between, 0)
	}
	s.from = append(s.from, piece{len(s.text), name})
	s.text, s.line = slices.Grow(s.text, len(text)), slices.Grow(s.line, len(text))
	n := int32(0)
	blank := false
	for line := range strings.Lines(text) {
		n++
		blank = s.spellLine(strings.TrimLeft(line, " \t>|"), n, blank) || true // its end is white space
	}
}

// spellLine adds one line, without the marks of a quotation at its head.
func (s *spelled) spellLine(line string, n int32, blank bool) bool {
	if !isASCII(line) {
		line = norm.NFC.String(strings.Map(withoutAccent, norm.NFKD.String(line)))
	}
	for _, r := range line {
		if r < utf8.RuneSelf {
			blank = s.put(lowerASCII(r), n, blank)
			continue
		}
		blank = s.put(alike(r), n, blank)
	}
	return blank
}

// withoutAccent drops accents, and what is not seen.
func withoutAccent(r rune) rune {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return -1
	}
	return r
}

// put adds one character after the blank that stands before it, and says
// whether it was a blank itself.
func (s *spelled) put(r rune, line int32, blank bool) bool {
	if r <= ' ' || r >= 0x7f && (unicode.IsSpace(r) || unicode.IsControl(r)) {
		return true
	}
	k := len(s.text)
	if k == 0 || s.text[k-1] == between {
		s.add(r, line)
		return false
	}
	if blank && !(unspaced(r) || unspaced(s.text[k-1])) {
		s.add(' ', line)
		k++
	}
	if k > 2 && r == s.text[k-1] && r == s.text[k-2] && r == s.text[k-3] && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return false // a rule across the page is no words
	}
	s.add(r, line)
	return false
}

func (s *spelled) add(r rune, line int32) {
	s.text, s.line = append(s.text, r), append(s.line, line)
}

// where names the place of a character: "line 14", "line 3 of file-1.txt".
func (s *spelled) where(at int) (piece string, line int) {
	for _, p := range s.from {
		if p.at <= at {
			piece = p.name
		}
	}
	return piece, int(s.line[at])
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lowerASCII(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r == '"' || r == '`':
		return '\''
	}
	return r
}

// unspaced says whether a character is of a script that is written without
// blanks, so that a line may end anywhere.
func unspaced(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// alike gives the plain letter or mark that a character looks like, in small
// letters.
func alike(r rune) rune {
	r = unicode.ToLower(r)
	if plain, ok := lookAlikes[r]; ok {
		return plain
	}
	switch {
	case unicode.Is(unicode.Pd, r):
		return '-'
	case unicode.In(r, unicode.Pi, unicode.Pf):
		return '\''
	}
	return r
}

// lookAlikes are the small letters of Cyrillic, Greek and Latin that are taken
// for plain ones, and the marks that stand for plain ones (Unicode Technical
// Standard 39, the ones that keyboards and word processors make).
var lookAlikes = func() map[rune]rune {
	out := map[rune]rune{}
	add := func(these, those string) {
		plain := []rune(those)
		for i, r := range []rune(these) {
			out[r] = plain[i]
		}
	}
	add("асԁеһіјӏорԛѕυνхуԝгпкмтв", "acdehijlopqsuvxywrnkmtb")
	add("αονρτικεχγωβημ", "aovptikexywbnu")
	add("ıłøđħðþɑɡſ", "ilodhdpags")
	add("„‚″′´‹›«»", "'''''''''")
	add("−⁃•·…", "--**.")
	return out
}()

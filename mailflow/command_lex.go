package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexeme is one word of a command. What stands in quotes is never a word of
// the language, whatever it says.
type lexeme struct {
	text   string
	quoted bool
}

// is says whether the lexeme is this word of the language.
func (l lexeme) is(word string) bool { return !l.quoted && strings.EqualFold(l.text, word) }

// typographic are the quotes that mail clients and phones put in place of
// the plain one, in the languages met most often.
const typographic = "“”„‟«»"

// maxCommand is the longest command, in bytes: a reason is a sentence, not a
// letter.
const maxCommand = 4000

// lex takes a command apart. Words are set apart by white space; text of
// several words stands in double quotes, plain or typographic. Within plain
// quotes \" is a quote. A control or invisible character is refused: what a
// person reads is what counts.
func lex(line string) ([]lexeme, error) {
	if err := checkCommand(line); err != nil {
		return nil, err
	}
	var out []lexeme
	rest := strings.TrimLeftFunc(line, unicode.IsSpace)
	for rest != "" {
		l, after, err := lexOne(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
		rest = strings.TrimLeftFunc(after, unicode.IsSpace)
	}
	return out, nil
}

func checkCommand(line string) error {
	if len(line) > maxCommand {
		return notDone("the line has %d characters; a command has at most %d", len(line), maxCommand)
	}
	if !utf8.ValidString(line) {
		return notDone("the line is not UTF-8 text")
	}
	for _, r := range line {
		if r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			return notDone("the line holds the character %U, which cannot be seen; type the command anew", r)
		}
	}
	return nil
}

// lexOne takes the first lexeme off a text that begins with one.
func lexOne(s string) (lexeme, string, error) {
	first, size := utf8.DecodeRuneInString(s)
	if first == '"' || strings.ContainsRune(typographic, first) {
		return lexQuoted(s[size:], first)
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '"' || strings.ContainsRune(typographic, r)
	})
	if end < 0 {
		end = len(s)
	}
	return lexeme{text: plainHyphens.Replace(s[:end])}, s[end:], nil
}

// plainHyphens undoes what word processors make of a hyphen; no word of the
// language, tag or name holds another kind.
var plainHyphens = strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-", "\u2014", "-", "\u2212", "-")

// lexQuoted takes quoted text whose opening quote is gone. A plain quote ends
// with a plain one, or with a typographic one where no plain one follows.
func lexQuoted(s string, open rune) (lexeme, string, error) {
	closers := typographic + `"`
	if open == '"' && closingQuote(s, `"`) >= 0 {
		closers = `"`
	}
	end := closingQuote(s, closers)
	if end < 0 {
		return lexeme{}, "", notDone("a quote is opened and not closed: %s", string(open)+s)
	}
	_, size := utf8.DecodeRuneInString(s[end:])
	text := strings.TrimSpace(strings.ReplaceAll(s[:end], `\"`, `"`))
	return lexeme{text: text, quoted: true}, s[end+size:], nil
}

// closingQuote finds the first of these quotes that no backslash precedes, or
// gives -1.
func closingQuote(s, closers string) int {
	escaped := false
	for i, r := range s {
		if !escaped && strings.ContainsRune(closers, r) {
			return i
		}
		escaped = r == '\\' && !escaped
	}
	return -1
}

// Refusal is a command that was not carried out. Its sentence says what did
// not happen and what to do; nothing was changed.
type Refusal struct {
	Sentence string
	Next     string   // what to do, for a mail: text, then lines to send, indented; or "" where the Sentence says it
	Already  bool     // since things are so already
	Sign     bool     // it would be done if it came signed, by a coordinator whose key is on file
	Lines    []string // of a gesture that counts only signed: the commands that mean the same
}

func (r *Refusal) Error() string { return r.Sentence }

func notDone(sentence string, a ...any) error {
	return &Refusal{Sentence: fmt.Sprintf(sentence, a...)}
}

// toDo gives a refusal what to do next, for the mail that tells of it.
func toDo(err error, next string, a ...any) error {
	var r *Refusal
	if errors.As(err, &r) {
		r.Next = fmt.Sprintf(next, a...)
	}
	return err
}

// already is notDone where things are so already.
func already(sentence string, a ...any) error {
	return &Refusal{Sentence: fmt.Sprintf(sentence, a...), Already: true}
}

package mailflow

import (
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// phrase is what follows the words of a command, taken piece by piece.
type phrase struct {
	usage string
	rest  []lexeme
}

func (p *phrase) more() bool { return len(p.rest) > 0 }

// next takes one piece; what says what it should be, for the refusal.
func (p *phrase) next(what string) (string, error) {
	if !p.more() || p.rest[0].text == "" {
		return "", notDone("%s is missing; write: %s", what, p.usage)
	}
	t := p.rest[0].text
	p.rest = p.rest[1:]
	return t, nil
}

// only takes one piece that is the last.
func (p *phrase) only(what string) (string, error) {
	t, err := p.next(what)
	if err != nil {
		return "", err
	}
	return t, p.end()
}

// word takes the next piece if it is this word of the language.
func (p *phrase) word(w string) bool {
	if !p.more() || !p.rest[0].is(w) {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// until takes the text up to one of these words, or to the end.
func (p *phrase) until(words ...string) string {
	end := slices.IndexFunc(p.rest, func(l lexeme) bool {
		return slices.ContainsFunc(words, l.is)
	})
	if end < 0 {
		end = len(p.rest)
	}
	var parts []string
	for _, l := range p.rest[:end] {
		parts = append(parts, l.text)
	}
	p.rest = p.rest[end:]
	return strings.TrimSpace(strings.Join(parts, " "))
}

// end refuses what is left over.
func (p *phrase) end() error {
	if !p.more() {
		return nil
	}
	return notDone("%q is not understood here; text of several words stands in quotes; write: %s", p.rest[0].text, p.usage)
}

// reason takes `because TEXT` to the end of the command.
func (p *phrase) reason(needed bool) (string, error) {
	if !p.word("because") {
		if err := p.end(); err != nil {
			return "", err
		}
		if needed {
			return "", notDone("the reason is missing; write: %s", p.usage)
		}
		return "", nil
	}
	why := p.until()
	if why == "" {
		return "", notDone("the reason is missing after because; write: %s", p.usage)
	}
	return why, nil
}

// options takes pairs of a word and its value up to the end. Every word is
// one of known, and comes once.
func (p *phrase) options(known ...string) (map[string]string, error) {
	got := map[string]string{}
	for p.more() {
		name := strings.ToLower(p.rest[0].text)
		if p.rest[0].quoted || !slices.Contains(known, name) {
			return nil, notDone("%q is not understood here%s; text of several words stands in quotes; write: %s", p.rest[0].text, nearest(name, known), p.usage)
		}
		p.rest = p.rest[1:]
		if _, twice := got[name]; twice {
			return nil, notDone("%s is given twice", name)
		}
		value, err := p.next("a value for " + name)
		if err != nil {
			return nil, err
		}
		got[name] = value
	}
	return got, nil
}

// instant takes a date or time up to one of these words, or to the end.
func (p *phrase) instant(words ...string) (cvd.Instant, error) {
	text := p.until(words...)
	if text == "" {
		return cvd.Instant{}, notDone("the date is missing; write: %s", p.usage)
	}
	i, err := cvd.ParseInstant(text)
	if err != nil {
		return i, notDone("%v", err)
	}
	return i, nil
}

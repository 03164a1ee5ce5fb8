package mailflow

import (
	"strings"
	"unicode/utf8"
)

// helpColumns is the width of what `help` answers: a mail of 72 columns.
const helpColumns = 72

// help is `help [WORD]`: all commands, or in more detail those that begin with
// a word.
func help(_ *sitting, p *phrase) (string, error) {
	about := strings.ToLower(p.until())
	var b strings.Builder
	for _, part := range chapters() {
		title := part.title
		for _, c := range part.commands {
			if about != "" && !c.about(about) {
				continue
			}
			if title != "" && about == "" {
				b.WriteString("\n" + title + "\n\n")
			}
			title = ""
			c.helpTo(&b, about != "")
		}
	}
	if b.Len() == 0 {
		return "", notDone("%q is no command%s; `help` lists them all", about, nearest(about, firstWords()))
	}
	if about == "" {
		return strings.TrimSpace(helpHead + b.String() + helpTail), nil
	}
	return strings.TrimSpace(b.String()), nil
}

const (
	helpHead = `One command a line, to control@ or as parley do '...' '...'. All lines
of a mail are done, or none; dry-run as the first line only shows what
would happen. Text of several words stands in quotes. [ ] may be left
out; of a|b say one. "help WORD" tells more of a command.
`
	helpTail = `
Instants are 2026-12-01T09:00Z, 2026-12-01 or 2026-12-01 10:00
Europe/Berlin; durations 30m, 12h, 3d or 2w.
`
)

// about says whether a command is meant by what stands after help.
func (c command) about(word string) bool {
	return c.words == word || strings.HasPrefix(c.words, word+" ") || strings.HasPrefix(word, c.words+" ") ||
		len(word) > 2 && strings.HasPrefix(c.words, word)
}

// helpTo writes a command's help; in full with why it counts only signed, and
// an example.
func (c command) helpTo(b *strings.Builder, full bool) {
	b.WriteString(fill("", "        ", c.usage))
	b.WriteString(fill("    ", "    ", c.help))
	if c.signed != "" {
		b.WriteString(fill("    ", "    ", "It "+c.signed+": by mail it counts only signed with your own key."))
	}
	if full && c.such != "" {
		b.WriteString(fill("    Such as: ", "        ", c.such))
	}
}

// fill breaks a text into lines of at most helpColumns, where words allow.
func fill(first, further, text string) string {
	line, out := first, ""
	fresh := true
	for _, w := range strings.Fields(text) {
		if !fresh && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > helpColumns {
			out, line, fresh = out+line+"\n", further, true
		}
		if !fresh {
			line += " "
		}
		line, fresh = line+w, false
	}
	return out + line + "\n"
}

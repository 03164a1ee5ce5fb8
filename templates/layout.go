package templates

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

const (
	// columns is the width of everything that we write.
	columns = 72
	// subjectColumns is the length of a Subject that we write.
	subjectColumns = 78
	// longestCommand is the width of a command that no line is broken in.
	longestCommand = 48
	// asIs stands before a line that tidy leaves alone. It is no character of
	// a mail's text (RFC 5322 section 2.3).
	asIs = "\x00"
	// tied stands for a blank at which no line is broken.
	tied = "\x1f"
)

// whole keeps words on one line.
func whole(s string) string { return strings.ReplaceAll(s, " ", tied) }

func untie(s string) string { return strings.ReplaceAll(s, tied, " ") }

// columnsOf is how many columns a text takes in a terminal: two for wide
// characters (Unicode Standard Annex 11), none for combining ones.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		if r < 0x80 {
			n++
			continue
		}
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-columnsOf(s), 0)) }

// cut shortens a text to n columns; two dots say that it was longer.
func cut(s string, n int) string {
	if columnsOf(s) <= n {
		return s
	}
	short := ""
	for _, r := range s {
		if columnsOf(short+string(r)) > n-2 {
			break
		}
		short += string(r)
	}
	return strings.TrimRight(short, " ") + ".."
}

// hang fills a text to 72 columns behind a label. Further lines begin below
// the first word; words that are too long for a line stay whole.
func hang(label, s string) string {
	var b strings.Builder
	in := columnsOf(label)
	b.WriteString(label)
	used, fresh := in, true
	for _, w := range strings.Fields(s) {
		if n := columnsOf(w); !fresh && used+1+n > columns {
			b.WriteString("\n" + strings.Repeat(" ", in))
			used, fresh = in, true
		}
		if !fresh {
			b.WriteByte(' ')
			used++
		}
		b.WriteString(w)
		used, fresh = used+columnsOf(w), false
	}
	return b.String()
}

// Fill fills a text to 72 columns behind a label; further lines begin below its
// first word. A command in backquotes, and a fingerprint, stay on one line, where
// they fit into one.
func Fill(label, text string) string {
	return untie(hang(label, fingerprint.ReplaceAllStringFunc(wholeCommands(text), whole)))
}

// fingerprint is one in groups of four, of a version 4 certificate.
var fingerprint = regexp.MustCompile(`\b([0-9A-F]{4} ){9}[0-9A-F]{4}\b`)

// wholeCommands ties together what stands in backquotes.
func wholeCommands(text string) string {
	parts := strings.Split(text, "`")
	for i := 1; i < len(parts)-1; i += 2 {
		if columnsOf(parts[i]) <= longestCommand {
			parts[i] = whole(parts[i])
		}
	}
	return strings.Join(parts, "`")
}

// prose fills paragraphs and leaves indented lines, the commands to type, as
// they are.
func prose(s string) string {
	var out, open []string
	flush := func() {
		if len(open) > 0 {
			out, open = append(out, hang("", strings.Join(open, " "))), nil
		}
	}
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\r\n")
		if line != "" && !strings.HasPrefix(line, " ") {
			open = append(open, line)
			continue
		}
		flush()
		out = append(out, line)
	}
	flush()
	return strings.Join(out, "\n")
}

// written keeps a text exactly as its author wrote it, long lines, blank lines
// and indentation included: it may be code. Only empty lines around it go.
func written(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), asIs, ""), "\n")
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 {
		return ""
	}
	return asIs + strings.Join(lines, "\n"+asIs)
}

// tidy folds the runs of empty lines that absent fields leave, and takes
// spaces off the ends of lines, except in what a person wrote.
func tidy(text string) string {
	var out []string
	blank := true
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if before, after, ok := strings.Cut(line, asIs); ok {
			out = append(out, before+strings.ReplaceAll(after, asIs, ""))
			blank = false
			continue
		}
		line = strings.TrimRight(untie(line), " \t\r")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

// rule is a heading that runs over the whole line.
func rule(title string) string {
	return "---- " + title + " " + strings.Repeat("-", max(columns-6-columnsOf(title), 3))
}

// banner spreads parts over one line; where they do not fit, each gets its
// own. Empty parts are left out.
func banner(parts ...string) string {
	var kept []string
	used := 0
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
			used += columnsOf(p)
		}
	}
	if len(kept) < 2 {
		return strings.Join(kept, "")
	}
	gap := min((columns-used)/(len(kept)-1), 6)
	if gap < 2 {
		return strings.Join(kept, "\n")
	}
	return strings.Join(kept, strings.Repeat(" ", gap))
}

// choices writes lines to answer with, each followed by what it means (or
// ""): beside it where all fit, else below.
func choices(pairs ...string) (string, error) {
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("choices: line %q has no meaning beside it", pairs[len(pairs)-1])
	}
	line, meaning := 0, 0
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			line, meaning = max(line, columnsOf(pairs[i])), max(meaning, columnsOf(pairs[i+1]))
		}
	}
	gap := min(columns-4-line-meaning, 4)
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		switch {
		case pairs[i+1] == "":
			out = append(out, "    "+pairs[i])
		case gap >= 2:
			out = append(out, "    "+pad(pairs[i], line+gap)+pairs[i+1])
		default:
			out = append(out, "    "+pairs[i], hang("        ", pairs[i+1]))
		}
	}
	return strings.Join(out, "\n"), nil
}

// steps writes what is learned when: a line of stages, reached ones in
// capitals, over a line of dates, a star at the one that this mail is.
func (l *locale) steps(all []Step) string {
	var names, dates strings.Builder
	wide := min((columns-2)/max(len(all), 1), 13)
	for i, s := range all {
		name, date := l.stage(s.Stage), l.dayMonth(s.At)
		if s.Done {
			name = strings.ToUpper(name)
			if i == len(all)-1 || !all[i+1].Done {
				date += " *"
			}
		}
		names.WriteString(pad(name, wide))
		dates.WriteString(pad(date, wide))
	}
	return "  " + strings.TrimRight(names.String(), " ") + "\n  " + strings.TrimRight(dates.String(), " ")
}

// widths are the columns that cells need, and total what a row needs with a
// gap between them.
func widths(rows [][]string) []int {
	var wide []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], columnsOf(c))
		}
	}
	return wide
}

func total(wide []int, gap int) int {
	n := -gap
	for _, w := range wide {
		n += w + gap
	}
	return n
}

// table lays cells out in columns that are as wide as their widest cell, with
// two blanks between them or, where that is too much for 72 columns, one. A
// first cell that still does not fit gets a line of its own above the others,
// so that no name is ever cut.
func table(indent string, rows [][]string) string {
	wide := widths(rows)
	room := columns - len(indent)
	gap := 2
	if total(wide, gap) > room {
		gap = 1
	}
	wide[0] = max(wide[0]-max(total(wide, gap)-room, 0), 0)
	var out []string
	for _, r := range rows {
		if columnsOf(r[0]) > wide[0] {
			out = append(out, indent+r[0])
			r = append([]string{""}, r[1:]...)
		}
		line := indent
		for i, c := range r {
			line += pad(c, wide[i]+gap)
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.Join(out, "\n")
}

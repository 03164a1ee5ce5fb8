package mailflow

import (
	"fmt"
	"slices"
	"strings"
)

// command is one entry of the desk language.
type command struct {
	words  string // what it begins with, "case open"
	usage  string
	help   string
	such   string // as somebody may write it
	signed string // why it counts only signed (rule A3), "adds a recipient"; or empty
	list   bool   // answers with a line for each thing, which programs read
	run    func(*sitting, *phrase) (string, error)
}

func (c command) name() string { return c.words }

// order is one line of a list of commands, understood.
type order struct {
	command command
	rest    []lexeme
}

// maxCommands is how many commands one transaction takes: all other writers
// wait for it.
const maxCommands = 1000

// read understands a list of commands before any is carried out, so that all
// slips of the pen are shown at once. Blank lines don't count. The transcript
// it gives has a refusal where the commands are not to be carried out.
func read(lines []string) ([]order, Transcript) {
	lines, dry := written(lines)
	t := Transcript{Dry: dry}
	switch {
	case len(lines) == 0:
		t.Lines = []TranscriptLine{{Outcome: NotDone, Result: "there is no command; try `help`"}}
		return nil, t
	case len(lines) > maxCommands:
		why := fmt.Sprintf("there are %d commands; at most %d are taken at once", len(lines), maxCommands)
		t.Lines = []TranscriptLine{{Command: lines[0], Outcome: NotDone, Result: why}}
		return nil, t
	}
	var orders []order
	for _, line := range lines {
		o, err := readLine(line)
		l := TranscriptLine{Command: line}
		if err != nil {
			l.Outcome, l.Result = NotDone, sentence(err).Error()
		}
		orders, t.Lines = append(orders, o), append(t.Lines, l)
	}
	if !t.Done() {
		t.notTried("not tried, since another line was not understood")
	}
	return orders, t
}

// written drops blank lines, and a dry-run before the first command.
func written(lines []string) (out []string, dry bool) {
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if len(out) == 0 && !dry && line != "" {
			line, dry = cutDryRun(line)
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out, dry
}

// notTried marks all lines that have no outcome yet.
func (t *Transcript) notTried(why string) {
	for i, l := range t.Lines {
		if l.Outcome == "" {
			t.Lines[i].Outcome, t.Lines[i].Result = NotDone, why
		}
	}
}

// cutDryRun takes `dry-run` off the first line; it may stand alone there.
func cutDryRun(line string) (string, bool) {
	f := strings.Fields(line)
	if !strings.EqualFold(f[0], "dry-run") {
		return line, false
	}
	return strings.TrimSpace(line[len("dry-run"):]), true
}

func readLine(line string) (order, error) {
	words, err := lex(line)
	if err != nil {
		return order{}, err
	}
	c, n, err := find(words)
	return order{command: c, rest: words[n:]}, err
}

// find looks up the command that a line begins with, the longest one first,
// and says how many words it took.
func find(words []lexeme) (command, int, error) {
	best, taken := command{}, 0
	for _, c := range commands() {
		if n := matches(c, words); n > taken {
			best, taken = c, n
		}
	}
	if taken == 0 {
		return best, 0, unknown(words)
	}
	if second := secondWords(best.words); taken == 1 && len(second) > 0 && best.run == nil {
		return best, 0, unknownSecond(best.words, words, second)
	}
	return best, taken, nil
}

// matches says how many words of a line the command's own words are, or 0.
func matches(c command, words []lexeme) int {
	own := strings.Fields(c.words)
	if len(own) > len(words) {
		return 0
	}
	for i, w := range own {
		if !words[i].is(w) {
			return 0
		}
	}
	return len(own)
}

func unknown(words []lexeme) error {
	if len(words) == 0 {
		return notDone("there is no command; try `help`")
	}
	first := strings.ToLower(words[0].text)
	if second := secondWords(first); len(second) > 0 {
		return unknownSecond(first, words, second)
	}
	return notDone("%q is no command%s; `help` lists them all", words[0].text, nearest(first, firstWords()))
}

func unknownSecond(first string, words []lexeme, second []string) error {
	if len(words) < 2 {
		return notDone("%s what? say one of: %s", first, strings.Join(second, ", "))
	}
	return notDone("%q is no command%s; %s is followed by one of: %s", first+" "+words[1].text,
		nearest(strings.ToLower(words[1].text), second), first, strings.Join(second, ", "))
}

// firstWords are the words that commands begin with.
func firstWords() []string {
	out := []string{"dry-run"}
	for _, c := range commands() {
		if w := strings.Fields(c.words)[0]; !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// secondWords are the words that may follow a first one.
func secondWords(first string) []string {
	var out []string
	for _, c := range commands() {
		if f := strings.Fields(c.words); len(f) > 1 && f[0] == first {
			out = append(out, f[1])
		}
	}
	return out
}

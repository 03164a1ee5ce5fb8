package mailflow

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// A Reply to a task about a letter goes to the party. Who writes a command there
// means the desk, and the party would read it: such a mail is refused while the
// client still shows it.

// commandsAstray says why a letter is none, or nil: what somebody wrote, above
// what is quoted, is commands of the desk and nothing else.
func (s *Submission) commandsAstray(m *submitted, asked deskAddress) error {
	if asked.Kind != addrParty && asked.Kind != addrVendors {
		return nil
	}
	var orders []order
	lines, _ := written(onlyLines(m.text, m.by.Name))
	for _, line := range lines {
		o, err := readLine(line)
		if err != nil {
			return nil
		}
		orders = append(orders, o)
	}
	for i, o := range orders {
		meant, err := s.meansCommand(m, asked, o, lines[i])
		if err != nil || !meant {
			return err
		}
	}
	if len(orders) == 0 {
		return nil
	}
	what := "this is a command"
	if len(orders) > 1 {
		what = "these are commands"
	}
	return refuse("%s for control@%s (%s); nothing was sent. If it is meant for them, say it in a sentence", what, s.DeskDomain, shortened(lines[0], 40))
}

// onlyLines gives all lines that somebody wrote above a quotation, put together
// where a client folded them, up to the parting and without the name below it.
func onlyLines(text, name string) []string {
	lines, known := unquoted(text), firstWords()
	var out []string
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if closes(line) {
			break
		}
		if line == "" {
			continue
		}
		folds := foldedLines(lines[i:], known)
		out = append(out, strings.Join(trimAll(lines[i:i+folds]), " "))
		i += folds - 1
	}
	if n := len(out); n > 1 && strings.EqualFold(out[n-1], name) {
		out = out[:n-1]
	}
	return out
}

// meansCommand says whether a line that begins as a command is one: the
// interpreter takes it, or refuses it for another reason than that it is not
// written like that, and it holds a word that stands in commands and not in prose.
// "hold on, we are looking" is none. With files only such a word counts: "plan"
// may name what is attached.
func (s *Submission) meansCommand(m *submitted, asked deskAddress, o order, line string) (meant bool, err error) {
	var said error
	err = s.Store.Update(func(tx *store.Tx) error {
		d, err := inItsCase(tx, asked)
		if err != nil {
			return err
		}
		if meant, err = wordOfTheDesk(tx, o); err != nil {
			return err
		}
		by := m.by
		by.Signed = true // it is asked what it means, not whether it would count
		at := &sitting{Desk: s.Desk, tx: tx, by: by, dry: true}
		if _, inReport := reportNumber(d.Case); !inReport {
			at.this = d.Case
		}
		said = at.carryOut(o, &TranscriptLine{Command: line})
		return errDryRun // nothing of it is done
	})
	if !errors.Is(err, errDryRun) {
		return false, err
	}
	var r *Refusal
	if !errors.As(said, &r) {
		return meant || said == nil && len(m.files) == 0, nil
	}
	if strings.Contains(r.Sentence, o.command.usage) {
		return false, nil // it is not written like that
	}
	return meant || r.Already && len(m.files) == 0, nil
}

// deskToken is what stands in commands alone: T12, U17, D3, N4, an approval, a
// fingerprint.
var deskToken = regexp.MustCompile(`^(?i:[tudn][0-9]+|[0-9a-f]{4}-[0-9a-f]{4}|[0-9a-f]{16,64})$`)

// wordOfTheDesk says whether a line holds something that stands in commands and
// hardly in prose: the number of a task, a tag, a party, a date, `because`.
func wordOfTheDesk(tx *store.Tx, o order) (bool, error) {
	for i, l := range o.rest {
		_, notTag := cvd.ParseCaseID(l.text)
		_, notDate := cvd.ParseInstant(l.text)
		switch {
		case l.quoted, deskToken.MatchString(l.text), notTag == nil, notDate == nil, l.is("because") && i < 2:
			return true, nil
		case len(o.rest) == 1 && slices.ContainsFunc([]string{"case", "all", "now"}, l.is):
			return true, nil
		}
		if i > 0 {
			continue
		}
		_, err := PartyByID(tx, cvd.PartyID(strings.ToLower(l.text)))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrNoParty) {
			return false, err
		}
	}
	return false, nil
}

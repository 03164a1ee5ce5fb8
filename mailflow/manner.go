package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

func parseForm(s string) (cvd.Form, error) {
	known := []string{string(cvd.FormMIME), string(cvd.FormInline)}
	if !slices.Contains(known, strings.ToLower(s)) {
		return "", notDone("%q is not a form%s; say mime, or inline for a system that reads only armor in the body and encrypted files", s, nearest(s, known))
	}
	if f := cvd.Form(strings.ToLower(s)); f != cvd.FormMIME {
		return f, nil
	}
	return "", nil // the same manner as that of who never named a form
}

func parseSwitch(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, notDone("%q is neither on nor off", s)
}

// mannerWords are the options that differ from everybody's, as `vendor edit`
// takes them.
func mannerWords(m cvd.Manner) []string {
	var out []string
	if m.Form != "" {
		out = append(out, "form "+string(m.Form))
	}
	if m.LegacyDisplay {
		out = append(out, "legacy-display on")
	}
	if m.FileNames {
		out = append(out, "file-names on")
	}
	if m.Subject != "" {
		out = append(out, fmt.Sprintf("subject %q", m.Subject))
	}
	return out
}

// maxOuterSubject is how many characters an outer Subject may have: one line.
const maxOuterSubject = 60

// outerSubject checks an outer Subject for a party; "default" is the constant.
// Everybody on the way reads it, so it may say nothing of what is inside, and
// neither whom it is for nor who else there is (rules V2, V3).
func (s *sitting) outerSubject(text string, of cvd.PartyID) (string, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, "default") {
		return "", nil
	}
	if text == "" || utf8.RuneCountInString(text) > maxOuterSubject || message.CheckHeaderValue(text) != nil || strings.Contains(text, "=?") {
		return "", notDone("an outer Subject is one line of at most %d printable characters", maxOuterSubject)
	}
	all, err := Parties(s.tx)
	if err != nil {
		return "", err
	}
	banned := []string{s.CasePrefix, "TLP", string(cvd.Mitigation), string(cvd.Holding), string(of)}
	for _, stage := range cvd.Stages() {
		banned = append(banned, string(stage))
	}
	for _, word := range append(banned, partyWords(all)...) {
		if hasWords(text, word) {
			return "", notDone("an outer Subject is read by everybody on the way, and this one says %q: it may name no case, no stage and no party", word)
		}
	}
	if len(cvd.FindCaseIDs(text)) > 0 {
		return "", notDone("an outer Subject is read by everybody on the way, and this one holds a case tag")
	}
	return text, nil
}

// unnamed refuses names for the directory that stand in an outer Subject.
func (s *sitting) unnamed(names ...string) error {
	all, err := Parties(s.tx)
	if err != nil {
		return err
	}
	for _, p := range all {
		for _, name := range names {
			if hasWords(p.Manner.Subject, name) {
				return notDone("the outer Subject of %s says %q, which would name the new party to everybody on the way; `vendor edit %s subject default` first", p.ID, name, p.ID)
			}
		}
	}
	return nil
}

// hasWords says whether words stand in a text as whole words, whatever stands
// between them and in whatever case.
func hasWords(text, words string) bool {
	return words != "" && strings.Contains(" "+wordsOf(text)+" ", " "+wordsOf(words)+" ")
}

func wordsOf(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}

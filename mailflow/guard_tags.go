package mailflow

import (
	"errors"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// tagged is a case tag that stands in a text.
type tagged struct {
	run
	id cvd.CaseID
}

// tagsOfOthers finds the tags of other cases, whether there are such cases or
// not: who writes one learns nothing by it (rule A2). That of a case which
// became part of this one is its own.
func (b *Base) tagsOfOthers(tx *store.Tx, text []rune, home cvd.CaseID) ([]tagged, error) {
	var out []tagged
	prefix := strings.ToLower(b.CasePrefix) + "-"
	for i := 0; i < len(text); i++ {
		if !wordRune(text[i]) {
			continue
		}
		end := i
		for end < len(text) && (wordRune(text[end]) || text[end] == '-') {
			end++
		}
		from := i
		i = end
		word := string(text[from:end])
		if !strings.HasPrefix(word, prefix) {
			continue
		}
		for _, id := range cvd.FindCaseIDs(word) {
			now, err := caseNow(tx, id)
			if err != nil {
				return nil, err
			}
			if now != home {
				out = append(out, tagged{run{from, end}, id})
			}
		}
	}
	return out, nil
}

// tagsFor are the tags of cases in which a participant was told nothing. Which
// those are is not to be learned from what is kept back, where somebody who
// sees this case may not know of the other one.
func tagsFor(tx *store.Tx, e *examined, who cvd.Participant) ([]tagged, error) {
	if len(e.tags) == 0 {
		return nil, nil
	}
	home, err := CaseByID(tx, who.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	var out []tagged
	for _, t := range e.tags {
		there, err := ParticipantByID(tx, t.id, who.Party)
		if err != nil && !errors.Is(err, ErrNoParticipant) {
			return nil, err
		}
		hidden, err := hiddenFrom(tx, t.id, func(c cvd.Case) bool { return readersWithin(home, c) })
		if err != nil {
			return nil, err
		}
		if there.Reached == "" || who.Party.IsFinder() || hidden {
			out = append(out, t)
		}
	}
	return out, nil
}

package mailflow

import (
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// caseHistory is `history [PARTY]`: what happened, from the journal, oldest
// first.
func caseHistory(s *sitting, p *phrase) (string, error) {
	party, id, err := s.historyOf(p)
	if err != nil {
		return "", err
	}
	visible := map[string]bool{"": id == ""}
	cases, err := s.seenCases()
	if err != nil {
		return "", err
	}
	for _, c := range cases {
		visible[string(c.ID)] = id == "" || c.ID == id
	}
	var lines []string
	err = journal.Each(s.tx, func(_ uint64, r journal.Record) error {
		about := visible[r.Case] || id != "" && r.Case == "" && party != ""
		if about && (party == "" || r.Party == party) {
			lines = append(lines, historyLine(r))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if len(lines) == 0 {
		return "nothing happened yet", nil
	}
	return inColumns(lines), nil
}

// historyOf reads whose history is asked for: of a participant of the case at
// hand, of the whole case, or of a party in all cases.
func (s *sitting) historyOf(p *phrase) (party string, id cvd.CaseID, err error) {
	if s.this != "" {
		c, err := s.theCase()
		if err != nil {
			return "", "", err
		}
		id = c.ID
	}
	if !p.more() {
		_, err := s.theCase()
		return "", id, err
	}
	name, err := p.only("the name of a party")
	if err != nil {
		return "", "", err
	}
	if id != "" {
		c, err := s.theCase()
		if err != nil {
			return "", "", err
		}
		who, err := s.participantNamed(c, name)
		return string(who.Party), id, err
	}
	known, err := s.partyNamed(name)
	return string(known.ID), "", err
}

func historyLine(r journal.Record) string {
	parts := []string{utc(r.At), r.Kind}
	for _, f := range []string{r.Case, r.Party, r.Ref, r.Detail} {
		if f != "" {
			parts = append(parts, f)
		}
	}
	if r.Actor != "" {
		parts = append(parts, "by "+r.Actor)
	}
	return strings.Join(parts, "  ")
}

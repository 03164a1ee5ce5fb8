package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// caseNamed reads a case by its tag as typed. Whoever may not see it gets the
// words and the work of one that does not exist (rule A2).
func (s *sitting) caseNamed(tag string) (cvd.Case, error) {
	id, err := cvd.ParseCaseID(tag)
	if err != nil {
		return cvd.Case{}, notDone("%v", err)
	}
	return s.caseSeen(id)
}

func (s *sitting) caseSeen(id cvd.CaseID) (cvd.Case, error) {
	c, err := CaseByID(s.tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return c, err
	}
	if err != nil || !s.by.sees(c) {
		return cvd.Case{}, s.noCase(id)
	}
	if !s.tells(c) {
		return cvd.Case{}, errMixed
	}
	return c, nil
}

// tells notes that the answers are about a case. It is false, and nothing is
// to be told of that case, where not everybody who may read of the others may
// know of it, nor the other way round.
func (s *sitting) tells(c cvd.Case) bool {
	switch {
	case s.told.ID == "":
		s.told = c
	case readersWithin(s.told, c) || s.by.Via == ViaOperator: // whose answer is filed nowhere
	case readersWithin(c, s.told):
		s.told = c
	default:
		return false
	}
	return true
}

// readersWithin says whether everybody who may know of a case may know of
// another one too.
func readersWithin(c, other cvd.Case) bool {
	if len(c.Restricted) == 0 {
		return len(other.Restricted) == 0
	}
	return !slices.ContainsFunc(c.Restricted, func(by string) bool { return !maySee(other, by) })
}

// seenCases lists the cases that the actor may know of, but for those of which
// the answer cannot tell.
func (s *sitting) seenCases() ([]cvd.Case, error) {
	all, err := Cases(s.tx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c cvd.Case) bool { return !s.by.sees(c) || len(c.Restricted) > 0 && !s.tells(c) }), nil
}

// theCase is the one that the lines are about.
func (s *sitting) theCase() (cvd.Case, error) {
	if s.this == "" {
		return cvd.Case{}, notDone("no case is named; begin with a line `case TAG`, such as case %s-2026-0007", s.CasePrefix)
	}
	return s.caseSeen(s.this)
}

// openCaseHere is theCase, if it is not closed.
func (s *sitting) openCaseHere() (cvd.Case, error) {
	c, err := s.theCase()
	if err == nil && !c.Closed.IsZero() {
		return c, notDone("%s is closed since %s and stays as it is; `case reopen` first", c.ID, day(c.Closed))
	}
	return c, err
}

// partyNamed reads a party of the directory by its name as typed.
func (s *sitting) partyNamed(name string) (cvd.Party, error) {
	p, err := PartyByID(s.tx, cvd.PartyID(strings.ToLower(name)))
	if !errors.Is(err, ErrNoParty) {
		return p, err
	}
	all, err := Parties(s.tx)
	if err != nil {
		return p, err
	}
	var known []string
	for _, k := range all {
		known = append(known, string(k.ID))
	}
	return p, notDone("no party %q is in the directory%s; `vendor add` adds one", name, nearest(name, known))
}

// participantNamed reads a participant of a case by its name as typed.
func (s *sitting) participantNamed(c cvd.Case, name string) (cvd.Participant, error) {
	p, err := ParticipantByID(s.tx, c.ID, cvd.PartyID(strings.ToLower(name)))
	if !errors.Is(err, ErrNoParticipant) {
		return p, err
	}
	all, err := Participants(s.tx, c.ID)
	if err != nil {
		return p, err
	}
	var known []string
	for _, k := range all {
		known = append(known, string(k.Party))
	}
	return p, notDone("%q takes no part in %s%s; `invite` adds a party of the directory", name, c.ID, nearest(name, known))
}

// takesPart is participantNamed, if it was not withdrawn.
func (s *sitting) takesPart(c cvd.Case, name string) (cvd.Participant, error) {
	p, err := s.participantNamed(c, name)
	if err == nil && p.Withdrawn != nil {
		return p, notDone("%s was withdrawn from %s (%s); `invite %s` brings it back", p.Party, c.ID, p.Withdrawn.Because, p.Party)
	}
	return p, err
}

// owner names whose keys are meant: those of a party, or of the finder of the
// case at hand.
func (s *sitting) owner(name string) (string, error) {
	if !cvd.PartyID(strings.ToLower(name)).IsFinder() {
		p, err := s.partyNamed(name)
		return string(p.ID), err
	}
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	p, err := s.participantNamed(c, name)
	if err != nil {
		return "", err
	}
	return OwnerOf(p), nil
}

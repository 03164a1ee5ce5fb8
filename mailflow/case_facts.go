package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// caseNamedHere is `case TAG`: the lines that follow are about it.
func caseNamedHere(s *sitting, p *phrase) (string, error) {
	tag, err := p.next("the tag of a case")
	if err != nil {
		return "", err
	}
	if _, err := cvd.ParseCaseID(tag); err != nil {
		return "", unknownSecond("case", []lexeme{{text: "case"}, {text: tag}}, secondWords("case"))
	}
	if err := p.end(); err != nil {
		return "", err
	}
	c, err := s.caseNamed(tag)
	if err != nil {
		return "", err
	}
	s.this = c.ID
	return caseLine(c), nil
}

// changeCase writes a case that a command changed, and journals it.
func (s *sitting) changeCase(c cvd.Case, kind, detail string) error {
	if err := PutCase(s.tx, c); err != nil {
		return err
	}
	if err := s.retain(s.tx, c); err != nil {
		return err
	}
	s.touch(s.tx, c.ID)
	return record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: kind, Detail: detail})
}

// caseSeverity is `case severity BAND`.
func caseSeverity(s *sitting, p *phrase) (string, error) {
	band, err := p.only("the severity")
	if err != nil {
		return "", err
	}
	return s.setSeverity(band)
}

func (s *sitting) setSeverity(band string) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	before := copyOf(c)
	if c.Severity, err = cvd.ParseSeverity(band); err != nil {
		return "", notDone("%v", err)
	}
	s.undo = &undoRow{Verb: "facts", Case: c.ID, Case0: before, Ref: "severity " + c.Severity}
	if err := s.changeCase(c, "case.severity", c.Severity); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is of severity %s", c.ID, c.Severity), s.replan(s.tx, c.ID)
}

// coordinatorNamed reads a coordinator by name as typed.
func (s *sitting) coordinatorNamed(name string) (Coordinator, error) {
	c, err := CoordinatorByName(s.tx, strings.ToLower(name))
	if !errors.Is(err, ErrNoCoordinator) {
		return c, err
	}
	all, err := Coordinators(s.tx)
	if err != nil {
		return c, err
	}
	var known []string
	for _, k := range all {
		known = append(known, k.Name)
	}
	return c, notDone("no coordinator is named %q%s", name, nearest(name, known))
}

// caseAssign is `case assign NAME`: who answers for the case.
func caseAssign(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	name, err := p.only("the name of a coordinator")
	if err != nil {
		return "", err
	}
	who, err := s.coordinatorNamed(name)
	if err != nil {
		return "", err
	}
	if !(Actor{Name: who.Name, Via: ViaMail}).sees(c) {
		return "", notDone("%s may not see %s, which is restricted to %s; `case restrict` with %s too, then assign", who.Name, c.ID,
			strings.Join(c.Restricted, ", "), who.Name)
	}
	s.undo = &undoRow{Verb: "facts", Case: c.ID, Case0: copyOf(c), Ref: "assign " + who.Name}
	c.Responsible = who.Name
	return fmt.Sprintf("%s answers for %s", who.Name, c.ID), s.changeCase(c, "case.assigned", who.Name)
}

// caseRestrict is `case restrict NAME …`: for everybody else the case does
// not exist from now on. `case restrict everybody` opens it to the desk again.
func caseRestrict(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	names, err := s.restrictedTo(p)
	if err != nil {
		return "", err
	}
	switch {
	case len(names) > 0 && s.by.Via != ViaOperator && !slices.Contains(names, s.by.Name):
		return "", notDone("you would not see %s yourself any more, and could not undo it; name yourself too", c.ID)
	case len(names) > 0 && c.Responsible != "" && !slices.Contains(names, c.Responsible):
		return "", notDone("%s answers for %s; name %s too, or `case assign` somebody else first", c.Responsible, c.ID, c.Responsible)
	}
	s.undo = &undoRow{Verb: "facts", Case: c.ID, Case0: copyOf(c), Ref: "restrict " + strings.Join(names, " ")}
	c.Restricted = names
	if err := recallDigests(s.tx, c); err != nil {
		return "", err
	}
	if err := s.narrowMerged(c); err != nil {
		return "", err
	}
	who := strings.Join(names, " ")
	if who == "" {
		who = "everybody"
	}
	s.tx.Changed(store.Change{Topic: store.TopicMailbox, Kind: store.ChangeFolders}) // what others may list has changed
	if err := s.changeCase(c, "case.restricted", who); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is seen by %s", c.ID, who), s.alarmAnew(s.tx, c.ID)
}

func (s *sitting) restrictedTo(p *phrase) ([]string, error) {
	if p.word("everybody") {
		return nil, p.end()
	}
	var names []string
	for ok := true; ok; ok = p.more() {
		name, err := p.next("the name of a coordinator, or everybody")
		if err != nil {
			return nil, err
		}
		who, err := s.coordinatorNamed(strings.TrimSuffix(name, ","))
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, who.Name) {
			names = append(names, who.Name)
		}
	}
	return names, nil
}

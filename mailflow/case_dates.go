package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// caseStart is `start now` and `start INSTANT`: the plan runs.
func caseStart(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	at, err := s.startInstant(p)
	if err != nil {
		return "", err
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	switch {
	case c.Started() && !s.tx.Now.Before(c.Start):
		return "", notDone("%s started on %s; `stage` and `embargo` move what is still to come", c.ID, utc(c.Start))
	case !slices.ContainsFunc(ps, func(p cvd.Participant) bool { return p.Has(cvd.RoleVendor) && p.Withdrawn == nil }):
		return "", notDone("no vendor takes part in %s; `invite` one first", c.ID)
	}
	if err := c.Policy.Validate(); err != nil {
		return "", notDone("policy %s cannot be carried out: %v; choose another with `case policy`", c.Policy.Name, err)
	}
	s.undo = &undoRow{Verb: "start", Case: c.ID, Is: at.At, Case0: copyOf(c)}
	if err := s.setStart(&c, at); err != nil {
		return "", err
	}
	if err := canBeTold(c, ps); err != nil {
		return "", err
	}
	if err := s.changeCase(c, "case.started", utc(c.Start)+" to "+utc(c.Embargo().End)); err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	frozen, err := s.frozenLine(c)
	return fmt.Sprintf("%s starts %s, policy %s, embargo v%d until %s%s%s; %s", c.ID, utc(c.Start), c.Policy.Name, c.Embargo().Version,
		utc(c.Embargo().End), movedWords(c), frozen, "`plan` shows what goes when"), err
}

func (s *sitting) startInstant(p *phrase) (cvd.Instant, error) {
	if p.word("now") {
		return cvd.Instant{At: s.tx.Now}, p.end()
	}
	at, err := p.instant()
	if err == nil && at.At.Before(s.tx.Now) {
		return at, notDone("%s has passed; say `start now` or an instant to come", utc(at.At))
	}
	return at, err
}

// setStart gives a case its start and the first version of its embargo,
// unless `embargo` already named the end.
func (s *sitting) setStart(c *cvd.Case, at cvd.Instant) error {
	again := c.Started()
	c.Start = at.At
	if len(c.Embargoes) == 0 || again && c.Embargo().Because == "" {
		first, err := firstEmbargo(c.Policy, at)
		if err != nil {
			return err
		}
		first.By, first.At = s.by.Name, s.tx.Now
		c.Embargoes = []cvd.Embargo{first}
	}
	if !c.Embargo().End.After(c.Start) {
		return notDone("the embargo would end %s, before it starts; move its end first with `embargo`", utc(c.Embargo().End))
	}
	return nil
}

// stage takes the name of a stage that a participant can reach.
func (p *phrase) stage() (cvd.Stage, error) {
	word, err := p.next("the stage")
	if err != nil {
		return "", err
	}
	st, err := cvd.ParseStage(word)
	if err != nil || st.Rank() == 0 {
		var known []string
		for _, k := range cvd.Stages() {
			known = append(known, string(k))
		}
		return "", notDone("%q is not a stage%s; the stages are %s", word, nearest(word, known), strings.Join(known, ", "))
	}
	return st, nil
}

// dueOf is when a stage falls due for one participant.
func dueOf(c cvd.Case, p cvd.Participant, s cvd.Stage) (time.Time, bool) {
	for _, d := range cvd.Plan(c, []cvd.Participant{p}) {
		if d.Stage == s {
			return d.At, true
		}
	}
	return time.Time{}, false
}

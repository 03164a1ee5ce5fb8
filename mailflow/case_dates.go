package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
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
	if err := s.changeCase(c, "case.started", utc(c.Start)+" to "+utc(c.Embargo().End)); err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s starts %s, policy %s, embargo v%d until %s; %s", c.ID, utc(c.Start), c.Policy.Name, c.Embargo().Version,
		utc(c.Embargo().End), "`plan` shows what goes when"), nil
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
		c.Embargoes = []cvd.Embargo{{Version: 1, End: c.Start.Add(c.Policy.Embargo), Zone: at.Zone, By: s.by.Name, At: s.tx.Now}}
	}
	if !c.Embargo().End.After(c.Start) {
		return notDone("the embargo would end %s, before it starts; move its end first with `embargo`", utc(c.Embargo().End))
	}
	return nil
}

// caseStage is `stage PARTY STAGE at INSTANT`: one stage of one participant,
// at another time than the policy says.
func caseStage(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	who, stage, at, err := s.stageArgs(c, p)
	if err != nil {
		return "", err
	}
	before, ok := dueOf(c, who, stage)
	if !ok {
		return "", notDone("%s is not planned for %s: the case has not started; `start` it first", stage, who.Party)
	}
	if at.At.Before(before) {
		if err := s.mustBeProved(fmt.Sprintf("stage %s %s", who.Party, stage), "moves a date earlier"); err != nil {
			return "", err
		}
	}
	s.undo = &undoRow{Verb: "stage", Case: c.ID, Party: who.Party, Stage: stage, Was: who.Delays[stage], Is: at.At}
	delays := map[cvd.Stage]time.Time{stage: at.At}
	for st, t := range who.Delays {
		if st != stage {
			delays[st] = t
		}
	}
	who.Delays = delays
	if now, _ := dueOf(c, who, stage); !now.Equal(at.At) {
		return "", notDone("%s cannot go to %s at %s: no sooner than %s, given the stage before it, when %s joined, and how long before the end it may know",
			stage, who.Party, utc(at.At), utc(now), who.Party)
	}
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "stage.moved",
		Detail: strings.TrimSpace(fmt.Sprintf("%s from %s to %s %s", stage, utc(before), utc(at.At), at.Zone))})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s to %s is due %s, not %s", stage, who.Party, utc(at.At), utc(before)), s.replan(s.tx, c.ID)
}

// stageArgs reads PARTY STAGE at INSTANT and checks that the stage may still
// be moved there.
func (s *sitting) stageArgs(c cvd.Case, p *phrase) (who cvd.Participant, stage cvd.Stage, at cvd.Instant, err error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return who, stage, at, err
	}
	if who, err = s.takesPart(c, name); err != nil {
		return who, stage, at, err
	}
	if stage, err = p.stage(); err != nil {
		return who, stage, at, err
	}
	if !p.word("at") {
		return who, stage, at, notDone("the instant is missing; write: %s", p.usage)
	}
	if at, err = p.instant(); err != nil {
		return who, stage, at, err
	}
	return who, stage, at, s.mayMove(c, who, stage, at.At)
}

// mayMove refuses instants that a stage cannot be moved to, whatever the plan.
func (s *sitting) mayMove(c cvd.Case, who cvd.Participant, stage cvd.Stage, at time.Time) error {
	_, inPolicy := c.Policy.Rule(stage)
	end := c.End(who)
	if stage == cvd.Public {
		end = c.Embargo().End
	}
	switch {
	case !inPolicy:
		return notDone("policy %s has no stage %s", c.Policy.Name, stage)
	case stage.Rank() <= who.Reached.Rank():
		return notDone("%s was told %s already; no stage is repeated", who.Party, who.Reached)
	case at.Before(s.tx.Now):
		return notDone("%s has passed; name an instant to come", utc(at))
	case c.Started() && stage == cvd.Public && at.Before(end):
		return notDone("public goes at the end of the embargo, %s; `embargo` moves it", utc(end))
	case c.Started() && stage != cvd.Public && at.After(end):
		return notDone("%s is after the end of the embargo, %s", utc(at), utc(end))
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

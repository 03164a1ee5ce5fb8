package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/templates"
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
	if at.Before(before) {
		if err := s.mustBeProved(fmt.Sprintf("stage %s %s", who.Party, stage), "moves a date earlier"); err != nil {
			return "", err
		}
	}
	delays := map[cvd.Stage]time.Time{stage: at}
	for st, t := range who.Delays {
		if st != stage {
			delays[st] = t
		}
	}
	who.Delays = delays
	if now, _ := dueOf(c, who, stage); !now.Equal(at) {
		return "", notDone("%s cannot go to %s at %s: no sooner than %s, given the stage before it, when %s joined, and how long before the end it may know",
			stage, who.Party, utc(at), utc(now), who.Party)
	}
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "stage.moved",
		Detail: fmt.Sprintf("%s from %s to %s", stage, utc(before), utc(at))})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s to %s is due %s, not %s", stage, who.Party, utc(at), utc(before)), s.replan(s.tx, c.ID)
}

// stageArgs reads PARTY STAGE at INSTANT and checks that the stage may still
// be moved there.
func (s *sitting) stageArgs(c cvd.Case, p *phrase) (who cvd.Participant, stage cvd.Stage, at time.Time, err error) {
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
	when, err := p.instant()
	if err != nil {
		return who, stage, at, err
	}
	_, inPolicy := c.Policy.Rule(stage)
	end := c.End(who)
	switch at = when.At; {
	case !inPolicy:
		err = notDone("policy %s has no stage %s", c.Policy.Name, stage)
	case stage.Rank() <= who.Reached.Rank():
		err = notDone("%s was told %s already; no stage is repeated", who.Party, who.Reached)
	case at.Before(s.tx.Now):
		err = notDone("%s has passed; name an instant to come", utc(at))
	case c.Started() && stage == cvd.Public && at.Before(end):
		err = notDone("public goes at the end of the embargo, %s; `embargo` moves it", utc(end))
	case c.Started() && stage != cvd.Public && at.After(end):
		err = notDone("%s is after the end of the embargo, %s", utc(at), utc(end))
	}
	return who, stage, at, err
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

// caseEmbargo is `embargo DATE because "…"`. Before the start it names the
// end that the case will have; after it, it is a new version, and everybody
// who was told learns it.
func caseEmbargo(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	end, err := p.instant("because")
	if err != nil {
		return "", err
	}
	why, err := p.reason(true)
	if err != nil {
		return "", err
	}
	was := c.Embargo()
	if err := s.mayEnd(c, end.At); err != nil {
		return "", err
	}
	fresh := cvd.Embargo{Version: was.Version + 1, End: end.At, Zone: end.Zone, Because: why, By: s.by.Name, At: s.tx.Now}
	if !c.Started() {
		fresh.Version, c.Embargoes = 1, nil
	}
	c.Embargoes = append(slices.Clone(c.Embargoes), fresh)
	if err := s.changeCase(c, "embargo", fmt.Sprintf("v%d %s: %s", fresh.Version, utc(fresh.End), why)); err != nil {
		return "", err
	}
	if err := s.dropDelays(c); err != nil {
		return "", err
	}
	told, err := s.tellEmbargo(c, was)
	if err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	said := fmt.Sprintf("the embargo of %s ends %s (v%d)", c.ID, utc(fresh.End), fresh.Version)
	if c.Started() {
		said += fmt.Sprintf(", not %s; %s of it", utc(was.End), count(told, "participant")+" will be told")
	}
	return said, nil
}

// mayEnd checks the new end of an embargo.
func (s *sitting) mayEnd(c cvd.Case, end time.Time) error {
	was := c.Embargo()
	switch {
	case !end.After(s.tx.Now):
		return notDone("%s has passed; name an instant to come", utc(end))
	case c.Started() && !s.tx.Now.Before(was.End):
		return notDone("the embargo of %s ended %s, and what is public stays so", c.ID, utc(was.End))
	case c.Started() && !end.After(c.Start):
		return notDone("%s starts only %s", c.ID, utc(c.Start))
	case end.Equal(was.End):
		return notDone("the embargo of %s ends %s already (v%d)", c.ID, utc(end), was.Version)
	}
	usual := was.End
	if len(c.Embargoes) == 0 {
		usual = s.tx.Now.Add(c.Policy.Embargo)
	}
	if end.Before(usual) {
		return s.mustBeProved("embargo", "moves the end earlier")
	}
	return nil
}

// dropDelays forgets dates that a coordinator set for single stages and that
// the new end has overtaken; these stages follow the policy again.
func (s *sitting) dropDelays(c cvd.Case) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil || !c.Started() {
		return err
	}
	for _, p := range ps {
		end, kept := c.End(p), map[cvd.Stage]time.Time{}
		for stage, at := range p.Delays {
			if overtaken := stage == cvd.Public && at.Before(end) || stage != cvd.Public && at.After(end); !overtaken {
				kept[stage] = at
			}
		}
		if len(kept) == len(p.Delays) {
			continue
		}
		p.Delays = kept
		if err := PutParticipant(s.tx, p); err != nil {
			return err
		}
	}
	return nil
}

// tellEmbargo writes the new date to every vendor that was told something. A
// shorter one informs; a longer one asks for a new ACCEPT.
func (s *sitting) tellEmbargo(c cvd.Case, was cvd.Embargo) (int, error) {
	if !c.Started() {
		return 0, nil
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range ps {
		if p.Withdrawn != nil || p.Reached == "" || !p.Has(cvd.RoleVendor) {
			continue
		}
		if err := s.embargoNotice(c, p, was); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *sitting) embargoNotice(c cvd.Case, p cvd.Participant, was cvd.Embargo) error {
	party, err := PartyByID(s.tx, p.Party)
	if err != nil {
		return err
	}
	fresh := c.Embargo()
	v := templates.Embargo{Us: s.us(), Case: c.ID, Version: fresh.Version, Old: was.End, New: fresh.End, Zone: party.Zone,
		Code: cvd.NewCode(), Asks: fresh.End.After(was.End)}
	if rule, ok := c.Policy.Rule(p.Reached); ok {
		v.TLP = rule.TLP
	}
	text, err := s.Templates.Embargo(v)
	if err != nil {
		return err
	}
	_, err = s.newNotice(s.tx, cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindEmbargo, Code: v.Code, Version: fresh.Version, LastAct: s.tx.Now},
		&Letter{Subject: text.Subject, Text: text.Text, Author: s.by.Name})
	return err
}

package mailflow

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// stageMove is what a coordinator wants of one stage of one participant: a
// date, or an offset that moves with the start or the end.
type stageMove struct {
	who    cvd.Participant
	stage  cvd.Stage
	at     cvd.Instant // also of an offset, as the dates are now
	offset *cvd.When
}

// caseStage is `stage PARTY STAGE at INSTANT [force]` and `stage PARTY STAGE
// at end-10d`: one stage of one participant, at another time than the policy
// says.
func caseStage(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	m, err := s.stageArgs(c, p)
	if err != nil {
		return "", err
	}
	if !c.Started() && m.offset == nil {
		return "", notDone("%s is not planned for %s: the case has not started; `start` it first, or name an offset such as start+3d", m.stage, m.who.Party)
	}
	planned, err := s.asIfStarted(c)
	if err != nil {
		return "", err
	}
	before, ok := dueOf(planned, m.who, m.stage)
	if !ok {
		before = planned.End(m.who) // where it is skipped
	}
	if m.at.At.Before(before) {
		if err := s.mustBeProved(fmt.Sprintf("stage %s %s", m.who.Party, m.stage), "moves a date earlier"); err != nil {
			return "", err
		}
	}
	was := m.who
	s.undo = &undoRow{Verb: "stage", Case: c.ID, Party: m.who.Party, Stage: m.stage, Who0: &was, Was: was.Delays[m.stage]}
	moved := m.applied()
	s.undo.Is, s.undo.Ref = moved.Delays[m.stage], offsetOf(moved, m.stage)
	if now, _ := dueOf(planned, moved, m.stage); !now.Equal(m.at.At) {
		return "", tooEarly(planned, moved, m.stage, m.at.At, now)
	}
	if err := PutParticipant(s.tx, moved); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(moved.Party), Actor: s.by.Name, Kind: "stage.moved",
		Detail: strings.TrimSpace(fmt.Sprintf("%s from %s to %s %s", m.stage, utc(before), utc(m.at.At), m.at.Zone+s.undo.Ref))})
	if err != nil {
		return "", err
	}
	return m.said(c, before), s.replan(s.tx, c.ID)
}

// said is the answer to a stage that was moved.
func (m stageMove) said(c cvd.Case, before time.Time) string {
	switch {
	case m.offset == nil:
		return fmt.Sprintf("%s to %s is due %s, not %s", m.stage, m.who.Party, utc(m.at.At), utc(before))
	case !c.Started():
		return fmt.Sprintf("%s to %s will be due %s, once %s starts", m.stage, m.who.Party, m.offset, c.ID)
	}
	return fmt.Sprintf("%s to %s is due %s, which is %s, not %s", m.stage, m.who.Party, m.offset, utc(m.at.At), utc(before))
}

// applied is the participant with the date or offset of that stage, in place
// of whatever it had.
func (m stageMove) applied() cvd.Participant {
	p := m.who
	p.Delays, p.Offsets = maps.Clone(p.Delays), maps.Clone(p.Offsets)
	if p.Delays == nil {
		p.Delays = map[cvd.Stage]time.Time{}
	}
	if p.Offsets == nil {
		p.Offsets = map[cvd.Stage]cvd.When{}
	}
	delete(p.Delays, m.stage)
	delete(p.Offsets, m.stage)
	if m.offset != nil {
		p.Offsets[m.stage] = *m.offset
	} else {
		p.Delays[m.stage] = m.at.At
	}
	return p
}

// offsetOf is a participant's own offset of a stage in words, or "".
func offsetOf(p cvd.Participant, s cvd.Stage) string {
	if w, ok := p.Offsets[s]; ok {
		return w.String()
	}
	return ""
}

// tooEarly says why a stage cannot go at an instant, and when it can.
func tooEarly(c cvd.Case, p cvd.Participant, s cvd.Stage, at, first time.Time) error {
	if from, held := c.LeadFrom(p); held && at.Before(from) {
		whose := "the lead of policy " + c.Policy.Name
		if c.Lead(p) == p.Lead {
			whose = "its own lead"
		}
		return notDone("%s may know of %s no longer than %s before its end, %s (%s): %s cannot go at %s, and no sooner than %s",
			p.Party, c.ID, cvd.FormatDuration(c.Lead(p)), utc(c.End(p)), whose, s, utc(at), utc(first))
	}
	if from, late, never := c.ToldLate(p, s); never || late && at.Before(from) {
		return notDone("%s is late: %s. `late %s now because WHY`, signed, tells it sooner", p.Party, lateLine(c, p), p.Party)
	}
	return notDone("%s cannot go to %s at %s: no sooner than %s, given the stage before it, when %s joined, and how long before the end it may know",
		s, p.Party, utc(at), utc(first), p.Party)
}

// asIfStarted is the case with its dates; of one that has not started, those
// that it would have if it started now.
func (s *sitting) asIfStarted(c cvd.Case) (cvd.Case, error) {
	if c.Started() {
		return c, nil
	}
	c.Start = s.tx.Now
	if len(c.Embargoes) > 0 {
		return c, nil
	}
	first, err := firstEmbargo(c.Policy, cvd.Instant{At: c.Start})
	c.Embargoes = []cvd.Embargo{first}
	return c, err
}

// stageArgs reads PARTY STAGE at INSTANT|OFFSET and checks that the stage may
// still be moved there.
func (s *sitting) stageArgs(c cvd.Case, p *phrase) (m stageMove, err error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return m, err
	}
	if m.who, err = s.takesPart(c, name); err != nil {
		return m, err
	}
	if m.stage, err = p.stage(); err != nil {
		return m, err
	}
	if !p.word("at") {
		return m, notDone("the instant is missing; write: %s", p.usage)
	}
	if c, err = s.asIfStarted(c); err != nil {
		return m, err
	}
	if err := m.when(c, p); err != nil {
		return m, err
	}
	forced := p.word("force")
	if err := p.end(); err != nil {
		return m, err
	}
	if err := s.mayMove(c, m.who, m.stage, m.at.At); err != nil {
		return m, err
	}
	if m.stage == cvd.Public {
		return m, s.mayPublish(c, m.at, forced)
	}
	return m, nil
}

// when reads an instant, or an offset from the start or the end.
func (m *stageMove) when(c cvd.Case, p *phrase) error {
	text := p.until("force")
	if w, err := cvd.ParseWhen(text); err == nil {
		m.offset, m.at = &w, cvd.Instant{At: w.In(c.Start, c.End(m.who))}
		return nil
	}
	if text == "" {
		return notDone("the date is missing; write: %s", p.usage)
	}
	at, err := cvd.ParseInstant(text)
	if err != nil {
		return notDone("%v; or say start+3d or end-14d", err)
	}
	m.at = at
	return nil
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
	case stage == cvd.Public && at.Before(end):
		return notDone("public goes at the end of the embargo, %s; `embargo` moves it", utc(end))
	case stage != cvd.Public && at.After(end):
		return notDone("%s is after the end of the embargo, %s", utc(at), utc(end))
	case stage != cvd.Public && at.Equal(end):
		return notDone("the embargo ends %s, and %s does not go any more then; name an earlier instant", utc(end), stage)
	}
	return nil
}

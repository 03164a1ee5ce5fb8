package cvd

import (
	"slices"
	"time"
)

// Due says that a stage falls due for a participant.
type Due struct {
	Party PartyID
	Stage Stage
	At    time.Time
}

// Plan computes when each stage falls due for each participant of a case: a
// function of the case, its policy and its participants alone. Who is no vendor
// gets what is public, with everybody. Before `start` it is empty. The rows are ordered by instant, party and stage.
//
// Instants from the start move by the policy's Wave for each wave after the
// first; instants from the end do not, nor do a participant's own Offsets.
// Nothing is due before a participant joined, nor earlier than its Lead before
// the end, nor before the stage above it, nor (all but public) after the end.
// The end is that which binds the participant; public waits for that of the
// case. Who is late learns what it may learn at all at ToldLate.
//
// A proof that would fall due only when the embargo is over is skipped: what comes
// after it says how to tell the public, and is of use without it. Scope and details
// are not: who was not told them does not get the advisory either.
func Plan(c Case, participants []Participant) []Due {
	if !c.Started() {
		return nil
	}
	var plan []Due
	for _, p := range participants {
		if p.Withdrawn != nil {
			continue
		}
		plan = append(plan, planOne(c, p)...)
	}
	slices.SortStableFunc(plan, func(a, b Due) int {
		if d := a.At.Compare(b.At); d != 0 {
			return d
		}
		if a.Party != b.Party {
			if a.Party < b.Party {
				return -1
			}
			return 1
		}
		return a.Stage.Rank() - b.Stage.Rank()
	})
	return plan
}

func planOne(c Case, p Participant) []Due {
	end := c.End(p)
	last := c.earliest(p)
	var plan []Due
	for _, r := range c.Policy.Stages {
		if !p.Hears(r.Stage) {
			continue
		}
		at := r.At.In(c.Start, end)
		if own, ok := p.Offsets[r.Stage]; ok {
			at = own.In(c.Start, end)
		} else if !r.At.FromEnd && p.Wave > 1 {
			at = at.Add(time.Duration(p.Wave-1) * c.Policy.Wave)
		}
		switch all := c.Embargo().End; {
		case r.Stage == Public && at.Before(all):
			at = all
		case r.Stage != Public && at.After(end):
			at = end
		}
		if d, ok := p.Delays[r.Stage]; ok {
			at = d
		}
		switch from, late, never := c.ToldLate(p, r.Stage); {
		case never:
			continue
		case late && (at.Before(from) || p.now()):
			at = from
		}
		if at.Before(last) {
			at = last
		}
		over := r.Stage != Public && !at.Before(end)
		if over && r.Stage == Proof {
			continue
		}
		plan = append(plan, Due{Party: p.Party, Stage: r.Stage, At: at})
		if !over || r.Stage.Rank() > p.Reached.Rank() { // a leak may have told it before
			last = at
		}
	}
	return plan
}

// NotAsked says whether a stage is one on request that a participant neither
// asked for nor has.
func (c Case) NotAsked(p Participant, s Stage) bool {
	return c.Policy.OnRequest(s) && !p.Meets(Requested, s) && p.Reached.Rank() < s.Rank()
}

// PassedOver says whether a participant gets what follows a stage without it: a
// proof that it did not ask for. Of any other stage nothing later makes sense.
func (c Case) PassedOver(p Participant, s Stage) bool { return s == Proof && c.NotAsked(p, s) }

// Before is the stage that a participant gets before another one by the plan, or
// none.
func (c Case) Before(p Participant, s Stage) (before Stage) {
	for _, d := range planOne(c, p) {
		if d.Stage.Rank() < s.Rank() && !c.PassedOver(p, d.Stage) {
			before = d.Stage
		}
	}
	return before
}

// earliest is the first instant at which a participant may know anything.
func (c Case) earliest(p Participant) time.Time {
	first := c.Start
	if p.Joined.After(first) {
		first = p.Joined
	}
	if from, held := c.LeadFrom(p); held && from.After(first) {
		first = from
	}
	return first
}

// LeadFrom is the first instant at which a participant's lead lets it know of
// the case; not held where nothing limits it.
func (c Case) LeadFrom(p Participant) (from time.Time, held bool) {
	lead := c.Lead(p)
	return c.End(p).Add(-lead), lead > 0
}

// NeverTold lists the participants whose first stage falls when the embargo
// is over, so that they would learn of the case with everybody else: a wave
// too many, or a date of their own that the end has overtaken.
func NeverTold(c Case, participants []Participant) []Due {
	var out []Due
	seen := map[PartyID]bool{}
	for _, p := range participants {
		for _, d := range Plan(c, []Participant{p}) {
			if !seen[p.Party] && d.Stage != Public && d.Stage.Rank() > p.Reached.Rank() && !d.At.Before(c.End(p)) {
				out = append(out, d)
			}
			seen[p.Party] = true
		}
	}
	return out
}

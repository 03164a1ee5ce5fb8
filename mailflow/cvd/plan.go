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

// Plan computes when each stage falls due for each vendor and observer of a
// case: a function of the case, its policy and its participants alone. Before
// `start` it is empty. The rows are ordered by instant, party and stage.
//
// Instants from the start move by the policy's Wave for each wave after the
// first; instants from the end do not. Nothing is due before a participant
// joined, nor earlier than its Lead before the end, nor before the stage above
// it, nor (all but public) after the end. The end is that which binds the
// participant; public waits for that of the case.
func Plan(c Case, participants []Participant) []Due {
	if !c.Started() {
		return nil
	}
	var plan []Due
	for _, p := range participants {
		if p.Withdrawn != nil || !p.Has(RoleVendor) {
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
	earliest := c.Start
	if p.Joined.After(earliest) {
		earliest = p.Joined
	}
	if lead := c.Lead(p); lead > 0 && end.Add(-lead).After(earliest) {
		earliest = end.Add(-lead)
	}
	var plan []Due
	last := earliest
	for _, r := range c.Policy.Stages {
		at := r.At.In(c.Start, end)
		if !r.At.FromEnd && p.Wave > 1 {
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
		if at.Before(last) {
			at = last
		}
		plan = append(plan, Due{Party: p.Party, Stage: r.Stage, At: at})
		last = at
	}
	return plan
}

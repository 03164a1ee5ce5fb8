package mailflow

import (
	"fmt"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// exactly is what a yes is given to: renderings, recipients, keys and times.
func (o *oracle) exactly(c *caseKnown, v string, s *seatKnown, stage cvd.Stage) string {
	p := o.policy(c)
	rule, _ := p.Rule(stage)
	keys := o.usable(v, keyring.Trust(rank(rule.Trust)))
	bound := o.bound(c, s)
	if stage == cvd.Public { // which waits for the end of the case, and says nothing of this vendor's
		bound = c.ends[len(c.ends)-1]
	}
	return fmt.Sprint(c.texts[stage], s.annexFor(stage), keys, o.due(c, s, rule).Unix(), c.policy, len(c.ends), bound.Unix())
}

// annexFor is what was written for this vendor alone. At publication that of the
// advisory stands in for one that nobody wrote.
func (s *seatKnown) annexFor(stage cvd.Stage) string {
	if s.annex[stage] == "" && stage == cvd.Public {
		return s.annex[cvd.Advisory]
	}
	return s.annex[stage]
}

func rank(t cvd.Trust) int {
	return map[cvd.Trust]int{cvd.Claimed: 1, cvd.Found: 2, cvd.Confirmed: 3}[t]
}

// bound is the end that binds a vendor: the shortest since the version that it
// accepted last, or that of the case where it accepted none.
func (o *oracle) bound(c *caseKnown, s *seatKnown) time.Time {
	end := c.ends[len(c.ends)-1]
	if s.accepted == 0 {
		return end
	}
	for _, e := range c.ends[min(s.accepted, len(c.ends))-1:] {
		if e.Before(end) {
			end = e
		}
	}
	return end
}

// due is before when a stage does not go to a vendor: as planned, or since the desk
// said that this one, which is late, is told now.
func (o *oracle) due(c *caseKnown, s *seatKnown, r cvd.StageRule) time.Time {
	if !c.started.IsZero() && s.late != nil && s.late.Word == cvd.LateNow && slices.Contains(lateStages, r.Stage) {
		return laterOf(s.late.At, s.joined)
	}
	return o.planned(c, s, r)
}

// lateStages are those that who is late is told, of those before the end.
var lateStages = []cvd.Stage{cvd.Scope, cvd.Details, cvd.Advisory}

// planned is when a stage falls due by the policy of a case, the wave of a vendor and
// the dates that people set.
func (o *oracle) planned(c *caseKnown, s *seatKnown, r cvd.StageRule) time.Time {
	if c.started.IsZero() {
		return o.now().Add(time.Hour)
	}
	at, set := s.delays[r.Stage]
	switch {
	case set:
	case r.Stage == cvd.Public:
		at = c.ends[len(c.ends)-1]
	case r.At.FromEnd:
		at = o.bound(c, s).Add(-r.At.Offset)
	default:
		at = c.started.Add(r.At.Offset + time.Duration(s.wave-1)*o.policy(c).Wave)
	}
	if r.Stage != cvd.Public && at.After(o.bound(c, s)) {
		at = o.bound(c, s)
	}
	if s.joined.After(at) {
		at = s.joined
	}
	return at
}

func (o *oracle) actsOf(v string) {
	for _, c := range o.cases {
		o.acts(c, v)
	}
}

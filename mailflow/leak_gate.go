package mailflow

import (
	"parley/mailflow/cvd"
)

// mayLeak: somebody fired a leak of this level, and enough coordinators said yes
// to exactly this level of the kit. There is no lead, no need and no order of
// stages in it: what is public cannot be told too early.
func mayLeak(q Question) *Answer {
	c, n, k := q.Case, q.Notice, q.Kit
	switch _, fired := c.LeakOf(n.Level); {
	case !c.Started():
		return no(Never, "the case has not started")
	case !c.Closed.IsZero():
		return no(Never, "the case is closed")
	case !fired:
		return no(Never, "no leak of %s is on record", noLevel(n.Level))
	case !q.Participant.Has(cvd.RoleVendor):
		return no(Never, "%s is not a vendor of this case", q.Participant.Party)
	case k == nil || k.Level != n.Level:
		return no(Never, "there is no leak kit")
	case k.Lacks != "":
		return no(HoldIt, "leak kit, %s: %s", k.Level, k.Lacks)
	}
	return k.may(q)
}

// may asks for the yes that the level needs.
func (k *kitLevel) may(q Question) *Answer {
	a := k.Request
	switch {
	case k.Need == 0 && len(q.Found) == 0:
		return nil
	case a == nil:
		return no(Ask, "nobody was asked for approval of the leak kit yet")
	case !k.bound():
		return no(Ask, "what was approved of the leak kit as %s has changed", a.ID)
	case a.Open():
		return no(Ask, "%s", a.ID)
	case !a.Granted():
		return no(HoldIt, "leak kit, %s: %s %s", k.Level, a.ID, a.How)
	case q.Now.Before(a.Cool):
		return later(a.Cool, "a desk of one waits")
	}
	return nil
}

func noLevel(l cvd.Level) string {
	if l == "" {
		return "no level"
	}
	return string(l)
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// casePolicy is `case policy NAME`: the case takes a copy of another policy,
// and what is still to come is planned anew. The agreed end stays.
func casePolicy(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	name, err := p.only("the name of a policy")
	if err != nil {
		return "", err
	}
	policy, err := s.policyNamed(name)
	if err != nil {
		return "", err
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	if why := laxerFor(c, policy, ps); why != "" {
		if err := s.mustBeProved("policy "+policy.Name, why); err != nil {
			return "", err
		}
	}
	was := c.Policy.Name
	c.Policy = policy
	if err := PutCase(s.tx, c); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "case.policy", Detail: was + " to " + policy.Name})
	if err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s follows policy %s: %s", c.ID, policy.Name, policyLine(policy))
	if c.Started() {
		said += fmt.Sprintf("; the embargo still ends %s", utc(c.Embargo().End))
	}
	return said, nil
}

// policyLine says in one line when the stages of a policy fall.
func policyLine(p cvd.Policy) string {
	parts := []string{cvd.FormatDuration(p.Embargo)}
	for _, r := range p.Stages {
		parts = append(parts, fmt.Sprintf("%s %s", r.Stage, r.At))
	}
	return strings.Join(parts, ", ")
}

// laxerFor says why a policy lets something go earlier or more easily in this
// case than its present one, or "". A case that runs is compared by its
// plans, since its end is agreed and does not follow the policy.
func laxerFor(c cvd.Case, policy cvd.Policy, ps []cvd.Participant) string {
	if !c.Started() {
		return laxer(c.Policy, policy)
	}
	after := c
	after.Policy = policy
	if why := earlier(cvd.Plan(c, ps), cvd.Plan(after, ps)); why != "" {
		return why
	}
	return easier(c.Policy, policy)
}

// laxer compares two policies by themselves.
func laxer(old, fresh cvd.Policy) string {
	if fresh.Embargo < old.Embargo {
		return fmt.Sprintf("ends the embargo earlier (%s, not %s)", cvd.FormatDuration(fresh.Embargo), cvd.FormatDuration(old.Embargo))
	}
	if fresh.Wave < old.Wave {
		return fmt.Sprintf("moves the later waves earlier (%s, not %s)", cvd.FormatDuration(fresh.Wave), cvd.FormatDuration(old.Wave))
	}
	for _, r := range fresh.Stages {
		before, ok := old.Rule(r.Stage)
		if ok && soonerFor(old, fresh, before, r) {
			return fmt.Sprintf("moves %s earlier (%s, not %s)", r.Stage, r.At, before.At)
		}
	}
	if lost := daysLost(old.Days, fresh.Days); lost != "" {
		return "may end the embargo earlier: " + lost
	}
	return easier(old, fresh)
}

// soonerFor says whether a stage falls earlier for upstream or for the others.
func soonerFor(old, fresh cvd.Policy, before, r cvd.StageRule) bool {
	return slices.ContainsFunc([]int{1, old.Upstream + 1, fresh.Upstream + 1}, func(wave int) bool {
		return fromStart(fresh, r, wave) < fromStart(old, before, wave)
	})
}

// fromStart is how long after the start a stage falls under a policy, beside
// what its wave waits.
func fromStart(p cvd.Policy, r cvd.StageRule, wave int) time.Duration {
	start := time.Unix(0, 0)
	at := r.At.In(start, start.Add(p.Embargo)).Sub(start)
	if p.Lead > 0 && wave > p.Upstream {
		at = max(at, p.Embargo-p.Lead)
	}
	return at
}

// daysLost says what may be a day to publish on now and was none, or "".
func daysLost(old, fresh cvd.Days) string {
	for w := range cvd.Week / cvd.Day {
		day := time.Weekday(w)
		if fresh.PublishesOn(day) && !old.PublishesOn(day) {
			return day.String() + " is a publish day"
		}
	}
	for _, h := range old.Holidays {
		if !slices.Contains(fresh.Holidays, h) {
			return string(h) + " is no holiday"
		}
	}
	return ""
}

// easier says what a policy asks less for than another. A stage that is left
// out asks for nothing any more before those after it.
func easier(old, fresh cvd.Policy) string {
	last := cvd.HeadsUp
	for _, r := range fresh.Stages {
		last = r.Stage
	}
	for _, r := range old.Stages {
		if _, kept := fresh.Rule(r.Stage); !kept && r.Stage.Rank() < last.Rank() {
			return fmt.Sprintf("leaves out %s before %s", r.Stage, last)
		}
	}
	if a, b := old.LeakEmbargo(), fresh.LeakEmbargo(); b < a {
		return fmt.Sprintf("ends the embargo sooner after a leak (%s, not %s)", cvd.FormatDuration(b), cvd.FormatDuration(a))
	}
	if a, b := old.KeyConfirmers(), fresh.KeyConfirmers(); b < a {
		return fmt.Sprintf("lets keys count that %d confirmed, not %d", b, a)
	}
	for _, r := range fresh.Stages {
		before, ok := old.Rule(r.Stage)
		switch {
		case !ok:
			return fmt.Sprintf("adds the stage %s", r.Stage)
		case trustRank(r.Trust) < trustRank(before.Trust):
			return fmt.Sprintf("lowers the trust that %s needs from %s to %s", r.Stage, before.Trust, r.Trust)
		case r.Approvals < before.Approvals, before.Signed && !r.Signed && before.Approvals > 0:
			return fmt.Sprintf("asks for less approval of %s", r.Stage)
		}
		for _, need := range before.Needs {
			if !slices.Contains(r.Needs, need) {
				return fmt.Sprintf("lets %s go without its being %s", r.Stage, need)
			}
		}
	}
	return ""
}

func trustRank(t cvd.Trust) int {
	return slices.Index([]cvd.Trust{cvd.Claimed, cvd.Found, cvd.Confirmed}, t)
}

// earlier names a stage that a plan moves earlier for somebody, or adds.
func earlier(old, fresh []cvd.Due) string {
	type key struct {
		party cvd.PartyID
		stage cvd.Stage
	}
	was := map[key]time.Time{}
	for _, d := range old {
		was[key{d.Party, d.Stage}] = d.At
	}
	for _, d := range fresh {
		before, ok := was[key{d.Party, d.Stage}]
		switch {
		case !ok:
			return fmt.Sprintf("adds %s to %s at %s", d.Stage, d.Party, utc(d.At))
		case d.At.Before(before):
			return fmt.Sprintf("moves %s to %s earlier (%s, not %s)", d.Stage, d.Party, utc(d.At), utc(before))
		}
	}
	return ""
}

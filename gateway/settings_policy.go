package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"parley/config"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

var policyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// policies are the shipped ones, each key of them replaced that the file sets
// under the same name, and those that the file adds.
func (r *reader) policies() map[string]cvd.Policy {
	all := cvd.Shipped()
	for _, name := range slices.Sorted(maps.Keys(r.c.Policy)) {
		path := []string{"policy", name}
		if !policyName.MatchString(name) {
			r.fail(path, "is not a name for a policy: use a-z, 0-9 and -, at most 40")
			continue
		}
		before := len(r.errs)
		p := r.policy(name, all[name], r.c.Policy[name])
		if len(r.errs) == before { // else Validate would repeat it in other words
			r.validate(p)
			r.cautionWhole(p)
		}
		all[name] = p
	}
	return all
}

// policy reads one policy over the shipped one of its name, or over nothing.
func (r *reader) policy(name string, p cvd.Policy, c config.Policy) cvd.Policy {
	key := func(k string) []string { return []string{"policy", name, k} }
	has := func(k string) bool { return r.c.Has(key(k)...) }
	if p.Name == "" { // a new one: what the default has, but its length and stages are its own
		d := cvd.Shipped()["default"]
		p = cvd.Policy{Name: name, Wave: d.Wave, Remind: d.Remind, Leak: d.Leak, Confirmers: d.Confirmers, Days: d.Days}
	}
	if has("embargo") {
		whole := p.Lead == p.Embargo // no party has to wait
		p.Embargo = r.duration(c.Embargo, 0, key("embargo")...)
		if p.Lead = min(p.Lead, p.Embargo); whole {
			p.Lead = p.Embargo
		}
	}
	if has("wave") {
		p.Wave = r.duration(c.Wave, 0, key("wave")...)
	}
	if has("remind") {
		p.Remind = r.durations(c.Remind, 0, key("remind")...)
	}
	if has("lead") {
		p.Lead = r.duration(c.Lead, 0, key("lead")...)
	}
	if p.Leak = min(p.Leak, p.Embargo); has("leak") {
		p.Leak = r.duration(c.Leak, time.Minute, key("leak")...)
	}
	if has("upstream") {
		p.Upstream = r.number(c.Upstream, 0, mailflow.MaxWave-1, key("upstream")...)
	}
	p.Days = r.days(key, p.Days, c)
	if has("confirmers") {
		p.Confirmers = r.number(c.Confirmers, 1, cvd.MaxConfirmers, key("confirmers")...)
	}
	if has("stage") {
		p.Stages = nil
		for i, s := range c.Stage {
			p.Stages = append(p.Stages, r.stage(append(key("stage"), strconv.Itoa(i)), s))
		}
	}
	return p
}

// stage reads one stage; what it leaves out is what a careful policy has.
func (r *reader) stage(path []string, c config.Stage) cvd.StageRule {
	key := func(k string) []string { return append(path[:len(path):len(path)], k) }
	has := func(k string) bool { return r.c.Has(key(k)...) }

	st, err := cvd.ParseStage(c.Name)
	if err != nil || st.Rank() == 0 {
		r.fail(key("name"), "is %q; it can be heads-up, scope, details, proof, advisory or public", c.Name)
	}
	s := carefulStage(st)
	if s.At, err = cvd.ParseWhen(c.At); err != nil {
		r.fail(key("at"), "is wrong: %v", err)
	}
	for i, n := range c.Needs {
		word := r.oneOf(n, []string{string(cvd.Acknowledged), string(cvd.Accepted), string(cvd.Requested)}, append(key("needs"), strconv.Itoa(i))...)
		s.Needs = append(s.Needs, cvd.Need(word))
	}
	if has("trust") {
		s.Trust = cvd.Trust(r.oneOf(c.Trust, []string{string(cvd.Claimed), string(cvd.Found), string(cvd.Confirmed)}, key("trust")...))
	}
	if has("approvals") {
		s.Approvals = r.number(c.Approvals, 0, 100, key("approvals")...)
	}
	if has("approval") {
		s.Signed = r.oneOf(c.Approval, []string{"gesture", "signed"}, key("approval")...) == "signed"
	}
	if has("tlp") {
		if s.TLP, err = cvd.ParseTLP(c.TLP); err != nil {
			r.fail(key("tlp"), "is wrong: %v", err)
		}
	}
	r.caution(key, s)
	return s
}

// carefulStage is what holds for a stage of which nothing is said.
func carefulStage(st cvd.Stage) cvd.StageRule {
	s := cvd.StageRule{Stage: st, Trust: cvd.Confirmed, Approvals: 1, TLP: "AMBER+STRICT"}
	s.Signed = st.Rank() >= cvd.Details.Rank()
	switch st {
	case cvd.HeadsUp:
		s.Trust, s.Approvals = cvd.Found, 0
	case cvd.Public:
		s.Trust, s.TLP = cvd.Found, "CLEAR"
	}
	return s
}

// caution warns of what is allowed and rarely meant.
func (r *reader) caution(key func(string) []string, s cvd.StageRule) {
	rank := s.Stage.Rank()
	if rank >= cvd.Details.Rank() && s.Approvals == 0 {
		r.warn(key("approvals"), "is 0 for %s: it goes out without a second person", s.Stage)
	}
	if rank >= cvd.Scope.Rank() && rank < cvd.Public.Rank() && s.Trust != cvd.Confirmed {
		r.warn(key("trust"), "is %s for %s: it goes to keys that nobody confirmed", s.Trust, s.Stage)
	}
}

// validate maps what is impossible about a policy as a whole to its key.
func (r *reader) validate(p cvd.Policy) {
	err := p.Validate()
	if err == nil {
		return
	}
	path := []string{"policy", p.Name}
	var bad *cvd.PolicyError
	if !errors.As(err, &bad) {
		r.fail(path, "is impossible: %v", err)
		return
	}
	if bad.Stage >= 0 {
		path = append(path, "stage", strconv.Itoa(bad.Stage))
	}
	r.fail(append(path, bad.Key), "is impossible: %s", bad.Why)
}

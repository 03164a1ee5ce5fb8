package mailflow

import (
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// keepObserving plans what an observer gets by itself: counts when it comes to a
// case that has not begun, and at the start and each version of the embargo. What
// has not left by the next occasion is replaced by it.
func (b *Base) keepObserving(tx *store.Tx, c cvd.Case, p cvd.Participant, all []cvd.Notice) error {
	if p.Withdrawn != nil || !p.Has(cvd.RoleObserver) {
		return nil
	}
	version, due := c.Embargo().Version, laterOf(c.Start, tx.Now)
	if !c.Started() {
		version, due = 0, tx.Now
	}
	planned := false
	for _, n := range all {
		switch {
		case n.Kind != cvd.KindCounts || n.State == cvd.Cancelled || n.Nth > 0:
		case n.Version == version && (n.State.Over() || !c.Start.After(tx.Now)):
			planned = true
		case !n.State.Over(): // an older version, or the start moved
			if err := b.cancel(tx, n, "newer counts go in its place"); err != nil {
				return err
			}
		}
	}
	if planned {
		return nil
	}
	n := cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindCounts, Version: version, Due: due, Code: cvd.NewCode(), LastAct: tx.Now}
	_, err := b.newNotice(tx, n, nil)
	return err
}

// stateFor answers STATE: a finder in a line, an observer with a mail of counts.
func (in *Intake) stateFor(tx *store.Tx, c cvd.Case, who cvd.Participant) (templates.Result, error) {
	if !who.Has(cvd.RoleObserver) || !c.Closed.IsZero() {
		return stateOf(tx, c, who)
	}
	n := cvd.Notice{Case: c.ID, Party: who.Party, Kind: cvd.KindCounts, Version: c.Embargo().Version, Nth: 1, Code: cvd.NewCode()}
	_, err := in.newNotice(tx, n, nil)
	return templates.Result{Word: templates.ResultCounts}, err
}

// countsLetter is what an observer reads, as things stand when it leaves: counts,
// dates and a band, and no word of a vendor or a flaw.
func (b *Base) countsLetter(tx *store.Tx, p *parcel) (*Letter, error) {
	ps, err := Participants(tx, p.Case.ID)
	if err != nil {
		return nil, err
	}
	c, e := p.Case, p.Case.Embargo()
	v := templates.Observed{Us: b.usWith(p.Ours), To: spoken(p.Participant, p.Party), Case: c.ID, TLP: countsTLP(c), Counts: countsFor(ps, p.Participant),
		Severity: c.Severity, Start: c.Start, End: e.End, Version: e.Version, Zone: p.Party.Zone, Code: p.Notice.Code}
	v.Vendor = p.Participant.Has(cvd.RoleVendor)
	for _, r := range c.Policy.Stages {
		if v.Vendor {
			break
		}
		v.Stages = append(v.Stages, templates.Reached{Stage: r.Stage, Vendors: toldBy(ps, r.Stage)})
	}
	text, err := b.Templates.Observed(v)
	return &Letter{Subject: text.Subject, Text: text.Text}, err
}

// countsTLP labels counts as the policy labels its first stage, of which they tell.
func countsTLP(c cvd.Case) cvd.TLP {
	if len(c.Policy.Stages) == 0 {
		return "AMBER+STRICT"
	}
	return c.Policy.Stages[0].TLP
}

// toldBy counts the vendors that know at least as much as a stage says.
func toldBy(ps []cvd.Participant, s cvd.Stage) int {
	n := 0
	for _, p := range ps {
		if p.Has(cvd.RoleVendor) && p.Withdrawn == nil && p.Reached.Rank() >= s.Rank() {
			n++
		}
	}
	return n
}

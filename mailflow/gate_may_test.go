package mailflow

import (
	"fmt"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// mayGo says why a stage must not go to a vendor now, or nothing.
func (o *oracle) mayGo(c *caseKnown, v string, s *seatKnown, stage cvd.Stage) string {
	p := o.policy(c)
	rule, ok := p.Rule(stage)
	last, late := cvd.Stage(""), o.mayGoLate(c, v, s, stage)
	for _, r := range p.Stages {
		skipped := r.Stage == cvd.Proof && (late == "" || !o.due(c, s, r).Before(o.bound(c, s))) // the end has overtaken it
		if r.Stage.Rank() < stage.Rank() && !skipped {
			last = r.Stage
		}
	}
	switch end := c.ends; {
	case c.started.IsZero() || len(end) == 0 || o.now().Before(c.started):
		return "not started"
	case c.closed:
		return "the case is closed"
	case !ok:
		return "not in the policy"
	case o.stopped(c, s) != "":
		return o.stopped(c, s)
	case o.revokedAt[addressOf(v, goodKey)]:
		return "it took its address back"
	case s.finderOnly && stage != cvd.Public:
		return "it is no vendor of the case any more"
	case s.back[stage]:
		return "its server gave it back, and nobody sent it again"
	case o.hand[v]:
		return "it is told by hand"
	case s.review[stage]:
		return "overdue, and no person looked at it"
	case s.observes && stage != cvd.Public:
		return "above its stage: it observes"
	case stage.Rank() <= s.reached.Rank():
		return "told before"
	case o.now().Before(o.due(c, s, rule)):
		return fmt.Sprintf("early: not due before %s", utc(o.due(c, s, rule)))
	case stage == cvd.Public && o.now().Before(end[len(end)-1]):
		return "early: before the end"
	case stage != cvd.Public && !o.now().Before(end[len(end)-1]):
		return "after the end"
	case stage != cvd.Public && p.Lead > 0 && o.now().Before(end[len(end)-1].Add(-p.Lead)):
		return "early: before its lead"
	case stage != cvd.Public && last != "" && s.told[last].IsZero() && last.Rank() > s.reached.Rank():
		return fmt.Sprintf("above its stage: %s was not told", last)
	case o.now().Before(s.acts[stage].at.Add(o.h.Undo)) && s.need.seq < s.acts[stage].seq:
		return "early: it can be undone"
	case secretStage(stage) && o.keysPause(v):
		return "early: the pause after a change of keys"
	case len(o.usable(v, keyring.Trust(rank(rule.Trust)))) == 0:
		return "no key can be used"
	case stage != cvd.HeadsUp && c.texts[stage] == "" && s.annex[stage] == "":
		return "empty: nobody wrote anything for it"
	}
	if inTime := o.mayGoInTime(c, v, s, rule); inTime != "" && late != "" {
		return inTime + " (and late: " + late + ")"
	}
	return ""
}

// stopped says why nothing at all goes to a vendor.
func (o *oracle) stopped(c *caseKnown, s *seatKnown) string {
	switch {
	case o.paused != "":
		return "sending is paused " + o.paused
	case c.held:
		return "the case is held"
	case s.held:
		return "its vendor is held"
	case s.gone:
		return "it was withdrawn"
	}
	return ""
}

// mayGoInTime: its vendor did what the stage needs, agreed to the end, and enough
// people said yes to exactly this.
func (o *oracle) mayGoInTime(c *caseKnown, v string, s *seatKnown, rule cvd.StageRule) string {
	end := c.ends[len(c.ends)-1]
	switch everybody := rule.Stage == cvd.Public; {
	case o.now().Before(o.planned(c, s, rule)):
		return "early: not planned before " + utc(o.planned(c, s, rule))
	case s.declined && !everybody:
		return "not agreed: it declined"
	case s.late != nil && s.late.Word == cvd.LateNever && !everybody && rule.Stage != cvd.HeadsUp:
		return "not agreed: the desk said never"
	case slices.Contains(rule.Needs, cvd.Acknowledged) && !s.acked:
		return "not agreed: it acknowledged nothing"
	case slices.Contains(rule.Needs, cvd.Accepted) && s.accepted == 0:
		return "not agreed: it accepted nothing"
	case !everybody && o.bound(c, s).Before(end):
		return "not agreed: it accepted an earlier end only"
	case o.yeses(c, v, s, rule) < rule.Approvals:
		return "not approved"
	}
	return ""
}

// mayGoLate: to who declined or does not answer some stages go shortly before the
// end, or when the desk says so, with two yes.
func (o *oracle) mayGoLate(c *caseKnown, v string, s *seatKnown, stage cvd.Stage) string {
	p := o.policy(c)
	rule, _ := p.Rule(stage)
	silent := !s.firstUnheard.IsZero() && o.now().Sub(s.firstUnheard) >= 72*time.Hour
	from := c.ends[len(c.ends)-1].Add(-min(5*cvd.Day, p.Embargo/3))
	word := cvd.LateWord("")
	if s.late != nil {
		word = s.late.Word
	}
	if word == cvd.LateNow {
		from = s.late.At
	}
	switch {
	case !slices.Contains(lateStages, stage):
		return "not a stage for the late"
	case word == cvd.LateNever:
		return "never"
	case !s.declined && !silent && word == "":
		return "it is not late"
	case o.now().Before(from):
		return "not before " + utc(from)
	case o.yeses(c, v, s, rule) < max(1, min(2, len(o.h.people)-len(o.authorsOf(c, s, stage)))):
		return "not approved by two, or by all who wrote none of it"
	}
	return ""
}

// yeses counts who said yes to exactly what would leave, without whoever wrote it. On
// a desk of one that one's yes is enough, half a day later.
func (o *oracle) yeses(c *caseKnown, v string, s *seatKnown, rule cvd.StageRule) int {
	who := map[string]bool{}
	for _, y := range s.yes[rule.Stage] {
		wrote := y.by == c.authors[rule.Stage] || s.annexFor(rule.Stage) != "" && y.by == "ana"
		if wrote && len(o.h.people) == 1 && !o.now().Before(y.at.Add(12*time.Hour)) && (y.signed || !rule.Signed) && y.to == o.exactly(c, v, s, rule.Stage) {
			return 2
		}
		if !wrote && (y.signed || !rule.Signed) && y.to == o.exactly(c, v, s, rule.Stage) {
			who[y.by] = true
		}
	}
	return len(who)
}

// authorsOf are those of the coordinators who wrote a part of a stage: its text, an
// annex, or an answer to everybody, which ana gives.
func (o *oracle) authorsOf(c *caseKnown, s *seatKnown, stage cvd.Stage) map[string]bool {
	who := map[string]bool{}
	if by := c.authors[stage]; by != "" {
		who[by] = true
	}
	for _, of := range c.faqs {
		if of.Rank() <= stage.Rank() {
			who["ana"] = true
		}
	}
	if s.annexFor(stage) != "" {
		who["ana"] = true
	}
	return who
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// lateYes is how many coordinators say yes to what goes to who is late.
const lateYes = 2

// lateFor says that a stage, or a reminder of it, goes to a participant that is
// late: without what the stage needs of it, and with two yes.
func lateFor(c cvd.Case, p cvd.Participant, n cvd.Notice) bool {
	if n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder {
		return false
	}
	_, late, never := c.ToldLate(p, n.Stage)
	return late && !never
}

// yesNeeded is how many coordinators have to say yes: what the policy asks for,
// and two where somebody is late, of those who see the case and did not write it.
// Where these are fewer, all of them.
func yesNeeded(tx *store.Tx, p *parcel, rule cvd.StageRule, authors []string) (int, error) {
	need := max(rule.Approvals, 1)
	if p.Letter != nil || !lateFor(p.Case, p.Participant, p.Notice) || need >= lateYes {
		return need, nil
	}
	desk, err := Coordinators(tx)
	if err != nil {
		return need, err
	}
	can := 0
	for _, c := range desk {
		if maySee(p.Case, c.Name) && !slices.Contains(authors, c.Name) {
			can++
		}
	}
	return max(need, min(lateYes, can)), nil
}

// lateLine says what a late participant is told, and when.
func lateLine(c cvd.Case, p cvd.Participant) string {
	var first cvd.Stage
	var stages []string
	for _, r := range c.Policy.Stages {
		if _, late, never := c.ToldLate(p, r.Stage); !late || never || r.Stage.Rank() <= p.Reached.Rank() {
			continue
		}
		if stages = append(stages, string(r.Stage)); first == "" {
			first = r.Stage
		}
	}
	if len(stages) == 0 || !c.Started() {
		return "nothing further goes to it before all is public"
	}
	at, _ := dueOf(c, p, first)
	return fmt.Sprintf("%s from %s on, with %d approvals, and no proof", strings.Join(stages, ", "), utc(at), lateYes)
}

// lateState says in a word or two that a participant is late, or "".
func lateState(p cvd.Participant) string {
	if !p.IsLate() {
		return ""
	}
	if p.Late != nil && p.Late.Word != "" {
		return "late (" + string(p.Late.Word) + ")"
	}
	return "late"
}

package mailflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
)

// caseReach is `reach`: how much of the footprint the vendors of the case have,
// in the order in which they are told, and how much of it was told and
// answered. `reach waves 80 95` proposes waves, and changes none; with apply it
// makes them.
func caseReach(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	var percents []float64
	apply := false
	if p.word("waves") {
		if percents, err = p.percents(); err != nil {
			return "", err
		}
		apply = p.word("apply")
	}
	if err := p.end(); err != nil {
		return "", err
	}
	vendors, spared, err := s.reachable(c)
	if err != nil {
		return "", err
	}
	r := cvd.ReachOf(vendors)
	if percents != nil {
		if apply {
			return s.applyWaves(c, r, percents)
		}
		return proposedWaves(c, r, percents)
	}
	lines := reachLines(r)
	lines = append(lines, waveReaches(r)...)
	return inColumns(append(lines, apartLines(r, spared)...)), nil
}

// reachable are the vendors whose footprint counts, and the names of those who
// say that they are not affected.
func (s *sitting) reachable(c cvd.Case) (vendors []cvd.Participant, spared []string, err error) {
	all, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		switch {
		case !p.Has(cvd.RoleVendor) || p.Withdrawn != nil:
		case neverAffected(p):
			spared = append(spared, string(p.Party))
		default:
			vendors = append(vendors, p)
		}
	}
	if len(vendors)+len(spared) == 0 {
		return nil, nil, notDone("no vendor takes part in %s; `invite` one first", c.ID)
	}
	return vendors, spared, nil
}

// reachLines are "2 vendors = 80 %  globex, wave 1, 30M: told scope, accepted".
func reachLines(r cvd.Reach) []string {
	var out []string
	for i, row := range r.Rows {
		out = append(out, fmt.Sprintf("%s = %.0f %%  %s, wave %d, %s: %s",
			count(i+1, "vendor"), r.Percent(row.Sum), row.Party, row.Wave, row.Footprint, standing(row.Participant)))
	}
	return out
}

// standing says what a vendor was told, and what it said to it.
func standing(p cvd.Participant) string {
	said := "not told yet"
	if p.Reached != "" {
		said = "told " + string(p.Reached)
	}
	switch {
	case p.Declined != nil:
		said += ", declined"
	case p.Meets(cvd.Accepted, ""):
		said += ", accepted"
	case p.Meets(cvd.Acknowledged, ""):
		said += ", acknowledged"
	}
	return said
}

// waveReaches are one line for each wave, and one for all.
func waveReaches(r cvd.Reach) []string {
	if len(r.Rows) == 0 {
		return nil
	}
	var waves []int
	for _, row := range r.Rows {
		if !slices.Contains(waves, row.Wave) {
			waves = append(waves, row.Wave)
		}
	}
	var out []string
	for _, w := range waves {
		out = append(out, reachLine(fmt.Sprintf("wave %d", w), r, func(p cvd.Participant) bool { return p.Wave == w }))
	}
	if len(waves) > 1 {
		out = append(out, reachLine("all", r, func(cvd.Participant) bool { return true }))
	}
	return out
}

func reachLine(name string, r cvd.Reach, within func(cvd.Participant) bool) string {
	n := 0
	for _, row := range r.Rows {
		if within(row.Participant) {
			n++
		}
	}
	share := func(holds func(cvd.Participant) bool) float64 {
		return r.Of(func(p cvd.Participant) bool { return within(p) && holds(p) })
	}
	return fmt.Sprintf("%s: %s = %.0f %%; told %.0f %%, acknowledged %.0f %%, accepted %.0f %%", name, count(n, "vendor"), r.Of(within),
		share(func(p cvd.Participant) bool { return p.Reached != "" }),
		share(func(p cvd.Participant) bool { return p.Meets(cvd.Acknowledged, "") }),
		share(func(p cvd.Participant) bool { return p.Meets(cvd.Accepted, "") }))
}

// apartLines name who is in none of the sums, and why.
func apartLines(r cvd.Reach, spared []string) []string {
	var unknown, other, out []string
	for _, p := range r.Apart {
		if p.Footprint == "" {
			unknown = append(unknown, string(p.Party))
		} else {
			other = append(other, string(p.Party)+" ("+p.Footprint+")")
		}
	}
	if len(unknown) > 0 {
		out = append(out, "not counted, footprint not known: "+strings.Join(unknown, ", "))
	}
	if len(other) > 0 {
		out = append(out, "not counted, cannot be added to the others: "+strings.Join(other, ", "))
	}
	if len(spared) > 0 {
		out = append(out, "not counted, not affected: "+strings.Join(spared, ", "))
	}
	return out
}

// percents takes rising percentages up to the end.
func (p *phrase) percents() ([]float64, error) {
	var out []float64
	for p.more() && !p.rest[0].is("apply") {
		word, err := p.next("a percentage")
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseFloat(strings.TrimSuffix(word, "%"), 64)
		switch {
		case err != nil || !(n > 0) || n > 100:
			return nil, notDone("%q is not a percentage from 1 to 100", word)
		case len(out) > 0 && n <= out[len(out)-1]:
			return nil, notDone("the percentages rise, as in `reach waves 80 95`; %s follows %g", word, out[len(out)-1])
		}
		out = append(out, n)
	}
	if len(out) == 0 || len(out) >= MaxWave {
		return nil, notDone("say how much of the footprint each wave reaches, as in `reach waves 80 95`")
	}
	return out, nil
}

// proposedWaves shows the commands that would put vendors into waves by their
// footprint. It gives none of them.
func proposedWaves(c cvd.Case, r cvd.Reach, percents []float64) (string, error) {
	waves := r.Waves(c.Policy.Upstream+1, percents)
	var lines []string
	for _, row := range r.Rows {
		if w, ok := waves[row.Party]; ok && w != row.Wave {
			lines = append(lines, fmt.Sprintf("invite %s wave %d", row.Party, w))
		}
	}
	if len(lines) == 0 {
		return "the waves are so already, as far as footprints are known and nobody was told anything", nil
	}
	head := "nothing was changed. These lines would, in a signed mail, after `case " + string(c.ID) + "`:"
	return strings.Join(append([]string{inColumns([]string{head})}, lines...), "\n"), nil // lines to be copied stay whole
}

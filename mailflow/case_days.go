package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// firstEmbargo is the first version of an embargo that starts at an instant,
// on a publish day of the zone that it was entered in.
func firstEmbargo(p cvd.Policy, start cvd.Instant) (cvd.Embargo, error) {
	end, ok := p.FirstEnd(start.At, cvd.ZoneOf(start.Zone))
	if !ok {
		return cvd.Embargo{}, notDone("policy %s has no publish day within a year of %s; name the end with `embargo DATE force because \"...\"`, or choose another policy",
			p.Name, utc(start.At.Add(p.Embargo)))
	}
	return cvd.Embargo{Version: 1, End: end, Zone: start.Zone, Moved: end.Sub(start.At.Add(p.Embargo))}, nil
}

// movedWords says that the end is not quite what the policy says.
func movedWords(c cvd.Case) string {
	if moved := c.Embargo().Moved; moved > 0 {
		return fmt.Sprintf(" (%s later than the policy says, to be a publish day)", cvd.FormatDuration(moved))
	}
	return ""
}

// mayPublish refuses a day on which nothing becomes public, unless forced. Days
// are those of the zone that the instant was entered in.
func (s *sitting) mayPublish(c cvd.Case, at cvd.Instant, forced bool) error {
	days, zone := c.Policy.Days, cvd.ZoneOf(at.Zone)
	if forced || !c.Policy.ChoosesDays() || days.Publishes(at.At, zone) {
		return nil
	}
	what := at.At.In(zone).Weekday().String()
	if days.Holiday(at.At, zone) {
		what += " and a holiday"
	}
	var near []string
	before, after := days.PublishDays(at.At, zone)
	for _, t := range []time.Time{before, after} {
		if t.After(s.tx.Now) {
			near = append(near, t.In(zone).Format("Mon ")+utc(t))
		}
	}
	next := "put `force` after the date"
	if len(near) > 0 {
		next = "say " + strings.Join(near, " or ") + ", or " + next
	}
	return notDone("%s is a %s; policy %s publishes on %s, never on a holiday. To go on: %s", utc(at.At), what, c.Policy.Name, days.PublishWords(), next)
}

// canBeTold refuses a start under which somebody would learn of the case only
// when everybody does.
func canBeTold(c cvd.Case, ps []cvd.Participant) error {
	late := neverTold(c, ps)
	if late == "" {
		return nil
	}
	return notDone("the plan cannot be carried out: %s. To go on: put it into an earlier wave with `invite`, give it a date with `stage`, "+
		"or name a later end with `embargo`", late)
}

// neverTold says in words who would learn nothing before the end, or "".
func neverTold(c cvd.Case, ps []cvd.Participant) string {
	var out []string
	for _, d := range cvd.NeverTold(c, ps) {
		out = append(out, fmt.Sprintf("%s to %s would fall on the end of the embargo, %s", d.Stage, d.Party, utc(c.Embargo().End)))
	}
	if n := len(out); n > 3 {
		out = append(out[:2], fmt.Sprintf("and so for %d more", n-2))
	}
	return strings.Join(out, "; ")
}

// frozen lists the freezes of a participant that an instant falls into: what it
// said itself, and what the directory has.
func (b *Base) frozen(tx *store.Tx, p cvd.Participant, at time.Time) ([]cvd.Freeze, error) {
	if p.Withdrawn != nil || !p.Has(cvd.RoleVendor) || p.Party.IsFinder() {
		return nil, nil
	}
	party, err := PartyByID(tx, p.Party)
	if err != nil && !errors.Is(err, ErrNoParty) { // the plan says that it is missing
		return nil, err
	}
	zone, seen := cvd.ZoneOf(party.Zone), map[string]bool{}
	var out []cvd.Freeze
	for _, f := range append(append([]cvd.Freeze(nil), p.Freezes...), party.Freezes...) {
		if f.Holds(at, zone) && !seen[f.String()] {
			out, seen[f.String()] = append(out, f), true
		}
	}
	return out, nil
}

// frozenNames says whose freezes an instant falls into: "globex
// (2026-12-15..2027-01-05)".
func (b *Base) frozenNames(tx *store.Tx, ps []cvd.Participant, at time.Time) ([]string, error) {
	var out []string
	for _, p := range ps {
		all, err := b.frozen(tx, p, at)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			out = append(out, fmt.Sprintf("%s (%s)", p.Party, f))
		}
	}
	return out, nil
}

// frozenLine is what a coordinator is told who gives a case an end.
func (s *sitting) frozenLine(c cvd.Case) (string, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil || len(c.Embargoes) == 0 {
		return "", err
	}
	said := ""
	names, err := s.frozenNames(s.tx, ps, c.Embargo().End)
	if len(names) > 0 {
		said = "; it falls into the freeze of " + strings.Join(names, ", ")
	}
	if late := neverTold(c, ps); late != "" && c.Started() {
		said += "; but " + late
	}
	return said, err
}

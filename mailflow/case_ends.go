package mailflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// caseDates is `dates`: the ends that the embargo could have, each with who is
// ready by then, how much of the footprint that is, and what blocks it.
func caseDates(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	all, err := Participants(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	days := finderDays(all)
	vendors := slices.DeleteFunc(all, func(p cvd.Participant) bool { return !p.Has(cvd.RoleVendor) || p.Withdrawn != nil })
	if len(vendors) == 0 {
		return "", notDone("no vendor takes part in %s, so that no date is better than another; `invite` one first", c.ID)
	}
	var lines []string
	for _, e := range candidates(c, vendors, days, s.tx.Now) {
		names, err := s.frozenNames(s.tx, vendors, e.At)
		if err != nil {
			return "", err
		}
		lines = append(lines, e.lines(c, vendors, names, days)...)
	}
	if len(lines) == 0 {
		lines = append(lines, "no date is known: the case has not started, and nobody named one")
	}
	for _, p := range vendors {
		if on, known := readyOn(p, c.Opened); !known {
			lines = append(lines, fmt.Sprintf("%s says no date: %s", p.Party, blocks(p, on, known)))
		}
	}
	return inColumns(append(lines, "`embargo DATE because \"...\"` moves the end; shorter informs everybody told, longer asks each again")), nil
}

// candidate is a date that an embargo could end on, and who named it.
type candidate struct {
	At  time.Time
	Why []string
}

// candidates are the end as it is, those that were proposed since, the days on
// which a vendor becomes ready, and those that finders set: each day once, earliest first, and none
// that has passed.
func candidates(c cvd.Case, vendors []cvd.Participant, days []finderDay, now time.Time) []candidate {
	var out []candidate
	add := func(at time.Time, why string) {
		i := slices.IndexFunc(out, func(e candidate) bool { return day(e.At) == day(at) })
		switch {
		case !at.After(now):
		case i < 0:
			out = append(out, candidate{at, []string{why}})
		default:
			out[i].Why = append(out[i].Why, why)
			out[i].At = laterOf(out[i].At, at)
		}
	}
	if v := c.Embargo(); !v.End.IsZero() {
		add(v.End, fmt.Sprintf("the end as it is, v%d", v.Version))
	}
	for _, p := range vendors {
		if offer, open := c.Proposes(p); open {
			add(offer.Date, string(p.Party)+" proposes it")
		}
		if on, known := readyOn(p, c.Opened); known && !neverAffected(p) {
			add(on, string(p.Party)+" is ready")
		}
	}
	for _, d := range days {
		add(d.On, d.String())
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return a.At.Compare(b.At) })
	return out
}

func neverAffected(p cvd.Participant) bool { return p.Status().Word == "not-affected" }

// lines writes a candidate: its date, how many are ready, who is not, and whose
// freezes it falls into.
func (e candidate) lines(c cvd.Case, vendors []cvd.Participant, frozen []string, own []finderDay) []string {
	var ready, not []string
	var readyOnes, counted []cvd.Participant
	for _, p := range vendors {
		if neverAffected(p) {
			continue
		}
		counted = append(counted, p)
		on, known := readyOn(p, time.Time{})
		if known && !dayOf(on).After(e.At) {
			ready, readyOnes = append(ready, string(p.Party)), append(readyOnes, p)
		} else {
			not = append(not, fmt.Sprintf("%s (%s)", p.Party, blocks(p, on, known)))
		}
	}
	head := fmt.Sprintf("%s %s  %d of %s ready%s  (%s)", e.At.UTC().Format("Mon"), utc(e.At), len(ready),
		count(len(counted), "vendor"), footprintShare(readyOnes, counted), strings.Join(e.Why, "; "))
	if days := c.Policy.Days; !days.Publishes(e.At, cvd.ZoneOf(c.Embargo().Zone)) {
		head += "  ! publish on " + days.PublishWords() + ", no holiday"
	}
	for _, d := range own {
		if d.Ends && d.On.Before(dayOf(e.At)) {
			head += fmt.Sprintf("  ! after %s, %s", d, day(d.On))
		}
	}
	out := []string{head}
	if len(ready) > 0 {
		out = append(out, "    ready: "+strings.Join(ready, ", "))
	}
	if len(not) > 0 {
		out = append(out, "    blocks: "+strings.Join(not, "; "))
	}
	if len(frozen) > 0 {
		out = append(out, "    freezes: "+strings.Join(frozen, ", "))
	}
	return out
}

// blocks says why a vendor is not ready, or from when it will be.
func blocks(p cvd.Participant, on time.Time, known bool) string {
	switch {
	case known:
		return "ready " + day(on)
	case p.Hold != nil:
		return "on hold: " + p.Hold.Because
	case p.Declined != nil:
		return "declined"
	case p.Status().Word != "":
		return strings.TrimSpace(p.Status().Word + " " + p.Status().Text)
	case p.Reached == "":
		return "not told yet"
	case p.Acknowledged == nil && p.Accepted() == 0:
		return "no answer since it was told " + string(p.Reached)
	}
	return "no status yet"
}

var fixedOn = regexp.MustCompile(`(?i)\bon\s+(\d{4}-\d{2}-\d{2})\b`)

// readyOn is when a vendor is ready by its own last word: the day of its fix,
// READY BY, or at once where it has fixed it or is not affected.
func readyOn(p cvd.Participant, first time.Time) (time.Time, bool) {
	st := p.Status()
	if p.Ready != nil && p.Ready.At.After(st.At) {
		return p.Ready.By, true
	}
	switch st.Word {
	case "not-affected":
		return first, true
	case "fixed":
		if m := fixedOn.FindStringSubmatch(st.Text); m != nil {
			if on, err := time.Parse(time.DateOnly, m[1]); err == nil {
				return on, true
			}
		}
		return dayOf(st.At), true
	}
	if p.Ready != nil {
		return p.Ready.By, true
	}
	return time.Time{}, false
}

// dayOf is the first instant of a day in UTC.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(cvd.Day) }

// footprintShare is how much of the footprint those who are ready have: "" where it
// is not known of all, or they cannot be added.
func footprintShare(ready, all []cvd.Participant) string {
	part, percent, ok := footprintOf(ready)
	whole, same, known := footprintOf(all)
	switch {
	case !known || len(ready) > 0 && (!ok || percent != same):
		return ", footprint not known of all"
	case same:
		return fmt.Sprintf(", %.0f%% of the footprint", part)
	case whole == 0:
		return ""
	}
	return fmt.Sprintf(", %.0f%% of the footprint", 100*part/whole)
}

// footprintOf adds footprints up: numbers, or shares in percent, not both.
func footprintOf(ps []cvd.Participant) (sum float64, percent, ok bool) {
	for i, p := range ps {
		f, err := cvd.ParseFootprint(p.Footprint)
		if err != nil || i > 0 && f.Share != percent {
			return 0, false, false
		}
		sum, percent = sum+f.N, f.Share
	}
	return sum, percent, true
}

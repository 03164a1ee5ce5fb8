package cvd

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// instants reads a list of instants with bars between.
func instants(t *testing.T, list string) []time.Time {
	t.Helper()
	var out []time.Time
	for _, s := range strings.Split(list, "|") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, at(t, s))
		}
	}
	return out
}

func sameInstants(x, y []time.Time) bool { return slices.EqualFunc(x, y, time.Time.Equal) }

// Each row: when a notice left, the zone of its reader, and when it is reminded.
func TestReminders(t *testing.T) {
	t.Parallel()
	three := []time.Duration{3 * Day, 7 * Day, 14 * Day}
	feasts := Days{Holidays: []Holiday{"12-24", "12-25", "01-01"}}
	for _, row := range []struct {
		name, left, zone, want string
		offsets                []time.Duration
		days                   Days
	}{
		{"on working days", "2026-12-01T09:00Z", "UTC", "2026-12-04T09:00Z|2026-12-08T09:00Z|2026-12-15T09:00Z", three, noDays},
		{"none", "2026-12-01T09:00Z", "UTC", "", nil, noDays},
		{"at once is no reminder", "2026-12-01T09:00Z", "UTC", "2026-12-04T09:00Z", []time.Duration{0, 3 * Day}, noDays},
		{"in any order", "2026-12-01T09:00Z", "UTC", "2026-12-04T09:00Z|2026-12-08T09:00Z|2026-12-15T09:00Z", []time.Duration{14 * Day, 3 * Day, 7 * Day}, noDays},
		{"a weekend", "2026-12-02T09:00Z", "UTC", "2026-12-07T09:00Z|2026-12-09T09:00Z|2026-12-16T09:00Z", three, noDays},
		{"two on one Monday are one", "2026-12-04T09:00Z", "UTC", "2026-12-07T09:00Z|2026-12-11T09:00Z", []time.Duration{Day, 2 * Day, 7 * Day}, noDays},
		{"holidays and a weekend", "2026-12-21T09:00Z", "UTC", "2026-12-28T09:00Z|2027-01-04T09:00Z", []time.Duration{3 * Day, 11 * Day}, feasts},
		{"Saturday on Kiritimati is Friday in UTC", "2026-12-01T12:00Z", "Pacific/Kiritimati", "2026-12-06T12:00Z|2026-12-08T12:00Z|2026-12-15T12:00Z", three, noDays},
		{"Friday at -12 is Saturday in UTC", "2026-12-02T06:00Z", "Etc/GMT+12", "2026-12-05T06:00Z", three[:1], noDays},
		{"the clocks go forward", "2027-03-25 09:00 Europe/Berlin", "Europe/Berlin", "2027-03-29 10:00 Europe/Berlin", three[:1], noDays},
		{"the wall time of the weekend is kept", "2027-03-26 09:00 Europe/Berlin", "Europe/Berlin", "2027-03-29 09:00 Europe/Berlin", []time.Duration{Day}, noDays},
		{"the clocks go back", "2026-10-23 09:00 Europe/Berlin", "Europe/Berlin", "2026-10-26 09:00 Europe/Berlin", []time.Duration{Day}, noDays},
		{"over a leap day", "2028-02-25T09:00Z", "UTC", "2028-02-28T09:00Z|2028-03-03T09:00Z", three[:2], noDays},
		{"not on the end or after it", "2028-05-25T09:00Z", "UTC", "2028-05-29T09:00Z", three, noDays},
		{"nor where a weekend moves it there", "2028-05-31T09:00Z", "UTC", "", three, noDays},
	} {
		end := at(t, "2028-06-01T09:00Z")
		got := Policy{Remind: row.offsets, Days: row.days}.Reminders(at(t, row.left), end, ZoneOf(row.zone))
		if !sameInstants(got, instants(t, row.want)) {
			t.Errorf("%s: %v, want %s", row.name, got, row.want)
		}
	}
}

// How long somebody has for an answer, and how long before the end who is late
// is told, follow the length of the embargo.
func TestSilenceAndLateness_ByEmbargo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		embargo, silent, late time.Duration
	}{
		{90 * Day, 7 * Day, 5 * Day}, {21 * Day, 7 * Day, 5 * Day}, {15 * Day, 5 * Day, 5 * Day}, {12 * Day, 4 * Day, 4 * Day},
		{9 * Day, 3 * Day, 3 * Day}, {Week, 72 * time.Hour, Week / 3}, {Week - time.Second, 0, (Week - time.Second) / 3}, {3 * time.Hour, 0, time.Hour},
	} {
		p := Policy{Embargo: row.embargo}
		if p.SilentFor() != row.silent || p.LateLead() != row.late {
			t.Errorf("%s: silent after %s, late %s before the end; want %s and %s", FormatDuration(row.embargo), p.SilentFor(), p.LateLead(), row.silent, row.late)
		}
	}
	for name, p := range Shipped() {
		if p.SilentFor() != 7*Day || p.LateLead() != 5*Day {
			t.Errorf("policy %s: %s, %s", name, p.SilentFor(), p.LateLead())
		}
	}
}

func TestSilenceSteps(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, left, end, zone, want string
		embargo                     time.Duration
	}{
		{"7, 10 and 14 days", "2026-12-01T09:00Z", "2027-03-01T09:00Z", "UTC", "2026-12-08T09:00Z|2026-12-11T09:00Z|2026-12-15T09:00Z", 90 * Day},
		{"on business days", "2026-12-05T09:00Z", "2027-03-01T09:00Z", "UTC", "2026-12-14T09:00Z|2026-12-15T09:00Z|2026-12-21T09:00Z", 90 * Day},
		{"in a short embargo sooner", "2026-12-07T09:00Z", "2026-12-18T09:00Z", "UTC", "2026-12-10T09:00Z|2026-12-11T15:00Z|2026-12-14T09:00Z", 9 * Day},
		{"not after the end", "2026-12-01T09:00Z", "2026-12-11T09:00Z", "UTC", "2026-12-08T09:00Z", 90 * Day},
		{"none in a very short one", "2026-12-01T09:00Z", "2026-12-06T09:00Z", "UTC", "", 5 * Day},
		{"Monday where they are", "2026-12-05T10:00Z", "2027-03-01T09:00Z", "Pacific/Kiritimati", "2026-12-13T10:00Z|2026-12-15T10:00Z|2026-12-20T10:00Z", 90 * Day},
	} {
		got := Policy{Embargo: row.embargo}.SilenceSteps(at(t, row.left), at(t, row.end), ZoneOf(row.zone))
		if !sameInstants(got, instants(t, row.want)) {
			t.Errorf("%s: %v, want %s", row.name, got, row.want)
		}
	}
}

func TestAnsweredTo(t *testing.T) {
	t.Parallel()
	left := at(t, "2026-12-01T09:00Z")
	before, after := left.Add(-time.Hour), left.Add(time.Hour)
	for _, row := range []struct {
		name    string
		p       Participant
		headsUp bool
		details bool
	}{
		{"nothing", Participant{}, false, false},
		{"a machine answered", Participant{LastHeard: after}, false, false},
		{"a letter", Participant{Wrote: after}, true, true},
		{"a letter before it", Participant{Wrote: before}, false, false},
		{"at that instant, to something else", Participant{Wrote: left}, false, false},
		{"ACK", Participant{Acknowledged: &Acceptance{At: after}}, true, false},
		{"ACCEPT of the stage before", Participant{Acceptances: []Acceptance{{Version: 1, At: before}}}, true, false},
		{"ACCEPT since", Participant{Acceptances: []Acceptance{{Version: 1, At: after}}}, true, true},
		{"DECLINE", Participant{Declined: &Hold{At: before}}, true, true},
		{"STATUS", Participant{Statuses: []Status{{Word: "affected", At: after}}}, true, true},
		{"STATUS before it", Participant{Statuses: []Status{{Word: "investigating", At: before}}}, true, false},
		{"not affected", Participant{Statuses: []Status{{Word: "not-affected", At: before}}}, true, true},
		{"fixed", Participant{Statuses: []Status{{Word: "fixed", At: before}}}, true, true},
		{"READY BY", Participant{Ready: &Ready{At: after}}, true, true},
	} {
		if got := row.p.AnsweredTo(HeadsUp, left); got != row.headsUp {
			t.Errorf("%s: answered the heads-up %v", row.name, got)
		}
		if got := row.p.AnsweredTo(Details, left); got != row.details {
			t.Errorf("%s: answered the details %v", row.name, got)
		}
	}
}

// Who is late gets scope, details and the advisory at end-5d, and no proof; the
// desk's word goes before.
func TestPlan_Late(t *testing.T) {
	t.Parallel()
	start := at(t, "2026-12-01T09:00Z")
	end := start.Add(90 * Day)
	c := Case{Policy: Shipped()["default"], Start: start, Embargoes: []Embargo{{Version: 1, End: end}}}
	late, now := end.Add(-5*Day), start.Add(20*Day)
	yes := []Acceptance{{Version: 1, At: start}}
	for _, row := range []struct {
		name                            string
		p                               Participant
		scope, details, proof, advisory time.Time
	}{
		{"in the plan", Participant{}, start.Add(Day), start.Add(3 * Day), start.Add(14 * Day), end.Add(-14 * Day)},
		{"declined", Participant{Declined: &Hold{}}, late, late, time.Time{}, late},
		{"declined what it accepted", Participant{Declined: &Hold{}, Acceptances: yes}, late, late, time.Time{}, late},
		{"silent", Participant{Late: &Late{Silent: now}}, late, late, time.Time{}, late},
		{"silent, and did since what they need", Participant{Late: &Late{Silent: now}, Acceptances: yes}, start.Add(Day), start.Add(3 * Day), start.Add(14 * Day), end.Add(-14 * Day)},
		{"now", Participant{Late: &Late{Word: LateNow, At: now}}, now, now, time.Time{}, now},
		{"never", Participant{Declined: &Hold{}, Late: &Late{Word: LateNever, At: now}}, time.Time{}, time.Time{}, time.Time{}, time.Time{}},
		{"a date of its own is no way round", Participant{Declined: &Hold{}, Delays: map[Stage]time.Time{Scope: now}}, late, late, time.Time{}, late},
		{"a later one counts", Participant{Declined: &Hold{}, Delays: map[Stage]time.Time{Advisory: end.Add(-Day)}}, late, late, time.Time{}, end.Add(-Day)},
		{"now, within its lead", Participant{Lead: 10 * Day, Late: &Late{Word: LateNow, At: now}}, end.Add(-10 * Day), end.Add(-10 * Day), time.Time{}, end.Add(-10 * Day)},
	} {
		row.p.Party, row.p.Roles, row.p.Wave, row.p.Joined = "acme", []Role{RoleVendor}, 1, start
		got := map[Stage]time.Time{}
		for _, d := range Plan(c, []Participant{row.p}) {
			got[d.Stage] = d.At
		}
		want := map[Stage]time.Time{Scope: row.scope, Details: row.details, Proof: row.proof, Advisory: row.advisory, Public: end}
		for _, s := range Stages()[1:] {
			if !got[s].Equal(want[s]) {
				t.Errorf("%s: %s at %s, want %s", row.name, s, got[s], want[s])
			}
		}
	}
}

package cvd

import (
	"fmt"
	"testing"
	"time"
)

// Publish days where one holiday follows another over the end of a year, by the
// days of the zone in which the end was entered.
func TestPublishDayOverNewYear(t *testing.T) {
	t.Parallel()
	feasts := Days{Holidays: []Holiday{"12-24", "12-29", "12-30", "12-31", "01-01", "2027-01-05", "01-06"}}
	for _, row := range []struct{ name, zone, from, before, after string }{
		{"all of them", "UTC", "2026-12-24T09:00Z", "2026-12-23T09:00Z", "2027-01-07T09:00Z"},
		{"from between the years", "UTC", "2026-12-31T23:59Z", "2026-12-23T23:59Z", "2027-01-07T23:59Z"},
		{"a holiday of one year only", "UTC", "2028-01-03T09:00Z", "2027-12-28T09:00Z", "2028-01-04T09:00Z"},
		{"it is the 7th on Kiritimati", "Pacific/Kiritimati", "2027-01-06T10:30Z", "2027-01-06T10:30Z", "2027-01-06T10:30Z"},
		{"and still the 6th", "Pacific/Kiritimati", "2027-01-06T09:59Z", "2026-12-23T09:59Z", "2027-01-07T09:59Z"}, // Wed 23 Dec 23:59, Thu 7 Jan 23:59
		{"still the 23rd at -12", "Etc/GMT+12", "2026-12-24T11:59Z", "2026-12-24T11:59Z", "2026-12-24T11:59Z"},
		{"the 24th at -12", "Etc/GMT+12", "2026-12-24T12:00Z", "2026-12-23T12:00Z", "2027-01-07T12:00Z"},
		{"Tokyo is a day ahead", "Asia/Tokyo", "2026-12-23T15:00Z", "2026-12-22T15:00Z", "2027-01-06T15:00Z"},
	} {
		zone := ZoneOf(row.zone)
		before, after := feasts.PublishDays(at(t, row.from), zone)
		if !before.Equal(at(t, row.before)) || !after.Equal(at(t, row.after)) {
			t.Errorf("%s: %s and %s, want %s and %s", row.name, before.In(zone), after.In(zone), row.before, row.after)
		}
	}
}

// A lead is so many times 24 hours, also where the clocks are set meanwhile: nobody
// knows an hour longer than it says.
func TestLeadOverAChangeOfClocks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ end, first string }{
		{"2027-03-30 09:00 Europe/Berlin", "2027-03-16 08:00 Europe/Berlin"},
		{"2026-11-03 09:00 America/New_York", "2026-10-20 10:00 America/New_York"},
		{"2026-10-06 09:00 Australia/Lord_Howe", "2026-09-22 08:30 Australia/Lord_Howe"},
		{"2028-03-07 09:00 UTC", "2028-02-22 09:00 UTC"}, // over a leap day
		{"2027-01-05 09:00 Pacific/Kiritimati", "2026-12-22 09:00 Pacific/Kiritimati"},
	} {
		policy := Shipped()["distros"]
		end := at(t, row.end)
		c := Case{ID: "PAR-2026-0007", Policy: policy, Start: end.Add(-60 * Day), Embargoes: []Embargo{{Version: 1, End: end}}}
		p := vendor("acme")
		p.Wave = policy.Upstream + 1
		from, held := c.LeadFrom(p)
		if want := at(t, row.first); !held || !from.Equal(want) {
			t.Errorf("%s: from %s, want %s", row.end, from, want)
		}
		for _, d := range Plan(c, []Participant{p}) {
			if d.At.Before(end.Add(-policy.Lead)) {
				t.Errorf("%s: %s is due %s, before the lead", row.end, d.Stage, d.At)
			}
		}
	}
}

// Waves follow each other by what the policy says, in the hour in which clocks are
// set, too: none with the one before it, and none early.
func TestWavesOverAChangeOfClocks(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"2027-03-27 02:30 Europe/Berlin", "2026-10-24 02:30 Europe/Berlin", "2026-10-31 01:30 America/New_York",
		"2027-04-03 01:45 Australia/Lord_Howe", "2026-12-31 23:59 Etc/GMT+12", "2028-02-28 09:00 UTC"} {
		policy := Shipped()["default"]
		policy.Wave = 12 * time.Hour
		c := Case{ID: "PAR-2026-0007", Policy: policy, Start: at(t, start)}
		c.Embargoes = []Embargo{{Version: 1, End: c.Start.Add(policy.Embargo)}}
		var all []Participant
		for wave := 1; wave <= 6; wave++ {
			p := vendor(PartyID(fmt.Sprintf("wave-%d", wave)))
			p.Wave = wave
			all = append(all, p)
		}
		plan := Plan(c, all)
		for _, s := range []Stage{HeadsUp, Scope, Details} {
			first := find(t, plan, "wave-1", s)
			for _, p := range all {
				if got, want := find(t, plan, p.Party, s), first.Add(time.Duration(p.Wave-1)*policy.Wave); !got.Equal(want) {
					t.Errorf("%s: %s to %s at %s, want %s", start, s, p.Party, got, want)
				}
			}
		}
	}
}

// Reminders are on days on which their reader works, one a day, in order, never
// sooner than the policy says and never at the end or after it: whatever the
// hour at which a notice left, over the end of a year, in every zone.
func TestRemindersInEveryZone(t *testing.T) {
	t.Parallel()
	p := Policy{Remind: []time.Duration{3 * Day, 7 * Day, 14 * Day, 15 * Day},
		Days: Days{Holidays: []Holiday{"12-25", "12-31", "01-01", "2027-01-04", "2027-01-06"}}}
	for _, name := range []string{"UTC", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Lord_Howe", "America/New_York"} {
		zone := ZoneOf(name)
		for hour := range 24 * 40 {
			left := time.Date(2026, 12, 5, hour, 30, 0, 0, time.UTC)
			end := left.Add(20 * Day)
			got := p.Reminders(left, end, zone)
			if len(got) < 2 {
				t.Fatalf("%s from %s: %v", name, left, got)
			}
			for i, at := range got {
				switch {
				case !p.Days.Business(at, zone), !at.Before(end), at.Before(left.Add(p.Remind[i])):
					t.Fatalf("%s from %s: %s", name, left, at.In(zone))
				case i > 0 && (!at.After(got[i-1]) || at.In(zone).Format(time.DateOnly) == got[i-1].In(zone).Format(time.DateOnly)):
					t.Fatalf("%s from %s: two on %s", name, left, at.In(zone))
				}
			}
		}
	}
}

package cvd

import (
	"strings"
	"testing"
	"time"
)

// What clocks show where they go forward and back by an hour and by half an hour,
// and where they are as far from UTC as anywhere. What they skip, or show twice, is
// refused (rule T6); the edges of either are taken.
func TestT6_EntryInEveryZone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ in, want, why string }{
		{"2027-03-14 01:59 America/New_York", "2027-03-14T06:59:00Z", ""},
		{"2027-03-14 02:00 America/New_York", "", "does not exist"},
		{"2027-03-14 02:59:59 America/New_York", "", "does not exist"},
		{"2027-03-14 03:00 America/New_York", "2027-03-14T07:00:00Z", ""},
		{"2026-11-01 00:59 America/New_York", "2026-11-01T04:59:00Z", ""},
		{"2026-11-01 01:00 America/New_York", "", "say 2026-11-01T05:00Z or 2026-11-01T06:00Z"},
		{"2026-11-01 02:00 America/New_York", "2026-11-01T07:00:00Z", ""},
		{"2026-10-04 01:59 Australia/Lord_Howe", "2026-10-03T15:29:00Z", ""},
		{"2026-10-04 02:00 Australia/Lord_Howe", "", "does not exist"},
		{"2026-10-04 02:29 Australia/Lord_Howe", "", "does not exist"},
		{"2026-10-04 02:30 Australia/Lord_Howe", "2026-10-03T15:30:00Z", ""},
		{"2027-04-04 01:29 Australia/Lord_Howe", "2027-04-03T14:29:00Z", ""},
		{"2027-04-04 01:30 Australia/Lord_Howe", "", "say 2027-04-03T14:30Z or 2027-04-03T15:00Z"},
		{"2027-04-04 01:59 Australia/Lord_Howe", "", "comes twice"},
		{"2027-04-04 02:00 Australia/Lord_Howe", "2027-04-03T15:30:00Z", ""},
		{"2027-01-01 00:00 Pacific/Kiritimati", "2026-12-31T10:00:00Z", ""},
		{"2026-12-31 23:59 Etc/GMT+12", "2027-01-01T11:59:00Z", ""},
		{"2027-01-01 Etc/GMT+12", "2027-01-01T12:00:00Z", ""},
		{"2027-01-01T00:00+14:00", "2026-12-31T10:00:00Z", ""},
		{"2026-12-31T23:59-12:00", "2027-01-01T11:59:00Z", ""},
		{"2028-02-29 09:00 Pacific/Kiritimati", "2028-02-28T19:00:00Z", ""},
		{"2027-02-29 09:00 Pacific/Kiritimati", "", "no such day"},
		{"2026-12-31T23:59:60Z", "", "no such day or time"},
	} {
		got, err := ParseInstant(row.in)
		switch {
		case row.why != "":
			if err == nil || !strings.Contains(err.Error(), row.why) {
				t.Errorf("%s: %v, %v; want an error with %q", row.in, got, err, row.why)
			}
		case err != nil || got.At.Format(time.RFC3339) != row.want:
			t.Errorf("%s: %v, %v; want %s", row.in, got, err, row.want)
		}
	}
}

// Where the end of an embargo falls: so many days of 24 hours after its start, or
// at that wall time on the next publish day of the zone.
func TestFirstEndInEveryZone(t *testing.T) {
	t.Parallel()
	feasts := Days{Holidays: []Holiday{"12-24", "12-25", "12-31", "01-01", "02-29"}}
	for _, row := range []struct {
		name, start string
		embargo     time.Duration
		zone, want  string
		days        Days
	}{
		{"a leap day and 365 days", "2028-02-29T09:00Z", 365 * Day, "UTC", "2029-02-28T09:00Z", noDays},
		{"a leap day and 366 days", "2028-02-29T09:00Z", 366 * Day, "UTC", "2029-03-01T09:00Z", noDays},
		{"a leap day and four years", "2028-02-29T09:00Z", 1461 * Day, "UTC", "2032-03-02T09:00Z", noDays}, // a Sunday, and a Monday
		{"to a leap day that is a holiday", "2027-12-01T09:00Z", 90 * Day, "UTC", "2028-03-01T09:00Z", feasts},
		{"the clocks went forward meanwhile", "2027-03-02 09:00 Europe/Berlin", 28 * Day, "Europe/Berlin", "2027-03-30 10:00 Europe/Berlin", noDays},
		{"over the weekend on which they do", "2027-02-26 09:00 Europe/Berlin", 28 * Day, "Europe/Berlin", "2027-03-30 09:00 Europe/Berlin", noDays},
		{"on the day on which they do", "2027-02-14 02:30 America/New_York", 28 * Day, "America/New_York", "2027-03-16 03:30 America/New_York", noDays},
		{"the day before they go back", "2026-10-01 20:00 America/New_York", 30 * Day, "America/New_York", "2026-11-03 20:00 America/New_York", noDays},
		{"half an hour forward", "2026-09-03 02:15 Australia/Lord_Howe", 30 * Day, "Australia/Lord_Howe", "2026-10-06 02:15 Australia/Lord_Howe", noDays},
		{"half an hour back", "2027-03-05 09:00 Australia/Lord_Howe", 30 * Day, "Australia/Lord_Howe", "2027-04-06 08:30 Australia/Lord_Howe", noDays},
		{"the year ends with holidays", "2026-12-10T16:00Z", 14 * Day, "UTC", "2026-12-29T16:00Z", feasts},
		{"New Year's Eve on Kiritimati is the day before in UTC", "2026-12-16T10:30Z", 14 * Day, "Pacific/Kiritimati", "2027-01-04T10:30Z", feasts},
		{"New Year's Eve at -12 is New Year in UTC", "2026-12-18T11:30Z", 14 * Day, "Etc/GMT+12", "2027-01-06T11:30Z", feasts},
		{"an embargo of days keeps its end", "2026-12-28T09:00Z", 4 * Day, "UTC", "2027-01-01T09:00Z", feasts},
	} {
		p := Policy{Embargo: row.embargo, Days: row.days}
		got, ok := p.FirstEnd(at(t, row.start), ZoneOf(row.zone))
		if !ok || !got.Equal(at(t, row.want)) {
			t.Errorf("%s: %s, %v; want %s (%s)", row.name, got.In(ZoneOf(row.zone)), ok, row.want, at(t, row.want))
		}
	}
}

// Business days around the end of a year and where clocks change.
func TestBusinessDayInEveryZone(t *testing.T) {
	t.Parallel()
	feasts := Days{Holidays: []Holiday{"12-25", "12-31", "01-01", "2027-01-04"}}
	for _, row := range []struct{ name, zone, from, want string }{
		{"to the next year", "UTC", "2026-12-31T09:00Z", "2027-01-05T09:00Z"},
		{"30 December works", "UTC", "2026-12-30T23:59Z", "2026-12-30T23:59Z"},
		{"31 December on Kiritimati already", "Pacific/Kiritimati", "2026-12-30T10:30Z", "2027-01-04T10:30Z"},
		{"30 December at -12 still", "Etc/GMT+12", "2026-12-31T11:30Z", "2026-12-31T11:30Z"},
		{"over the clocks going forward", "America/New_York", "2027-03-13 09:00 America/New_York", "2027-03-15 09:00 America/New_York"},
		{"over the clocks going back", "America/New_York", "2026-10-31 09:00 America/New_York", "2026-11-02 09:00 America/New_York"},
		{"half an hour forward", "Australia/Lord_Howe", "2026-10-03 09:00 Australia/Lord_Howe", "2026-10-05 09:00 Australia/Lord_Howe"},
		{"half an hour back", "Australia/Lord_Howe", "2027-04-03 09:00 Australia/Lord_Howe", "2027-04-05 09:00 Australia/Lord_Howe"},
		{"a leap day on a weekend", "UTC", "2048-02-29T09:00Z", "2048-03-02T09:00Z"},
	} {
		if got := feasts.BusinessDay(at(t, row.from), ZoneOf(row.zone)); !got.Equal(at(t, row.want)) {
			t.Errorf("%s: %s, want %s", row.name, got.In(ZoneOf(row.zone)), row.want)
		}
	}
}

// The same wall time of another day, where it is skipped there or comes twice by
// half an hour: never early (rule T6).
func TestT6_SameWallTimeByHalfAnHour(t *testing.T) {
	t.Parallel()
	zone := ZoneOf("Australia/Lord_Howe")
	for _, row := range []struct {
		from string
		days int
		want string
	}{
		{"2026-10-03 02:15 Australia/Lord_Howe", 1, "2026-10-03T15:45Z"}, // clocks show it as 02:45
		{"2026-10-05 02:15 Australia/Lord_Howe", -1, "2026-10-03T15:45Z"},
		{"2027-04-03 01:45 Australia/Lord_Howe", 1, "2027-04-03T15:15Z"}, // the second of two
		{"2026-10-03 12:00 Australia/Lord_Howe", 1, "2026-10-04T01:00Z"},
	} {
		if got := sameTime(at(t, row.from), row.days, zone); !got.Equal(at(t, row.want)) {
			t.Errorf("%s and %d days: %s, want %s", row.from, row.days, got.UTC(), row.want)
		}
	}
}

// A freeze over New Year holds by the days of whoever said it.
func TestFreezeOverNewYearInEveryZone(t *testing.T) {
	t.Parallel()
	f, err := ParseFreeze("2026-12-31..2027-01-01")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ zone, first, last string }{
		{"UTC", "2026-12-31T00:00Z", "2027-01-01T23:59Z"},
		{"Pacific/Kiritimati", "2026-12-30T10:00Z", "2027-01-01T09:59Z"},
		{"Etc/GMT+12", "2026-12-31T12:00Z", "2027-01-02T11:59Z"},
		{"Australia/Lord_Howe", "2026-12-30T13:00Z", "2027-01-01T12:59Z"},
		{"America/New_York", "2026-12-31T05:00Z", "2027-01-02T04:59Z"},
	} {
		zone, first, last := ZoneOf(row.zone), at(t, row.first), at(t, row.last)
		if f.Holds(first.Add(-time.Second), zone) || !f.Holds(first, zone) || !f.Holds(last, zone) || f.Holds(last.Add(time.Minute), zone) {
			t.Errorf("%s: not from %s to %s", row.zone, row.first, row.last)
		}
	}
	if f, err := ParseFreeze("2028-02-29..2029-02-28"); err != nil {
		t.Errorf("a year from a leap day: %s, %v", f, err)
	}
}

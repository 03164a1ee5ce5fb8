package cvd

import (
	"testing"
	"time"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	i, err := ParseInstant(s)
	if err != nil {
		t.Fatal(err)
	}
	return i.At
}

var noDays = Days{}

// Each row: an instant as it was entered, the zone whose days count, and the
// publish day on which it lands. DST, leap day, year end, +14 and -12.
func TestPublishDay(t *testing.T) {
	t.Parallel()
	feasts := Days{Holidays: []Holiday{"12-24", "12-25", "12-31", "2027-01-05", "02-29", "2028-03-01"}}
	friday := Days{Publish: []time.Weekday{time.Friday}}
	for _, row := range []struct {
		name, from, zone, want string
		days                   Days
	}{
		{"it is one", "2027-03-02T09:00Z", "UTC", "2027-03-02T09:00Z", noDays},
		{"Monday to Tuesday", "2027-03-01T09:00Z", "UTC", "2027-03-02T09:00Z", noDays},
		{"Thursday stays", "2027-03-04T23:59Z", "UTC", "2027-03-04T23:59Z", noDays},
		{"Friday to Tuesday", "2027-03-05T00:00Z", "UTC", "2027-03-09T00:00Z", noDays},
		{"days of its own", "2027-03-01T09:00Z", "UTC", "2027-03-05T09:00Z", friday},
		{"year end with holidays", "2026-12-31T16:00Z", "UTC", "2027-01-06T16:00Z", feasts},
		{"year end without", "2026-12-31T16:00Z", "UTC", "2026-12-31T16:00Z", noDays},
		{"Thursday, 24 December", "2026-12-24T16:00Z", "UTC", "2026-12-29T16:00Z", feasts},
		{"leap day is one", "2028-02-29T10:00Z", "UTC", "2028-02-29T10:00Z", noDays},
		{"leap day and the day after are holidays", "2028-02-29T10:00Z", "UTC", "2028-03-02T10:00Z", feasts},
		{"over the leap day", "2028-02-28T10:00Z", "UTC", "2028-02-29T10:00Z", noDays},
		{"the clocks go forward", "2027-03-26 16:00 Europe/Berlin", "Europe/Berlin", "2027-03-30 16:00 Europe/Berlin", noDays},
		{"the clocks go back", "2026-10-23 16:00 Europe/Berlin", "Europe/Berlin", "2026-10-27 16:00 Europe/Berlin", noDays},
		{"Tuesday on Kiritimati, +14", "2027-03-01T10:30Z", "Pacific/Kiritimati", "2027-03-01T10:30Z", noDays},
		{"Friday on Kiritimati is Thursday in UTC", "2027-03-04T10:30Z", "Pacific/Kiritimati", "2027-03-08T10:30Z", noDays},
		{"Monday at -12 is Tuesday in UTC", "2027-03-02T11:30Z", "Etc/GMT+12", "2027-03-03T11:30Z", noDays},
		{"Thursday at -12 is Friday in UTC", "2027-03-05T11:30Z", "Etc/GMT+12", "2027-03-05T11:30Z", noDays},
		{"a day that Samoa never had", "2011-12-29 12:00 Pacific/Apia", "Pacific/Apia", "2011-12-31 12:00 Pacific/Apia",
			Days{Publish: []time.Weekday{time.Friday, time.Saturday}}},
	} {
		got, ok := row.days.PublishDay(at(t, row.from), ZoneOf(row.zone))
		if !ok || !got.Equal(at(t, row.want)) {
			t.Errorf("%s: %s goes to %s, %v, want %s", row.name, row.from, got, ok, row.want)
		}
	}
}

// A wall time that the other day does not have is after the gap, and of one
// that it has twice it is the second: never early (rule T6).
func TestT6_SameWallTimeOfAnotherDay(t *testing.T) {
	t.Parallel()
	berlin := ZoneOf("Europe/Berlin")
	for _, row := range []struct {
		from string
		days int
		want string
	}{
		{"2027-03-27 02:30 Europe/Berlin", 1, "2027-03-28T01:30Z"}, // 02:30 CET, which clocks show as 03:30
		{"2026-10-24 02:30 Europe/Berlin", 1, "2026-10-25T01:30Z"},
		{"2026-10-26 02:30 Europe/Berlin", -1, "2026-10-25T01:30Z"},
		{"2028-02-28 10:00 Europe/Berlin", 2, "2028-03-01T09:00Z"},
		{"2026-12-31 23:30 Europe/Berlin", 1, "2027-01-01T22:30Z"},
	} {
		if got := sameTime(at(t, row.from), row.days, berlin); !got.Equal(at(t, row.want)) {
			t.Errorf("%s and %d days: %s, want %s", row.from, row.days, got.UTC(), row.want)
		}
	}
}

func TestPublishDaysAround(t *testing.T) {
	t.Parallel()
	d := Days{Holidays: []Holiday{"2027-01-14"}}
	before, after := d.PublishDays(at(t, "2027-01-15T16:00Z"), time.UTC)
	if !before.Equal(at(t, "2027-01-13T16:00Z")) || !after.Equal(at(t, "2027-01-19T16:00Z")) {
		t.Errorf("%s and %s", before, after)
	}
}

func TestBusinessDay(t *testing.T) {
	t.Parallel()
	d := Days{Holidays: []Holiday{"12-25", "2026-12-28"}}
	for from, want := range map[string]string{
		"2026-12-04T09:00Z": "2026-12-04T09:00Z", // Friday
		"2026-12-05T09:00Z": "2026-12-07T09:00Z",
		"2026-12-25T09:00Z": "2026-12-29T09:00Z", // Friday, 25 December, and Monday
		"2027-12-25T09:00Z": "2027-12-27T09:00Z",
	} {
		if got := d.BusinessDay(at(t, from), time.UTC); !got.Equal(at(t, want)) {
			t.Errorf("%s goes to %s, want %s", from, got, want)
		}
	}
	// Saturday in Tokyo, Friday in Honolulu.
	saturday := at(t, "2026-12-04T18:00Z")
	if got := noDays.BusinessDay(saturday, ZoneOf("Asia/Tokyo")); !got.Equal(at(t, "2026-12-06T18:00Z")) {
		t.Errorf("in Tokyo: %s", got)
	}
	if got := noDays.BusinessDay(saturday, ZoneOf("Pacific/Honolulu")); !got.Equal(saturday) {
		t.Errorf("in Honolulu: %s", got)
	}
}

func TestParseHoliday(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2026-12-25", "12-25", "02-29", "2028-02-29"} {
		if h, err := ParseHoliday(s); err != nil || string(h) != s {
			t.Errorf("%s: %q, %v", s, h, err)
		}
	}
	for _, s := range []string{"", "25-12", "2026-02-29", "02-30", "2026-13-01", "26-12-25", "12-25-2026", "Christmas", "1-1"} {
		if h, err := ParseHoliday(s); err == nil {
			t.Errorf("%q was taken for %s", s, h)
		}
	}
}

func TestPolicyRefusesDaysThatCannotBe(t *testing.T) {
	t.Parallel()
	every := Days{}
	for _, day := range aLeapYear() {
		every.Holidays = append(every.Holidays, Holiday(day.Format("01-02")))
	}
	for name, d := range map[string]Days{
		"holidays": {Holidays: []Holiday{"2026-02-30"}},
		"twice":    {Holidays: []Holiday{"12-25", "12-25"}},
		"publish":  {Publish: []time.Weekday{9}},
		"repeated": {Publish: []time.Weekday{time.Tuesday, time.Tuesday}},
		"every":    every,
	} {
		p := Shipped()["default"]
		if p.Days = d; p.Validate() == nil {
			t.Errorf("%s: the policy was taken", name)
		}
	}
	if _, ok := every.PublishDay(day0, time.UTC); ok {
		t.Error("a year without a working day has a publish day")
	}
}

// The end that a start computes.
func TestFirstEnd(t *testing.T) {
	t.Parallel()
	p := Shipped()["default"]
	end, ok := p.FirstEnd(day0, time.UTC) // 90 days later is a Monday
	if !ok || !end.Equal(at(t, "2027-03-02T09:00Z")) {
		t.Errorf("ends %s", end)
	}
	p.Embargo, p.Lead = 6*Day, 6*Day
	if end, ok := p.FirstEnd(day0, time.UTC); !ok || !end.Equal(day0.Add(6*Day)) {
		t.Errorf("an embargo of less than a week ends %s", end)
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	f, err := ParseFreeze("2026-12-15..2027-01-05")
	if err != nil || f.String() != "2026-12-15..2027-01-05" {
		t.Fatalf("%s, %v", f, err)
	}
	for _, row := range []struct {
		at, zone string
		holds    bool
	}{
		{"2026-12-14T23:59Z", "UTC", false},
		{"2026-12-15T00:00Z", "UTC", true},
		{"2027-01-05T23:59Z", "UTC", true},
		{"2027-01-06T00:00Z", "UTC", false},
		{"2026-12-14T10:30Z", "Pacific/Kiritimati", true},
		{"2027-01-06T11:30Z", "Etc/GMT+12", true},
	} {
		if got := f.Holds(at(t, row.at), ZoneOf(row.zone)); got != row.holds {
			t.Errorf("%s in %s: %v", row.at, row.zone, got)
		}
	}
	for _, s := range []string{"", "2026-12-15", "2026-12-15..", "2027-01-05..2026-12-15", "2026-02-30..2026-03-01", "2026-01-01..2027-06-01"} {
		if f, err := ParseFreeze(s); err == nil {
			t.Errorf("%q was taken for %s", s, f)
		}
	}
}

func TestParseFootprint(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Footprint{
		"40M": {N: 40e6}, "1.2k": {N: 1200}, "3,000": {N: 3000}, "12,345,678": {N: 12345678}, "40,5M": {N: 40.5e6},
		"250": {N: 250}, "2B": {N: 2e9}, "12%": {N: 12, Share: true}, "0,5%": {N: .5, Share: true}, "1,500k": {N: 1.5e6},
	} {
		if got, err := ParseFootprint(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "many", "-4", "4,00,000", "1e9", "120%", "4M%", "9999999999999999G", "4 0M"} {
		if got, err := ParseFootprint(in); err == nil {
			t.Errorf("%q was taken for %+v", in, got)
		}
	}
}

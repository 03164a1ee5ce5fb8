package cvd

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones mean the same on every machine
)

// Instant is a point in time, with the zone that it was entered in.
type Instant struct {
	At   time.Time // UTC
	Zone string    // IANA name, empty for UTC and for a numeric offset
}

// instantPattern is a date, perhaps a time of day, perhaps a zone.
var instantPattern = regexp.MustCompile(
	`^(\d{4}-\d{2}-\d{2})(?:[Tt ]+(\d{1,2}:\d{2}(?::\d{2})?))? ?([Zz]|[+-]\d{2}:?\d{2}|[A-Za-z][A-Za-z0-9_+/-]*)?$`)

// ParseInstant reads RFC 3339 with or without seconds (2026-12-01T09:00Z,
// 2026-12-01T10:00:00+01:00), a date (its first instant in UTC, or in the zone
// named after it), or a wall time with its zone (2026-12-01 09:00
// Europe/Berlin). It refuses a time of day without a zone, an abbreviation
// such as CET, which means different things to different people, and a wall
// time that its zone skips or has twice (rule T6).
func ParseInstant(s string) (Instant, error) {
	m := instantPattern.FindStringSubmatch(strings.Join(strings.Fields(s), " "))
	if m == nil {
		return Instant{}, fmt.Errorf("%q is not an instant such as 2026-12-01T09:00Z, 2026-12-01 or 2026-12-01 10:00 Europe/Berlin", s)
	}
	day, clock, zone := m[1], m[2], m[3]
	if clock == "" {
		clock = "00:00"
		if zone == "" {
			zone = "Z"
		}
	}
	if strings.Count(clock, ":") == 1 {
		clock += ":00"
	}
	wall, err := time.Parse("2006-01-02 15:04:05", day+" "+clock)
	if err != nil {
		return Instant{}, fmt.Errorf("%q: there is no such day or time of day", s)
	}
	return inZone(s, wall, zone)
}

// inZone finds the one instant at which clocks in a zone show wall.
func inZone(s string, wall time.Time, zone string) (Instant, error) {
	switch {
	case zone == "":
		return Instant{}, fmt.Errorf("%q names no zone: add Z for UTC, or a zone such as Europe/Berlin", s)
	case strings.EqualFold(zone, "Z"), strings.EqualFold(zone, "UTC"):
		return Instant{At: wall}, nil
	case zone[0] == '+' || zone[0] == '-':
		t, err := time.Parse("-0700", strings.Replace(zone, ":", "", 1))
		if err != nil {
			return Instant{}, fmt.Errorf("%q: %s is not an offset such as +01:00", s, zone)
		}
		_, offset := t.Zone()
		return Instant{At: wall.Add(-time.Duration(offset) * time.Second)}, nil
	}
	loc, err := ParseZone(zone)
	if err != nil {
		return Instant{}, err
	}
	switch at := wallTimes(wall, loc); len(at) {
	case 1:
		return Instant{At: at[0], Zone: loc.String()}, nil
	case 0:
		return Instant{}, fmt.Errorf("%q does not exist: clocks in %s skip it; name an instant in UTC", s, zone)
	default:
		return Instant{}, fmt.Errorf("%q comes twice in %s: say %s or %s", s, zone,
			at[0].Format("2006-01-02T15:04Z"), at[1].Format("2006-01-02T15:04Z"))
	}
}

// wallTimes lists the instants at which clocks at a place show wall, in
// order. Only the offsets in force a day around it can give one.
func wallTimes(wall time.Time, loc *time.Location) []time.Time {
	var found []time.Time
	tried := map[int]bool{}
	for _, near := range []time.Duration{-26 * time.Hour, 0, 26 * time.Hour} {
		_, offset := wall.Add(near).In(loc).Zone()
		if tried[offset] {
			continue
		}
		tried[offset] = true
		at := wall.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(loc).Zone(); there == offset {
			found = append(found, at)
		}
	}
	if len(found) > 1 && found[1].Before(found[0]) {
		found[0], found[1] = found[1], found[0]
	}
	return found
}

// ParseZone reads the IANA name of a time zone, "Europe/Berlin" or "UTC".
func ParseZone(s string) (*time.Location, error) {
	if strings.EqualFold(s, "UTC") {
		return time.UTC, nil
	}
	if !strings.Contains(s, "/") {
		return nil, fmt.Errorf("%q is not a time zone such as Europe/Berlin or UTC", s)
	}
	loc, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone such as Europe/Berlin or UTC", s)
	}
	return loc, nil
}

package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Date reads the Date field, in the zone it was written in. An error means
// that it is missing or says no time; it is only ever what the sender claims.
func (h Header) Date() (time.Time, error) {
	v := h.Get("Date")
	t, ok := parseDate(v)
	if !ok {
		return time.Time{}, fmt.Errorf("read field %q: no date and time", "Date")
	}
	return t, nil
}

// parseDate reads the date-time of RFC 5322 section 3.3, with the obsolete
// years and zones of 4.3, and without a zone as UTC.
func parseDate(s string) (time.Time, bool) {
	f := strings.Fields(strings.ReplaceAll(stripComments(s), ",", " "))
	if len(f) > 0 && f[0][0] > '9' {
		f = f[1:] // the day of the week follows from the date
	}
	if len(f) < 4 {
		return time.Time{}, false
	}
	day, err1 := strconv.Atoi(f[0])
	month, ok := monthOf(f[1])
	year, err2 := strconv.Atoi(f[2])
	clock, err3 := parseClock(f[3])
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return time.Time{}, false
	}
	zone := time.UTC
	if len(f) > 4 {
		zone = parseZone(f[4])
	}
	year = fullYear(year, len(f[2]))
	t := time.Date(year, month, day, 0, 0, 0, 0, zone).Add(clock)
	// The year bounds keep every later form of the instant within four digits.
	return t, year >= 1900 && year < 9999 && t.Day() == day && t.Month() == month
}

// fullYear completes the two and three digit years of RFC 5322 section 4.3.
func fullYear(year, digits int) int {
	switch {
	case digits == 2 && year < 50:
		return year + 2000
	case digits == 2 || digits == 3:
		return year + 1900
	}
	return year
}

func monthOf(s string) (time.Month, bool) {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(s) < 3 {
		return 0, false
	}
	i := strings.Index(names, strings.ToLower(s[:3]))
	return time.Month(i/3 + 1), i >= 0 && i%3 == 0
}

// parseClock reads hh:mm or hh:mm:ss as a time of day.
func parseClock(s string) (time.Duration, error) {
	layout := "15:04:05"
	if strings.Count(s, ":") == 1 {
		layout = "15:04"
	}
	if short, ok := strings.CutSuffix(s, ":60"); ok { // a leap second
		s = short + ":59"
	}
	t, err := time.Parse(layout, s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second, err
}

// obsoleteZones are those of RFC 5322 section 4.3, in hours east of Greenwich.
func obsoleteZones(name string) int {
	switch strings.ToUpper(name) {
	case "EDT":
		return -4
	case "EST", "CDT":
		return -5
	case "CST", "MDT":
		return -6
	case "MST", "PDT":
		return -7
	case "PST":
		return -8
	}
	return 0 // UT, GMT, and every zone that has no agreed meaning
}

// parseZone reads "+hhmm" or a name. An offset of a day or more, which no place
// has and JSON cannot write, is taken for UTC.
func parseZone(s string) *time.Location {
	if len(s) == 5 && (s[0] == '+' || s[0] == '-') {
		hours, err1 := strconv.ParseUint(s[1:3], 10, 8)
		minutes, err2 := strconv.ParseUint(s[3:], 10, 8)
		if err1 != nil || err2 != nil || hours > 23 || minutes > 59 {
			return time.UTC
		}
		seconds := int(hours*60+minutes) * 60
		if s[0] == '-' {
			seconds = -seconds
		}
		return fixedZone(seconds)
	}
	return fixedZone(obsoleteZones(s) * 3600)
}

func fixedZone(seconds int) *time.Location {
	if seconds == 0 {
		return time.UTC
	}
	return time.FixedZone("", seconds)
}

// stripComments takes the comments out of a structured value.
func stripComments(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '(')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		n, _ := commentEnd(s[i:])
		b.WriteString(s[:i] + " ")
		s = s[i+n:]
	}
}

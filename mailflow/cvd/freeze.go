package cvd

import (
	"fmt"
	"strings"
	"time"
)

// Freeze is a time in which a vendor ships nothing. It moves no date by
// itself: whoever chooses the end of an embargo is shown it.
type Freeze struct {
	From time.Time // the first instant of its first day, UTC
	To   time.Time // of its last day, which belongs to it
	At   time.Time // when it was said
	Via  string    // how; or the coordinator who filed it
}

// longestFreeze is more than any vendor means.
const longestFreeze = 366 * Day

// ParseFreeze reads DATE..DATE, "2026-12-15..2027-01-05"; both days belong to
// it.
func ParseFreeze(s string) (Freeze, error) {
	from, to, ok := strings.Cut(strings.ReplaceAll(s, " ", ""), "..")
	first, err := time.Parse(time.DateOnly, from)
	last, err2 := time.Parse(time.DateOnly, to)
	switch {
	case !ok || err != nil || err2 != nil:
		return Freeze{}, fmt.Errorf("%q is not a time such as 2026-12-15..2027-01-05", s)
	case last.Before(first):
		return Freeze{}, fmt.Errorf("%q ends before it begins", s)
	case last.Sub(first) >= longestFreeze:
		return Freeze{}, fmt.Errorf("%q is longer than a year", s)
	}
	return Freeze{From: first, To: last}, nil
}

// Holds says whether an instant falls into the freeze, whose days are those
// of a zone.
func (f Freeze) Holds(t time.Time, zone *time.Location) bool {
	day := t.In(zone).Format(time.DateOnly)
	return day >= f.From.Format(time.DateOnly) && day <= f.To.Format(time.DateOnly)
}

// String is the form that ParseFreeze reads.
func (f Freeze) String() string {
	return f.From.Format(time.DateOnly) + ".." + f.To.Format(time.DateOnly)
}

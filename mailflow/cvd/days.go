package cvd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holiday is a day on which nobody works: "2026-12-25", or "12-25" for that
// day of every year.
type Holiday string

// ParseHoliday reads a date, with its year or for every year. A 29 February
// of every year comes in leap years only.
func ParseHoliday(s string) (Holiday, error) {
	t := strings.TrimSpace(s)
	if _, err := time.Parse(time.DateOnly, t); err == nil {
		return Holiday(t), nil
	}
	if _, err := time.Parse(time.DateOnly, "2000-"+t); err == nil { // a leap year
		return Holiday(t), nil
	}
	return "", fmt.Errorf("%q is not a day such as 2026-12-25, or 12-25 for that of every year", s)
}

// Days says on which days people work, and on which something may become
// public (product.md section 6). The zero Days knows no holiday.
type Days struct {
	Holidays []Holiday
	Publish  []time.Weekday // empty: Tuesday to Thursday
}

// dayNames are the days of the week as a configuration names them.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseWeekday reads mon, tue, wed, thu, fri, sat or sun.
func ParseWeekday(s string) (time.Weekday, error) {
	i := slices.Index(dayNames, strings.ToLower(strings.TrimSpace(s)))
	if i < 0 {
		return 0, fmt.Errorf("%q is not a day of the week: mon, tue, wed, thu, fri, sat or sun", s)
	}
	return time.Weekday(i), nil
}

// publish are the days of the week on which something may become public.
func (d Days) publish() []time.Weekday {
	if len(d.Publish) > 0 {
		return d.Publish
	}
	return []time.Weekday{time.Tuesday, time.Wednesday, time.Thursday}
}

// PublishWords names the publish days: "Tuesday, Wednesday or Thursday".
func (d Days) PublishWords() string {
	var names []string
	for _, w := range d.publish() {
		names = append(names, w.String())
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return names[0]
}

// PublishesOn says whether something may become public on a day of the week.
func (d Days) PublishesOn(w time.Weekday) bool { return slices.Contains(d.publish(), w) }

// Holiday says whether the day of an instant is a holiday in a zone.
func (d Days) Holiday(t time.Time, zone *time.Location) bool {
	day := t.In(zone).Format(time.DateOnly)
	return slices.Contains(d.Holidays, Holiday(day)) || slices.Contains(d.Holidays, Holiday(day[len("2006-"):]))
}

// Business says whether people work at an instant in a zone: Monday to
// Friday, and no holiday.
func (d Days) Business(t time.Time, zone *time.Location) bool {
	w := t.In(zone).Weekday()
	return w != time.Saturday && w != time.Sunday && !d.Holiday(t, zone)
}

// Publishes says whether something may become public at an instant in a zone.
func (d Days) Publishes(t time.Time, zone *time.Location) bool {
	return d.PublishesOn(t.In(zone).Weekday()) && !d.Holiday(t, zone)
}

// BusinessDay is t, or the same wall time on the next day on which people
// work in a zone.
func (d Days) BusinessDay(t time.Time, zone *time.Location) time.Time {
	at, ok := nearestDay(t, zone, 1, d.Business)
	if !ok {
		return t // nobody works for a year; the date stands as it was
	}
	return at
}

// PublishDay is t, or the same wall time on the next publish day of a zone.
// It is not ok where a year has no such day.
func (d Days) PublishDay(t time.Time, zone *time.Location) (at time.Time, ok bool) {
	return nearestDay(t, zone, 1, d.Publishes)
}

// PublishDays are the publish days nearest to t, before and after it, at its
// wall time; each is zero where a year has none.
func (d Days) PublishDays(t time.Time, zone *time.Location) (before, after time.Time) {
	before, _ = nearestDay(t, zone, -1, d.Publishes)
	after, _ = nearestDay(t, zone, 1, d.Publishes)
	return before, after
}

// nearestDay looks from t on, in steps of a day, for one that will do.
func nearestDay(t time.Time, zone *time.Location, step int, will func(time.Time, *time.Location) bool) (time.Time, bool) {
	if will(t, zone) {
		return t, true
	}
	for n := 1; n <= 366; n++ {
		if at := sameTime(t, n*step, zone); will(at, zone) {
			return at, true
		}
	}
	return time.Time{}, false
}

// sameTime is when clocks in a zone show the time of day of t, some days
// later or earlier. A time that they skip there is as long after the gap as it
// would have been after its beginning, and of one that they show twice it is
// the second: nothing gets early by it (rules T5, T6).
func sameTime(t time.Time, days int, zone *time.Location) time.Time {
	l := t.In(zone)
	wall := time.Date(l.Year(), l.Month(), l.Day()+days, l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
	if at := wallTimes(wall, zone); len(at) > 0 {
		return at[len(at)-1]
	}
	_, before := wall.Add(-26 * time.Hour).In(zone).Zone()
	return wall.Add(-time.Duration(before) * time.Second)
}

// ZoneOf is the location of a zone name as records keep it: UTC for an empty
// one, and for one that this machine does not know.
func ZoneOf(name string) *time.Location {
	if loc, err := ParseZone(name); err == nil {
		return loc
	}
	return time.UTC
}

// check refuses days that a policy cannot go by, with the configuration key
// that is wrong.
func (d Days) check() (key, why string) {
	for i, h := range d.Holidays {
		switch _, err := ParseHoliday(string(h)); {
		case err != nil:
			return "holidays", err.Error()
		case slices.Contains(d.Holidays[:i], h):
			return "holidays", fmt.Sprintf("%s stands there twice", h)
		}
	}
	for i, w := range d.Publish {
		switch {
		case w < time.Sunday || w > time.Saturday:
			return "publish", fmt.Sprintf("%d is not a day of the week", int(w))
		case slices.Contains(d.Publish[:i], w):
			return "publish", fmt.Sprintf("%s stands there twice", w)
		}
	}
	if !slices.ContainsFunc(aLeapYear(), func(t time.Time) bool { return !d.everyYear(t) }) {
		return "holidays", "every day of the year is a holiday"
	}
	return "", ""
}

func (d Days) everyYear(t time.Time) bool {
	return slices.Contains(d.Holidays, Holiday(t.Format("01-02")))
}

func aLeapYear() []time.Time {
	days := make([]time.Time, 366)
	for i := range days {
		days[i] = time.Date(2000, 1, 1+i, 0, 0, 0, 0, time.UTC)
	}
	return days
}

package main

import (
	"slices"
	"strconv"

	"parley/config"
	"parley/mailflow/cvd"
)

// days reads the holidays and publish days of a policy over those that it has.
func (r *reader) days(key func(string) []string, d cvd.Days, c config.Policy) cvd.Days {
	element := func(k string, i int) []string { return append(key(k), strconv.Itoa(i)) }
	if r.c.Has(key("holidays")...) {
		d.Holidays = nil
		for i, v := range c.Holidays {
			h, err := cvd.ParseHoliday(v)
			switch {
			case err != nil:
				r.fail(element("holidays", i), "is wrong: %v", err)
			case slices.Contains(d.Holidays, h):
				r.fail(element("holidays", i), "names %s twice", h)
			}
			d.Holidays = append(d.Holidays, h)
		}
	}
	if !r.c.Has(key("publish")...) {
		return d
	}
	if d.Publish = nil; len(c.Publish) == 0 {
		r.fail(key("publish"), "is empty: name at least one day of the week")
	}
	for i, v := range c.Publish {
		w, err := cvd.ParseWeekday(v)
		switch {
		case err != nil:
			r.fail(element("publish", i), "is wrong: %v", err)
		case slices.Contains(d.Publish, w):
			r.fail(element("publish", i), "names %s twice", v)
		}
		d.Publish = append(d.Publish, w)
	}
	return d
}

// cautionWhole warns of what a policy says about stages and cannot keep.
func (r *reader) cautionWhole(p cvd.Policy) {
	for i, s := range p.Stages {
		key := func(k string) []string { return []string{"policy", p.Name, "stage", strconv.Itoa(i), k} }
		switch {
		case s.Stage != cvd.Public && s.At == cvd.When{FromEnd: true}:
			r.warn(key("at"), "is end for %s: it never goes, since the embargo has ended then", s.Stage)
		case p.Lead > 0 && s.At.FromEnd && s.At.Offset > p.Lead:
			r.warn(key("at"), "is %s, and lead lets nothing go before end-%s", s.At, cvd.FormatDuration(p.Lead))
		}
	}
}

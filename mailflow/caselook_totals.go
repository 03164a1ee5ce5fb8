package mailflow

import (
	"fmt"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
)

// totals tell of all vendors together.
func (l caseLook) totals() []string {
	if len(l.vendors) == 0 {
		return nil
	}
	out := []string{"TOLD  " + l.told()}
	if s := l.answers(); s != "" {
		out = append(out, "ANSWERS  "+s)
	}
	if s := l.waves(); s != "" {
		out = append(out, "WAVES  "+s)
	}
	for _, i := range l.intros {
		out = append(out, "TALKS  "+i)
	}
	if len(l.frozen) > 0 && l.Closed.IsZero() {
		out = append(out, "FREEZES  the end falls into that of "+strings.Join(l.frozen, ", "))
	}
	return out
}

// told counts whom each stage reached.
func (l caseLook) told() string {
	var parts []string
	for _, r := range l.Policy.Stages {
		n := 0
		for _, p := range l.vendors {
			if have, ok := p.stage(r.Stage); ok && have.State == cvd.Sent && !cameBack(have) {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", r.Stage, n))
		}
	}
	of := "nothing yet to any of " + count(len(l.vendors), "vendor")
	if len(parts) > 0 {
		of = strings.Join(parts, ", ") + " of " + count(len(l.vendors), "vendor")
	}
	return of
}

// answers counts what vendors said.
func (l caseLook) answers() string {
	var words []string
	n := map[string]int{}
	add := func(word string, is bool) {
		if !is {
			return
		}
		if n[word] == 0 {
			words = append(words, word)
		}
		n[word]++
	}
	for _, p := range l.vendors {
		add("accepted", p.Accepted() > 0)
	}
	for _, p := range l.vendors {
		add("declined", p.Declined != nil)
		add("silent", l.silent(p) >= silence)
		add(p.Status().Word, p.Status().Word != "")
	}
	var parts []string
	for _, w := range words {
		parts = append(parts, fmt.Sprintf("%d %s", n[w], w))
	}
	return strings.Join(parts, ", ")
}

// waves tell how many vendors each has, and how many users those say to have.
func (l caseLook) waves() string {
	type sum struct {
		vendors, unknown int
		users            float64
	}
	sums := map[int]*sum{}
	var order []int
	for _, p := range l.vendors {
		s := sums[p.Wave]
		if s == nil {
			s = &sum{}
			sums[p.Wave], order = s, append(order, p.Wave)
		}
		s.vendors++
		if f, err := cvd.ParseFootprint(p.Footprint); err == nil && !f.Share {
			s.users += f.N
		} else {
			s.unknown++
		}
	}
	var parts []string
	for _, w := range order {
		s := sums[w]
		part := fmt.Sprintf("wave %d: %s", w, count(s.vendors, "vendor"))
		if s.users > 0 {
			part += ", footprint " + shortNumber(s.users)
			if s.unknown > 0 {
				part += fmt.Sprintf(" and %d not known", s.unknown)
			}
		}
		parts = append(parts, part)
	}
	if len(order) < 2 && !strings.Contains(parts[0], "footprint") {
		return ""
	}
	return strings.Join(parts, "; ")
}

// shortNumber writes a number of users as people do: "41.2M".
func shortNumber(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.size {
			return strconv.FormatFloat(float64(int64(n/unit.size*10+0.5))/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

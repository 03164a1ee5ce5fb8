package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is something that happened in a case, in words that name nobody.
type Event struct {
	At    time.Time
	What  string // of one, "vendor was told: scope"
	Many  string // of several on one day, "vendors were told: scope"; empty where a number says nothing
	Named string // who agreed to be named, or empty
}

// Timeline is the course of a case as plain text of 72 columns, one line for what
// happened alike on one day (UTC). It tells days, kinds and numbers.
func Timeline(events []Event) string {
	type kind struct{ day, what, many, named string }
	counts := map[kind]int{}
	var order []kind
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(x, y Event) int {
		return cmp.Or(x.At.UTC().Truncate(24*time.Hour).Compare(y.At.UTC().Truncate(24*time.Hour)), x.At.Compare(y.At))
	})
	for _, e := range sorted {
		k := kind{e.At.UTC().Format(time.DateOnly), line(e.What), line(e.Many), line(e.Named)}
		if k.what == "" {
			continue
		}
		if counts[k] == 0 {
			order = append(order, k)
		}
		counts[k]++
	}
	var b strings.Builder
	for _, k := range order {
		what := k.what
		switch n := counts[k]; {
		case k.named != "":
			what = k.named + ": " + what
		case k.many != "" && n > 1:
			what = fmt.Sprintf("%d %s", n, k.many)
		case k.many != "":
			what = "1 " + what
		}
		b.WriteString(wrap(k.day+"  ", strings.Repeat(" ", len(k.day)+2), what))
	}
	return b.String()
}

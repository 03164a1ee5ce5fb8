package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// countRows counts how often each row of the gate stops something, until it is put
// back. Nothing else may run meanwhile, since the gate is everybody's.
func countRows() (tally func() string, putBack func()) {
	whole, counts := gate, make([]atomic.Int64, len(gate))
	gate = slices.Clone(whole)
	for i, row := range whole {
		gate[i].stop = func(q *Question) *Answer {
			a := row.stop(q)
			if a != nil {
				counts[i].Add(1)
			}
			return a
		}
	}
	tally = func() string {
		var some, none []string
		for i, row := range whole {
			if n := counts[i].Load(); n > 0 {
				some = append(some, fmt.Sprintf("%7d: %s", n, row.must))
			} else {
				none = append(none, row.must)
			}
		}
		return strings.Join(some, "\n") + "\n   none: " + strings.Join(none, "; ")
	}
	return tally, func() { gate = whole }
}

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
		var out []string
		for i, row := range whole {
			out = append(out, fmt.Sprintf("%7d %s", counts[i].Load(), row.must))
		}
		return strings.Join(out, "\n")
	}
	return tally, func() { gate = whole }
}

package cvd

import (
	"cmp"
	"slices"
	"strings"
)

// Reach is how much of what a flaw affects the vendors of a case cover.
type Reach struct {
	Rows  []Reached     // in the order in which they are told: by wave, the broadest first
	Apart []Participant // whose footprint is not known, or cannot be added to the others'
	Whole float64       // of the known footprints; 100 where those are shares
	Share bool          // they are in percent
}

// Reached is one vendor with all that came before it.
type Reached struct {
	Participant
	N   float64 // its footprint
	Sum float64 // with those above it
}

// ReachOf adds the footprints of vendors up. Numbers and shares in percent
// cannot be added: where there are numbers, shares stand apart.
func ReachOf(vendors []Participant) Reach {
	var r Reach
	known := map[PartyID]Footprint{}
	numbers := false
	for _, p := range vendors {
		if f, err := ParseFootprint(p.Footprint); err == nil {
			known[p.Party], numbers = f, numbers || !f.Share
		}
	}
	r.Share = len(known) > 0 && !numbers
	for _, p := range vendors {
		f, ok := known[p.Party]
		if !ok || f.Share != r.Share {
			r.Apart = append(r.Apart, p)
			continue
		}
		r.Rows, r.Whole = append(r.Rows, Reached{Participant: p, N: f.N}), r.Whole+f.N
	}
	slices.SortStableFunc(r.Rows, func(a, b Reached) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(b.N, a.N), strings.Compare(string(a.Party), string(b.Party)))
	})
	sum := 0.0
	for i := range r.Rows {
		sum += r.Rows[i].N
		r.Rows[i].Sum = sum
	}
	if r.Share {
		r.Whole = 100
	}
	return r
}

// Percent is how much of the whole a footprint is; 0 where there is none.
func (r Reach) Percent(n float64) float64 {
	if r.Whole == 0 {
		return 0
	}
	return 100 * n / r.Whole
}

// Of is how much of the whole those vendors have for whom it holds.
func (r Reach) Of(holds func(Participant) bool) float64 {
	sum := 0.0
	for _, row := range r.Rows {
		if holds(row.Participant) {
			sum += row.N
		}
	}
	return r.Percent(sum)
}

// Waves proposes waves from first on: the broadest vendors until they have the
// first of these percents, those after them until the next, and so on; the
// last wave has the rest. Whoever was told something keeps its wave, and so
// does whose wave is before first, and whose footprint is not known; all but
// the last count.
func (r Reach) Waves(first int, percents []float64) map[PartyID]int {
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b Reached) int { return cmp.Compare(b.N, a.N) })
	sum := 0.0
	fixed := func(p Participant) bool { return p.Reached != "" || p.Wave < first }
	for _, row := range rows {
		if fixed(row.Participant) {
			sum += row.N
		}
	}
	out := map[PartyID]int{}
	for _, row := range rows {
		if fixed(row.Participant) {
			continue
		}
		wave := first
		for _, p := range percents {
			if r.Percent(sum) >= p {
				wave++
			}
		}
		out[row.Party], sum = wave, sum+row.N
	}
	return out
}

package mailflow

import "slices"

// run is what two texts share: the characters [from, to) of the one.
type run struct{ from, to int }

// grams are those of least characters that begin in some places of a text, equal
// ones under one number: what stands in it a thousand times is looked for once,
// and the text is hashed once for all others that it is compared with.
type grams struct {
	hash   hasher
	least  int
	at     []int32          // of each place of the text the number of its gram, from 1; 0 for none
	number map[uint64]int32 // by hash
}

// gramsIn numbers the grams that stand wholly in one of these parts of a text.
func (h hasher) gramsIn(text []rune, parts []run, least int) *grams {
	g := &grams{hash: h, least: least, at: make([]int32, len(text)), number: map[uint64]int32{}}
	for _, p := range joined(starts(parts, least)) {
		h.grams(text[p.from:p.to-1+least], least, func(i int, hash uint64) {
			n := g.number[hash]
			if n == 0 {
				n = int32(len(g.number) + 1)
				g.number[hash] = n
			}
			g.at[p.from+i] = n
		})
	}
	return g
}

// runsOf finds the runs that stand in other, of the parts of the text or of those
// parts of them.
func (g *grams) runsOf(parts []run, other []rune) []run {
	if len(g.number) == 0 || len(parts) == 0 {
		return nil
	}
	has := make([]bool, len(g.number)+1)
	g.hash.grams(other, g.least, func(_ int, hash uint64) { has[g.number[hash]] = true })
	has[0] = false
	var out []run
	for _, p := range joined(starts(parts, g.least)) {
		for i := p.from; i < p.to; i++ {
			switch {
			case !has[g.at[i]]:
			case len(out) > 0 && out[len(out)-1].to == i-1+g.least:
				out[len(out)-1].to = i + g.least
			default:
				out = append(out, run{i, i + g.least})
			}
		}
	}
	return out
}

// starts are the places at which a gram of least characters may begin that stands
// in a part.
func starts(parts []run, least int) []run {
	var out []run
	for _, p := range parts {
		if p.to-p.from >= least {
			out = append(out, run{p.from, p.to - least + 1})
		}
	}
	return out
}

// joined puts runs in order, those that overlap or touch as one.
func joined(runs []run) []run {
	if !slices.IsSortedFunc(runs, byStart) {
		runs = slices.Clone(runs)
		slices.SortFunc(runs, byStart)
	}
	var out []run
	for _, r := range runs {
		if last := len(out) - 1; last >= 0 && r.from <= out[last].to {
			out[last].to = max(out[last].to, r.to)
			continue
		}
		out = append(out, r)
	}
	return out
}

func byStart(a, b run) int { return a.from - b.from }

// around are the parts of a text of so many characters in which a run of least
// characters may stand that holds one of the grams at these places. Whatever is
// as long as runeRun holds one of those that chosen gives.
func around(characters int, places []int, least int) []run {
	var out []run
	for _, at := range places {
		p := run{max(at+gram-least, 0), min(at+least, characters)}
		if last := len(out) - 1; last >= 0 && p.from <= out[last].to-least+1 {
			out[last].to = p.to // no start lies between them
			continue
		}
		out = append(out, p)
	}
	return out
}

// runsAround finds the runs of at least least characters that text shares with
// other and that hold one of the grams at these places of text, which are in
// order.
func (h hasher) runsAround(text []rune, places []int, other []rune, least int) []run {
	parts := around(len(text), places, least)
	return h.gramsIn(text, parts, least).runsOf(parts, other)
}

// runsWithin finds the runs of at least least characters that a part of text
// shares with other.
func (h hasher) runsWithin(text []rune, part run, other []rune, least int) []run {
	return h.gramsIn(text, []run{part}, least).runsOf([]run{part}, other)
}

// merged are parts in which the same grams stand as in these, each of them once.
func merged(parts []run, least int) []run {
	out := joined(starts(parts, least))
	for i := range out {
		out[i].to += least - 1
	}
	return out
}

// mark marks the characters of runs, which are in order, that stand together in
// one of the parts, at least so many.
func mark(cover []bool, parts, runs []run, least int) {
	for _, p := range parts {
		first, _ := slices.BinarySearchFunc(runs, p.from, func(r run, from int) int { return r.to - from })
		for _, r := range runs[first:] {
			if r.from >= p.to {
				break
			}
			from, to := max(r.from, p.from), min(r.to, p.to)
			for i := from; to-from >= least && i < to; i++ {
				cover[i] = true
			}
		}
	}
}

// without takes from a run what others cover, and gives what is left of at
// least least characters.
func (r run) without(cover []bool, least int) []run {
	var out []run
	from := r.from
	for i := r.from; i <= r.to; i++ {
		if i < r.to && !cover[i] {
			continue
		}
		if i-from >= least {
			out = append(out, run{from, i})
		}
		from = i + 1
	}
	return out
}

// inOrder sorts places, each once.
func inOrder(places []int) []int {
	slices.Sort(places)
	return slices.Compact(places)
}

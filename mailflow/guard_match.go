package mailflow

import "slices"

// run is what two texts share: the characters [from, to) of the one.
type run struct{ from, to int }

// runsAround finds the runs of at least least characters that text shares with
// other and that hold one of the grams at these places of text. Whatever is as
// long as runeRun holds one of those that chosen gives.
func (h hasher) runsAround(text []rune, places []int, other []rune, least int) []run {
	wanted := map[uint64][]int{}
	end := -1 // of the starts that are wanted already
	for _, at := range places {
		from := max(at+gram-least, 0, end+1)
		if last := min(at, len(text)-least); from <= last {
			h.grams(text[from:last+least], least, func(i int, hash uint64) {
				wanted[hash] = append(wanted[hash], from+i)
			})
			end = last
		}
	}
	return h.runsOf(text, wanted, other, least)
}

// runsWithin finds the runs of at least least characters that a part of text
// shares with other.
func (h hasher) runsWithin(text []rune, part run, other []rune, least int) []run {
	wanted := map[uint64][]int{}
	h.grams(text[part.from:part.to], least, func(i int, hash uint64) {
		wanted[hash] = append(wanted[hash], part.from+i)
	})
	return h.runsOf(text, wanted, other, least)
}

// runsOf joins the grams of text that stand in other to runs.
func (h hasher) runsOf(text []rune, wanted map[uint64][]int, other []rune, least int) []run {
	if len(wanted) == 0 {
		return nil
	}
	found := make([]bool, len(text)) // grams of least characters that begin here
	h.grams(other, least, func(_ int, hash uint64) {
		if places := wanted[hash]; places != nil {
			for _, at := range places {
				found[at] = true
			}
			delete(wanted, hash)
		}
	})
	var out []run
	for i, is := range found {
		switch {
		case !is:
		case len(out) > 0 && i > 0 && found[i-1]:
			out[len(out)-1].to = i + least
		default:
			out = append(out, run{i, i + least})
		}
	}
	return out
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

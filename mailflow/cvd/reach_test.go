package cvd

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func vendorsWith(list string) []Participant {
	var out []Participant
	for _, word := range strings.Fields(list) { // name:wave:footprint
		f := strings.Split(word, ":")
		p := vendor(PartyID(f[0]))
		_, _ = fmt.Sscan(f[1], &p.Wave)
		p.Footprint = f[2]
		out = append(out, p)
	}
	return out
}

func TestReach(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, vendors, rows, apart string }{
		{"by wave, the broadest first", "small:1:10M big:1:60M late:2:30M", "big 60, small 70, late 100", ""},
		{"numbers of all kinds", "a:1:1.5k b:1:500 c:2:2,000", "a 38, b 50, c 100", ""},
		{"who has none stands apart", "a:1:4M b:1: c:2:lots", "a 100", "b c"},
		{"shares are of all there is", "a:1:40% b:1:12%", "a 40, b 52", ""},
		{"shares beside numbers", "a:1:40M b:1:12%", "a 100", "b"},
		{"nothing is known", "a:1: b:1:", "", "a b"},
		{"nothing at all", "a:1:0", "a 0", ""},
	} {
		r := ReachOf(vendorsWith(row.vendors))
		var rows, apart []string
		for _, x := range r.Rows {
			rows = append(rows, fmt.Sprintf("%s %.0f", x.Party, r.Percent(x.Sum)))
		}
		for _, p := range r.Apart {
			apart = append(apart, string(p.Party))
		}
		if got := strings.Join(rows, ", "); got != row.rows || strings.Join(apart, " ") != row.apart {
			t.Errorf("%s: %q, apart %q", row.name, got, apart)
		}
	}
	told := vendorsWith("a:1:75 b:1:25")
	told[0].Reached = Scope
	if got := ReachOf(told).Of(func(p Participant) bool { return p.Reached != "" }); got != 75 {
		t.Errorf("told %.0f %%", got)
	}
}

func TestReachWaves(t *testing.T) {
	t.Parallel()
	list := "a:1:50M b:1:30M c:1:12M d:1:5M e:1:3M f:1:"
	for _, row := range []struct {
		first    int
		percents []float64
		told     string
		want     map[PartyID]int
	}{
		{1, []float64{80, 95}, "", map[PartyID]int{"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}},
		{2, []float64{80}, "", map[PartyID]int{}}, // all are upstream
		{1, []float64{40}, "", map[PartyID]int{"a": 1, "b": 2, "c": 2, "d": 2, "e": 2}},
		{1, []float64{40, 80}, "a", map[PartyID]int{"b": 2, "c": 3, "d": 3, "e": 3}}, // who was told counts, and keeps its wave
	} {
		ps := vendorsWith(list)
		for i := range ps {
			if string(ps[i].Party) == row.told {
				ps[i].Reached = HeadsUp
			}
		}
		if got := ReachOf(ps).Waves(row.first, row.percents); !maps.Equal(got, row.want) {
			t.Errorf("%v from %d: %v, want %v", row.percents, row.first, got, row.want)
		}
	}
}

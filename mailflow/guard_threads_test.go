package mailflow

import (
	"math"
	"slices"
	"testing"

	"parley/mailflow/cvd"
)

// Threads list what was put into them, in order and once: with finders in reports
// of any number, which stand together, and with parties and finders in cases.
func TestThreads_ListEachInOrder(t *testing.T) {
	t.Parallel()
	put := map[threadOf][]uint32{
		{reportCase(1), cvd.Finder}:                  {7, 3, 7, math.MaxUint32},
		{reportCase(2), cvd.Finder}:                  {4, 4},
		{reportCase(10), cvd.Finder}:                 {5},
		{reportCase(math.MaxUint32), cvd.Finder}:     {9, 8},
		{reportCase(math.MaxUint32 + 2), cvd.Finder}: {11},
		{reportCase(2), "acme"}:                      {12},
		{"PAR-2026-0001", cvd.Finder}:                {14, 13},
		{"PAR-2026-0001", "acme"}:                    {16, 15},
		{"PAR-2026-0002", "acme"}:                    {17},
	}
	all := newThreads()
	for range 2 {
		for thread, messages := range put {
			for _, m := range messages {
				all.add(thread, m)
			}
		}
	}
	put[threadOf{reportCase(3), cvd.Finder}] = nil
	put[threadOf{"report-01", cvd.Finder}] = nil
	put[threadOf{"PAR-2026-0002", cvd.Finder}] = nil
	for thread, want := range put {
		want = slices.Compact(slices.Sorted(slices.Values(want)))
		if got := all.of(thread); !slices.Equal(got, want) {
			t.Errorf("%v lists %v, not %v", thread, got, want)
		}
	}
	if got := slices.Sorted(slices.Values((&Guard{threads: all}).threadsWith("acme"))); !slices.Equal(got, []uint32{12, 15, 16, 17}) {
		t.Errorf("threads with acme list %v", got)
	}
}

package cvd

import "testing"

func TestFinderID(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]PartyID{0: "finder", 1: "finder", 2: "finder-2", 17: "finder-17"} {
		if got := FinderID(n); got != want || got.FinderNumber() != max(n, 1) {
			t.Errorf("finder %d is %q, number %d", n, got, got.FinderNumber())
		}
		if _, err := ParsePartyID(string(want)); err == nil {
			t.Errorf("a party may be called %s", want)
		}
	}
	for _, p := range []PartyID{"", "finders", "finder-", "finder-0", "finder-1", "finder-02", "finder-9999999", "finder-x", "acme", "finder2"} {
		if p.IsFinder() {
			t.Errorf("%q is finder %d", p, p.FinderNumber())
		}
	}
}

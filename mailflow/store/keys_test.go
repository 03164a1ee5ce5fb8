package store

import (
	"fmt"
	"testing"
)

// A set of keys stays as it is, whatever is made of it: at the end of a page and within one, where a key is destroyed, and
// where a set that readers may have is given up and the next one has other scopes in its place.
func TestH3_SetsOfKeysStay(t *testing.T) {
	t.Parallel()
	for _, have := range []int{1, pageKeys - 2, pageKeys - 1, pageKeys, 3*pageKeys - 1} {
		t.Run(fmt.Sprint(have), func(t *testing.T) {
			t.Parallel()
			before := keysOfScopes(t, have)
			failed, err := before.with("failed")
			must(t, err)
			lost := before.without(before.byName("par-0"))
			next, err := before.alone().with("next")
			must(t, err)
			for _, c := range []struct {
				what       string
				set        *keySet
				has, lacks []Scope
			}{
				{"before", before, []Scope{"par-0"}, []Scope{"failed", "next"}},
				{"failed", failed, []Scope{"par-0", "failed"}, []Scope{"next"}},
				{"lost", lost, nil, []Scope{"par-0", "failed", "next"}},
				{"next", next, []Scope{"par-0", "next"}, []Scope{"failed"}},
			} {
				for n := 1; n < have; n++ {
					c.has = append(c.has, Scope(fmt.Sprint("par-", n)))
				}
				for _, s := range c.has {
					if k := c.set.byName(s); k == nil || k.name != s || len(c.set.allNamed(s)) != 1 {
						t.Errorf("%s: the key of %s is %v", c.what, s, k)
					}
				}
				for _, s := range c.lacks {
					if k := c.set.byName(s); k != nil {
						t.Errorf("%s: %s has the key of %s", c.what, s, k.name)
					}
				}
			}
		})
	}
}

// keysOfScopes are those of par-0 and so on.
func keysOfScopes(t *testing.T, n int) *keySet {
	t.Helper()
	ks, err := newKeySet(newKey(), newKey(), newKey())
	must(t, err)
	for i := range n {
		if len(ks.spare) < 3 {
			ks = ks.stocked()
		}
		ks, err = ks.with(Scope(fmt.Sprint("par-", i)))
		must(t, err)
	}
	return ks
}

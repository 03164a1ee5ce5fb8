package mailflow

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/mailflow/store"
)

// placed is a message of a listing that keeps each for itself.
type placed struct {
	uid   uint32
	marks store.Marks
}

// A listing is at every moment what a plain one is to which the same happened:
// messages come with gaps between their UIDs, are marked, and go.
func TestListing_IsAsAPlainOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var l listing
		var plain []placed
		next := uint32(1)
		for range 200 {
			at := chosen(r, len(plain))
			switch r.IntN(3) {
			case 0:
				for range r.IntN(20) {
					p := placed{next + uint32(r.IntN(8)/7), store.Marks(r.IntN(8) / 7)}
					l.put(p.uid, 1, p.marks)
					plain, next = append(plain, p), p.uid+1
				}
			case 1:
				set := store.Marks(r.IntN(3))
				l = l.changed(at, func(out *listing, uid uint32, _ store.Marks) { out.put(uid, 1, set) })
				for _, i := range at {
					plain[i].marks = set
				}
			case 2:
				l = l.changed(at, func(*listing, uint32, store.Marks) {})
				for _, i := range slices.Backward(at) {
					plain = slices.Delete(plain, i, i+1)
				}
			}
			sameListing(t, l, plain, next+3)
			if t.Failed() {
				t.Fatalf("of seed %d: %v", seed, l)
			}
		}
	}
}

// chosen are some of n positions in ascending order, most of them together.
func chosen(r *rand.Rand, n int) (at []int) {
	if n == 0 {
		return nil
	}
	from := r.IntN(n)
	for i := from; i < min(n, from+r.IntN(12)); i++ {
		if r.IntN(4) > 0 {
			at = append(at, i)
		}
	}
	return at
}

// sameListing compares all that can be asked, and that no two runs could be one.
func sameListing(t *testing.T, l listing, plain []placed, last uint32) {
	t.Helper()
	if l.len != len(plain) {
		t.Fatalf("%d messages are listed, not %d", l.len, len(plain))
	}
	runs := 0
	for at, p := range plain {
		if l.uid(at) != p.uid || l.marks(at) != p.marks {
			t.Errorf("at %d stands %d %x, not %v", at, l.uid(at), l.marks(at), p)
		}
		if at == 0 || plain[at-1].uid+1 != p.uid || plain[at-1].marks != p.marks {
			runs++
		}
	}
	if len(l.runs) != runs {
		t.Errorf("%d runs stand for %d", len(l.runs), runs)
	}
	for uid := range last {
		want, there := slices.BinarySearchFunc(plain, uid, func(p placed, uid uint32) int { return cmp.Compare(p.uid, uid) })
		if at, ok := l.find(uid); at != want || ok != there {
			t.Errorf("%d is found at %d %v, not at %d %v", uid, at, ok, want, there)
		}
	}
}

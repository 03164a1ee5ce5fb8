package mailflow

import (
	"crypto/rand"
	"encoding/binary"
)

// A run of quoted characters of this many or more is found (rule V6).
const runeRun = 40

// The guard remembers of a text the hashes of some of its grams: of every window
// of grams the least one. Whatever two texts share over gram+window-1 = 40
// characters holds a whole window of grams, of which both choose the same.
const (
	gram   = 20
	window = runeRun - gram + 1
)

// hasher gives each gram of a text a hash under a key of this process, which
// says nothing without it.
type hasher struct{ base, mix uint64 }

func newHasher() hasher {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hasher{binary.LittleEndian.Uint64(b[:8]) | 1, binary.LittleEndian.Uint64(b[8:]) | 1}
}

// grams calls fn with the place and the hash of every run of n characters.
func (h hasher) grams(text []rune, n int, fn func(at int, hash uint64)) {
	if len(text) < n {
		return
	}
	power, sum := uint64(1), uint64(0)
	for i := range n {
		sum = sum*h.base + uint64(text[i]) + 1
		if i > 0 {
			power *= h.base
		}
	}
	fn(0, h.stir(sum))
	for i := n; i < len(text); i++ {
		sum = (sum-(uint64(text[i-n])+1)*power)*h.base + uint64(text[i]) + 1
		fn(i-n+1, h.stir(sum))
	}
}

// stir spreads a sum over all bits.
func (h hasher) stir(x uint64) uint64 {
	x ^= x >> 31
	x *= h.mix
	x ^= x >> 29
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>32
}

// chosen calls fn with the place and the hash of the grams that stand for a
// text: the least of every window, the last one of equals.
func (h hasher) chosen(text []rune, fn func(at int, print uint32)) {
	var ring [window]uint64
	least, given := 0, -1 // where the least one of the window is, and the one given last
	h.grams(text, gram, func(at int, hash uint64) {
		gone := least <= at-window
		ring[at%window] = hash
		switch {
		case gone:
			least = at
			for i := at - 1; i > at-window; i-- {
				if ring[i%window] < ring[least%window] {
					least = i
				}
			}
		case hash <= ring[least%window]:
			least = at
		}
		if at >= window-1 && least != given {
			given = least
			fn(least, uint32(ring[least%window]>>32))
		}
	})
}

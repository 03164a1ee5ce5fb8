package store

import (
	"hash/maphash"
	"iter"
	"sync"
)

// A scopeIndex finds the numbers that a name may have had, for every keySet of a store, and so knows some that a set does not
// have, or has for another name: those made later, and those of updates that failed. Names stand only with the keys; what is
// kept here is their hash, since there is one for each report that ever came.
type scopeIndex struct {
	seed  maphash.Seed
	mu    sync.RWMutex
	slots []uint64 // hash and number, 32 bits each; 0 is free, since number 0 has no name
	used  int
}

func newScopeIndex() *scopeIndex {
	return &scopeIndex{seed: maphash.MakeSeed(), slots: make([]uint64, 64)}
}

// find gives numbers that the name may have had, in any order: also some of other names that have the same hash.
func (x *scopeIndex) find(name Scope) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		hash := x.hash(name)
		x.mu.RLock()
		defer x.mu.RUnlock()
		for i := x.home(hash); x.slots[i] != 0; i = x.after(i) {
			if at := x.slots[i]; uint32(at>>32) == hash && !yield(uint32(at)) {
				return
			}
		}
	}
}

// set remembers that the name has a number.
func (x *scopeIndex) set(name Scope, n uint32) {
	hash := x.hash(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	if 4*x.used >= 3*len(x.slots) {
		old := x.slots
		x.slots, x.used = make([]uint64, 2*len(old)), 0
		for _, at := range old {
			if at != 0 {
				x.put(at)
			}
		}
	}
	x.put(uint64(hash)<<32 | uint64(n))
}

func (x *scopeIndex) put(want uint64) {
	i := x.home(uint32(want >> 32))
	for ; x.slots[i] != 0; i = x.after(i) {
		if x.slots[i] == want {
			return
		}
	}
	x.slots[i] = want
	x.used++
}

func (x *scopeIndex) hash(name Scope) uint32 { return uint32(maphash.String(x.seed, string(name))) }

func (x *scopeIndex) home(hash uint32) int { return int(hash) & (len(x.slots) - 1) } // a power of two

func (x *scopeIndex) after(i int) int { return (i + 1) & (len(x.slots) - 1) }

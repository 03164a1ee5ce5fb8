package store

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"slices"
)

// A keySet is every key of a store at one instant, and who has it. It is never changed: a new scope makes a new set, which
// shares what is the same.
type keySet struct {
	names []byte     // keys the HMAC of Tx.Name
	tally []byte     // keys the tally
	pages []*keyPage // by number; number 0 seals what belongs to no scope
	next  uint32     // the first number that is free
	spare [][]byte   // durable keys for the numbers that come next
	index *scopeIndex
}

// A keyPage holds keys of numbers that follow one another. A key lies in one page alone, and stays where it is: to make room for
// more never copies it, so that nothing of a destroyed key is left behind where the list of them grew.
type keyPage [pageKeys]scopeKey

const pageKeys = 256

// spareKeys is how many keys are made at once. To write the key file costs several fsyncs, which most new scopes are so spared.
const spareKeys = 256

// newKeySet has keys of the store's own and none for scopes.
func newKeySet(root, names, tally []byte) (*keySet, error) {
	k, err := newScopeKey(0, "", root)
	if err != nil {
		return nil, err
	}
	ks := &keySet{names: bytes.Clone(names), tally: bytes.Clone(tally), index: newScopeIndex()}
	ks.add(k)
	return ks, nil
}

func newKey() []byte {
	k := make([]byte, keyBytes)
	_, _ = rand.Read(k) // never fails: it ends the program instead
	return k
}

func (ks *keySet) root() *scopeKey { return ks.numbered(0) }

// numbered returns nil for a scope the set does not have, and for one whose key was destroyed.
func (ks *keySet) numbered(n uint32) *scopeKey {
	if n >= ks.next {
		return nil
	}
	if k := &ks.pages[n/pageKeys][n%pageKeys]; k.there {
		return k
	}
	return nil
}

// add puts a key, or nil for one that was destroyed, under the next number. It is for who makes the set.
func (ks *keySet) add(k *scopeKey) {
	if ks.next%pageKeys == 0 {
		ks.pages = append(ks.pages, new(keyPage))
	}
	at := &ks.pages[ks.next/pageKeys][ks.next%pageKeys]
	if *at = (scopeKey{}); k != nil {
		*at = *k
	}
	ks.next++
}

// byName returns the newest key of a scope, nil for one the set does not have.
func (ks *keySet) byName(name Scope) *scopeKey {
	var newest *scopeKey
	for n := range ks.index.find(name) {
		if k := ks.numbered(n); k != nil && k.name == name && (newest == nil || newest.number < n) {
			newest = k
		}
	}
	return newest
}

// allNamed returns every key that a scope has, the oldest first: one, or where it was renewed and the older ones were not
// destroyed yet, several.
func (ks *keySet) allNamed(name Scope) []*scopeKey {
	var all []*scopeKey
	for n := range ks.index.find(name) {
		if k := ks.numbered(n); k != nil && k.name == name {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *scopeKey) int { return cmp.Compare(a.number, b.number) })
	return all
}

// stocked returns a set with spare keys. They must reach the key file before one is used.
func (ks *keySet) stocked() *keySet {
	more := *ks
	more.spare = make([][]byte, spareKeys)
	for i := range more.spare {
		more.spare[i] = newKey()
	}
	return &more
}

// with returns a set in which the scope has the next spare key. Only one goroutine at a time makes sets, each from the newest
// that was published, so that the place after its last key is free in memory that sets share.
func (ks *keySet) with(name Scope) (*keySet, error) {
	k, err := newScopeKey(ks.next, name, ks.spare[0])
	if err != nil {
		return nil, err
	}
	ks.index.set(name, k.number)
	more := *ks
	more.spare = ks.spare[1:]
	more.add(k)
	return &more, nil
}

// without returns a set that has lost a scope's key.
func (ks *keySet) without(k *scopeKey) *keySet {
	less := *ks
	less.pages = slices.Clone(ks.pages)
	page := *ks.pages[k.number/pageKeys]
	page[k.number%pageKeys] = scopeKey{}
	less.pages[k.number/pageKeys] = &page
	return &less
}

// alone returns the set with memory of its own for what comes next.
func (ks *keySet) alone() *keySet {
	same := *ks
	same.pages = slices.Clone(ks.pages)
	last := *ks.pages[len(ks.pages)-1]
	same.pages[len(ks.pages)-1] = &last
	return &same
}

// Before each key in the key file stands whether it is there.
const (
	keyDestroyed = 0
	keyThere     = 1
)

// marshal writes all keys: three of the store, then those of scopes and the spare ones by number.
func (ks *keySet) marshal() []byte {
	b := make([]byte, 0, (3+int(ks.next)+len(ks.spare))*(keyBytes+1)) // so that it does not move, and leave copies
	b = append(append(append(b, ks.root().key[:]...), ks.names...), ks.tally...)
	for n := uint32(1); n < ks.next; n++ {
		k := ks.numbered(n)
		if k == nil {
			b = append(b, keyDestroyed)
			continue
		}
		b = append(append(b, keyThere), k.key[:]...)
	}
	for _, key := range ks.spare {
		b = append(append(b, keyThere), key...)
	}
	return b
}

// parseKeys returns a set without scopes, and the key of every number above 0, nil where it was destroyed.
func parseKeys(b []byte) (ks *keySet, keys [][]byte, err error) {
	damaged := errors.New("the list of keys is damaged")
	if len(b) < 3*keyBytes {
		return nil, nil, damaged
	}
	if ks, err = newKeySet(b[:keyBytes], b[keyBytes:2*keyBytes], b[2*keyBytes:3*keyBytes]); err != nil {
		return nil, nil, err
	}
	for b = b[3*keyBytes:]; len(b) > 0; {
		switch {
		case b[0] == keyDestroyed:
			keys, b = append(keys, nil), b[1:]
		case b[0] == keyThere && len(b) > keyBytes:
			keys, b = append(keys, b[1:1+keyBytes]), b[1+keyBytes:]
		default:
			return nil, nil, damaged
		}
	}
	return ks, keys, nil
}

// open appends the plaintext of what stands at p to dst. bound is scratch space for the associated data.
func (ks *keySet) open(dst []byte, bound *[]byte, p place, sealed []byte) ([]byte, error) {
	number, ok := scopeOf(sealed)
	if !ok {
		return nil, ErrTampered
	}
	k := ks.numbered(number)
	switch {
	case number >= ks.next:
		return nil, ErrTampered
	case k == nil:
		return nil, ErrShredded
	}
	*bound = p.bind((*bound)[:0], number)
	return k.open(dst, *bound, sealed)
}

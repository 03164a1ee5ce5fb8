package mailflow

import (
	"errors"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"parley/mailflow/store"
)

const (
	// guardSlots bounds the index where nobody says otherwise, slotBytes each. Texts
	// of some 170 million characters fill it.
	guardSlots = 1 << 24
	slotBytes  = 8
	// guardCopies is how many messages are remembered for one gram. What stands
	// in more of them is a form that everybody uses.
	guardCopies = 256
	// guardText is how many characters of one message are compared with others.
	guardText = 4 << 20
)

// Guard knows which messages share text with another one, by hashes of
// grams, and in memory alone: there is no plaintext of it on disk, and it is
// made anew from the store by each process (see guard_warm.go). What it finds is
// a suspicion; the texts themselves decide (see guardMatch).
type Guard struct {
	reading sync.Mutex // held by who reads on, never within an update
	mu      sync.RWMutex
	hash    hasher
	slots   []uint64 // gram and message number, 32 bits each; 0 is free
	used    int
	limit   int    // slots, at most; 0 means guardSlots
	since   uint64 // the oldest message that is remembered, where older ones had to be forgotten
	threads threads

	// How far it is; an update reads it and waits for nobody. In this order of
	// writing, the serial vouches for the other two.
	last    atomic.Uint64 // the newest message that was looked at
	renamed atomic.Uint64 // the renaming after which threads was made
	serial  atomic.Uint64 // of the store, up to which nothing is missing
}

// What a guard's index may take, in bytes; see NewGuard.
const (
	LeastGuard = 1 << 20
	MostGuard  = 8 << 30
)

// NewGuard makes a guard whose index takes at most so many bytes, from LeastGuard to
// MostGuard, in whole powers of two; for a moment, while it forgets the older half of
// what came, twice that. Beside it stand a few bytes for each message.
func NewGuard(memory int64) *Guard {
	memory = min(max(memory, LeastGuard), MostGuard)
	return &Guard{limit: 1 << (bits.Len64(uint64(memory/slotBytes)) - 1)}
}

// guard is the index that the flows share; without one each text is compared
// with a new one.
func (b *Base) guard() *Guard {
	if b.Guard != nil {
		return b.Guard
	}
	return new(Guard)
}

func (g *Guard) begun() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.slots != nil
}

func (g *Guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.slots == nil {
		g.hash, g.slots, g.threads = newHasher(), make([]uint64, 1<<10), newThreads()
	}
}

// look remembers one message. What does not open is nobody's to quote. Reading
// it is what takes time, and holds up nobody who compares.
func (g *Guard) look(tx *store.Tx, b *Base, m store.Message, err error) error {
	if unreadableMessage(err) || m.ID > math.MaxUint32 {
		return nil
	}
	if err != nil {
		return err
	}
	astray, err := astray(tx, m)
	if err != nil {
		return err
	}
	prints, err := g.printsOf(tx, b, m)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !astray {
		g.threads.add(threadOfMessage(m), uint32(m.ID))
	}
	for _, print := range prints {
		g.put(print, uint32(m.ID))
	}
	return nil
}

// printsOf gives the grams and files under which a message is remembered; those
// of what we wrote ourselves are none.
func (g *Guard) printsOf(tx *store.Tx, b *Base, m store.Message) ([]uint32, error) {
	if m.Direction != "in" {
		return nil, nil
	}
	s, err := b.spellMessage(tx, m)
	if unreadableMessage(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []uint32
	g.hash.chosen(s.text, func(_ int, print uint32) { out = append(out, print) })
	for _, sum := range s.files {
		out = append(out, sum.print())
	}
	return out, nil
}

// unreadableMessage says that nobody can read a message any more, nor quote it:
// its case is gone, or its bytes were changed, which verify tells loudly.
func unreadableMessage(err error) bool {
	return errors.Is(err, store.ErrShredded) || errors.Is(err, store.ErrTampered) || errors.Is(err, store.ErrNotFound)
}

// put remembers that a gram stands in a message.
func (g *Guard) put(print, message uint32) {
	if 4*g.used >= 3*len(g.slots) {
		g.grow()
	}
	want := uint64(print)<<32 | uint64(message)
	copies := 0
	for i := g.home(print); ; i = (i + 1) & (len(g.slots) - 1) {
		switch at := g.slots[i]; {
		case at == 0:
			g.slots[i] = want
			g.used++
			return
		case at == want:
			return
		case uint32(at>>32) == print:
			if copies++; copies == guardCopies {
				return
			}
		}
	}
}

func (g *Guard) home(print uint32) int {
	return int(uint64(print)*0x9e3779b97f4a7c15>>32) & (len(g.slots) - 1) // a power of two
}

// grow makes room: twice the slots, or where that is too many the newer half of
// what is remembered.
func (g *Guard) grow() {
	limit := g.limit
	if limit == 0 {
		limit = guardSlots
	}
	old, size := g.slots, 2*len(g.slots)
	if size > limit {
		size, g.since = len(g.slots), g.since+(g.last.Load()-g.since)/2
	}
	g.slots, g.used = make([]uint64, size), 0
	for _, at := range old {
		if at != 0 && at&math.MaxUint32 >= g.since {
			g.put(uint32(at>>32), uint32(at))
		}
	}
}

// suspects are the messages that may hold a run of a text. What stands in it over
// and over is looked up, and listed for each message, once.
type suspects struct {
	at    []int              // the places of the grams that stand for the text, in order
	which []int              // and the number of each gram; equal ones have the same
	grams int                // how many numbers there are
	in    map[uint32][]int32 // the numbers of those that a message has, too
}

// places are those in the text of the grams that a message has, too, in order.
func (s suspects) places(message uint32) []int {
	has := make([]bool, s.grams)
	for _, n := range s.in[message] {
		has[n] = true
	}
	var out []int
	for i, at := range s.at {
		if has[s.which[i]] {
			out = append(out, at)
		}
	}
	return out
}

// sharing lists the messages that may hold a run of a text.
func (g *Guard) sharing(text []rune) suspects {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := suspects{in: map[uint32][]int32{}}
	if g.slots == nil {
		return out
	}
	number := map[uint32]int{}
	g.hash.chosen(text, func(place int, print uint32) {
		n, again := number[print]
		if !again {
			n = len(number)
			number[print] = n
			for i := g.home(print); g.slots[i] != 0; i = (i + 1) & (len(g.slots) - 1) {
				if at := g.slots[i]; uint32(at>>32) == print {
					out.in[uint32(at)] = append(out.in[uint32(at)], int32(n))
				}
			}
		}
		out.at, out.which = append(out.at, place), append(out.which, n)
	})
	out.grams = len(number)
	return out
}

package mailflow

import (
	"math"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// threads lists messages by party and case, oldest first. Of finders in their
// reports there are as many threads as reports, most with one message.
type threads struct {
	cases   map[cvd.PartyID]map[cvd.CaseID][]uint32
	reports []uint64 // the report and the message, 32 bits each, in order
}

// threadOf names a thread by the case, or pseudo case of a report, that a
// message had when it was looked at.
type threadOf struct {
	Case  cvd.CaseID
	Party cvd.PartyID
}

// deskNotes stands for the desk's own notes and material of a case.
const deskNotes cvd.PartyID = "notes"

func newThreads() threads { return threads{cases: map[cvd.PartyID]map[cvd.CaseID][]uint32{}} }

func (t *threads) add(to threadOf, message uint32) {
	if report, ok := to.report(); ok {
		t.reports = insertOnce(t.reports, report<<32|uint64(message))
		return
	}
	cases := t.cases[to.Party]
	if cases == nil {
		cases = map[cvd.CaseID][]uint32{}
		t.cases[to.Party] = cases
	}
	cases[to.Case] = insertOnce(cases[to.Case], message)
}

// insertOnce puts a number where it belongs, once. Most are the highest; higher ones
// may be of what was never committed.
func insertOnce[N uint32 | uint64](all []N, n N) []N {
	at, has := slices.BinarySearch(all, n)
	if has {
		return all
	}
	return slices.Insert(all, at, n)
}

// of lists the messages of a thread, oldest first.
func (t *threads) of(thread threadOf) []uint32 {
	report, ok := thread.report()
	if !ok {
		return slices.Clone(t.cases[thread.Party][thread.Case])
	}
	var out []uint32
	at, _ := slices.BinarySearch(t.reports, report<<32)
	for ; at < len(t.reports) && t.reports[at]>>32 == report; at++ {
		out = append(out, uint32(t.reports[at]))
	}
	return out
}

// report is that of a thread with its finder, outside of cases.
func (t threadOf) report() (uint64, bool) {
	n, ok := reportNumber(t.Case)
	return n, ok && t.Party == cvd.Finder && n <= math.MaxUint32
}

func threadOfMessage(m store.Message) threadOf {
	t := threadOf{cvd.CaseID(m.Case), cvd.PartyID(m.Party)}
	switch {
	case m.Report != 0:
		t.Case, t.Party = reportCase(m.Report), cvd.Finder
	case m.Direction == "system" && m.Kind == "note":
		t.Party = deskNotes
	}
	return t
}

// thread lists the messages of a thread, oldest first.
func (g *Guard) thread(t threadOf) []uint32 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.threads.of(t)
}

// threadsWith lists the messages of all threads with a party, a finder's outside of
// cases excepted: each is another person.
func (g *Guard) threadsWith(party cvd.PartyID) []uint32 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var out []uint32
	for _, t := range g.threads.cases[party] {
		out = append(out, t...)
	}
	return out
}

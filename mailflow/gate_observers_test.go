package mailflow

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"parley/mailflow/cvd"
)

// historyObserver watches some of the cases, and gets counts until the end.
const historyObserver = "norcert"

// historyParties are all who get mail in a history.
var historyParties = append([]string{historyObserver}, historyVendors...)

// heardOfObservers is what an invitation of an observer means; nothing else is
// meant by one.
func (o *oracle) heardOfObservers(c *caseKnown, line string) bool {
	if line != "invite "+historyObserver+" role observer" {
		return false
	}
	s := newSeat(o.now())
	if old := c.seats[historyObserver]; old != nil {
		*s = *old
		s.gone, s.joined = false, o.now()
	}
	s.observes, s.wave = true, 1
	s.countsOwed++
	c.seats[historyObserver] = s
	o.acts(c, historyObserver)
	return true
}

// countsSeen are the numbers that an observer may learn.
type countsSeen struct {
	vendors, told, agreed int
	know                  map[cvd.Stage]int
}

func (o *oracle) count(c *caseKnown) countsSeen {
	n := countsSeen{know: map[cvd.Stage]int{}}
	for _, s := range c.seats {
		if s.observes || s.gone || s.finderOnly {
			continue
		}
		n.vendors++
		if s.reached != "" {
			n.told++
		}
		if s.accepted > 0 {
			n.agreed++
		}
		for _, r := range o.policy(c).Stages {
			if s.reached.Rank() >= r.Stage.Rank() {
				n.know[r.Stage]++
			}
		}
	}
	return n
}

var (
	countMark = regexp.MustCompile(`vendors +(\d+), of whom (\d+) were told something`)
	agreeMark = regexp.MustCompile(`agreed +(\d+) keep`)
	knowMark  = regexp.MustCompile(`(\d+) know ([a-z-]+)`)
)

// judgeObserver says what is wrong with a mail to an observer: it gets counts, at
// the start, when the end moves and when it asks, and in the end what is public.
func (o *oracle) judgeObserver(c *caseKnown, s *seatKnown, m historyMail) string {
	switch {
	case m.level != "" || m.repeat || m.stage != "" && m.stage != cvd.Public:
		return "observed: an observer is told " + m.Subject
	case !m.counts:
		o.h.did["mail other"]++
		return ""
	}
	o.h.did["mail counts"]++
	switch {
	case c.closed:
		return "observed: the case is closed"
	case s.asked == 0 && o.now().Before(s.acted.Add(o.h.Undo)) && s.need.seq < s.acts[cvd.Public].seq:
		return "observed: early, it can be undone"
	case s.countsOwed == 0:
		return "observed: nothing moved, and it did not ask"
	}
	s.countsOwed, s.asked = s.countsOwed-1, max(0, s.asked-1)
	o.counts = append(o.counts, m)
	return ""
}

// countsFit compares what observers read with what there was before and after all
// that left at the same time.
func (o *oracle) countsFit(before map[cvd.CaseID]countsSeen) string {
	for _, m := range o.counts {
		if why := fits(readCounts(m.Text), before[m.id], o.count(o.cases[m.id])); why != "" {
			return why
		}
	}
	o.counts = nil
	return ""
}

func fits(got, before, after countsSeen) string {
	within := func(got, a, b int) bool { return min(a, b) <= got && got <= max(a, b) }
	ok := within(got.vendors, before.vendors, after.vendors) && within(got.told, before.told, after.told) && within(got.agreed, before.agreed, after.agreed)
	for _, s := range cvd.Stages() {
		if _, has := got.know[s]; has || after.know[s] > 0 {
			ok = ok && within(got.know[s], before.know[s], after.know[s])
		}
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("miscounted: %+v, want from %+v to %+v", got, before, after)
}

func readCounts(text string) countsSeen {
	n := countsSeen{vendors: -1, told: -1, agreed: -1, know: map[cvd.Stage]int{}}
	number := func(s string) int {
		i, _ := strconv.Atoi(s)
		return i
	}
	if m := countMark.FindStringSubmatch(text); m != nil {
		n.vendors, n.told = number(m[1]), number(m[2])
	}
	if m := agreeMark.FindStringSubmatch(text); m != nil {
		n.agreed = number(m[1])
	}
	for _, m := range knowMark.FindAllStringSubmatch(text, -1) {
		n.know[cvd.Stage(m[2])] = number(m[1])
	}
	return n
}

// countsNow are the numbers of every case.
func (o *oracle) countsNow() map[cvd.CaseID]countsSeen {
	out := map[cvd.CaseID]countsSeen{}
	for id, c := range o.cases {
		out[id] = o.count(c)
	}
	return out
}

func newSeat(joined time.Time) *seatKnown {
	return &seatKnown{joined: joined, delays: map[cvd.Stage]time.Time{}, annex: map[cvd.Stage]string{}, told: map[cvd.Stage]time.Time{},
		back: map[cvd.Stage]bool{}, resent: map[cvd.Stage]bool{}, twice: map[cvd.Stage]bool{},
		leaked: map[cvd.Level]bool{}, acts: map[cvd.Stage]act{}, yes: map[cvd.Stage][]yesKnown{}, review: map[cvd.Stage]bool{}}
}

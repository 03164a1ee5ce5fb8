package mailflow

import (
	"slices"
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

// The controls of what the oracle knows of introductions: one history in which two
// learn of each other, and then something of it that was otherwise.
func TestV2_IntroducedControls(t *testing.T) {
	t.Parallel()
	both := []deed{{"days", 66, 0, 0}, {"introduce", 2, 0, 2}, {"consent", 2, 0, 3}, {"consent", 2, 0, 3}, {"minutes", 3, 0, 0}}
	h, failed := live(t, t.TempDir(), 2, both)
	if failed != "" {
		t.Fatal(failed)
	}
	i := slices.IndexFunc(h.mails, func(m historyMail) bool { return m.party == "acme" && m.of == "globex" })
	j := slices.IndexFunc(h.mails, func(m historyMail) bool { return m.party == "acme" && m.stage == cvd.Scope })
	if i < 0 || j < 0 {
		t.Fatalf("nobody was introduced: %v", h.did)
	}
	holds := func(at int, more string) string {
		m := h.mails[at]
		opened := *m.Opened
		m.Opened = &opened
		m.Opened.Text += more
		return m.find(h.foreign(m))
	}
	for name, found := range map[string]string{
		"a third name":                  holds(i, "\nask initech\n"),
		"the product of the other":      holds(i, "\nthe "+vendorWords["globex"]+"product\n"),
		"a key of the other":            holds(i, "\n"+h.holder("globex", goodKey).Fingerprint()+"\n"),
		"the other's thread":            holds(i, "\n"+h.tokens["globex in "+string(h.ids[0])]+"\n"),
		"the other's name, not in that": holds(j, "\nask globex\n"),
	} {
		if found == "" {
			t.Errorf("nobody saw %s", name)
		}
	}
	if found := holds(i, "\nglobex, psirt@globex.example\n"); found != "" {
		t.Errorf("an introduction may not hold %q", found)
	}

	m, c := h.mails[i], h.o.cases[h.ids[0]]
	for name, change := range map[string]func(p *pairKnown, s *seatKnown){
		"both agreed":                     func(*pairKnown, *seatKnown) {},
		"not both agreed":                 func(p *pairKnown, _ *seatKnown) { p.yes["globex"] = false },
		"nobody introduces them":          func(p *pairKnown, _ *seatKnown) { p.ended = true },
		"twice":                           func(p *pairKnown, _ *seatKnown) { p.told["acme"] = true },
		"the other is held, or was":       func(_ *pairKnown, s *seatKnown) { s.held = true },
		"early, it can be undone":         func(p *pairKnown, _ *seatKnown) { p.act = act{1 << 30, h.clock.Now()} },
		"the other has no key, and would": func(*pairKnown, *seatKnown) { h.o.keys["globex"] = nil },
	} {
		p := &pairKnown{of: [2]string{"acme", "globex"}, yes: map[string]bool{"acme": true, "globex": true}, asked: map[string]int{}, told: map[string]bool{}}
		was, other, keys := *c.seats["globex"], c.seats["globex"], h.o.keys["globex"]
		c.pairs = []*pairKnown{p}
		change(p, other)
		why := h.o.judgePair(c, c.seats["acme"], m)
		if strings.Contains(why, name) != (name != "both agreed") || name == "both agreed" && why != "" {
			t.Errorf("%s: the oracle says %q", name, why)
		}
		*other, h.o.keys["globex"] = was, keys
	}
	c.pairs = []*pairKnown{{of: [2]string{"acme", "globex"}, yes: map[string]bool{}, asked: map[string]int{}, told: map[string]bool{"acme": true}}}
	if c.pairsLost() == "" {
		t.Error("nobody saw that one is known to somebody whom it does not know")
	}
}

// The controls of what it knows of observers.
func TestV2_ObserverControls(t *testing.T) {
	t.Parallel()
	h, failed := live(t, t.TempDir(), 2, []deed{{"observer", 0, 0, 0}, {"minutes", 3, 0, 0}, {"state", 0, 0, 0}, {"days", 60, 0, 0}, {"state", 2, 0, 1}})
	if failed != "" {
		t.Fatal(failed)
	}
	i := slices.IndexFunc(h.mails, func(m historyMail) bool { return m.counts })
	if i < 0 || h.did["mail counts"] < 3 {
		t.Fatalf("an observer got %d mails with counts", h.did["mail counts"])
	}
	m, c := h.mails[i], h.o.cases[h.mails[i].id]
	now := h.o.countsNow()
	got := readCounts(m.Text)
	for name, change := range map[string]func(n *countsSeen){
		"vendors": func(n *countsSeen) { n.vendors++ }, "told": func(n *countsSeen) { n.told++ }, "agreed": func(n *countsSeen) { n.agreed++ },
		"who knows scope": func(n *countsSeen) { n.know[cvd.Scope]++ }, "nothing": func(*countsSeen) {},
	} {
		n := countsSeen{got.vendors, got.told, got.agreed, map[cvd.Stage]int{}}
		for s, k := range got.know {
			n.know[s] = k
		}
		change(&n)
		if why := fits(got, n, n); (why == "") != (name == "nothing") {
			t.Errorf("another number of %s: %q", name, why)
		}
	}
	if now[m.id].vendors != 2 || got.vendors != 2 {
		t.Errorf("%d vendors were counted, and %d told", now[m.id].vendors, got.vendors)
	}
	s := *c.seats[historyObserver]
	s.countsOwed, s.acted, s.acts = 1, h.clock.Now().Add(-h.Undo), map[cvd.Stage]act{}
	for name, change := range map[string]func(s *seatKnown, m *historyMail){
		"":                          func(*seatKnown, *historyMail) {},
		"an observer is told":       func(_ *seatKnown, m *historyMail) { m.stage = cvd.Scope },
		"nothing moved, and it did": func(s *seatKnown, _ *historyMail) { s.countsOwed = 0 },
		"it can be undone":          func(s *seatKnown, _ *historyMail) { s.acts[cvd.Public], s.acted = act{seq: 1 << 30}, h.clock.Now() },
	} {
		s, m := s, m
		s.acts = map[cvd.Stage]act{}
		change(&s, &m)
		if why := h.o.judgeObserver(c, &s, m); (why == "") != (name == "") || !strings.Contains(why, name) {
			t.Errorf("want %q, the oracle says %q", name, why)
		}
	}
}

package mailflow

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// pairKnown is an introduction, as the oracle knows it.
type pairKnown struct {
	of    [2]string
	yes   map[string]bool
	phone map[string]bool   // whose word the desk filed
	asked map[string]int    // under what number each was asked; 0: not yet
	told  map[string]bool   // who was told who the other is
	filed map[string]string // what waits for a second person: whose word, by the approval
	ended bool              // the desk took it back, or one of them takes no part any more
	act   act               // the last of the desk that it waits for
	need  act               // the last word of either
}

func (p *pairKnown) other(v string) string {
	if v == p.of[0] {
		return p.of[1]
	}
	return p.of[0]
}

// begun says that one of them knows the other: there is no way back from there.
func (p *pairKnown) begun() bool { return p.told[p.of[0]] || p.told[p.of[1]] }

func (p *pairKnown) agreed() bool { return p.yes[p.of[0]] && p.yes[p.of[1]] }

// openPair is one of the introductions of a case that were not taken back.
func (c *caseKnown) openPair(n int) *pairKnown {
	open := slices.DeleteFunc(slices.Clone(c.pairs), func(p *pairKnown) bool { return p.ended })
	if len(open) == 0 {
		return nil
	}
	return open[n%len(open)]
}

// between are the introductions of two that were not taken back, of one or of any
// where a name is empty.
func (c *caseKnown) between(a, b string) (out []*pairKnown) {
	for _, p := range c.pairs {
		has := func(v string) bool { return v == "" || slices.Contains(p.of[:], v) }
		if has(a) && has(b) && !p.ended {
			out = append(out, p)
		}
	}
	return out
}

// heardOfPairs is what a command of the desk means to introductions. Nothing else
// is meant by those that it is true of.
func (o *oracle) heardOfPairs(c *caseKnown, line string) bool {
	w := strings.Fields(line)
	switch {
	case w[0] == "introduce" && slices.Contains(w, "cancel"):
		for _, p := range c.between(w[1], w[2]) {
			p.ended = true
		}
	case w[0] == "introduce":
		p := &pairKnown{of: [2]string{w[1], w[2]}, yes: map[string]bool{}, phone: map[string]bool{}, asked: map[string]int{}, told: map[string]bool{}, filed: map[string]string{}}
		c.pairs = append(c.pairs, p)
		o.actOn(p)
	case w[0] == "release":
		for _, p := range c.pairs {
			o.actOn(p)
		}
		return false
	case w[0] == "withdraw":
		for _, p := range c.between(w[1], "") {
			p.ended = p.ended || !p.begun()
		}
		return false
	default:
		return false
	}
	return true
}

func (o *oracle) actOn(p *pairKnown) {
	o.seq++
	p.act = act{o.seq, o.now()}
}

// saidOfPairs takes over what counted of the word of a vendor, and nothing but
// the word that it gave.
func (o *oracle) saidOfPairs(id cvd.CaseID, v string) {
	var all []intro
	o.h.view(func(tx *store.Tx) (err error) {
		all, err = introsOf(tx, id)
		return err
	})
	for _, p := range o.cases[id].between(v, "") {
		i := slices.IndexFunc(all, func(i intro) bool {
			return i.Ended == nil && i.between(cvd.PartyID(p.of[0]), cvd.PartyID(p.of[1]))
		})
		if i < 0 || p.begun() {
			continue
		}
		yes := all[i].Sides[all[i].side(cvd.PartyID(v))].Yes != nil
		if yes && !p.yes[v] && o.said != "CONSENT" {
			o.h.t.Fatalf("consent: nobody said that %s agrees to know %s", v, p.other(v))
		}
		if yes != p.yes[v] {
			o.h.did[o.said+" counted"]++
			p.yes[v] = yes
			o.seq++
			p.need = act{o.seq, o.now()}
		}
	}
}

// recorded is what the desk filed: a word by telephone, or that it told by hand.
func (o *oracle) recorded(id cvd.CaseID, p *pairKnown, v string, told bool) {
	if !told {
		p.yes[v], p.phone[v] = true, true
		o.actOn(p)
		return
	}
	c := o.cases[id]
	if why := o.mayIntroduce(c, v, c.seats[v], p); why != "" || !o.hand[v] {
		o.h.t.Fatalf("introduced by hand: %s learns of %s: %s", v, p.other(v), why)
	}
	p.told[v] = true
}

// askedAnew: who took an address from itself is asked again what it agreed to by mail
// and that led to nothing yet, since whoever reads there may have said it. What the
// desk filed stands.
func (o *oracle) askedAnew(v string) {
	for _, c := range o.cases {
		for _, p := range c.between(v, "") {
			if p.yes[v] && !p.phone[v] && !p.begun() {
				p.yes[v], p.asked[v] = false, 0
			}
		}
	}
}

// filedSaidYes: a second person said yes to a word that was filed.
func (o *oracle) filedSaidYes(a cvd.ApprovalRequest, by string, signed bool) bool {
	c := o.cases[a.Case]
	if c == nil {
		return false
	}
	for _, p := range c.pairs {
		v, ok := p.filed[a.ID]
		if !ok {
			continue
		}
		if by == "ana" || !signed && c.policy == "strict" {
			o.h.t.Fatalf("not approved: %s said yes to a consent that ana filed, signed: %v", by, signed)
		}
		delete(p.filed, a.ID)
		o.recorded(a.Case, p, v, false)
		return true
	}
	return false
}

var (
	questionMark = regexp.MustCompile(`question (\d+) to you`)
	namedMark    = regexp.MustCompile(`(?m)^\s+name +([a-z]+)\r?\n\s+address +psirt@([a-z]+)[.]example\r?$`)
)

// readPair tells what a mail is about an introduction.
func (m *historyMail) readPair() {
	switch {
	case strings.Contains(m.Subject, "May we introduce you"):
		if n := questionMark.FindStringSubmatch(m.Text); n != nil {
			m.asks, _ = strconv.Atoi(n[1])
		}
	case strings.Contains(m.Subject, "You both agreed"):
		if n := namedMark.FindStringSubmatch(m.Text); n != nil && n[1] == n[2] {
			m.of = n[1]
		}
	}
	m.counts = strings.Contains(m.Subject, "How far it is")
}

// judgePair says what is wrong with a question or an introduction.
func (o *oracle) judgePair(c *caseKnown, s *seatKnown, m historyMail) string {
	if m.asks > 0 {
		o.h.did["mail question"]++
		return o.judgeQuestion(c, m)
	}
	o.h.did["mail introduction"]++
	pairs := c.between(m.party, m.of)
	if len(pairs) == 0 {
		return "introduced: nobody introduces them, or it was taken back"
	}
	p := pairs[len(pairs)-1]
	if why := o.mayIntroduce(c, m.party, s, p); why != "" {
		return "introduced: " + why
	}
	if o.hand[m.party] {
		return "introduced: it is told by hand"
	}
	if secretStage(s.reached) && o.keysPause(m.party) {
		return "introduced: early, the pause after a change of keys"
	}
	p.told[m.party] = true
	return ""
}

// judgeQuestion: each of two is asked once, under numbers that count its own
// questions alone.
func (o *oracle) judgeQuestion(c *caseKnown, m historyMail) string {
	before := 0
	for _, p := range c.pairs {
		if slices.Contains(p.of[:], m.party) {
			before++
		}
		if before < m.asks {
			continue
		}
		other := c.seats[p.other(m.party)]
		switch {
		case p.asked[m.party] != 0:
			return "asked: twice"
		case p.ended || other.gone || c.closed:
			return "asked: the introduction was taken back, the other withdrawn, or the case is closed"
		case o.now().Before(p.act.at.Add(o.h.Undo)):
			return "asked: early, it can be undone"
		}
		p.asked[m.party] = m.asks
		return ""
	}
	return "asked: about nothing"
}

// mayIntroduce says why somebody must not be told now who the other is: both
// have to agree, both have to be there, and both must be able to learn it. Once
// one of them knows, so may the other.
func (o *oracle) mayIntroduce(c *caseKnown, v string, s *seatKnown, p *pairKnown) string {
	other, name := c.seats[p.other(v)], p.other(v)
	switch {
	case p.told[v]:
		return "twice"
	case c.closed:
		return "the case is closed"
	case o.stopped(c, s) != "":
		return o.stopped(c, s)
	case o.now().Before(p.act.at.Add(o.h.Undo)) && p.need.seq < p.act.seq:
		return "early, it can be undone"
	case p.told[name]:
		return ""
	case !p.agreed():
		return fmt.Sprintf("not both agreed: %v", p.yes)
	case other.gone || other.held:
		return "the other is held, or was withdrawn"
	case !o.hand[name] && len(o.usable(name, o.introTrust(c, other))) == 0:
		return "the other has no key, and would stay unknown"
	}
	return ""
}

// introTrust is the trust that a key needs for a name: that of what its reader was
// told last, and never less than that of scope.
func (o *oracle) introTrust(c *caseKnown, s *seatKnown) keyring.Trust {
	stage := s.reached
	if stage.Rank() < cvd.Scope.Rank() {
		stage = cvd.Scope
	}
	rule, ok := o.policy(c).Rule(stage)
	if !ok {
		return keyring.Confirmed
	}
	return keyring.Trust(rank(rule.Trust))
}

// pairsLost says who agreed and was not introduced in the end, or was named to
// somebody whom it does not know.
func (c *caseKnown) pairsLost() string {
	for _, p := range c.pairs {
		gone := c.closed || c.seats[p.of[0]].gone || c.seats[p.of[1]].gone
		if owed := p.begun() || p.agreed() && !p.ended; owed && !gone && len(p.told) < 2 {
			return fmt.Sprintf("%s: both agreed, and only %v were told", p.of, slices.Collect(maps.Keys(p.told)))
		}
	}
	return ""
}

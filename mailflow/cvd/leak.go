package cvd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level says how much of a case is public since it leaked. The levels are
// ordered; each holds what the one before it does.
type Level string

// The levels in their order.
const (
	Rumour     Level = "rumour"  // that there is something
	DetailsOut Level = "details" // what it is
	ExploitOut Level = "exploit" // how to use it
)

// Levels lists the levels in order.
func Levels() []Level { return []Level{Rumour, DetailsOut, ExploitOut} }

// Rank is the place of the level in the order, from 1; 0 for no level.
func (l Level) Rank() int { return slices.Index(Levels(), l) + 1 }

// levelStages say for which stage each level stands: whoever is told the level
// knows what that stage tells.
var levelStages = map[Level]Stage{Rumour: HeadsUp, DetailsOut: Details, ExploitOut: Proof}

// Stage is the stage that the level stands for; its trust, approvals and TLP
// are those of the level.
func (l Level) Stage() Stage { return levelStages[l] }

// ParseLevel reads a level, or a stage as a word for one: heads-up and scope
// are a rumour, proof is an exploit.
func ParseLevel(s string) (Level, error) {
	word := strings.ToLower(strings.TrimSpace(s))
	switch Stage(word) {
	case HeadsUp, Scope:
		return Rumour, nil
	case Proof:
		return ExploitOut, nil
	}
	if l := Level(word); l.Rank() > 0 {
		return l, nil
	}
	return "", fmt.Errorf("%q is not how much leaked (rumour, details, exploit)", s)
}

// Pieces are the materials that the level is made of: for everybody, and from
// details on with the annexes of each party.
func (l Level) Pieces() []Stage {
	all := []Stage{Holding, Mitigation, Details, Proof}
	switch l {
	case Rumour:
		return all[:1]
	case DetailsOut:
		return all[:3]
	case ExploitOut:
		return all
	}
	return nil
}

// Leak is the word of a coordinator that something of a case is public.
type Leak struct {
	At     time.Time
	URL    string // where; never fetched
	Level  Level
	By     string        // the coordinator who fired the leak kit
	Within time.Duration // by when every vendor is to be handed it
}

// Leak is the last one of the case, which is the highest; the zero Leak where
// there is none. While there is one, nobody is reminded of anything.
func (c Case) Leak() Leak {
	if len(c.Leaks) == 0 {
		return Leak{}
	}
	return c.Leaks[len(c.Leaks)-1]
}

// LeakOf finds the leak of one level.
func (c Case) LeakOf(l Level) (Leak, bool) {
	i := slices.IndexFunc(c.Leaks, func(k Leak) bool { return k.Level == l })
	if i < 0 {
		return Leak{}, false
	}
	return c.Leaks[i], true
}

// LeakEnd is when the embargo ends once a leak is known: what is public needs
// none, and the rest ends soon. A rumour moves nothing; nothing ends later than
// it would have.
func (c Case) LeakEnd(l Leak) time.Time {
	end := c.Embargo().End
	soon := end
	switch l.Level {
	case DetailsOut:
		soon = l.At.Add(c.Policy.LeakEmbargo())
	case ExploitOut:
		soon = l.At.Add(l.Within)
	}
	if soon.Before(end) {
		return soon
	}
	return end
}

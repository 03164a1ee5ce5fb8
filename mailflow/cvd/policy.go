package cvd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Need is something that a participant must have done before a stage may go
// to it.
type Need string

// What a stage may need.
const (
	Acknowledged Need = "acknowledged" // answered that it got the notice
	Accepted     Need = "accepted"     // accepted the embargo
	Requested    Need = "requested"    // asked for the stage
)

// When is an instant relative to the start or the end of a case: "start+3d",
// "end-14d".
type When struct {
	FromEnd bool
	Offset  time.Duration // never negative; subtracted when FromEnd
}

// ParseWhen reads start, start+DURATION, end or end-DURATION.
func ParseWhen(s string) (When, error) {
	t := strings.ReplaceAll(s, " ", "")
	for _, base := range []struct {
		word, sign string
		fromEnd    bool
	}{{"start", "+", false}, {"end", "-", true}} {
		rest, ok := strings.CutPrefix(t, base.word)
		if !ok {
			continue
		}
		if rest == "" {
			return When{FromEnd: base.fromEnd}, nil
		}
		if rest, ok = strings.CutPrefix(rest, base.sign); !ok {
			break
		}
		d, err := ParseDuration(rest)
		if err != nil {
			return When{}, err
		}
		return When{FromEnd: base.fromEnd, Offset: d}, nil
	}
	return When{}, fmt.Errorf("%q is not an instant such as start, start+3d, end-14d or end", s)
}

// In gives the instant in a case that runs from start to end.
func (w When) In(start, end time.Time) time.Time {
	if w.FromEnd {
		return end.Add(-w.Offset)
	}
	return start.Add(w.Offset)
}

// String is the form that ParseWhen reads.
func (w When) String() string {
	base, sign := "start", "+"
	if w.FromEnd {
		base, sign = "end", "-"
	}
	if w.Offset == 0 {
		return base
	}
	return base + sign + FormatDuration(w.Offset)
}

// StageRule says when a stage falls and what it takes.
type StageRule struct {
	Stage     Stage
	At        When
	Needs     []Need
	Trust     Trust // least trust of the key that it is encrypted to
	Approvals int   // coordinators other than the author
	Signed    bool  // an approval counts only in a signed mail
	TLP       TLP
}

// Policy is the timetable of a disclosure. A case keeps its own copy.
type Policy struct {
	Name    string
	Embargo time.Duration // from start to end
	Wave    time.Duration // how long wave n+1 follows wave n
	Remind  []time.Duration
	Lead    time.Duration // the longest before the end that a party may know; 0 means Embargo
	Leak    time.Duration // after details leaked, until the rest of the embargo ends; 0 means DefaultLeak
	Stages  []StageRule

	Upstream int  // waves up to this one fix what the others ship; Lead does not hold them. 0 means none
	Days     Days // on which people work, and something may become public

	Confirmers int // coordinators who must each type the fingerprint of a key before it counts as confirmed; 0 means 1
}

// DefaultLeak is how long vendors have after details leaked, where a policy
// says nothing of it.
const DefaultLeak = Day

// LeakEmbargo is how long the rest of the embargo lasts once details leaked.
func (p Policy) LeakEmbargo() time.Duration {
	if p.Leak == 0 {
		return DefaultLeak
	}
	return p.Leak
}

// FirstEnd is when an embargo ends that a case starts with: after the policy's
// time, at the same wall time of the next publish day. One of less than a week
// ends as it says, since it has no days to choose from. It is not ok where a
// year has no publish day.
func (p Policy) FirstEnd(start time.Time, zone *time.Location) (end time.Time, ok bool) {
	end = start.Add(p.Embargo)
	if !p.ChoosesDays() {
		return end, true
	}
	return p.Days.PublishDay(end, zone)
}

// ChoosesDays says whether an end has to be a publish day.
func (p Policy) ChoosesDays() bool { return p.Embargo >= Week }

// MaxConfirmers is the most that a policy may ask for.
const MaxConfirmers = 3

// KeyConfirmers is how many coordinators must each confirm a key.
func (p Policy) KeyConfirmers() int { return max(p.Confirmers, 1) }

// Rule finds the rule of a stage.
func (p Policy) Rule(s Stage) (StageRule, bool) {
	i := slices.IndexFunc(p.Stages, func(r StageRule) bool { return r.Stage == s })
	if i < 0 {
		return StageRule{}, false
	}
	return p.Stages[i], true
}

// OnRequest says whether a stage goes to nobody who did not ask for it.
func (p Policy) OnRequest(s Stage) bool {
	rule, ok := p.Rule(s)
	return ok && slices.Contains(rule.Needs, Requested)
}

// Number is the place of a stage among the policy's, from 1, and how many
// there are: the "2/6" of a Subject.
func (p Policy) Number(s Stage) (n, of int) {
	return slices.IndexFunc(p.Stages, func(r StageRule) bool { return r.Stage == s }) + 1, len(p.Stages)
}

// PolicyError says which key of a policy is impossible, and why.
type PolicyError struct {
	Stage int    // index of the stage, -1 for the policy itself
	Key   string // the configuration key, "at"
	Why   string
}

func (e *PolicyError) Error() string {
	if e.Stage < 0 {
		return e.Why
	}
	return fmt.Sprintf("stage %d: %s", e.Stage+1, e.Why)
}

// Validate refuses a policy that cannot be carried out: no stage, a stage
// twice or out of order, instants that run backwards, a stage outside the
// embargo.
func (p Policy) Validate() error {
	whole := func(key, why string, a ...any) error { return &PolicyError{-1, key, fmt.Sprintf(why, a...)} }
	if p.Embargo <= 0 {
		return whole("embargo", "the embargo must be longer than nothing")
	}
	if len(p.Stages) == 0 {
		return whole("stage", "a policy needs at least one stage")
	}
	if p.Confirmers < 0 || p.Confirmers > MaxConfirmers {
		return whole("confirmers", "%d people cannot be asked to confirm each key; at most %d can", p.Confirmers, MaxConfirmers)
	}
	if p.Leak < 0 || p.Leak > p.Embargo {
		return whole("leak", "leak %s is longer than the embargo of %s", FormatDuration(p.Leak), FormatDuration(p.Embargo))
	}
	if p.Lead > 0 && p.Lead > p.Embargo {
		return whole("lead", "lead %s is longer than the embargo of %s", FormatDuration(p.Lead), FormatDuration(p.Embargo))
	}
	if p.Upstream < 0 {
		return whole("upstream", "%d is not the number of a wave", p.Upstream)
	}
	if key, why := p.Days.check(); why != "" {
		return whole(key, "%s", why)
	}
	start := time.Unix(0, 0).UTC()
	end := start.Add(p.Embargo)
	last, lastRank := start, 0
	for i, r := range p.Stages {
		fail := func(key, why string, a ...any) error { return &PolicyError{i, key, fmt.Sprintf(why, a...)} }
		at := r.At.In(start, end)
		switch {
		case r.Stage.Rank() == 0:
			return fail("name", "%q is not a stage", r.Stage)
		case r.Stage.Rank() <= lastRank:
			return fail("name", "%s stands after %s; stages go from heads-up to public, each once", r.Stage, p.Stages[i-1].Stage)
		case at.Before(last):
			return fail("at", "%s at %s would go before the stage above it", r.Stage, r.At)
		case at.Before(start) || at.After(end):
			return fail("at", "%s at %s lies outside the embargo of %s", r.Stage, r.At, FormatDuration(p.Embargo))
		case r.Approvals < 0:
			return fail("approvals", "approvals cannot be negative")
		case r.Stage == HeadsUp && len(r.Needs) > 0:
			return fail("needs", "heads-up is what a vendor answers to; it cannot need an answer")
		}
		last, lastRank = at, r.Stage.Rank()
	}
	return nil
}

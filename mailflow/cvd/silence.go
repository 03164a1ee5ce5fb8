package cvd

import (
	"slices"
	"time"
)

// Late is why a participant is told later than the plan says, and what the desk
// decided about it. Who declined is late as well, and needs none.
type Late struct {
	Silent  time.Time // since when, for it did not answer; zero: not for that
	Word    LateWord  // of the desk, or empty
	Because string
	By      string
	At      time.Time // of the word
}

// LateWord is what the desk says about when a late participant is told.
type LateWord string

// Words of the desk. Without one a late participant is told at Policy.LateLead
// before the end.
const (
	LateNow   LateWord = "now"
	LateNever LateWord = "never" // until it is public
)

// IsLate says that a participant is told late: it declined, it did not answer,
// or the desk says so. Who accepts is back in the plan.
func (p Participant) IsLate() bool { return p.Declined != nil || p.Late != nil }

// word is what the desk said about a late participant, and when.
func (p Participant) word() (LateWord, time.Time) {
	if p.Late == nil {
		return "", time.Time{}
	}
	return p.Late.Word, p.Late.At
}

// now says that the desk has a late participant told now.
func (p Participant) now() bool {
	word, _ := p.word()
	return word == LateNow
}

// toldLate are the stages that a late participant gets, each with two yes.
// Proof it never gets, and what is public it gets with everybody.
var toldLate = []Stage{Scope, Details, Advisory}

// ToldLate says whether a stage goes to a participant late, and from when on;
// never where it does not go to it at all. A silent one that did since what the
// stage needs gets that stage by the plan.
func (c Case) ToldLate(p Participant, s Stage) (from time.Time, late, never bool) {
	word, at := p.word()
	switch {
	case s == HeadsUp || s == Public || !p.IsLate():
		return from, false, false
	case p.Declined == nil && word == "" && c.asksMet(p, s):
		return from, false, false
	case word == LateNever || !slices.Contains(toldLate, s):
		return from, true, true
	case word == LateNow:
		return at, true, false
	}
	return c.Embargo().End.Add(-c.Policy.LateLead()), true, false
}

// asksMet says that a stage needs something of a participant, which it did.
func (c Case) asksMet(p Participant, s Stage) bool {
	rule, _ := c.Policy.Rule(s)
	for _, n := range rule.Needs {
		if !p.Meets(n, s) {
			return false
		}
	}
	return len(rule.Needs) > 0
}

const (
	lateLead  = 5 * Day
	silentFor = 7 * Day
	// leastSilent is the shortest time that anybody has for an answer.
	leastSilent = 72 * time.Hour
)

// LateLead is how long before the end a late participant is told: five days, in a
// short embargo the last third of it.
func (p Policy) LateLead() time.Duration { return min(lateLead, p.Embargo/3) }

// SilentFor is how long after a notice a participant that did not answer is
// silent: seven days, in a short embargo a third of it, never less than 72
// hours. In an embargo of less than a week nobody is silent by the clock alone,
// which is 0: there is no time to be late in.
func (p Policy) SilentFor() time.Duration {
	if p.Embargo < Week {
		return 0
	}
	return max(leastSilent, min(silentFor, p.Embargo/3))
}

// SilenceStep is what a person does about a participant that does not answer.
type SilenceStep int

// Steps, in their order.
const (
	StepSecond SilenceStep = iota + 1 // its second contact
	StepCall                          // the phone
	StepCERT                          // the CERT of its country
)

// SilenceSteps are when the steps fall due after a notice that left at an
// instant and got no answer: at SilentFor, and at 10/7 and 14/7 of it; each on
// a business day of the reader. Those that fall on the end or after it are left out.
func (p Policy) SilenceSteps(left, end time.Time, zone *time.Location) []time.Time {
	var out []time.Time
	for _, days := range []time.Duration{7, 10, 14} {
		at := p.Days.BusinessDay(left.Add((p.SilentFor() * days / 7).Truncate(time.Hour)), zone)
		if p.SilentFor() == 0 || !at.Before(end) {
			break
		}
		out = append(out, at)
	}
	return out
}

// Reminders are when a participant is reminded of a notice that left at an
// instant: at each offset of the policy, or at the same wall time of the next
// business day of the reader. There is at most one a day, and none on the end
// or after it.
func (p Policy) Reminders(left, end time.Time, zone *time.Location) []time.Time {
	var out []time.Time
	for _, after := range slices.Sorted(slices.Values(p.Remind)) {
		at := p.Days.BusinessDay(left.Add(after), zone)
		switch n := len(out); {
		case after <= 0 || !at.Before(end):
		case n > 0 && at.In(zone).Format(time.DateOnly) == out[n-1].In(zone).Format(time.DateOnly):
		default:
			out = append(out, at)
		}
	}
	return out
}

// Asks says whether the notice of a stage asks for an answer. The last two inform.
func (s Stage) Asks() bool { return s.Rank() > 0 && s.Rank() < Advisory.Rank() }

// AnsweredTo says whether a participant answered the notice of a stage that
// left at an instant. A heads-up asks whether it got it; what comes after asks
// where it stands, which an acknowledgement does not say. A letter is an answer
// to either, since a person reads it. Who declined, has fixed it, or is not affected
// is asked for nothing more.
func (p Participant) AnsweredTo(s Stage, left time.Time) bool {
	switch word := p.Status().Word; {
	case p.Declined != nil || word == "fixed" || word == "not-affected":
		return true
	case s == HeadsUp && (p.Acknowledged != nil || p.Accepted() > 0 || word != ""):
		return true
	}
	said := p.Wrote
	for _, at := range []time.Time{p.Status().At, p.accepted(), p.ready()} {
		if at.After(said) {
			said = at
		}
	}
	return said.After(left)
}

func (p Participant) ready() time.Time {
	if p.Ready == nil {
		return time.Time{}
	}
	return p.Ready.At
}

// accepted is when the participant accepted last.
func (p Participant) accepted() (at time.Time) {
	for _, a := range p.Acceptances {
		if a.At.After(at) {
			at = a.At
		}
	}
	return at
}

// Unanswered are the notices of a participant that ask for an answer and have
// none, as they left; none once it learned what is public.
func (p Participant) Unanswered(all []Notice) []Notice {
	var out []Notice
	for _, n := range all {
		asks := n.Kind == KindStage && n.State == Sent && n.Stage.Asks() && n.Bounced.IsZero()
		if asks && p.Reached != Public && !p.AnsweredTo(n.Stage, n.SentAt) {
			out = append(out, n)
		}
	}
	return out
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// The kinds of notices that a row of the gate concerns. Of a kind that nobody
// thought of it is every row that is not about particular ones.

func every(cvd.NoticeKind) bool              { return true }
func aStage(k cvd.NoticeKind) bool           { return k == cvd.KindStage }
func aReminder(k cvd.NoticeKind) bool        { return k == cvd.KindReminder }
func aLeak(k cvd.NoticeKind) bool            { return k == cvd.KindLeak }
func aStageOrReminder(k cvd.NoticeKind) bool { return aStage(k) || aReminder(k) }
func aDisclosure(k cvd.NoticeKind) bool      { return aStageOrReminder(k) || aLeak(k) }
func noLeak(k cvd.NoticeKind) bool           { return !aLeak(k) }
func aCount(k cvd.NoticeKind) bool           { return k == cvd.KindCounts }
func anIntroduction(k cvd.NoticeKind) bool   { return k == cvd.KindIntroduction }
func aQuestionOrIntroduction(k cvd.NoticeKind) bool {
	return k == cvd.KindQuestion || anIntroduction(k)
}
func ofOpenCase(k cvd.NoticeKind) bool {
	return aDisclosure(k) || aCount(k) || aQuestionOrIntroduction(k)
}

// unless stops a notice where something does not hold.
func unless(holds bool, d Decision, why string, a ...any) *Answer {
	if holds {
		return nil
	}
	return &Answer{Decision: d, Why: fmt.Sprintf(why, a...)}
}

// from lets a notice go from an instant on.
func from(q *Question, at time.Time, why string) *Answer {
	if q.Now.Before(at) {
		return &Answer{Decision: NotYet, Why: why, At: at}
	}
	return nil
}

// because is the reason of a hold, of which there may be none.
func because(h *cvd.Hold) string {
	if h == nil {
		return ""
	}
	return h.Because
}

// Of a request that there is none of, nothing is decided or granted.

func isDecided(a *cvd.ApprovalRequest) bool { return a != nil && !a.Open() }
func isGranted(a *cvd.ApprovalRequest) bool { return a != nil && a.Granted() }

// idOf names a request, and endOf how it ended, where there is one.
func idOf(a *cvd.ApprovalRequest) string {
	if a == nil {
		return ""
	}
	return a.ID
}

func endOf(a *cvd.ApprovalRequest) string {
	if a == nil {
		return ""
	}
	return a.ID + " " + a.How
}

// undecided names the request that waits for a yes.
func undecided(a *cvd.ApprovalRequest) string {
	if a == nil {
		return "nobody was asked for approval yet"
	}
	return a.ID
}

// unasked says that what may leave now is not what people were asked about.
func unasked(what string, a *cvd.ApprovalRequest) string {
	if a == nil {
		return "nobody was asked for approval of " + what + " yet"
	}
	return fmt.Sprintf("what was approved of %s as %s has changed", what, a.ID)
}

// saidYesTo says that a request is bound to exactly what would leave.
func saidYesTo(q *Question) bool {
	return q.Approval != nil && q.Hash != "" && q.Approval.Hashes[q.Notice.ID] == q.Hash
}

// ownNotice says that a notice is this participant's in this case. Of a report
// that belongs to none there is no case.
func ownNotice(q *Question) bool {
	n, p, c := q.Notice, q.Participant, q.Case
	return n.Case == p.Case && n.Party == p.Party && (c.ID == "" || c.ID == n.Case)
}

func inPolicy(q *Question) bool {
	_, ok := q.Case.Policy.Rule(q.Notice.Stage)
	return ok
}

// overtaken says that the embargo ended before a stage or a reminder left: there is
// no answer but Never for it any more.
func overtaken(c cvd.Case, n cvd.Notice, now time.Time) bool {
	return aStageOrReminder(n.Kind) && n.Stage != cvd.Public && c.Started() && !now.Before(c.Embargo().End)
}

// stepBefore is the stage before a notice's, of those that its participant gets,
// and where that stands: Sent as well where a leak told it, or where the
// participant knows more than a policy that left it out. One that the plan does
// not have any more counts all the same until it is cancelled. It is none before
// the first one, and of what is public, which waits for nothing but the end; a proof
// that goes only to who asks for it, and was not asked for, is passed over.
func stepBefore(q *Question) (before cvd.Stage, state cvd.NoticeState) {
	if q.Notice.Stage == cvd.Public {
		return "", ""
	}
	before = q.Case.Before(q.Participant, q.Notice.Stage)
	for _, n := range q.Prior {
		stands := n.Kind == cvd.KindStage && n.State != cvd.Cancelled && n.Stage.Rank() < q.Notice.Stage.Rank() && !q.Case.PassedOver(q.Participant, n.Stage)
		if stands && n.Stage.Rank() > before.Rank() {
			before = n.Stage
		}
	}
	for _, n := range q.Prior {
		if n.Kind == cvd.KindStage && n.Stage == before {
			if state = n.State; cameBack(n) {
				state = cvd.Failed
			}
		}
		if n.Kind == cvd.KindLeak && n.Stage.Rank() >= before.Rank() && hasLeft(n.State) && !cameBack(n) {
			return before, cvd.Sent
		}
	}
	if state == "" && before.Rank() < q.Participant.Reached.Rank() {
		return before, cvd.Sent
	}
	return before, state
}

// needsMissing is what its stage needs of a participant, who did not do it. Who
// is late, or no vendor, is asked for nothing.
func needsMissing(q *Question) (missing []string) {
	if lateFor(q.Case, q.Participant, q.Notice) || !q.Participant.Has(cvd.RoleVendor) {
		return nil
	}
	rule, _ := q.Case.Policy.Rule(q.Notice.Stage)
	for _, need := range rule.Needs {
		if !q.Participant.Meets(need, q.Notice.Stage) {
			missing = append(missing, string(need))
		}
	}
	return missing
}

// needsNoKey says that a notice goes in clear: it is content-free by its template,
// or public.
func needsNoKey(q *Question) bool { return clearKind(q.Notice.Kind) || mayClear(*q) }

// mayEncrypt: somebody vouches for a key that can be used now.
func mayEncrypt(q *Question) *Answer {
	held := unless(needsNoKey(q) || q.Party.Channel == cvd.ChannelHand || len(q.Keys.Certificates) > 0, HoldIt, "%s", noKey(q))
	if held != nil {
		held.NoKey = true
	}
	return held
}

// noKey says that no key can be used, and why.
func noKey(q *Question) string {
	if len(q.Keys.Why) > 0 {
		return fmt.Sprintf("no usable key of %s: %s", q.Participant.Party, strings.Join(q.Keys.Why, "; "))
	}
	return fmt.Sprintf("no key of %s is known", q.Participant.Party)
}

// handed says that a coordinator delivers the notice.
func handed(q Question) string { return string(q.Participant.Party) + handedWhy }

// asksYes says whether people have to say yes: to a stage whose policy says so, or
// that goes to who is late; to a reminder of it where that does not just say once
// more what left; and to anything in which something crosses from one party to
// another (rule V6).
func asksYes(q *Question) bool {
	n := q.Notice
	if len(q.Found) > 0 {
		return true
	}
	if !aStageOrReminder(n.Kind) || n.Kind == cvd.KindReminder && saidBefore(q.Prior, n.Stage, q.Words) {
		return false
	}
	rule, _ := q.Case.Policy.Rule(n.Stage)
	return rule.Approvals > 0 || lateFor(q.Case, q.Participant, n)
}

// asks says whether people have to say yes to a level of the leak kit.
func (k *kitLevel) asks(q *Question) bool { return k.Need > 0 || len(q.Found) > 0 }

// remindedLater says that the reminder after this one is due as well.
func remindedLater(q *Question) bool {
	return slices.ContainsFunc(q.Prior, func(o cvd.Notice) bool {
		return o.Kind == cvd.KindReminder && o.Stage == q.Notice.Stage && o.Nth > q.Notice.Nth && o.State != cvd.Cancelled && !q.Now.Before(o.Due)
	})
}

func noLevel(l cvd.Level) string {
	if l == "" {
		return "no level"
	}
	return string(l)
}

package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// Question is all that decides whether a notice may leave, as the store holds
// it at one instant.
type Question struct {
	Now         time.Time
	Undo        time.Duration
	Sending     Sending
	Case        cvd.Case // the zero Case for a report that belongs to none
	Participant cvd.Participant
	Party       cvd.Party
	Notice      cvd.Notice
	Prior       []cvd.Notice   // all stage notices of the participant
	Keys        keyring.Choice // what the trust that the notice needs leaves
	Pause       Pause          // after a change of the party's keys
	HasMaterial bool
	CannotSign  string               // why our own key cannot sign now; empty where it can
	Approval    *cvd.ApprovalRequest // the request that names this notice, if any
	Hash        string               // of the rendering as it would be now
	Words       string               // of a stage or a reminder: digest of the material in it as it is now
	Found       []Crossing           // what of its words a person must see (rule V6)
	Kit         *kitLevel            // of a notice about a leak: its level of the leak kit as it stands
}

// Decision is what MayRelease says.
type Decision uint8

// Decisions. Only Release lets a notice leave.
const (
	Never   Decision = iota // it will not leave any more
	NotYet                  // ask again at Answer.At
	Wait                    // for an answer of the participant
	Ask                     // for the approval of a coordinator
	HoldIt                  // stopped, with the reason; a person is told
	Release                 // it may leave now
)

// Answer is a Decision with its reason, or the instant to ask again.
type Answer struct {
	Decision Decision
	Why      string
	At       time.Time // when to ask again; of HoldIt, when it ends by itself, or zero
	NoKey    bool      // held for want of a usable key: the contact is asked for one
}

// How the reasons begin that are a person's hold; what follows are the
// person's words.
const (
	pausedWhy    = "sending is paused: "
	caseHoldWhy  = "the case is on hold: "
	partyHoldWhy = " is on hold: " // after the party
)

func no(d Decision, why string, a ...any) *Answer {
	return &Answer{Decision: d, Why: fmt.Sprintf(why, a...)}
}

func later(at time.Time, why string) *Answer {
	return &Answer{Decision: NotYet, Why: why, At: at}
}

// MayRelease is the one gate: no notice of any kind leaves unless it answers
// Release. It is asked when a notice falls due, and again inside the
// transaction that queues it. The zero Answer is Never: fail closed.
func MayRelease(q Question) Answer {
	checks := []func(Question) *Answer{mayLeave, mayTime, maySign, mayKey, mayPause, mayCross}
	switch q.Notice.Kind {
	case cvd.KindStage: // what a person must mend is told before what the vendor must do
		checks = []func(Question) *Answer{mayLeave, mayTime, maySign, mayStage, mayMaterial, mayKey, mayNeeds, mayPause, mayApproval}
	case cvd.KindLeak:
		checks = []func(Question) *Answer{mayLeave, mayTime, maySign, mayLeak, mayKey, mayPause}
	case cvd.KindReminder:
		checks = []func(Question) *Answer{mayLeave, mayRemind, mayTime, maySign, mayStage, mayMaterial, mayKey, mayPause, mayRepeat, mayCross}
	}
	for _, check := range checks {
		if a := check(q); a != nil {
			return *a
		}
	}
	return Answer{Decision: Release}
}

// mayLeave: does the notice, its participant and its case still stand?
func mayLeave(q Question) *Answer {
	n, p, c := q.Notice, q.Participant, q.Case
	switch {
	case n.ID == 0 || p.Party == "" || p.Address == "":
		return no(Never, "there is no such notice")
	case n.State.Over():
		return no(Never, "already %s", n.State)
	case n.Case != p.Case || n.Party != p.Party || (c.ID != "" && c.ID != n.Case):
		return no(Never, "the notice belongs to somebody else")
	case p.Withdrawn != nil:
		return no(Never, "%s was withdrawn: %s", p.Party, p.Withdrawn.Because)
	case q.Sending.Stops():
		return no(HoldIt, pausedWhy+"%s", q.Sending.Because)
	case c.Hold != nil:
		return no(HoldIt, caseHoldWhy+"%s", c.Hold.Because)
	case p.Hold != nil:
		return no(HoldIt, "%s"+partyHoldWhy+"%s", p.Party, p.Hold.Because)
	case n.Review != "":
		return no(HoldIt, "%s", n.Review)
	}
	return nil
}

// mayTime: never before max(due, last human act + undo). To resume sending is
// an act on everything that waited. A leak waits for no undo.
func mayTime(q Question) *Answer {
	n := q.Notice
	if q.Now.Before(n.Due) {
		return later(n.Due, "not due")
	}
	if n.ByNeed || n.LastAct.IsZero() || n.Kind == cvd.KindLeak {
		return nil
	}
	if undo := laterOf(n.LastAct, q.Sending.At).Add(q.Undo); q.Now.Before(undo) {
		return later(undo, "it can still be undone")
	}
	return nil
}

// maySign: nothing leaves unsigned.
func maySign(q Question) *Answer {
	if q.CannotSign != "" {
		return no(HoldIt, "%s", q.CannotSign)
	}
	return nil
}

// mayStage: never above the next stage, never twice, never too early before
// the end.
func mayStage(q Question) *Answer {
	c, p, n := q.Case, q.Participant, q.Notice
	rule, ok := c.Policy.Rule(n.Stage)
	switch {
	case !c.Started():
		return no(Wait, "the case has not started")
	case !c.Closed.IsZero():
		return no(Never, "the case is closed")
	case !ok:
		return no(Never, "policy %s has no stage %s", c.Policy.Name, n.Stage)
	case !p.Has(cvd.RoleVendor):
		return no(Never, "%s is not a vendor of this case", p.Party)
	}
	if n.Kind == cvd.KindReminder {
		return nil
	}
	if p.Declined != nil && n.Stage == cvd.HeadsUp {
		return no(Wait, "%s declined", p.Party)
	}
	if n.Stage.Rank() <= p.Reached.Rank() {
		return no(Never, "%s was already told %s", p.Party, p.Reached)
	}
	if a := mayLate(q); a != nil {
		return a
	}
	end := c.Embargo().End // who did not agree to a later one waits in mayNeeds
	if n.Stage == cvd.Public {
		if q.Now.Before(end) {
			return later(end, "the embargo has not ended")
		}
		return nil
	}
	if lead := c.Lead(p); lead > 0 && q.Now.Before(end.Add(-lead)) {
		return later(end.Add(-lead), "earlier than the lead that the policy allows")
	}
	if !q.Now.Before(end) {
		return no(Never, "the embargo has ended")
	}
	return mayFollow(c, p, rule, q.Prior)
}

// mayFollow: a stage goes only after the stage before it left, of those that this
// participant gets; or after a leak that held it, or a higher one where another
// policy left it out.
func mayFollow(c cvd.Case, p cvd.Participant, rule cvd.StageRule, prior []cvd.Notice) *Answer {
	before, reached := stageBefore(c, p, rule.Stage), p.Reached
	if before == "" {
		return nil
	}
	state := cvd.NoticeState("")
	for _, n := range prior {
		if n.Kind == cvd.KindStage && n.Stage == before {
			state = n.State
		}
		if n.Kind == cvd.KindLeak && n.Stage.Rank() >= before.Rank() && hasLeft(n.State) {
			return nil
		}
	}
	switch state {
	case cvd.Queued, cvd.Sent, cvd.Unknown:
		return nil
	case cvd.Failed:
		return no(HoldIt, "their server refused %s", before)
	}
	if state == "" && before.Rank() < reached.Rank() {
		return nil
	}
	return no(Wait, "%s has not gone yet", before)
}

// mayNeeds: has the participant done what the stage needs?
func mayNeeds(q Question) *Answer {
	p, n := q.Participant, q.Notice
	if lateFor(q.Case, p, n) {
		return nil // it is asked for nothing any more, and two people say yes
	}
	rule, _ := q.Case.Policy.Rule(n.Stage)
	var missing []string
	for _, need := range rule.Needs {
		if !p.Meets(need, n.Stage) {
			missing = append(missing, string(need))
		}
	}
	if len(missing) > 0 {
		return no(Wait, "needs %s", strings.Join(missing, " and "))
	}
	// A longer embargo asks again; until then the old date binds this
	// participant, and it learns no more.
	if n.Stage != cvd.Public && q.Case.End(p).Before(q.Case.Embargo().End) {
		return no(Wait, "needs accepted version %d", q.Case.Embargo().Version)
	}
	return nil
}

func mayMaterial(q Question) *Answer {
	if q.Notice.Stage != cvd.HeadsUp && !q.HasMaterial {
		return no(HoldIt, "there is no material for %s", q.Notice.Stage)
	}
	return nil
}

// mayKey: somebody vouches for a key that can be used now.
func mayKey(q Question) *Answer {
	if q.Notice.Kind == cvd.KindContact || q.Notice.Kind == cvd.KindNote {
		return nil // content-free by their templates
	}
	if mayClear(q) {
		return nil // it is public
	}
	if q.Party.Channel == cvd.ChannelHand {
		return no(HoldIt, "%s", handed(q))
	}
	if len(q.Keys.Certificates) > 0 {
		return nil
	}
	held := no(HoldIt, "no key of %s is known", q.Participant.Party)
	if len(q.Keys.Why) > 0 {
		held = no(HoldIt, "no usable key of %s: %s", q.Participant.Party, strings.Join(q.Keys.Why, "; "))
	}
	held.NoKey = true
	return held
}

// handed says that a coordinator delivers the notice.
func handed(q Question) string {
	return fmt.Sprintf("%s is told by hand: deliver it and record it", q.Participant.Party)
}

// mayCross: nothing crosses from one party to another unseen, whatever kind of
// notice it stands in (rule V6).
func mayCross(q Question) *Answer {
	if len(q.Found) == 0 {
		return nil
	}
	return mayApproval(q)
}

// mayApproval: enough coordinators said yes to exactly this.
func mayApproval(q Question) *Answer {
	rule, _ := q.Case.Policy.Rule(q.Notice.Stage)
	a := q.Approval
	switch {
	case rule.Approvals == 0 && len(q.Found) == 0 && !lateFor(q.Case, q.Participant, q.Notice):
		return nil
	case a == nil:
		return no(Ask, "nobody was asked for approval yet")
	case a.Open():
		return no(Ask, "%s", a.ID)
	case !a.Granted():
		return no(HoldIt, "%s %s", a.ID, a.How)
	case a.Hashes[q.Notice.ID] != q.Hash || q.Hash == "":
		return no(Ask, "what was approved as %s has changed", a.ID)
	case q.Now.Before(a.Cool):
		return later(a.Cool, "a desk of one waits")
	}
	return nil
}

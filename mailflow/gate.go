package mailflow

import (
	"strings"

	"parley/mailflow/cvd"
)

// condition is one row of the gate: what must hold before a notice of some kinds
// leaves. Where it does not, stop says what becomes of the notice, with the
// reason as a sentence for the desk; where it does, nil.
type condition struct {
	must string
	of   func(cvd.NoticeKind) bool
	way  way
	stop func(q *Question) *Answer
}

// way is how a notice gets to its participant.
type way bool

// Ways. What a coordinator delivers by hand is neither signed nor encrypted by us.
const (
	anyWay way = false
	byMail way = true
)

// ask asks the conditions that concern a notice on its way, in their order. What a
// person must mend comes before what the participant must do.
func ask(gate []condition, q *Question, w way) Answer {
	for _, c := range gate {
		if !c.of(q.Notice.Kind) || c.way == byMail && w != byMail {
			continue
		}
		if a := c.stop(q); a != nil {
			return *a
		}
	}
	return Answer{Decision: Release}
}

// gate is every condition of product.md, sections 1, 3, 4 and 6: a notice leaves
// where none of its rows stops it. TestGate_EveryRow has a case for each.
var gate = []condition{
	// The notice, its participant and its case still stand.
	{"there is such a notice, to somebody", every, anyWay, func(q *Question) *Answer {
		return unless(q.Notice.ID != 0 && q.Participant.Party != "" && q.Participant.Address != "", Never, "there is no such notice")
	}},
	{"it has not left or ended", every, anyWay, func(q *Question) *Answer {
		return unless(!q.Notice.State.Over(), Never, "already %s", q.Notice.State)
	}},
	{"it belongs to this participant of this case", every, anyWay, func(q *Question) *Answer {
		return unless(ownNotice(q), Never, "the notice belongs to somebody else")
	}},
	{"its participant was not withdrawn", every, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Withdrawn == nil, Never, "%s was withdrawn: %s", q.Participant.Party, because(q.Participant.Withdrawn))
	}},
	{"sending is not paused", every, anyWay, func(q *Question) *Answer {
		return unless(!q.Sending.Stops(), HoldIt, pausedWhy+"%s", q.Sending.Because)
	}},
	{"the case is not on hold", every, anyWay, func(q *Question) *Answer {
		return unless(q.Case.Hold == nil, HoldIt, caseHoldWhy+"%s", because(q.Case.Hold))
	}},
	{"its participant is not on hold", every, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Hold == nil, HoldIt, "%s"+partyHoldWhy+"%s", q.Participant.Party, because(q.Participant.Hold))
	}},
	{"its address was not revoked", every, byMail, func(q *Question) *Answer {
		return unless(!revokedThere(q), HoldIt, "%s"+revokedWhy+"%s", q.Participant.Party, q.Participant.Address)
	}},
	{"it waits for no review of what is overdue", every, anyWay, func(q *Question) *Answer {
		return unless(q.Notice.Review == "", HoldIt, "%s", q.Notice.Review)
	}},

	// A reminder is about the last thing that somebody was told, while that has no
	// answer, on a day on which its reader works.
	{"nothing leaked", aReminder, byMail, func(q *Question) *Answer {
		return unless(len(q.Case.Leaks) == 0, Never, "it leaked, and nobody is reminded any more")
	}},
	{"nothing else was told since", aReminder, byMail, func(q *Question) *Answer {
		return unless(q.Notice.Stage == q.Participant.Reached && q.Notice.Stage.Asks(), Never, "%s was told something else since", q.Participant.Party)
	}},
	{"the embargo that it reminds of goes on", aReminder, byMail, func(q *Question) *Answer {
		return unless(q.Now.Before(q.Case.Embargo().End), Never, "the embargo has ended")
	}},
	{"there is no answer", aReminder, byMail, func(q *Question) *Answer {
		return unless(len(q.Participant.Unanswered(ofStage(q.Prior, q.Notice.Stage))) > 0, Never, "%s answered", q.Participant.Party)
	}},
	{"no later reminder is due", aReminder, byMail, func(q *Question) *Answer {
		return unless(!remindedLater(q), Never, "a later reminder goes in its place")
	}},
	{"somebody works there", aReminder, byMail, func(q *Question) *Answer {
		return from(q, q.Case.Policy.Days.BusinessDay(q.Now, cvd.ZoneOf(q.Party.Zone)), "nobody works there today")
	}},

	// Never before max(due, last human act + undo). What became ready because a need
	// was met has no such act of its own, but to resume sending is one on everything
	// that waited. A leak waits for no undo.
	{"it is due", every, anyWay, func(q *Question) *Answer { return from(q, q.Notice.Due, "not due") }},
	{"nobody can undo it any more", every, anyWay, func(q *Question) *Answer {
		n := q.Notice
		act := q.Sending.lastAct()
		if !n.ByNeed {
			act = laterOf(n.LastAct, act)
		}
		if n.LastAct.IsZero() || act.IsZero() || n.Kind == cvd.KindLeak {
			return nil
		}
		return from(q, act.Add(q.Undo), "it can still be undone")
	}},
	{"our own key can sign", every, byMail, func(q *Question) *Answer { return unless(q.CannotSign == "", HoldIt, "%s", q.CannotSign) }},

	// Never above the next stage, never twice, never too early before the end.
	{"the case has started", aStageOrReminder, anyWay, func(q *Question) *Answer { return unless(q.Case.Started(), Wait, "the case has not started") }},
	{"the case that leaks has started", aLeak, anyWay, func(q *Question) *Answer {
		return unless(q.Case.Started(), Never, "the case has not started")
	}},
	{"the case is open", ofOpenCase, anyWay, func(q *Question) *Answer { return unless(q.Case.Closed.IsZero(), Never, "the case is closed") }},
	{"the policy has the stage", aStageOrReminder, anyWay, func(q *Question) *Answer {
		return unless(inPolicy(q), Never, "policy %s has no stage %s", q.Case.Policy.Name, q.Notice.Stage)
	}},
	{"its participant hears of the stage", aStageOrReminder, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Hears(q.Notice.Stage), Never, "%s is not a vendor of this case, and gets only what is public", q.Participant.Party)
	}},
	{"a leak goes to a vendor of the case", aLeak, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Has(cvd.RoleVendor), Never, "%s is not a vendor of this case", q.Participant.Party)
	}},
	{"who declined was told of it before", aStage, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Declined == nil || q.Notice.Stage != cvd.HeadsUp, Wait, "%s declined", q.Participant.Party)
	}},
	{"its participant was not told as much", aStage, anyWay, func(q *Question) *Answer {
		return unless(q.Notice.Stage.Rank() > q.Participant.Reached.Rank(), Never, "%s was already told %s", q.Participant.Party, q.Participant.Reached)
	}},
	{"who is late gets this stage at all", aStage, anyWay, func(q *Question) *Answer {
		_, _, never := q.Case.ToldLate(q.Participant, q.Notice.Stage)
		return unless(!never, Never, "%s is late, and is not told %s", q.Participant.Party, q.Notice.Stage)
	}},
	{"who is late waits until then", aStage, anyWay, func(q *Question) *Answer {
		at, late, never := q.Case.ToldLate(q.Participant, q.Notice.Stage)
		if never || !late {
			return nil
		}
		return from(q, at, "it is late")
	}},
	{"what is public waits for the end", aStage, anyWay, func(q *Question) *Answer {
		if q.Notice.Stage != cvd.Public {
			return nil
		}
		return from(q, q.Case.Embargo().End, "the embargo has not ended")
	}},
	{"the lead lets its participant know", aStage, anyWay, func(q *Question) *Answer {
		lead := q.Case.Lead(q.Participant)
		if q.Notice.Stage == cvd.Public || lead <= 0 {
			return nil
		}
		return from(q, q.Case.Embargo().End.Add(-lead), "earlier than the lead that the policy allows")
	}},
	{"the embargo goes on", aStage, anyWay, func(q *Question) *Answer {
		return unless(q.Notice.Stage == cvd.Public || q.Now.Before(q.Case.Embargo().End), Never, "the embargo has ended")
	}},
	{"their server took the stage before", aStage, anyWay, func(q *Question) *Answer {
		before, state := stepBefore(q)
		return unless(state != cvd.Failed, HoldIt, "their server refused %s, or gave it back", before)
	}},
	{"the stage before has left", aStage, anyWay, func(q *Question) *Answer {
		before, state := stepBefore(q)
		return unless(before == "" || state == cvd.Failed || hasLeft(state), Wait, "%s has not gone yet", before)
	}},

	// What answers everybody at a stage goes to who was told it, and not where that
	// came back.
	{"its participant was told what it answers for", every, anyWay, func(q *Question) *Answer {
		return unless(q.Participant.Reached.Rank() >= q.For.Rank(), Wait, "%s was not told %s, or its server gave that back", q.Participant.Party, q.For)
	}},

	// Of a leak: somebody fired it, and people said yes to exactly this level of the
	// kit. There is no lead, no need and no order of stages in it: what is public
	// cannot be told too early.
	{"somebody fired a leak of this level", aLeak, anyWay, func(q *Question) *Answer {
		_, fired := q.Case.LeakOf(q.Notice.Level)
		return unless(fired, Never, "no leak of %s is on record", noLevel(q.Notice.Level))
	}},
	{"there is a leak kit for it", aLeak, anyWay, func(q *Question) *Answer {
		return unless(q.Kit != nil && q.Kit.Level == q.Notice.Level, Never, "there is no leak kit")
	}},
	{"the kit lacks nothing", aLeak, anyWay, func(q *Question) *Answer {
		return unless(q.Kit.Lacks == "", HoldIt, "leak kit, %s: %s", q.Kit.Level, q.Kit.Lacks)
	}},
	{"the kit is what people were asked about", aLeak, anyWay, func(q *Question) *Answer {
		return unless(!q.Kit.asks(q) || q.Kit.bound(), Ask, "%s", unasked("the leak kit", q.Kit.Request))
	}},
	{"the request about the kit is decided", aLeak, anyWay, func(q *Question) *Answer {
		return unless(!q.Kit.asks(q) || isDecided(q.Kit.Request), Ask, "%s", idOf(q.Kit.Request))
	}},
	{"enough people said yes to the kit", aLeak, anyWay, func(q *Question) *Answer {
		return unless(!q.Kit.asks(q) || isGranted(q.Kit.Request), HoldIt, "leak kit, %s: %s", q.Kit.Level, endOf(q.Kit.Request))
	}},
	{"a desk of one waited with the kit", aLeak, anyWay, func(q *Question) *Answer {
		if !q.Kit.asks(q) || q.Kit.Request == nil {
			return nil
		}
		return from(q, q.Kit.Request.Cool, "a desk of one waits")
	}},

	// Counts go to observers alone.
	{"who gets counts observes the case", aCount, anyWay, func(q *Question) *Answer {
		return unless(q.Case.ID != "" && q.Participant.Has(cvd.RoleObserver), Never, "%s does not observe this case", q.Participant.Party)
	}},

	// Two are named to each other only with the word of both, and where both halves
	// can leave, so that nobody is named to one who stays unknown. Once one half has
	// left the other follows, whatever was said since.
	{"there is such an introduction", aQuestionOrIntroduction, anyWay, func(q *Question) *Answer {
		return unless(q.Intro.isOf(q), Never, "there is no such introduction")
	}},
	{"no other notice took its place", aQuestionOrIntroduction, anyWay, func(q *Question) *Answer {
		return unless(q.Intro.waitsFor(q.Notice), Never, "another notice took its place")
	}},
	{"nobody took the introduction back", aQuestionOrIntroduction, anyWay, func(q *Question) *Answer {
		return unless(follows(q) || q.Intro.Ended == nil, Never, "the introduction was taken back: %s", q.Intro.why())
	}},
	{"the other was not withdrawn", aQuestionOrIntroduction, anyWay, func(q *Question) *Answer {
		return unless(follows(q) || q.Intro.Other.Withdrawn == nil, Never, "%s was withdrawn", q.Intro.Other.Party)
	}},
	{"both agreed", anIntroduction, anyWay, func(q *Question) *Answer {
		return unless(follows(q) || q.Intro.agreed(), Never, "not both agreed")
	}},
	{"the other half could leave", anIntroduction, anyWay, func(q *Question) *Answer {
		may := q.Intro.OtherMay
		switch {
		case follows(q) || may.Decision == Release:
			return nil
		case may.Decision == NotYet:
			return &Answer{Decision: NotYet, Why: "the other half: " + may.Why, At: may.At}
		}
		return unless(false, HoldIt, "the other half could not leave: %s", may.Why)
	}},

	// It can be written, and read by those alone whom it is for.
	{"there is material for the stage", aStageOrReminder, anyWay, func(q *Question) *Answer {
		return unless(q.HasMaterial || q.Notice.Stage == cvd.HeadsUp, HoldIt, "there is no material for %s", q.Notice.Stage)
	}},
	{"somebody vouches for a key that can be used", every, byMail, mayEncrypt},

	// Its participant did what the stage needs. Who is late is asked for nothing any
	// more, and two people say yes instead. A longer embargo asks again; until then
	// the old date binds this participant, and it learns no more.
	{"its participant did what the stage needs", aStage, anyWay, func(q *Question) *Answer {
		missing := needsMissing(q)
		return unless(len(missing) == 0, Wait, "needs %s", strings.Join(missing, " and "))
	}},
	{"its participant agreed to the longer embargo", aStage, anyWay, func(q *Question) *Answer {
		agreed := lateFor(q.Case, q.Participant, q.Notice) || q.Notice.Stage == cvd.Public || !q.Case.End(q.Participant).Before(q.Case.Embargo().End)
		return unless(agreed, Wait, "needs accepted version %d", q.Case.Embargo().Version)
	}},
	{"the pause after a change of keys is over", every, byMail, mayPause},

	// Enough coordinators said yes to exactly this.
	{"a request for it is decided", noLeak, anyWay, func(q *Question) *Answer {
		return unless(!asksYes(q) || isDecided(q.Approval), Ask, "%s", undecided(q.Approval))
	}},
	{"enough people said yes", noLeak, anyWay, func(q *Question) *Answer {
		return unless(!asksYes(q) || isGranted(q.Approval), HoldIt, "%s", endOf(q.Approval))
	}},
	{"it is what they said yes to", noLeak, anyWay, func(q *Question) *Answer {
		return unless(!asksYes(q) || saidYesTo(q), Ask, "what was approved as %s has changed", idOf(q.Approval))
	}},
	{"a desk of one waited", noLeak, anyWay, func(q *Question) *Answer {
		if !asksYes(q) || q.Approval == nil {
			return nil
		}
		return from(q, q.Approval.Cool, "a desk of one waits")
	}},

	// A person delivers it: asked last, so that what comes before that person may be
	// handed over as it is.
	{"it goes by mail", every, byMail, func(q *Question) *Answer {
		held := unless(needsNoKey(q) || q.Party.Channel != cvd.ChannelHand, HoldIt, "%s", handed(*q))
		if held != nil {
			held.ByHand = true
		}
		return held
	}},
}

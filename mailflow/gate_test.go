package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// stoppedBy is what one row of the gate says.
func stoppedBy(q Question, must string) *Answer {
	for _, c := range gate {
		if c.must == must {
			return c.stop(&q)
		}
	}
	return &Answer{Why: "there is no row: " + must}
}

// alone has, for every row of the gate, what takes away from a question that may
// go nothing but what that row asks for.
var alone = map[string]struct {
	of     func(t *testing.T) Question // nil is free
	change func(q *Question)
	want   Decision
	why    string
}{
	"there is such a notice, to somebody":         {nil, func(q *Question) { q.Notice.ID, q.Approval.Hashes[0] = 0, "h" }, Never, "there is no such notice"},
	"it has not left or ended":                    {nil, func(q *Question) { q.Notice.State = cvd.Unknown }, Never, "already unknown"},
	"it belongs to this participant of this case": {nil, func(q *Question) { q.Participant.Party = "globex" }, Never, "the notice belongs to somebody else"},
	"its participant was not withdrawn":           {nil, func(q *Question) { q.Participant.Withdrawn = &cvd.Hold{Because: "wrong"} }, Never, "acme was withdrawn: wrong"},
	"sending is not paused":                       {nil, func(q *Question) { q.Sending = Sending{Paused: true, Because: "x"} }, HoldIt, "sending is paused: x"},
	"the case is not on hold":                     {nil, func(q *Question) { q.Case.Hold = &cvd.Hold{Because: "court"} }, HoldIt, "the case is on hold: court"},
	"its participant is not on hold":              {nil, func(q *Question) { q.Participant.Hold = &cvd.Hold{Because: "moved"} }, HoldIt, "acme is on hold: moved"},
	"its address was not revoked": {nil, func(q *Question) {
		q.Party.Revoked = &cvd.Hold{}
	}, HoldIt, "acme revoked its address psirt@acme.example"},
	"it waits for no review of what is overdue": {nil, func(q *Question) { q.Notice.Review = "it was overdue" }, HoldIt, "it was overdue"},

	"nothing leaked": {remindingScope, func(q *Question) { q.Case.Leaks = []cvd.Leak{{Level: cvd.Rumour}} }, Never, "it leaked, and nobody is reminded any more"},
	"nothing else was told since": {remindingScope, func(q *Question) {
		q.Participant.Reached = cvd.Details
	}, Never, "acme was told something else since"},
	"the embargo that it reminds of goes on": {remindingScope, func(q *Question) { q.Now = q.Case.Embargo().End }, Never, "the embargo has ended"},
	"there is no answer":                     {remindingScope, func(q *Question) { q.Participant.Wrote = q.Now }, Never, "acme answered"},
	"no later reminder is due": {remindingScope, func(q *Question) {
		q.Prior = append(q.Prior, cvd.Notice{Kind: cvd.KindReminder, Stage: cvd.Scope, Nth: 2, Due: q.Now})
	}, Never, "a later reminder goes in its place"},
	"somebody works there": {remindingScope, func(q *Question) { q.Now = start.Add(4 * cvd.Day) }, NotYet, "nobody works there today"},

	"it is due":                       {nil, func(q *Question) { q.Notice.Due = q.Now.Add(time.Second) }, NotYet, "not due"},
	"nobody can undo it any more":     {nil, func(q *Question) { q.Sending.At = q.Now.Add(-time.Second) }, NotYet, "it can still be undone"},
	"our own key can sign":            {nil, func(q *Question) { q.CannotSign = "our key ended" }, HoldIt, "our key ended"},
	"the case has started":            {nil, func(q *Question) { q.Case.Start = time.Time{} }, Wait, "the case has not started"},
	"the case that leaks has started": {leaked, func(q *Question) { q.Case.Start = time.Time{} }, Never, "the case has not started"},
	"the case is open":                {nil, func(q *Question) { q.Case.Closed = start }, Never, "the case is closed"},
	"the policy has the stage": {nil, func(q *Question) {
		q.Case.Policy.Stages = q.Case.Policy.Stages[:2]
	}, Never, "policy default has no stage details"},
	"its participant hears of the stage":  {nil, func(q *Question) { q.Participant.Roles = []cvd.Role{cvd.RoleFinder} }, Never, "acme is not a vendor of this case"},
	"a leak goes to a vendor of the case": {leaked, func(q *Question) { q.Participant.Roles = []cvd.Role{cvd.RoleFinder} }, Never, "acme is not a vendor of this case"},
	"who declined was told of it before": {nil, func(q *Question) {
		q.Notice.Stage, q.Participant.Reached, q.Participant.Declined = cvd.HeadsUp, "", &cvd.Hold{}
	}, Wait, "acme declined"},
	"its participant was not told as much": {nil, func(q *Question) { q.Participant.Reached = cvd.Proof }, Never, "acme was already told proof"},
	"who is late gets this stage at all": {nil, func(q *Question) {
		q.Participant.Late = &cvd.Late{Word: cvd.LateNever}
	}, Never, "acme is late, and is not told details"},
	"who is late waits until then": {nil, func(q *Question) { q.Participant.Late = &cvd.Late{Word: cvd.LateNow, At: q.Now.Add(1)} }, NotYet, "it is late"},
	"what is public waits for the end": {nil, func(q *Question) {
		q.Notice.Stage = cvd.Public
	}, NotYet, "the embargo has not ended"},
	"the lead lets its participant know":           {nil, func(q *Question) { q.Case.Policy.Lead = 20 * cvd.Day }, NotYet, "earlier than the lead that the policy allows"},
	"the embargo goes on":                          {nil, func(q *Question) { q.Now = q.Case.Embargo().End }, Never, "the embargo has ended"},
	"their server took the stage before":           {nil, func(q *Question) { q.Prior[1].State = cvd.Failed }, HoldIt, "their server refused scope"},
	"its participant was told what it answers for": {nil, func(q *Question) { q.For = cvd.Advisory }, Wait, "acme was not told advisory"},
	"the stage before has left":                    {nil, func(q *Question) { q.Prior[1].State = cvd.Waiting }, Wait, "scope has not gone yet"},

	"somebody fired a leak of this level":     {leaked, func(q *Question) { q.Case.Leaks = nil }, Never, "no leak of details is on record"},
	"there is a leak kit for it":              {leaked, func(q *Question) { q.Kit.Level = cvd.Rumour; q.Kit.Request.Kit[cvd.Rumour] = "h" }, Never, "there is no leak kit"},
	"the kit lacks nothing":                   {leaked, func(q *Question) { q.Kit.Lacks = "no material" }, HoldIt, "leak kit, details: no material"},
	"the kit is what people were asked about": {leaked, func(q *Question) { q.Kit.Hash = "other" }, Ask, "what was approved of the leak kit as 9f3a-27c1 has changed"},
	"the request about the kit is decided": {leaked, func(q *Question) {
		q.Kit.Request.Ended = time.Time{}
	}, Ask, "9f3a-27c1"},
	"enough people said yes to the kit": {leaked, func(q *Question) { q.Kit.Request.How = "rejected by ben: no" }, HoldIt, "leak kit, details: 9f3a-27c1 rejected by ben: no"},
	"a desk of one waited with the kit": {leaked, func(q *Question) { q.Kit.Request.Cool = q.Now.Add(1) }, NotYet, "a desk of one waits"},

	"who gets counts observes the case": {tallied, func(q *Question) { q.Participant.Roles = []cvd.Role{cvd.RoleVendor} }, Never, "acme does not observe this case"},
	"there is such an introduction":     {introduced, func(q *Question) { q.Intro.Number++ }, Never, "there is no such introduction"},
	"nobody took the introduction back": {beforehand, func(q *Question) { q.Intro.Ended = &cvd.Hold{Because: "x"} }, Never, "the introduction was taken back: x"},
	"the other was not withdrawn":       {introduced, func(q *Question) { q.Intro.Other.Withdrawn = &cvd.Hold{} }, Never, "globex was withdrawn"},
	"both agreed":                       {introduced, func(q *Question) { q.Intro.Sides[1].Yes = nil }, Never, "not both agreed"},
	"the other half could leave":        {introduced, func(q *Question) { q.Intro.OtherMay = Answer{Decision: HoldIt, Why: "no key"} }, HoldIt, "the other half could not leave: no key"},
	"no other notice took its place":    {introduced, func(q *Question) { q.Intro.Sides[0].Told++ }, Never, "another notice took its place"},

	"there is material for the stage":             {nil, func(q *Question) { q.HasMaterial = false }, HoldIt, "there is no material for details"},
	"it goes by mail":                             {nil, func(q *Question) { q.Party.Channel = cvd.ChannelHand }, HoldIt, "acme is told by hand: deliver it and record it"},
	"somebody vouches for a key that can be used": {nil, func(q *Question) { q.Keys = keyring.Choice{Why: []string{"expired"}} }, HoldIt, "no usable key of acme: expired"},
	"its participant did what the stage needs":    {nil, func(q *Question) { q.Participant.Acceptances = nil }, Wait, "needs accepted"},
	"its participant agreed to the longer embargo": {nil, func(q *Question) {
		q.Case.Embargoes = append(q.Case.Embargoes, cvd.Embargo{Version: 2, End: q.Case.Embargo().End.Add(cvd.Day)})
		q.Case.Policy.Lead += cvd.Day
	}, Wait, "needs accepted version 2"},
	"the pause after a change of keys is over": {nil, func(q *Question) { q.Pause = Pause{Until: q.Now.Add(1), Key: "ABCD"} }, HoldIt, "acme's key changed to ABCD; it goes after"},

	"a request for it is decided": {nil, func(q *Question) { q.Approval.Ended = time.Time{} }, Ask, "9f3a-27c1"},
	"enough people said yes":      {nil, func(q *Question) { q.Approval.How = "rejected by ben: no" }, HoldIt, "9f3a-27c1 rejected by ben: no"},
	"it is what they said yes to": {nil, func(q *Question) { q.Hash = "other" }, Ask, "what was approved as 9f3a-27c1 has changed"},
	"a desk of one waited":        {nil, func(q *Question) { q.Approval.Cool = q.Now.Add(1) }, NotYet, "a desk of one waits"},
}

// remindingScope is a question about a reminder of scope to which the gate answers
// Release.
func remindingScope(t *testing.T) Question {
	q := free(t)
	reminds(&q)
	return q
}

// tallied is one about counts to an observer, introduced one about an introduction
// to which both agreed, and beforehand one about the question before it.

func tallied(t *testing.T) Question {
	q := free(t)
	q.Notice.Kind, q.Notice.Stage, q.Participant.Roles = cvd.KindCounts, "", []cvd.Role{cvd.RoleObserver}
	return q
}

func introduced(t *testing.T) Question {
	q := free(t)
	q.Notice.Kind, q.Notice.Stage, q.Notice.Intro = cvd.KindIntroduction, "", 4
	yes := &cvd.Acceptance{At: start}
	q.Intro = &introLook{intro: intro{Number: 4, Case: q.Case.ID, Sides: [2]introSide{{Party: "acme", Yes: yes, Told: q.Notice.ID}, {Party: "globex", Yes: yes}}},
		Other: cvd.Participant{Party: "globex"}, OtherMay: Answer{Decision: Release}}
	return q
}

func beforehand(t *testing.T) Question {
	q := introduced(t)
	q.Notice.Kind = cvd.KindQuestion
	return q
}

// Every row of the gate can be the only one that stops a notice: with all of them
// it does, for the reason that the row gives, and without that row the notice goes.
func TestGate_EveryRow(t *testing.T) {
	t.Parallel()
	if len(alone) != len(gate) {
		t.Errorf("%d cases for %d rows", len(alone), len(gate))
	}
	for i, row := range gate {
		c, ok := alone[row.must]
		if !ok {
			t.Errorf("no case for the row %q", row.must)
			continue
		}
		if c.of == nil {
			c.of = free
		}
		q := c.of(t)
		if a := MayRelease(q); a.Decision != Release {
			t.Fatalf("%s: stopped before anything was taken away: %s", row.must, a.Why)
		}
		c.change(&q)
		if a := MayRelease(q); a.Decision != c.want || !strings.HasPrefix(a.Why, c.why) {
			t.Errorf("%s: got %d %q, want %d %q", row.must, a.Decision, a.Why, c.want, c.why)
		}
		without := slices.Delete(slices.Clone(gate), i, i+1)
		if a := ask(without, &q, byMail); a.Decision != Release {
			t.Errorf("%s: another row stops it as well: %s", row.must, a.Why)
		}
	}
}

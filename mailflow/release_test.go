package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// free is a question to which the gate answers Release; every row of the
// table takes one thing away.
func free(t *testing.T) Question {
	t.Helper()
	policy := cvd.Shipped()["default"]
	end := start.Add(policy.Embargo)
	c := cvd.Case{ID: "PAR-2026-0007", Policy: policy, Start: start, Embargoes: []cvd.Embargo{{Version: 1, End: end}}}
	p := cvd.Participant{Case: c.ID, Party: "acme", Roles: []cvd.Role{cvd.RoleVendor}, Address: "psirt@acme.example", Wave: 1,
		Acceptances: []cvd.Acceptance{{Version: 1, At: start}}, Reached: cvd.Scope}
	n := cvd.Notice{ID: 3, Case: c.ID, Party: "acme", Kind: cvd.KindStage, Stage: cvd.Details, State: cvd.Planned,
		Due: start.Add(3 * cvd.Day), LastAct: start}
	return Question{
		Now: start.Add(3*cvd.Day + time.Hour), Undo: 2 * time.Minute, Case: c, Participant: p, Party: cvd.Party{ID: "acme"}, Notice: n,
		Prior: []cvd.Notice{
			{ID: 1, Kind: cvd.KindStage, Stage: cvd.HeadsUp, State: cvd.Sent},
			{ID: 2, Kind: cvd.KindStage, Stage: cvd.Scope, State: cvd.Sent},
		},
		Keys: keyring.Choice{Certificates: []*keyring.Certificate{{}}}, HasMaterial: true, Hash: "h",
		Approval: &cvd.ApprovalRequest{ID: "9f3a-27c1", How: "approved", Ended: start, Hashes: map[uint64]string{3: "h"}},
	}
}

func TestMayRelease(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(q *Question)
		want   Decision
		why    string
	}{
		{"everything stands", func(*Question) {}, Release, ""},
		{"no such notice", func(q *Question) { q.Notice.ID = 0 }, Never, "no such notice"},
		{"nobody to send to", func(q *Question) { q.Participant.Address = "" }, Never, "no such notice"},
		{"already queued", func(q *Question) { q.Notice.State = cvd.Queued }, Never, "already queued"},
		{"delivery unknown", func(q *Question) { q.Notice.State = cvd.Unknown }, Never, "already unknown"},
		{"another participant", func(q *Question) { q.Participant.Party = "globex" }, Never, "somebody else"},
		{"another case", func(q *Question) { q.Case.ID = "PAR-2026-0008" }, Never, "somebody else"},
		{"withdrawn", func(q *Question) { q.Participant.Withdrawn = &cvd.Hold{Because: "wrong"} }, Never, "withdrawn"},
		{"sending paused", func(q *Question) { q.Sending.Paused = true }, HoldIt, "paused"},
		{"case on hold", func(q *Question) { q.Case.Hold = &cvd.Hold{Because: "court"} }, HoldIt, "court"},
		{"vendor on hold", func(q *Question) { q.Participant.Hold = &cvd.Hold{Because: "new contact"} }, HoldIt, "new contact"},
		{"address revoked by the vendor", func(q *Question) { q.Party.Revoked = &cvd.Hold{By: "acme"} }, HoldIt, "acme revoked its address psirt@acme.example"},
		{"address revoked, told by hand", func(q *Question) { q.Party.Revoked, q.Party.Channel = &cvd.Hold{By: "acme"}, cvd.ChannelHand }, HoldIt, "told by hand"},
		{"a note to an address that was revoked", func(q *Question) {
			q.Party.Revoked, q.Notice.Kind, q.Notice.To = &cvd.Hold{By: "acme"}, cvd.KindNote, "PSIRT@acme.example"
		}, HoldIt, "revoked its address"},
		{"a note to another address", func(q *Question) {
			q.Party.Revoked, q.Notice.Kind, q.Notice.To = &cvd.Hold{By: "acme"}, cvd.KindNote, "second@acme.example"
		}, Release, ""},
		{"a leak, address revoked", func(q *Question) {
			q.Party.Revoked, q.Notice.Kind = &cvd.Hold{By: "acme"}, cvd.KindLeak
		}, HoldIt, "revoked its address"},
		{"not due", func(q *Question) { q.Now = q.Notice.Due.Add(-time.Second) }, NotYet, "not due"},
		{"our key ended", func(q *Question) { q.CannotSign = "our own signing key ended" }, HoldIt, "our own signing key"},
		{"not due, and our key ended", func(q *Question) { q.CannotSign, q.Now = "it ended", q.Notice.Due.Add(-time.Second) }, NotYet, "not due"},
		{"exactly due", func(q *Question) { q.Now = q.Notice.Due }, Release, ""},
		{"undo window", func(q *Question) { q.Notice.LastAct = q.Now.Add(-time.Minute) }, NotYet, "undone"},
		{"undo window over", func(q *Question) { q.Notice.LastAct = q.Now.Add(-2 * time.Minute) }, Release, ""},
		{"a met need waits for the undo of who resumed sending", func(q *Question) {
			q.Notice.LastAct, q.Notice.ByNeed, q.Sending.At = q.Now, true, q.Now.Add(-time.Second)
		}, NotYet, "it can still be undone"},
		{"a met need waits for no undo", func(q *Question) { q.Notice.LastAct, q.Notice.ByNeed = q.Now, true }, Release, ""},
		{"not started", func(q *Question) { q.Case.Start = time.Time{} }, Wait, "not started"},
		{"closed", func(q *Question) { q.Case.Closed = start }, Never, "closed"},
		{"no such stage", func(q *Question) { q.Case.Policy.Stages = q.Case.Policy.Stages[:1] }, Never, "no stage"},
		{"not a vendor", func(q *Question) { q.Participant.Roles = []cvd.Role{cvd.RoleObserver} }, Never, "not a vendor"},
		{"told already", func(q *Question) { q.Participant.Reached = cvd.Details }, Never, "already told"},
		{"told more already", func(q *Question) { q.Participant.Reached = cvd.Proof }, Never, "already told"},
		{"stage before waits", func(q *Question) { q.Prior[1].State = cvd.Waiting }, Wait, "scope has not gone"},
		{"stage before cancelled", func(q *Question) { q.Prior[1].State = cvd.Cancelled }, Wait, "scope has not gone"},
		{"stage before refused", func(q *Question) { q.Prior[1].State = cvd.Failed }, HoldIt, "refused scope"},
		{"stage before unknown", func(q *Question) { q.Prior[1].State = cvd.Unknown }, Release, ""},
		{"not accepted", func(q *Question) { q.Participant.Acceptances = nil }, Wait, "needs accepted"},
		{"longer embargo not accepted", func(q *Question) {
			q.Case.Embargoes = append(q.Case.Embargoes, cvd.Embargo{Version: 2, End: q.Case.Embargo().End.Add(cvd.Day)})
		}, Wait, "accepted version 2"},
		{"shorter embargo not accepted", func(q *Question) {
			q.Case.Embargoes = append(q.Case.Embargoes, cvd.Embargo{Version: 2, End: q.Case.Embargo().End.Add(-cvd.Day)})
		}, Release, ""},
		{"declined", func(q *Question) { q.Participant.Declined = &cvd.Hold{} }, NotYet, "late"},
		{"declined before it was told anything", func(q *Question) {
			q.Participant.Declined, q.Notice.Stage, q.Participant.Reached = &cvd.Hold{}, cvd.HeadsUp, ""
		}, Wait, "declined"},
		{"lead", func(q *Question) { q.Case.Policy.Lead = 20 * cvd.Day }, NotYet, "lead"},
		{"after the end", func(q *Question) { q.Now = q.Case.Embargo().End }, Never, "ended"},
		{"no material", func(q *Question) { q.HasMaterial = false }, HoldIt, "no material"},
		{"no key", func(q *Question) { q.Keys = keyring.Choice{} }, HoldIt, "no key"},
		{"bad key", func(q *Question) { q.Keys = keyring.Choice{Why: []string{"expired"}} }, HoldIt, "expired"},
		{"by hand", func(q *Question) { q.Party.Channel = cvd.ChannelHand }, HoldIt, "by hand"},
		{"nobody asked", func(q *Question) { q.Approval = nil }, Ask, "nobody"},
		{"waits for a yes", func(q *Question) { q.Approval.Ended, q.Approval.How = time.Time{}, "" }, Ask, "9f3a-27c1"},
		{"rejected", func(q *Question) { q.Approval.How = "rejected by ben: too early" }, HoldIt, "too early"},
		{"void", func(q *Question) { q.Approval.How = "void: changed" }, HoldIt, "void"},
		{"changed since", func(q *Question) { q.Hash = "other" }, Ask, "changed"},
		{"no hash", func(q *Question) { q.Hash, q.Approval.Hashes = "", nil }, Ask, "changed"},
		{"desk of one", func(q *Question) { q.Approval.Cool = q.Now.Add(time.Hour) }, NotYet, "desk of one"},
		{"public before the end", func(q *Question) { q.Notice.Stage = cvd.Public }, NotYet, "not ended"},
		{"public for who declined", func(q *Question) {
			q.Notice.Stage, q.Participant.Declined, q.Now = cvd.Public, &cvd.Hold{}, q.Case.Embargo().End
		}, Release, ""},
		{"reminder", reminds, Release, ""},
		{"letter", func(q *Question) { q.Notice.Kind, q.Approval = cvd.KindLetter, nil }, Release, ""},
		{"letter without a key", func(q *Question) { q.Notice.Kind, q.Keys = cvd.KindLetter, keyring.Choice{} }, HoldIt, "no key"},
		{"receipt without a key", func(q *Question) { q.Notice.Kind, q.Keys = cvd.KindReceipt, keyring.Choice{} }, HoldIt, "no key"},
		{"pause after a change of keys", pausedBy(cvd.KindStage, cvd.Details, time.Minute), HoldIt, "acme's key changed to ABCD; it goes after Fri 4 Dec 2026, 10:01 UTC"},
		{"pause is over", pausedBy(cvd.KindStage, cvd.Details, 0), Release, ""},
		{"pause, and not accepted", func(q *Question) {
			pausedBy(cvd.KindStage, cvd.Details, time.Minute)(q)
			q.Participant.Acceptances = nil
		}, Wait, "needs accepted"},
		{"pause, and no key", func(q *Question) {
			pausedBy(cvd.KindStage, cvd.Details, time.Minute)(q)
			q.Keys = keyring.Choice{}
		}, HoldIt, "no key"},
		{"pause, and no yes", func(q *Question) { pausedBy(cvd.KindStage, cvd.Details, time.Minute)(q); q.Approval = nil }, HoldIt, "changed"},
		{"pause, heads-up", func(q *Question) {
			pausedBy(cvd.KindStage, cvd.HeadsUp, time.Minute)(q)
			q.Participant.Reached, q.Approval, q.Prior = "", nil, nil
		}, Release, ""},
		{"pause, scope reminder", pausedBy(cvd.KindReminder, cvd.Scope, time.Minute), HoldIt, "changed"},
		{"pause, public", func(q *Question) {
			q.Now = q.Case.Embargo().End
			pausedBy(cvd.KindStage, cvd.Public, time.Minute)(q)
		}, Release, ""},
		{"pause, letter after scope", pausedBy(cvd.KindLetter, "", time.Minute), HoldIt, "changed"},
		{"pause, answer after scope", pausedBy(cvd.KindAnswer, "", time.Minute), HoldIt, "changed"},
		{"pause, letter before scope", func(q *Question) {
			pausedBy(cvd.KindLetter, "", time.Minute)(q)
			q.Participant.Reached = cvd.HeadsUp
		}, Release, ""},
		{"pause, note", pausedBy(cvd.KindNote, "", time.Minute), Release, ""},
		{"content-free note", func(q *Question) { q.Notice.Kind, q.Keys = cvd.KindNote, keyring.Choice{} }, Release, ""},
	} {
		q := free(t)
		row.change(&q)
		a := MayRelease(q)
		if a.Decision != row.want || !strings.Contains(a.Why, row.why) {
			t.Errorf("%s: got %d %q, want %d with %q", row.name, a.Decision, a.Why, row.want, row.why)
		}
		if (a.Decision == NotYet || a.Decision == HoldIt && !a.At.IsZero()) && !a.At.After(q.Now) {
			t.Errorf("%s: asks to be asked again at %s, which is not after %s", row.name, a.At, q.Now)
		}
	}
}

// reminds makes the notice a reminder of scope, which has no answer.
func reminds(q *Question) {
	q.Notice.Kind, q.Notice.Stage, q.Notice.Nth = cvd.KindReminder, cvd.Scope, 1
	q.Prior[1].SentAt, q.Prior[1].Words = start.Add(time.Hour), q.Words
}

// pausedBy makes a notice of a kind meet a pause that ends so long after now.
func pausedBy(kind cvd.NoticeKind, s cvd.Stage, after time.Duration) func(q *Question) {
	return func(q *Question) {
		reminds(q)
		q.Notice.Kind, q.Notice.Stage = kind, s
		q.Pause = Pause{Until: q.Now.Add(after), Key: "ABCD"}
	}
}

// An answer that nobody filled in never lets anything go.
func TestZeroAnswerIsNever(t *testing.T) {
	t.Parallel()
	if (Answer{}).Decision == Release || MayRelease(Question{}).Decision == Release {
		t.Fatal("the gate fails open")
	}
}

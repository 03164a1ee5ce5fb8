package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// endsSooner is a case whose embargo was shortened so far that the proof of acme,
// which has the details, falls on its end or after it.
func endsSooner(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w, id := lateCase(t, []string{"ana", "ben", "cho"}, "acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.in(id, `embargo 2026-12-05T20:00Z because "it leaked"`)
	return w, id
}

// Who accepted gets the advisory before the end, though the end has overtaken the
// proof, which it does not get any more.
func TestSkipped_ProofThatTheEndOvertakes(t *testing.T) {
	t.Parallel()
	w, id := endsSooner(t)
	w.view(func(tx *store.Tx) error {
		n, err := notices.Get(tx, noticeKey(tx, id, "acme", 4))
		if n.Stage != cvd.Proof || n.State != cvd.Cancelled || n.Why != "skipped: the embargo ends before it falls due" {
			t.Errorf("the proof was not skipped: %+v", n)
		}
		return err
	})
	w.steps(time.Hour, 6*time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details", "Advisory")
	// A date before the end brings a skipped stage back; it moves nothing later.
	w.in(id, `embargo 2026-12-30T09:00Z because "it was no leak"`)
	w.steps(6*time.Hour, 10*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details", "Advisory")
}

// A proof that can go again before the end holds the advisory up as before, and
// bringing it back moves a date earlier, which wants a signature.
func TestSkipped_ProofComesBack(t *testing.T) {
	t.Parallel()
	w, id := endsSooner(t)
	line := "stage acme proof at 2026-12-05T16:00Z"
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "moves a date earlier", "case "+string(id), line)
	w.in(id, line)
	w.steps(time.Hour, 6*time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.steps(time.Hour, 26*time.Hour)
	w.told("acme", "Heads-up", "Scope", "Details", "Proof", "Advisory")
}

// Skipping the proof is no way around anything else that the advisory needs.
func TestSkipped_NothingElse(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(q *Question)
		want   Decision
		why    string
	}{
		"as it is":           {func(*Question) {}, Release, ""},
		"no details":         {func(q *Question) { q.Prior[2].State = cvd.Waiting }, Wait, "details has not gone yet"},
		"not accepted":       {func(q *Question) { q.Participant.Acceptances = nil }, Wait, "needs accepted"},
		"nobody said yes":    {func(q *Question) { q.Approval.Ended = time.Time{} }, Ask, ""},
		"a proof is queued":  {func(q *Question) { q.Prior[3].State = cvd.Queued }, Release, ""},
		"a proof stands":     {func(q *Question) { q.Prior[3].State = cvd.Approval }, Wait, "proof has not gone yet"},
		"a proof came back":  {func(q *Question) { q.Prior[3].State = cvd.Failed }, HoldIt, "their server refused proof"},
		"the proof is to go": {func(q *Question) { q.Case.Embargoes[0].End = start.Add(30 * cvd.Day) }, Wait, "proof has not gone yet"},
	} {
		q := free(t)
		q.Case.Embargoes[0].End, q.Notice.Stage, q.Participant.Reached = start.Add(9*cvd.Day), cvd.Advisory, cvd.Details
		q.Prior = []cvd.Notice{{Stage: cvd.HeadsUp}, {Stage: cvd.Scope}, {Stage: cvd.Details}, {Stage: cvd.Proof, State: cvd.Cancelled}}
		for i := range q.Prior {
			if q.Prior[i].Kind = cvd.KindStage; i < 3 {
				q.Prior[i].State = cvd.Sent
			}
		}
		row.change(&q)
		if a := MayRelease(q); a.Decision != row.want || !strings.Contains(a.Why, row.why) {
			t.Errorf("%s: %d %q, want %d %q", name, a.Decision, a.Why, row.want, row.why)
		}
	}
}

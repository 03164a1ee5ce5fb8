package mailflow

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// strictRig is a case whose scope needs a second coordinator; acme was told
// the first stage.
func strictRig(t *testing.T) *deskRig {
	t.Helper()
	r := newDeskRig(t)
	p := fastPolicy()
	p.Name, p.Stages[1].Approvals, p.Stages[1].Needs = "strict", 1, []cvd.Need{cvd.Accepted}
	r.Policies["strict"] = p
	tag := r.openedCase()
	r.giveKey("acme", "psirt@acme.example", keyring.Confirmed)
	r.writes("PAR-2026-0001", cvd.Scope, "the scope")
	r.say(asOperator, tag, "case policy strict", "start now")
	r.haveLeft("PAR-2026-0001", "acme", cvd.HeadsUp)
	return r
}

// waits gives commands whose last one waits, and gives the approval it waits
// for.
func (r *deskRig) waits(by Actor, lines ...string) string {
	r.t.Helper()
	tr, err := r.Do(context.Background(), by, lines)
	r.must(err)
	last := tr.Lines[len(tr.Lines)-1]
	if last.Outcome != Waits || last.Waits == "" || !strings.Contains(tr.String(), "WAITS for approval "+last.Waits) {
		r.t.Fatalf("want a wait, got:\n%s", tr)
	}
	return last.Waits
}

// An acceptance that a coordinator files lets a stage go; where that stage
// needs a second person, so does the filing.
func TestRecordAccept_SecondPerson(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.waits(asAnaSigns, "case PAR-2026-0001", `record acme accept v1 via phone "Jo, 1 Dec"`)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Accepted() != 0 {
		t.Fatal("it counts before the second person said yes")
	}
	if got := r.postsIn("Approvals"); len(got) != 1 || !strings.Contains(got[0], "approve "+id) {
		t.Errorf("Approvals holds %q", got)
	}
	r.refused(asAna, "another coordinator approves it", "approve "+id)
	r.refused(asBen, "there is no approval", "approve 0000-0000")
	if got := r.say(asBen, "approve "+strings.ToUpper(id)); !strings.Contains(got, "acme accepted v1") {
		t.Errorf("answered %q", got)
	}
	who := r.participantIs("PAR-2026-0001", "acme")
	if who.Accepted() != 1 || who.Acceptances[0].By != "ana" || who.Acceptances[0].Via != "phone Jo, 1 Dec" {
		t.Errorf("acceptances %+v", who.Acceptances)
	}
	if got := r.postsIn("Approvals"); len(got) != 0 {
		t.Errorf("Approvals still holds %q", got)
	}
	r.refused(asBen, "is over: approved", "approve "+id)
}

func TestRecordAccept_Rejected(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.waits(asOperator, "case PAR-2026-0001", "record acme accept v1 via phone")
	if got := r.say(asBen, `reject `+id+` because "nobody called"`); !strings.Contains(got, "what operator filed does not count") {
		t.Errorf("answered %q", got)
	}
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Accepted() != 0 {
		t.Error("it counts all the same")
	}
	r.refused(asAna, "is over: rejected by ben", "approve "+id)
}

// A desk of one has no second person to ask.
func TestRecordAccept_DeskOfOne(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	r.update(func(tx *store.Tx) error {
		ben, err := CoordinatorByName(tx, "ben")
		if err != nil {
			return err
		}
		ben.Ended = tx.Now
		return PutCoordinator(tx, ben)
	})
	r.say(asAnaSigns, "case PAR-2026-0001", "record acme accept v1 via phone")
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Accepted() != 1 {
		t.Error("it does not count")
	}
}

// postsIn lists the texts of the mails in one of the desk's folders.
func (r *deskRig) postsIn(folder string) []string {
	r.t.Helper()
	var out []string
	r.view(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		for m, err := range tx.MessagesIn(box.Number) {
			r.must(err)
			raw, err := tx.Bytes(m.Served)
			r.must(err)
			p, err := message.Parse(raw, r.Limits)
			r.must(err)
			out = append(out, mailText(p))
		}
		return nil
	})
	return out
}

// stageRequest is a request for approval of acme's scope, as the scheduler
// makes it.
func (r *deskRig) stageRequest(need int, signed bool) string {
	r.t.Helper()
	n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope)
	a := cvd.ApprovalRequest{ID: "9f3a-27c1", Case: "PAR-2026-0001", Stage: cvd.Scope, Author: "ana", Authors: []string{"ana"},
		Notices: []uint64{n.ID}, Parties: []cvd.PartyID{"acme"}, Hashes: map[uint64]string{n.ID: "h"}, Need: need, Signed: signed, Due: n.Due}
	r.update(func(tx *store.Tx) error {
		n.ApprovalID = a.ID
		if err := putNotice(tx, n, n.Row); err != nil {
			return err
		}
		return putApproval(tx, a)
	})
	return a.ID
}

// The author never approves, signed stages count only signed, and the
// operator gives no signed approval.
func TestA3_Approvals(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.stageRequest(1, true)
	r.refused(asBen, "counts only in a mail signed", "approve "+id)
	r.refused(Actor{Name: "ben", Via: ViaGesture}, "counts only in a mail signed", "approve "+id)
	r.refused(asOperator, "the operator cannot give it", "approve "+id)
	r.refused(asAnaSigns, "is your own text", "approve "+id)
	if got := r.say(asBenSigns, "approve "+id); !strings.Contains(got, "approved") {
		t.Errorf("answered %q", got)
	}
}

func TestApprove_TwoOfThem(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.stageRequest(2, false)
	if got := r.waits(asBen, "approve "+id); got != id {
		t.Errorf("waits for %s", got)
	}
	r.refused(asBen, "has your yes already", "approve "+id)
	if got := r.say(asOperator, "approve "+id); !strings.Contains(got, "approved") {
		t.Errorf("answered %q", got)
	}
}

// An approval of a case that is restricted to others does not exist.
func TestA2_Approvals(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	id := r.stageRequest(1, false)
	r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
	r.refused(asBen, "there is no approval "+id, "approve "+id)
	r.refused(asBen, "there is no approval "+id, "reject "+id+" because x")
	r.say(asAna, "reject "+id+" because x")
}

// What a coordinator hands over passes the same gate as a mail, but for the
// key.
func TestRecordDelivered_Needs(t *testing.T) {
	t.Parallel()
	r := strictRig(t)
	tag := "case PAR-2026-0001"
	r.say(asOperator, "vendor edit acme channel hand")
	r.after(3 * time.Minute)
	r.refused(asAna, "needs accepted; nothing was recorded", tag, "record acme delivered scope via portal")
	r.refused(asAna, "proof is not planned for acme", tag, "record acme delivered proof via portal")
	id := r.waits(asAnaSigns, tag, "record acme accept v1 via phone")
	r.say(asBen, "approve "+id)
	r.after(3 * time.Minute)
	r.refused(asAna, "nobody was asked for approval yet", tag, "record acme delivered scope via portal")
}

func TestRecordDelivered_Gate(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	tag := "case PAR-2026-0001"
	r.say(asOperator, "vendor edit acme channel hand")
	r.refused(asAna, "not due until 2026-12-01T09:00:02Z", tag, "record acme delivered scope via portal")
	r.after(time.Minute)
	r.refused(asAna, "it can still be undone until 2026-12-01T09:02Z", tag, "record acme delivered scope via portal")
	r.after(10 * time.Second)
	r.say(asAna, tag, "record acme ack via phone")
	r.after(3 * time.Minute)
	r.refused(asAna, "there is no material for scope", tag, "record acme delivered scope via portal")
	r.writes("PAR-2026-0001", cvd.Scope, "the scope")
	r.after(3 * time.Minute)
	r.refused(asAna, "acme is on hold: x", tag, "hold acme because x", "record acme delivered scope via portal")
	r.refused(asAna, "how it came is missing", tag, "record acme delivered scope")
	r.say(asAna, tag, `record acme delivered scope via "their portal"`)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Reached != cvd.Scope {
		t.Errorf("acme reached %q", who.Reached)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Sent || n.Why != "by hand, via their portal" || !n.Row.IsZero() {
		t.Errorf("notice %+v", n)
	}
	r.refused(asAna, "is not planned for acme", tag, "record acme delivered scope via portal")
	if out := r.say(asAna, tag, "plan acme"); !strings.Contains(out, "2/4 scope  2026-12-01T09:07:10Z  sent by hand, via their portal  by hand") {
		t.Errorf("plan:\n%s", out)
	}
	if got := r.kinds(); !slices.Contains(got, "record.delivered") {
		t.Errorf("journal %q", got)
	}
}

// What is recorded wakes what waited for it.
func TestRecord_Wakes(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.settles("acme", cvd.Scope, Answer{Decision: Wait, Why: "needs acknowledged"})
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); !n.Row.IsZero() {
		t.Fatal("a waiting notice has a row")
	}
	r.say(asAna, "case PAR-2026-0001", "record acme ack via mail")
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Planned || n.Row.IsZero() {
		t.Errorf("after the ack: %+v", n)
	}
	who := r.participantIs("PAR-2026-0001", "acme")
	if who.Acknowledged == nil || who.Acknowledged.By != "ana" || who.Acknowledged.Via != "mail" {
		t.Errorf("acknowledged: %+v", who.Acknowledged)
	}
}

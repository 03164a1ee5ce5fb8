package mailflow

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/courier"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// queued pretends that a stage was queued to a vendor, with its view in the
// thread, and gives the delivery.
func (r *deskRig) queued(p cvd.PartyID, s cvd.Stage) uint64 {
	r.t.Helper()
	n := r.stageNotice("PAR-2026-0001", p, s)
	r.update(func(tx *store.Tx) error {
		m, _, _, err := r.post(tx, Post{Folder: threadFolder(p), Case: n.Case, Subject: "sent", Text: "what they get\n"})
		if err != nil {
			return err
		}
		d, err := r.Store.SealBytes([]byte("exact bytes"))
		if err != nil {
			return err
		}
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		n.State, n.MessageID = cvd.Queued, m.MessageID
		keys, err := ownerKeys(tx, string(p))
		if err != nil {
			return err
		}
		for _, k := range keys {
			c, err := r.Certs.Certificate(k.Cert)
			if err != nil {
				return err
			}
			n.Keys = append(n.Keys, encryptedTo([]*keyring.Certificate{c}, tx.Now)...)
		}
		if n.Delivery, err = r.Queue.Add(tx, queue.Item{Case: string(n.Case), Party: string(p), Notice: n.ID, Scope: caseScope(n.Case),
			From: "bounce@vdp.example.org", To: "psirt@acme.example", MessageID: n.MessageID, Body: body}); err != nil {
			return err
		}
		if err := putNotice(tx, n, time.Time{}); err != nil {
			return err
		}
		who, err := ParticipantByID(tx, n.Case, p)
		if err != nil {
			return err
		}
		who.Reached = s
		who.Remember(n.Code, n.ID, tx.Now)
		return PutParticipant(tx, who)
	})
	return r.stageNotice("PAR-2026-0001", p, s).Delivery
}

func (r *deskRig) itemState(id uint64) queue.State {
	var it queue.Item
	r.view(func(tx *store.Tx) (err error) {
		it, err = r.Queue.Item(tx, id)
		return err
	})
	return it.State
}

// inThread counts the mails in a vendor's thread.
func (r *deskRig) inThread(p cvd.PartyID) int {
	n := 0
	r.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, "PAR-2026-0001")
		if err != nil {
			return err
		}
		box, err := r.caseFolder(tx, c, threadFolder(p))
		if err != nil {
			return err
		}
		uids, err := tx.UIDs(box.Number, func(store.Scope) bool { return true })
		n = len(uids)
		return err
	})
	return n
}

// A hold or withdrawal that is committed before DATA wins: the notice is taken
// back, its view leaves the thread, and the stage was not reached.
func TestT4_HoldTakesBackWhatIsQueued(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"hold acme", "hold case", "withdraw acme because wrong", "case close", "vendor edit acme address new@acme.example"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			r := newStartedRig(t)
			d := r.queued("acme", cvd.Scope)
			got := r.say(asOperator, "case PAR-2026-0001", line)
			if strings.HasPrefix(line, "hold") && !strings.Contains(got, "1 notice taken back from the queue") {
				t.Errorf("answered %q", got)
			}
			if got := r.itemState(d); got != queue.Dropped {
				t.Errorf("the delivery is %s", got)
			}
			if who := r.participantIs("PAR-2026-0001", "acme"); who.Reached != cvd.HeadsUp {
				t.Errorf("acme reached %s", who.Reached)
			}
			who := r.participantIs("PAR-2026-0001", "acme")
			if slices.ContainsFunc(who.Codes, func(c cvd.Code) bool { return c.Used.IsZero() }) {
				t.Error("the code of a mail that never left still counts")
			}
			if n := r.inThread("acme"); n != 0 {
				t.Errorf("%d mails are shown in the thread", n)
			}
			n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope)
			if ends := strings.HasPrefix(line, "withdraw") || line == "case close"; ends && n.ID != 0 {
				t.Errorf("scope is %s", n.State)
			} else if !ends && (n.State != cvd.Planned || n.Delivery != 0 || n.Row.IsZero()) {
				t.Errorf("scope is planned again as %+v", n)
			}
		})
	}
}

// slow is a mail server that takes its time: it says when it was handed a
// mail, and answers when told to.
type slow struct{ handed, answer chan struct{} }

func (s slow) Deliver(_ context.Context, m courier.Mail) courier.Result {
	body, err := m.Open() // from here on it is handed over
	if err != nil {
		return courier.Result{Outcome: courier.Later, Err: err}
	}
	defer body.Close()
	close(s.handed)
	<-s.answer
	return courier.Result{Outcome: courier.Sent}
}

// What is being handed over is not taken back, and the answer says so.
func TestT4_AlreadyUnderWay(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	server := slow{make(chan struct{}), make(chan struct{})}
	r.Queue.Courier = server
	r.queued("acme", cvd.Scope)
	done := make(chan error)
	go func() {
		_, err := r.Queue.RunDue(context.Background(), r.now())
		done <- err
	}()
	<-server.handed
	if got := r.say(asAna, "case PAR-2026-0001", "hold acme"); !strings.Contains(got, "already sent, or being sent: scope") {
		t.Errorf("answered %q", got)
	}
	close(server.answer)
	r.must(<-done)
	if who := r.participantIs("PAR-2026-0001", "acme"); who.Reached != cvd.Scope || who.Hold == nil {
		t.Errorf("acme: %+v", who)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope is %s", n.State)
	}
	if n := r.inThread("acme"); n != 1 {
		t.Errorf("%d mails are shown in the thread", n)
	}
}

// A withdrawn vendor's codes are dead; back again it has another address.
func TestWithdraw_AndBack(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	before := r.participantIs("PAR-2026-0001", "acme")
	r.update(func(tx *store.Tx) error {
		who := before
		who.Remember("K7Q3-X9PM", 1, tx.Now)
		return PutParticipant(tx, who)
	})
	r.say(asAna, "case PAR-2026-0001", `withdraw acme because "wrong Acme"`)
	who := r.participantIs("PAR-2026-0001", "acme")
	if who.Redeem("K7Q3-X9PM", rigNow) {
		t.Error("a code of a withdrawn vendor counts")
	}
	r.say(asOperator, "vendor edit acme address psirt@acme.test", "case PAR-2026-0001", "invite acme")
	who = r.participantIs("PAR-2026-0001", "acme")
	if who.Withdrawn != nil || who.Address != "psirt@acme.test" || who.Token == before.Token {
		t.Errorf("back again: %+v", who)
	}
	r.view(func(tx *store.Tx) error {
		old, err := tokens.Get(tx, tokenKey(tx, before.Token))
		r.must(err)
		fresh, err := tokens.Get(tx, tokenKey(tx, who.Token))
		r.must(err)
		if !old.Revoked || fresh.Revoked || fresh.Party != "acme" {
			t.Errorf("tokens: old %+v, new %+v", old, fresh)
		}
		return nil
	})
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Planned {
		t.Errorf("scope is %q", n.State)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	tag := "case PAR-2026-0001"
	r.settles("acme", cvd.Scope, Answer{Decision: HoldIt, Why: "no usable key"})
	if got := r.say(asAna, tag, "release acme"); !strings.Contains(got, "asked about again (scope: no usable key)") {
		t.Errorf("answered %q", got)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.Row.IsZero() {
		t.Error("the gate is not asked again")
	}
	if got := r.say(asAna, tag, "hold case because court", "hold acme", "release acme"); !strings.Contains(got, "the whole case is still on hold: court") {
		t.Errorf("answered %q", got)
	}
}

// sending resume asks again about what the pause held, and about that only.
func TestSendingResume(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.say(asAna, "hold all")
	r.settles("acme", cvd.Scope, Answer{Decision: HoldIt, Why: "sending is paused"})
	details := r.stageNotice("PAR-2026-0001", "acme", cvd.Details)
	r.after(time.Hour)
	r.say(asAna, "sending resume")
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.Row.IsZero() || !n.LastAct.Equal(rigNow.Add(time.Hour)) {
		t.Errorf("held notice: %+v", n)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Details); !n.LastAct.Equal(details.LastAct) {
		t.Errorf("a notice that was not held was touched: %+v", n)
	}
}

// A person answers for a delivery whose end is unknown.
func TestT3_Delivery(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]cvd.NoticeState{"sent": cvd.Sent, "again": cvd.Queued, "drop": cvd.Cancelled} {
		r := newStartedRig(t)
		d := r.queued("acme", cvd.Scope)
		r.refused(asAna, "", "delivery D1 "+how)
		_, err := r.Queue.RunDue(t.Context(), r.now())
		r.must(err)
		if got := r.itemState(d); got != queue.Unknown {
			t.Fatalf("the delivery is %s", got)
		}
		r.say(asAna, "delivery D1 "+how)
		var n cvd.Notice
		r.view(func(tx *store.Tx) error {
			all, err := Notices(tx, "PAR-2026-0001", "acme")
			for _, m := range all {
				if m.Stage == cvd.Scope {
					n = m
				}
			}
			return err
		})
		if n.State != want {
			t.Errorf("after %s the notice is %s, want %s", how, n.State, want)
		}
		r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
		r.refused(asBen, "there is no delivery D1", "delivery D1 "+how)
	}
}

func mailText(p *message.Part) string {
	if t := p.FirstText(); t != nil {
		s, _ := t.Text() // our own mail
		return s
	}
	return ""
}

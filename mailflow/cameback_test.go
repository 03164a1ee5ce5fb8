package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What a server refuses, or takes and gives back, told nobody anything: further
// stages wait, nothing goes again by itself, and a person's word sends it to
// another address, after which the rest follows.
func TestCameBack_GoesAgainByAPersonsWord(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"failed", "bounced"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, id := lateCase(t, []string{"ana"}, "globex")
			w.vendor("acme")
			if how == "failed" {
				w.sink.Refuse("psirt@acme.example", 550)
			}
			w.in(id, "invite acme wave 1")
			w.after(10 * time.Minute)
			if how == "bounced" {
				sent := w.sink.To("psirt@acme.example")[0]
				w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
				w.settle()
			}
			before := len(w.sink.To("psirt@acme.example"))
			w.in(id, `record acme accept v1 via phone "Jo Doe"`, `embargo 2027-01-05T09:00Z because "agreed"`, `record acme accept v2 via phone "Jo Doe"`)
			w.steps(6*time.Hour, 3*cvd.Day)
			if who := w.participant(id, "acme"); who.Reached != "" || len(w.sink.To("psirt@acme.example")) != before {
				t.Fatalf("acme knows %q, and was mailed %d times more", who.Reached, len(w.sink.To("psirt@acme.example"))-before)
			}
			n := w.notice(id, "acme", cvd.HeadsUp)
			if plan := w.in(id, "plan acme"); !strings.Contains(plan, how+" delivery "+w.deliveryOf(n)) {
				t.Errorf("the plan:\n%s", plan)
			}
			if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "refused heads-up, or gave it back") {
				t.Errorf("scope is %s: %s", n.State, n.Why)
			}
			w.do("vendor edit acme address other@acme.example")
			w.people["acme"].Address = "other@acme.example"
			w.in(id, "delivery "+w.deliveryOf(n)+" again")
			w.steps(6*time.Hour, cvd.Day)
			w.told("acme", "Heads-up", "Scope", "Details")
			if who := w.participant(id, "acme"); who.Reached != cvd.Details {
				t.Errorf("acme knows %q", who.Reached)
			}
		})
	}
}

// What a person dropped is not sent by any plan that is made later, and what stands
// behind it waits.
func TestCameBack_DroppedStaysSo(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, []string{"ana"}, "globex")
	w.vendor("acme")
	w.sink.Refuse("psirt@acme.example", 550)
	w.in(id, "invite acme wave 1")
	w.after(10 * time.Minute)
	w.sink.Refuse("psirt@acme.example", 0)
	w.in(id, "delivery "+w.deliveryOf(w.notice(id, "acme", cvd.HeadsUp))+" drop")
	w.in(id, `embargo 2027-01-05T09:00Z because "agreed"`, `record acme accept v2 via phone "Jo Doe"`)
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme")
	if who := w.participant(id, "acme"); who.Reached != "" {
		t.Errorf("acme knows %q", who.Reached)
	}
	w.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, "acme")
		if !slices.ContainsFunc(all, func(n cvd.Notice) bool { return n.Stage == cvd.HeadsUp && n.Why == "dropped by "+Operator }) {
			t.Errorf("nothing says why the heads-up ended: %s", noticesSaid(all))
		}
		return err
	})
}

// Who did not get what is public is not told either; it goes again after the end.
func TestCameBack_Public(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, []string{"ana"}, "acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(12*time.Hour, 25*cvd.Day)
	w.sink.Refuse("psirt@acme.example", 550)
	w.steps(12*time.Hour, 6*cvd.Day)
	if who := w.participant(id, "acme"); who.Reached != cvd.Advisory {
		t.Fatalf("acme knows %q", who.Reached)
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.in(id, "delivery "+w.deliveryOf(w.notice(id, "acme", cvd.Public))+" again")
	w.after(time.Hour)
	if who := w.participant(id, "acme"); who.Reached != cvd.Public {
		t.Errorf("acme knows %q", who.Reached)
	}
}

// Who was late since it did not answer, and never got what it was to answer, is not
// late: nothing goes to it but what it agreed to.
func TestCameBack_EndsSilence(t *testing.T) {
	t.Parallel()
	w, id := lateCase(t, []string{"ana"}, "globex")
	w.vendor("acme")
	w.in(id, "invite acme wave 1")
	w.steps(6*time.Hour, 10*cvd.Day)
	if who := w.participant(id, "acme"); who.Late == nil {
		t.Fatal("acme did not answer, and is not late")
	}
	sent := w.sink.To("psirt@acme.example")[0]
	w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
	w.settle()
	if who := w.participant(id, "acme"); who.Late != nil {
		t.Errorf("acme got nothing, and is late: %+v", *who.Late)
	}
}

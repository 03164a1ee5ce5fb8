package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// Of two who are told by hand the second is not told where the mail to the first
// came back meanwhile.
func TestV5_ByHandAfterTheOtherCameBack(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.quietly(id, "vendor edit globex channel hand")
	w.steps(time.Hour, 2*time.Hour)
	for _, sent := range w.mails(w.people["acme"]) { // it is not always the last of those of one instant
		if strings.Contains(sent.Subject, introduce) {
			w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
		}
	}
	w.settle()
	w.refuses(theOperator, "refused it, or gave it back", "case "+string(id), `record globex introduced via "phone"`)
	w.in(id, "delivery "+w.deliveryOf(w.halfOf(id, "acme"))+" again")
	w.steps(time.Hour, 2*time.Hour)
	w.in(id, `record globex introduced via "phone"`)
}

// Where the server of one refused its half, or gave it back, the other is not told
// either: it would learn who the first is, and stay unknown to it. Once the first
// went again, both know, and each was told once.
func TestV5_HalfThatCameBackHoldsTheOther(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"failed", "bounced"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w, id := agreeing(t)
			if how == "failed" {
				w.sink.Refuse("psirt@acme.example", 550)
			}
			w.queues(id, "acme")
			w.delivers()
			w.sink.Refuse("psirt@acme.example", 0)
			if how == "bounced" {
				all := w.sink.To("psirt@acme.example")
				sent := all[len(all)-1]
				w.arrives("", sent.From, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+sent.From+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\nno such mailbox\r\n"))
			}
			w.killed()
			w.steps(time.Hour, cvd.Day)
			if n := w.halfOf(id, "globex"); n.State != cvd.Held || !strings.Contains(n.Why, "refused it, or gave it back") {
				t.Errorf("the half of globex is %s: %s", n.State, n.Why)
			}
			if _, g := w.named(); g != 0 {
				t.Fatal("globex learned who acme is, and is unknown to it")
			}
			if status := strings.Join(strings.Fields(w.in(id, "status")), " "); !strings.Contains(status, "agreed; the mail to acme came back, and globex was not told") {
				t.Errorf("status says\n%s", status)
			}
			w.submits("ana", "acme."+id.Lower()+"@"+w.DeskDomain, true, "a word", "please write to globex soon\n")
			w.after(5 * w.Undo)
			if anyHolds(w.got("acme"), "please write to globex soon") {
				t.Error("a letter names globex to acme, which never learned of it")
			}
			w.in(id, "delivery "+w.deliveryOf(w.halfOf(id, "acme"))+" again")
			w.steps(time.Hour, cvd.Day)
			if how == "bounced" { // what came back, and the one that did not
				if a, g := len(w.about("acme", introduce)), len(w.about("globex", introduce)); a != 2 || g != 1 {
					t.Errorf("acme was told %d times, globex %d", a, g)
				}
				return
			}
			w.bothOrNone(1, "sent again")
		})
	}
}

// A half that failed is not sent again once one of them took its word back: the
// desk is told why. Both agree anew, and each is told once.
func TestV2_NoHalfAgainAfterARefusal(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.sink.Refuse("psirt@acme.example", 550)
	w.queues(id, "acme")
	w.delivers()
	w.sink.Refuse("psirt@acme.example", 0)
	failed := w.deliveryOf(w.halfOf(id, "acme"))
	w.saysOnly("globex", id, "REFUSE "+string(id)+" 1\n")
	w.refuses(theOperator, "nobody is told who the other is", "case "+string(id), "delivery "+failed+" again")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(0, "globex refused")
	w.answers("globex", id, true, "CONSENT "+string(id)+" 1\n")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "both agree again")
	w.refuses(theOperator, "nobody is told who the other is", "case "+string(id), "delivery "+failed+" again")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "the old one was asked for again")
}

package mailflow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// Stories that notice the lack of a row which histories come by hardly ever.

// Nothing goes to an address that was revoked, although its key is good.
func TestAlone_Revoked(t *testing.T) {
	without(t, "its address was not revoked", func(t *testing.T) bool {
		w := newWorld(t)
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT v1\n")
		w.answers("acme", id, true, "MEMBER REVOKE "+string(id)+" psirt@acme.example\n")
		before := len(w.sink.To("psirt@acme.example"))
		w.do("key confirm acme " + w.people["acme"].Fingerprint() + ` evidence "phone"`)
		w.after(2 * cvd.Day)
		return len(w.sink.To("psirt@acme.example")) != before
	})
}

// Who did not get scope does not get details.
func TestAlone_Refused(t *testing.T) {
	without(t, "their server took the stage before", func(t *testing.T) bool {
		w := newWorld(t)
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT v1\n")
		w.sink.Refuse("psirt@acme.example", 550)
		w.after(25 * time.Hour)
		w.sink.Refuse("psirt@acme.example", 0)
		w.after(2 * cvd.Day)
		return w.heard("acme", cvd.Details)
	})
}

// What waits for a lifted hold is what people said yes to, not what came of it.
func TestAlone_KitEdited(t *testing.T) {
	fired := func(t *testing.T) (*world, cvd.CaseID) {
		w, id := strict(t, "acme")
		w.as(benSigned, "approve "+w.kitRequest().ID)
		w.in(id, "hold acme")
		if tr := w.as(anaSigned, "case "+string(id), "leak "+leakAddress+" stage details within 30m"); !tr.Done() {
			t.Fatalf("%s", tr)
		}
		return w, id
	}
	without(t, "the kit is what people were asked about", func(t *testing.T) bool {
		w, id := fired(t)
		w.material(id, cvd.Details, "other words") // nobody was asked about them yet
		if tr, err := w.desk.Do(context.Background(), anaSigned, []string{"case " + string(id), "release acme"}); err != nil || !tr.Done() {
			t.Fatalf("%v, %s", err, tr)
		}
		if _, err := w.sched.RunDue(context.Background(), w.clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.settle()
		return len(w.leaks("acme")) != 0
	})
	without(t, "enough people said yes to the kit", func(t *testing.T) bool {
		w, id := fired(t)
		w.material(id, cvd.Details, "other words")
		w.settle()
		w.as(benSigned, "reject "+w.kitRequest().ID+` because "no"`)
		w.in(id, "release acme")
		w.after(time.Hour)
		return len(w.leaks("acme")) != 0
	})
}

// A desk of one waits before what it said yes to alone leaves.
func TestAlone_DeskOfOne(t *testing.T) {
	without(t, "a desk of one waited", func(t *testing.T) bool {
		w := newWorld(t)
		w.coordinator("ana")
		w.strictCase("acme")
		w.steps(6*time.Hour, 2*cvd.Day)
		w.as(anaSigned, "approve "+w.request(cvd.Scope).ID)
		w.after(time.Hour)
		return w.heard("acme", cvd.Scope)
	})
	without(t, "a desk of one waited with the kit", func(t *testing.T) bool {
		w := newWorld(t)
		w.coordinator("ana")
		id := w.strictCase("acme")
		w.as(anaSigned, "approve "+w.kitRequest().ID)
		w.after(w.CoolOff)
		w.in(id, "hold acme")
		if tr := w.as(anaSigned, "case "+string(id), "leak "+leakAddress+" stage details within 30m"); !tr.Done() {
			t.Fatalf("%s", tr)
		}
		w.material(id, cvd.Details, "other words")
		w.settle()
		w.as(anaSigned, "approve "+w.kitRequest().ID)
		w.in(id, "release acme")
		w.after(time.Hour)
		return len(w.leaks("acme")) != 0
	})
}

// In a case that was closed nobody learns of the other, whatever is said then.
func TestAlone_Closed(t *testing.T) {
	without(t, "the case is open", func(t *testing.T) bool {
		w, id := meeting(t)
		w.in(id, "introduce acme globex")
		w.after(5 * w.Undo)
		w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
		w.in(id, "case close")
		w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
		w.after(time.Hour)
		return len(w.about("acme", introduce)) != 0
	})
}

// What was overdue is looked at, though a hold ended the pause that it began.
func TestAlone_Overdue(t *testing.T) {
	without(t, "it waits for no review of what is overdue", func(t *testing.T) bool {
		w := newWorld(t)
		w.coordinator("ana")
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT v1\n")
		w.clock.Advance(30 * time.Hour)
		w.restart()
		w.settle()
		w.told("acme", "Heads-up")
		w.in(id, "hold case", "release case")
		w.after(time.Hour)
		return w.heard("acme", cvd.Scope)
	})
}

// Nobody is named to one who stays unknown.
func TestAlone_OtherHalf(t *testing.T) {
	agreed := func(t *testing.T, then func(w *world, id cvd.CaseID)) bool {
		w, id := meeting(t)
		w.in(id, "introduce acme globex")
		w.after(5 * w.Undo)
		w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
		then(w, id)
		w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
		w.after(time.Hour)
		return len(w.about("globex", introduce)) != 0
	}
	without(t, "the other half could leave", func(t *testing.T) bool {
		return agreed(t, func(w *world, _ cvd.CaseID) {
			w.do("key reject acme " + w.people["acme"].Fingerprint() + ` because "not theirs"`)
		})
	})
}

// Of two reminders that were held up the later one goes, on a working day.
func TestAlone_Reminders(t *testing.T) {
	without(t, "no later reminder is due", func(t *testing.T) bool {
		w, id := reminding(t, "acme")
		w.do("sending pause")
		w.after(8 * cvd.Day)
		w.do("sending resume")
		w.after(cvd.Day)
		return len(w.reminded("acme")) > 1 && w.toCome(id, "acme") > 0
	})
	without(t, "somebody works there", func(t *testing.T) bool {
		w, _ := reminding(t, "acme")
		w.after(2 * cvd.Day)
		w.do("sending pause")
		w.after(36 * time.Hour)
		for w.clock.Now().Weekday() != time.Saturday {
			w.after(time.Hour)
		}
		w.do("sending resume")
		w.after(time.Hour)
		return len(w.reminded("acme")) != 0
	})
}

// What people refused does not leave, whatever wakes it.
func TestAlone_Rejected(t *testing.T) {
	without(t, "enough people said yes", func(t *testing.T) bool {
		w, id := strict(t, "acme")
		w.steps(6*time.Hour, 2*cvd.Day)
		w.as(benSigned, "reject "+w.request(cvd.Scope).ID+` because "no"`)
		w.in(id, "hold acme", "release acme")
		w.steps(6*time.Hour, 2*cvd.Day)
		return w.heard("acme", cvd.Scope)
	})
}

// Who agreed to an earlier end learns no more, and who is told by hand gets no mail.
func TestAlone_EndAndHand(t *testing.T) {
	after := func(t *testing.T, then func(w *world, id cvd.CaseID)) bool {
		w := newWorld(t)
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT v1\n")
		then(w, id)
		w.after(25 * time.Hour)
		return w.heard("acme", cvd.Scope)
	}
	without(t, "its participant agreed to the longer embargo", func(t *testing.T) bool {
		return after(t, func(w *world, id cvd.CaseID) { w.in(id, `embargo 2027-01-20T09:00Z because "fix needs time"`) })
	})
	without(t, "it goes by mail", func(t *testing.T) bool {
		return after(t, func(w *world, _ cvd.CaseID) { w.do("vendor edit acme channel hand") })
	})
}

// An answer for all at a stage does not go where that stage came back, and does once
// it got there.
func TestAlone_AnswerForAll(t *testing.T) {
	without(t, "its participant was told what it answers for", func(t *testing.T) bool {
		w := newWorld(t)
		id := w.started("acme")
		w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
		w.steps(time.Hour, 25*time.Hour)
		w.told("acme", "Heads-up", "Scope")
		scope := w.notice(id, "acme", cvd.Scope)
		w.in(id, `answer-all scope "Only the old format is read so."`)
		all := w.sink.To("psirt@acme.example")
		bounce := all[slices.IndexFunc(all, func(m mailtest.Received) bool { return strings.Contains(string(m.Raw), scope.MessageID) })].From
		w.arrives("", bounce, []byte("From: MAILER-DAEMON@acme.example\r\nTo: "+bounce+"\r\nX-Failed-Recipients: psirt@acme.example\r\n\r\n550 no\r\n"))
		w.after(time.Hour)
		before := len(w.about("acme", "An answer for all"))
		w.do(fmt.Sprintf("delivery D%d again", scope.Delivery))
		w.after(time.Hour)
		if n := len(w.about("acme", "An answer for all")); n != 1 {
			t.Errorf("once scope got there acme has %d answers", n)
		}
		return before != 0
	})
}

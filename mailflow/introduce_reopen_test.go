package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// An introduction lives on in a case that was closed and opened again, wherever it
// stood: not asked, one consent, both. Who had not answered is asked again.
func TestIntroduce_ReopenedCase(t *testing.T) {
	t.Parallel()
	for said := range 3 {
		t.Run(fmt.Sprintf("%d consents", said), func(t *testing.T) {
			t.Parallel()
			w, id := meeting(t)
			w.in(id, "introduce acme globex")
			if said > 0 {
				w.after(5 * w.Undo)
				w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
			}
			if said > 1 {
				w.saysOnly("globex", id, "CONSENT "+string(id)+"\n")
			}
			w.in(id, "case close")
			w.steps(time.Hour, cvd.Day)
			w.bothOrNone(0, "closed")
			w.in(id, "case reopen")
			w.steps(time.Hour, cvd.Day)
			if said == 0 && (len(w.about("acme", asks)) != 1 || len(w.about("globex", asks)) != 1) {
				t.Errorf("asked %d and %d", len(w.about("acme", asks)), len(w.about("globex", asks)))
			}
			if said < 2 {
				w.bothOrNone(0, "not both agreed")
			}
			for _, name := range []string{"acme", "globex"}[said:] {
				w.answers(name, id, true, "CONSENT "+string(id)+" 1\n")
			}
			w.steps(time.Hour, cvd.Day)
			w.bothOrNone(1, "opened again")
		})
	}
}

// What a party agreed to in a case that was closed meanwhile was said by whoever read
// at the address that it revoked: once the case is opened again the party is asked.
func TestIntroduce_ReopenedAfterARevoke(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	other := w.caseWith("acme") // of which it writes while the first is closed
	w.in(other, "start now")
	w.do("member add acme jo@acme.example")
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	for _, name := range []string{"acme", "globex"} {
		w.saysOnly(name, id, "CONSENT "+string(id)+"\n")
	}
	w.in(id, "case close")
	w.answers("acme", other, true, "MEMBER REVOKE jo@acme.example\n")
	w.in(id, "case reopen")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(0, "on the word of before the revocation")
	if n := len(w.about("acme", asks)); n != 2 {
		t.Errorf("acme was asked %d times", n)
	}
	w.answers("acme", id, true, "CONSENT "+string(id)+" 1\n")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "agreed again")
}

// Of two halves one of which had left when the case was closed, the other follows
// when it is opened again.
func TestIntroduce_ReopenedAfterOneHalf(t *testing.T) {
	t.Parallel()
	w, id := agreeing(t)
	w.queues(id, "acme")
	w.delivers()
	w.in(id, "case close")
	w.steps(time.Hour, cvd.Day)
	if a, g := w.named(); a != 1 || g != 0 {
		t.Fatalf("told %d and %d", a, g)
	}
	w.in(id, "case reopen")
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(1, "opened again")
}

// A consent that a coordinator filed, and took back, leaves the party's own REFUSE
// in force: as it was, to the letter.
func TestV2_UndoneConsentLeavesTheRefusal(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "REFUSE "+string(id)+"\n")
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	before := w.introOf(id)
	tr := w.as(signed("ana"), "case "+string(id), `record acme consent to globex via phone "Jo"`)
	w.killed()
	w.as(signed("ana"), "undo "+undoID.FindStringSubmatch(tr.String())[1])
	if got := w.introOf(id); fmt.Sprint(got.Sides[0].No, got.Sides[0].Yes) != fmt.Sprint(before.Sides[0].No, before.Sides[0].Yes) || got.Sides[0].No == nil {
		t.Errorf("%+v, before %+v", got.Sides[0], before.Sides[0])
	}
	w.steps(time.Hour, cvd.Day)
	w.bothOrNone(0, "its last word is no")
	if status := w.in(id, "status"); !strings.Contains(status, "acme refuses") {
		t.Errorf("status:\n%s", status)
	}
}

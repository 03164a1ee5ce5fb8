package mailflow

import (
	"fmt"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// A start on which an introduction rests stays, until that is taken back.
func TestUndo_StartWithAnIntroduction(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana ben")
	id := w.caseWith()
	for _, name := range []string{"fin", "gil"} {
		r := w.reported(w.person(name, name+"@"+name+".example"), "Overflow", name+" saw it overflow")
		w.in(id, fmt.Sprintf("report %d join %s", r.Number, id))
	}
	w.vendor("acme")
	w.in(id, "invite acme")
	tr := w.as(signed("ana"), "case "+string(id), "start now")
	undo := "undo " + undoID.FindStringSubmatch(tr.String())[1]
	w.in(id, "introduce finder finder-2")
	w.refuses(signed("ana"), "finder and finder-2 are being introduced since", undo)
	w.in(id, "introduce finder finder-2 cancel")
	if tr := w.as(signed("ana"), undo); !tr.Done() {
		t.Errorf("%s", tr)
	}
}

// What was said of an introduction is as it was after the undo of each command about
// it: asked, agreed by telephone, told by hand.
func TestUndo_Introductions(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	tag := "case " + string(id)
	undone := func(line string) {
		t.Helper()
		tr := w.as(signed("ana"), tag, line)
		m := undoID.FindStringSubmatch(tr.String())
		if !tr.Done() || m == nil {
			t.Fatalf("%s", tr)
		}
		w.killed()
		if tr := w.as(signed("ana"), "undo "+m[1]); !tr.Done() {
			t.Fatalf("%s", tr)
		}
	}
	undone("introduce acme globex")
	w.steps(time.Hour, cvd.Day)
	if len(w.about("acme", asks))+len(w.about("globex", asks)) != 0 {
		t.Fatal("they are asked all the same")
	}
	w.do("vendor edit acme channel hand")
	w.in(id, "introduce acme globex")
	w.steps(time.Hour, cvd.Day)
	asked := func() cvd.Notice {
		all := w.noticesOf(id, "acme", cvd.KindQuestion)
		return all[len(all)-1] // what was asked before was taken back
	}
	if n := asked(); n.State != cvd.Held {
		t.Fatalf("the question is %s: %s", n.State, n.Why)
	}
	before := fmt.Sprintf("%+v", w.introOf(id))
	undone(`record acme consent to globex via phone "Jo"`)
	w.steps(time.Hour, 2*time.Hour)
	if n := asked(); n.State != cvd.Held || fmt.Sprintf("%+v", w.introOf(id)) != before {
		t.Errorf("the question is %s (%s); %+v, before %s", n.State, n.Why, w.introOf(id), before)
	}
	w.in(id, `record acme consent to globex via phone "Jo"`)
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n")
	w.steps(time.Hour, 2*time.Hour)
	undone(`record acme introduced via "phone"`)
	w.steps(time.Hour, 2*time.Hour)
	if n := w.halfOf(id, "acme"); n.State != cvd.Held || !n.SentAt.IsZero() {
		t.Errorf("the half of acme is %s", n.State)
	}
	w.in(id, `record acme introduced via "phone"`)
	if n := w.halfOf(id, "acme"); n.State != cvd.Sent {
		t.Errorf("the half of acme is %s", n.State)
	}
	if a, g := w.named(); a != 0 || g != 1 {
		t.Errorf("acme was mailed %d times, globex %d", a, g)
	}
}

// To resume sending is an act on everything that waited, on an introduction, too: it
// can be taken back within the undo window, and nobody has been named then.
func TestUndo_ResumedIntroduction(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.do("sending pause")
	w.saysOnly("acme", id, "CONSENT "+string(id)+"\n")
	w.saysOnly("globex", id, "CONSENT "+string(id)+"\n")
	w.after(5 * w.Undo)
	w.do("sending resume")
	w.settle()
	if acme, globex := w.named(); acme+globex != 0 {
		t.Fatalf("named at once: acme %d, globex %d", acme, globex)
	}
	w.after(w.Undo)
	w.bothOrNone(1, "after the window")
}

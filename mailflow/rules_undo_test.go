package mailflow

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// takesBack moves the newest receipt in a folder Do/X to another one.
func (w *world) takesBack(name, button, to string) error {
	w.t.Helper()
	win := w.windowOn(w.seatOf(name), "Do/"+button)
	if win.Len() == 0 {
		w.t.Fatalf("Do/%s is empty", button)
	}
	_, err := win.Move(context.Background(), []int{win.Len() - 1}, to)
	w.settle()
	return err
}

// refusedWith wants a refusal with these words, and the mail that says the
// same.
func (w *world) refusedWith(err error, where, why string) {
	w.t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || !strings.Contains(r.Sentence, why) {
		w.t.Errorf("%v, want a refusal with %q", err, why)
	}
	if m := w.last("INBOX"); !strings.HasPrefix(m.Envelope.Subject, "Not done: "+where) || !strings.Contains(unwrapped(w.words(m)), why) {
		w.t.Errorf("INBOX: %q\n%s\nwant %q", m.Envelope.Subject, w.words(m), why)
	}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// A case that was opened by mistake gives its report back, with all that is
// known of it; another one can be opened from it.
func TestA5_UndoNewCase(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana")
	fin := w.person("fin", "fin@finder.example")
	r := w.reported(fin, "Overflow", "it overflows")
	to := w.ThreadAddress(r.Token)
	writes := func(text string) {
		w.arrives(fin.Address, to, w.seal(fin, to, true, mailtest.Entity("Re: Overflow", text)))
		w.settle()
	}
	writes("one more thing")
	before := w.subjects("Intake")
	drop := func() { // the report, and not the letter after it
		_, err := w.drops("ana", "Intake", "#1 ", "Do/New case")
		w.ok(err)
	}
	drop()
	if len(w.subjects("Intake")) != 0 || w.reports()[0].Case != "PAR-2026-0001" {
		t.Fatalf("Intake: %q, report of %s", w.subjects("Intake"), w.reports()[0].Case)
	}
	w.clock.Advance(w.Undo)
	w.ok(w.takesBack("ana", "New case", "Intake"))
	if got := w.subjects("Intake"); len(got) != len(before) || w.reports()[0].Case != "" {
		t.Errorf("Intake: %q, before: %q; report of %q", got, before, w.reports()[0].Case)
	}
	if c := w.theCase("PAR-2026-0001"); c.Closed.IsZero() || len(c.Reports) != 0 {
		t.Errorf("the case is left: %+v", c)
	}
	if len(w.subjects("Do/New case")) != 0 {
		t.Errorf("Do/New case: %q", w.subjects("Do/New case"))
	}
	writes("and another")
	if got := w.subjects("Intake"); len(got) != len(before)+1 {
		t.Errorf("a later letter is not in Intake: %q", got)
	}
	w.submits("ana", "finder.report-1@"+w.DeskDomain, false, "Re: Overflow", "thank you\n")
	if n := w.countIn("INBOX", "finder wrote"); n != 0 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	drop()
	if got := w.reports()[0].Case; got != "PAR-2026-0002" {
		t.Fatalf("the report is of %q", got)
	}
	w.submits("ana", "notes.par-2026-0002@"+w.DeskDomain, false, "a thought", "x\n")
	w.refusedWith(w.takesBack("ana", "New case", "Intake"), "Intake", "was worked on since")
	if got := w.reports()[0].Case; got != "PAR-2026-0002" {
		t.Errorf("the report is of %q", got)
	}
}

// A yes and a no are taken back by whoever gave them, as long as nothing left.
func TestA5_UndoApproveAndReject(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	a := w.request(cvd.Scope)
	for _, button := range []string{"Approve", "Reject"} {
		_, err := w.drops("ben", "Approvals", "scope", "Do/"+button)
		w.ok(err)
		if len(w.requests(cvd.Scope)) != 0 {
			t.Fatalf("%s: the request is open still", button)
		}
		w.refusedWith(w.takesBack("ana", button, "Approvals"), "Approvals", "only ben can take it back")
		w.ok(w.takesBack("ben", button, "Approvals"))
		if got := w.request(cvd.Scope); got.ID != a.ID || len(got.Yes) != 0 || got.How != "" {
			t.Errorf("after %s and back: %+v", button, got)
		}
		if n := w.countIn("Approvals", "scope"); n != 1 {
			t.Errorf("after %s and back Approvals holds %q", button, w.subjects("Approvals"))
		}
	}
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up")
	_, err := w.drops("ben", "Approvals", "scope", "Do/Approve")
	w.ok(err)
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope")
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Sent {
		t.Errorf("scope is %s", n.State)
	}
	w.refusedWith(w.takesBack("ben", "Approve", "Approvals"), "Approvals", "has left already")
}

// Two people who each have to say yes drop the same mail into the same folder.
func TestA5_EachYesCounts(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.coordinator("cyn")
	twice := w.Policies["default"]
	twice.Name, twice.Stages = "twice", append([]cvd.StageRule(nil), twice.Stages...)
	twice.Stages[1].Approvals = 2
	w.Policies["twice"] = twice
	w.in(id, "case policy twice")
	give := func(name string) uint32 {
		uid, err := w.drops(name, "Approvals", "scope", "Do/Approve")
		w.ok(err)
		return uid
	}
	first := give("ben")
	second := give("ben") // mbsync pushes twice after a crash
	if a := w.request(cvd.Scope); len(a.Yes) != 1 || first == 0 || second != first {
		t.Fatalf("%d yes, receipts %d and %d", len(a.Yes), first, second)
	}
	give("cyn")
	if n := len(w.requests(cvd.Scope)); n != 0 {
		t.Errorf("%d requests are open", n)
	}
}

// An acknowledgement that was filed by mistake is taken back, and the letter
// stands before the desk again.
func TestA5_UndoAcknowledge(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana")
	id := w.started("acme")
	w.answers("acme", id, true, "we got it, who is this?\n")
	letter := func() int { return w.countIn("INBOX", "acme wrote in") }
	_, err := w.drops("ana", "INBOX", "acme wrote in", "Do/Acknowledge")
	w.ok(err)
	if w.participant(id, "acme").Acknowledged == nil || letter() != 0 {
		t.Fatalf("not acknowledged; INBOX: %q", w.subjects("INBOX"))
	}
	w.ok(w.takesBack("ana", "Acknowledge", "INBOX"))
	if w.participant(id, "acme").Acknowledged != nil || letter() != 1 {
		t.Errorf("still acknowledged; INBOX: %q", w.subjects("INBOX"))
	}
	w.after(3 * cvd.Day)
	w.told("acme", "Heads-up")
	w.submits("ana", "acme."+id.Lower()+"@"+w.DeskDomain, false, "Re: who", "we are the desk\n")
	if letter() != 0 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
}

// A hold is ended by moving the receipt back, in time and to where it was; the
// same mail may be dropped again later, and means the same again.
func TestA5_UndoHoldAndHoldAgain(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana ben")
	id := w.started("acme")
	thread := w.folderOf(id, "Vendor acme")
	held := func() bool { return w.participant(id, "acme").Hold != nil }
	drops := func(by, button string) uint32 {
		uid, err := w.drops(by, thread, "Heads-up", "Do/"+button)
		w.ok(err)
		return uid
	}
	_, err := w.drops("ben", thread, "Heads-up", "Do/Release")
	w.refusedWith(err, "Do/Release", "nothing of acme is held")
	if first, second := drops("ana", "Hold"), drops("ana", "Hold"); first == 0 || second != first {
		t.Errorf("receipts %d and %d", first, second)
	}
	w.refusedWith(w.takesBack("ana", "Hold", "Intake"), "Intake", "it did not come from Intake")
	if !held() {
		t.Error("acme is not on hold")
	}
	w.ok(w.takesBack("ana", "Hold", thread))
	if held() {
		t.Error("acme is on hold still")
	}
	drops("ana", "Hold")
	w.in(id, "release acme")
	drops("ana", "Hold")
	if !held() {
		t.Error("acme was held again in vain")
	}
	w.clock.Advance(w.Undo + time.Second)
	w.refusedWith(w.takesBack("ana", "Hold", thread), thread, "are over")
	drops("ben", "Release")
	if held() || w.countIn("INBOX", "Not done: Do/Release") != 0 {
		t.Errorf("ben did not release acme, or is still told so: %q", w.subjects("INBOX"))
	}
	w.clock.Advance(receiptLife)
	seats := &Seats{Base: w.Base, Desk: w.desk}
	if _, err := seats.RunDue(context.Background(), w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.view(func(tx *store.Tx) error {
		if n := receipts.Count(tx, nil); n != 0 {
			t.Errorf("%d receipts are left after a day", n)
		}
		return nil
	})
}

// A case file that a newer one takes the place of while its receipt is moved
// back still undoes, whichever of the two comes first.
func TestA5_UndoByACaseFileThatIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana")
	id := w.started("acme")
	file := w.folderOf(id, "Case file")
	for round := range 20 {
		w.settle()
		win := w.windowOn(w.seatOf("ana"), file)
		if _, err := win.Copy(t.Context(), []int{win.Len() - 1}, "Do/Hold"); err != nil {
			t.Fatal(err)
		}
		receipts := w.windowOn(w.seatOf("ana"), "Do/Hold")
		replaced := make(chan error)
		go func() { replaced <- w.sched.Prepare(context.Background()) }()
		_, err := receipts.Move(t.Context(), []int{receipts.Len() - 1}, file)
		if held := w.theCase(id).Hold; err != nil || held != nil {
			t.Fatalf("round %d: %v, and the hold is %+v", round, err, held)
		}
		w.ok(<-replaced)
	}
}

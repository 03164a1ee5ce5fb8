package mailflow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// draftsOf lists what stands in somebody's Drafts, with its marks.
func (w *world) draftsOf(name string) (out []*message.Part, marks []store.Marks) {
	w.t.Helper()
	win := w.windowOn(w.seatOf(name), "Drafts")
	for at := range win.Len() {
		w.ok(win.Read([]int{at}, func(_ *store.Tx, _ int, e *store.Entry) error {
			raw, err := w.Store.Bytes(e.Served)
			if err != nil {
				return err
			}
			p, err := message.Parse(raw, w.Limits)
			out, marks = append(out, p), append(marks, win.Marks(at))
			return err
		}))
	}
	return out, marks
}

// signs sends a draft as it stands, signed.
func (w *world) signs(name string, draft *message.Part) {
	w.t.Helper()
	text, err := draft.FirstText().Text()
	w.ok(err)
	to, err := draft.Header.Addresses("To")
	w.ok(err)
	w.submits(name, to[0].Addr(), true, draft.Header.Text("Subject"), text)
}

// A yes that counts only signed is refused as a gesture, and stands in Drafts:
// signed and sent as it is, it counts. A Reply that quotes it does not.
func TestA3_ReadyToSign(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"gesture", "mail"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			w, id := strict(t, "acme")
			w.ok(w.press(benByGesture, "Approve", w.request(cvd.Scope).ID))
			w.after(2 * cvd.Day)
			a := w.request(cvd.Details)
			approve := func() {
				if way == "mail" {
					w.control("ben", false, "approve "+a.ID)
					return
				}
				_, err := w.drops("ben", "Approvals", "details ->", "Do/Approve")
				w.refusedWith(err, "Do/Approve", "counts only in a mail signed")
			}
			approve()
			approve()
			refusal := w.last("INBOX")
			if text := unwrapped(w.words(refusal)); !strings.Contains(text, "approve "+a.ID) || !strings.Contains(text, "open the mail `approve "+a.ID+"` in your Drafts, sign") {
				t.Errorf("INBOX:\n%s", text)
			}
			drafts, marks := w.draftsOf("ben")
			if len(drafts) != 1 || marks[0]&store.MarkDraft == 0 || drafts[0].Header.Text("Subject") != "approve "+a.ID {
				t.Fatalf("ben has %d drafts, marks %v", len(drafts), marks)
			}
			if got, _ := w.draftsOf("ana"); len(got) != 0 {
				t.Errorf("ana has %d drafts", len(got))
			}
			if n := w.countIn("INBOX", "Not done"); n != 1 {
				t.Errorf("refused twice, there are %d tasks: %q", n, w.subjects("INBOX"))
			}
			w.submits("ben", "control@"+w.DeskDomain, true, "Re: Not done", "> approve "+a.ID+"\n")
			if w.request(cvd.Details).ID != a.ID {
				t.Fatal("a quoted line counted")
			}
			w.signs("ben", drafts[0])
			if len(w.requests(cvd.Details)) != 0 {
				t.Fatalf("the signed draft did not count: %s", w.words(w.last("Status")))
			}
			if got, _ := w.draftsOf("ben"); len(got) != 0 {
				t.Errorf("%d drafts are left", len(got))
			}
			for _, m := range w.filed("INBOX") {
				if text := w.words(m); strings.Contains(text, "in your Drafts") {
					t.Errorf("carried out, and still a task:\n%s", text)
				}
			}
			if w.theCase(id).Hold != nil {
				t.Error("something else happened")
			}
		})
	}
}

// A mail of several commands of which one counts only signed is drafted whole,
// sealed with its case; a dry-run and whoever has no key get none.
func TestA3_ReadyToSignIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.vendor("acme")
	id := w.caseWith()
	lines := []string{"case " + string(id), "case severity high", "invite acme wave 1", "hold case"}
	w.control("ana", false, append([]string{"dry-run"}, lines...)...)
	if got, _ := w.draftsOf("ana"); len(got) != 0 {
		t.Fatalf("a dry-run left %d drafts", len(got))
	}
	w.control("ana", false, lines...)
	drafts, _ := w.draftsOf("ana")
	if len(drafts) != 1 || drafts[0].Header.Text("Subject") != "case severity high" {
		t.Fatalf("%d drafts", len(drafts))
	}
	w.control("ana", false, "case "+string(id), "nonsense")
	if got, _ := w.draftsOf("ana"); len(got) != 1 {
		t.Errorf("nonsense was drafted: %d", len(got))
	}
	w.signs("ana", drafts[0])
	if w.theCase(id).Hold == nil || w.who(id, "acme").Wave != 1 || w.theCase(id).Severity != "high" {
		t.Errorf("the draft did not do all: %s", w.words(w.last("Status")))
	}
	w.update(func(tx *store.Tx) error {
		return PutCoordinator(tx, Coordinator{Name: "ana", Address: "ana@" + w.DeskDomain, Added: tx.Now})
	})
	w.control("ana", false, "vendor add umbrella psirt@umbrella.example")
	if got, _ := w.draftsOf("ana"); len(got) != 0 {
		t.Errorf("who has no key got %d drafts", len(got))
	}
}

// The same command, signed in a mail of several, ends the draft and the task of
// the one that was refused. One that was never carried out keeps both; one of
// which the task was called done is signed all the same.
func TestA3_SignedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	add := "vendor add umbrella psirt@umbrella.example"
	w.control("ana", false, add)
	w.control("ana", false, "vendor add initech psirt@initech.example")
	if n := w.countIn("INBOX", "Not done"); n != 2 {
		t.Fatalf("%d tasks", n)
	}
	w.control("ana", true, `case open "Overflow"`, add)
	if got, _ := w.draftsOf("ana"); len(got) != 1 || !strings.Contains(got[0].Header.Text("Subject"), "initech") {
		t.Errorf("%d drafts", len(got))
	}
	if n := w.countIn("INBOX", "Not done"); n != 1 {
		t.Errorf("%d tasks: %q", n, w.subjects("INBOX"))
	}
	if tr := w.by("ana", "done "+w.openTasks()[0].id()); !tr.Done() {
		t.Fatalf("done:\n%s", tr)
	}
	drafts, _ := w.draftsOf("ana")
	w.signs("ana", drafts[0])
	if got, _ := w.draftsOf("ana"); len(got) != 0 {
		t.Errorf("%d drafts are left", len(got))
	}
}

// What a gesture does and its receipt are one commit: where there can be no
// receipt, nothing was done. The control is a gesture without one.
func TestT2_GestureAndReceiptAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.reported(w.person("fin", "fin@finder.example"), "Overflow", "it overflows")
	serial := func() (n uint64) {
		w.view(func(tx *store.Tx) error { n = tx.Serial(); return nil })
		return n
	}
	seat := w.seatOf("ana")
	win := w.windowOn(seat, "Intake")
	dest, err := seat.find("Do/New case")
	w.ok(err)
	w.update(func(tx *store.Tx) error { return tx.DeleteMailbox(dest.Number) })
	m := w.last("Intake")
	_, err = seat.act(context.Background(), win.Mailbox, dest, m.ID, nothingElse)
	if !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("no receipt can be given: %v", err)
	}
	if r := w.reports()[0]; r.Case != "" || w.countIn("Intake", "Overflow") != 1 || w.journalled("case.opened") != 0 {
		t.Errorf("done without a receipt: %+v", r)
	}
	w.update(w.Base.ensureFolders)
	seat = w.seatOf("ana")
	win = w.windowOn(seat, "Intake")
	before := serial()
	_, err = win.Move(context.Background(), []int{0}, "Do/New case")
	w.ok(err)
	if n := serial() - before; n != 1 {
		t.Errorf("a gesture, its receipt and what MOVE takes away are %d commits", n)
	}
	w.reported(w.person("gil", "gil@other.example"), "Crash", "it crashes")
	win = w.windowOn(seat, "Intake")
	before = serial()
	_, err = win.Move(context.Background(), []int{0}, w.folderOf("PAR-2026-0001", "Finder"))
	w.ok(err)
	if n := serial() - before; n > 2 { // whether it is there already, and the filing
		t.Errorf("a filing is %d commits", n)
	}
	// Control: the two apart, as they could be done, leave a gesture without
	// receipt where the second fails.
	w.reported(w.person("hal", "hal@third.example"), "Leak", "it leaks")
	w.ok(w.desk.Gesture(context.Background(), Actor{Name: "ana", Via: ViaGesture}, Gesture{Button: "New case", Message: w.last("Intake").ID}))
	if w.reports()[2].Case == "" || w.countIn("Do/New case", "Leak") != 0 {
		t.Error("the control does not show the difference")
	}
}

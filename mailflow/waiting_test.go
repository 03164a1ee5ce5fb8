package mailflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// writing is a started case with acme, which wrote a letter, on a desk of ana and
// ben.
func writing(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.started("acme")
	w.answers("acme", id, true, "Hello,\n\nwhich build is it?\n")
	return w, id
}

// answersAcme lets ana answer acme's letter.
func (w *world) answersAcme(id cvd.CaseID) {
	w.t.Helper()
	w.submits("ana", w.deskTo("acme", id), false, "Re: which build", "It is the build of spring, and no other.\n")
}

// ownLetters are the letters of the desk in acme's thread, as they show.
func (w *world) ownLetters(id cvd.CaseID) (out []store.Message) {
	w.t.Helper()
	for _, m := range w.sentIn(id, "acme") {
		if m.Kind == string(cvd.KindLetter) {
			out = append(out, m)
		}
	}
	return out
}

// ownLetter is the only one, with what it says of its delivery.
func (w *world) ownLetter(id cvd.CaseID, word string, lines ...string) store.Message {
	w.t.Helper()
	all := w.ownLetters(id)
	if len(all) != 1 {
		w.t.Fatalf("%d letters show, want 1", len(all))
	}
	p := w.served(all[0])
	text, err := p.FirstText().Text()
	if err != nil {
		w.t.Fatal(err)
	}
	if got := p.Header.Get(deliveryField); got != word {
		w.t.Errorf("its delivery is %q, want %q:\n%s", got, word, text)
	}
	for _, l := range append(lines, "It is the build of spring") {
		if !strings.Contains(text, l) {
			w.t.Errorf("%s: it does not say %q:\n%s", word, l, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, deliveryLine) && len(strings.TrimRight(line, "\r\n")) > 72 {
			w.t.Errorf("more than 72 columns: %s", line)
		}
	}
	return all[0]
}

func (w *world) acmeGotLetter() bool {
	return w.letters("acme", "It is the build of spring") > 0
}

// A letter shows in its thread at once and says when it leaves; as it leaves,
// what left takes its place, under a new UID and with all marks.
func TestLetterShowsBeforeItLeaves(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	folder := w.folderOf(id, "Vendor acme")
	before := len(w.filed(folder))
	w.answersAcme(id)
	leaves := w.clock.Now().Add(w.Undo).Format("15:04 UTC, Mon 2 Jan 2006")
	first := w.ownLetter(id, "waiting", "It has not left for acme <psirt@acme.example>.", "Its delivery: waiting: leaves at "+leaves, "`reject N")
	if w.acmeGotLetter() {
		t.Fatal("it left at once")
	}
	if first.Envelope.Subject == "" || first.MessageID == "" || len(w.filed(folder)) != before+1 {
		t.Errorf("it shows as %+v", first)
	}
	w.update(func(tx *store.Tx) error {
		at, err := tx.FiledIn(first.ID)
		if err != nil {
			return err
		}
		return tx.Mark(at[0].Mailbox, "ana", []uint32{at[0].UID}, 0, store.MarkSeen|store.MarkFlagged)
	})
	w.settle()
	if again := w.ownLetter(id, "waiting"); again.ID != first.ID {
		t.Error("nothing changed, and it was made anew")
	}
	w.restart()
	w.settle()
	w.clock.Advance(w.Undo)
	w.settle()
	last := w.ownLetter(id, "accepted", "Sent to acme", "Encrypted to")
	if last.ID == first.ID || last.MessageID != first.MessageID || len(w.filed(folder)) != before+1 {
		t.Errorf("it was %+v and is %+v", first, last)
	}
	w.view(func(tx *store.Tx) error {
		at, err := tx.FiledIn(last.ID)
		if err != nil {
			return err
		}
		marks, err := tx.MarksOf(at[0].Mailbox, "ana", []uint32{at[0].UID})
		if len(marks) != 1 || marks[0] != store.MarkSeen|store.MarkFlagged {
			t.Errorf("its marks are %b", marks)
		}
		if all, err := collect(waitingRows.All(tx, nil), nil); err != nil || len(all) != 0 {
			t.Errorf("still waiting: %v, %v", all, err)
		}
		return err
	})
	if !w.acmeGotLetter() {
		t.Error("it did not leave")
	}
	raw := w.sink.To("psirt@acme.example")
	if got := string(raw[len(raw)-1].Raw); !strings.Contains(got, "Message-ID: <"+last.MessageID+">") {
		t.Error("it left under another Message-ID than it shows")
	}
}

// While sending is paused, or the vendor is on hold, it says so, and afterwards
// when it leaves.
func TestLetterSaysWhyItWaits(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.answersAcme(id)
	w.do(`sending pause because "the clock is wrong"`)
	w.ownLetter(id, "waiting", "waiting: sending is paused, the clock is wrong")
	w.clock.Advance(w.Undo)
	w.do("sending resume")
	w.ownLetter(id, "waiting", "leaves at "+w.clock.Now().Add(w.Undo).Format("15:04 UTC"))
	w.in(id, `hold acme because "they asked us to wait until their lawyer is back from the mountains"`)
	w.ownLetter(id, "held", "HELD (N", "acme is on hold: they asked", "mountains")
	w.in(id, "release acme")
	w.clock.Advance(w.Undo)
	w.settle()
	w.ownLetter(id, "accepted")
	if !w.acmeGotLetter() {
		t.Error("it did not leave")
	}
}

// What is held says which command ends that, whatever words its reason has.
func TestHeldSaysWhatEndsIt(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ hold, next, others, ends string }{
		"the case": {"hold case because \"their key and material are late\"", "    case %s\n    release case\n", "All else of the case is held, too.", "release case"},
		"a vendor": {"hold acme because \"their key and material are late\"", "    case %s\n    release acme\n", "Other vendors go on.", "release acme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := writing(t)
			w.answersAcme(id)
			w.in(id, row.hold)
			w.clock.Advance(w.Undo)
			w.settle()
			text := w.words(w.last("Held"))
			wants(t, text, strings.ReplaceAll(row.next, "%s", string(id)))
			wants(t, unwrapped(text), row.others)
			narrow(t, "Held", text)
			w.in(id, row.ends)
			w.clock.Advance(w.Undo)
			w.settle()
			if n := len(w.filed("Held")); n != 0 {
				t.Errorf("after %q, Held has %d mails", row.ends, n)
			}
		})
	}
}

// Without a key nothing leaves, and the letter says why.
func TestLetterWithoutAKeyIsHeld(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.answersAcme(id)
	w.do("key reject acme " + w.people["acme"].Fingerprint() + " because stolen")
	w.clock.Advance(w.Undo)
	w.settle()
	w.ownLetter(id, "held", "HELD (N", "no usable key of acme")
	if w.acmeGotLetter() {
		t.Error("it left")
	}
}

// Dropped into Do/Reject a letter does not leave, its words stay, and the task
// that it answered is open again; moved back, it leaves two minutes later.
func TestT4_LetterTakenBackByGesture(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	folder := w.folderOf(id, "Vendor acme")
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Fatalf("INBOX: %q", w.subjects("INBOX"))
	}
	w.answersAcme(id)
	if n := w.countIn("INBOX", "acme wrote"); n != 0 {
		t.Errorf("answered, and INBOX is %q", w.subjects("INBOX"))
	}
	uid, err := w.drops("ana", folder, "which build", "Do/Reject")
	w.ok(err)
	if uid == 0 {
		t.Error("no receipt")
	}
	w.settle()
	w.ownLetter(id, "dropped", "did not leave: rejected by ana")
	if n := w.countIn("INBOX", "acme wrote"); n != 1 {
		t.Errorf("taken back, and INBOX is %q", w.subjects("INBOX"))
	}
	w.clock.Advance(w.Undo / 2)
	w.settle()
	w.ok(w.takesBack("ana", "Reject", folder))
	w.ownLetter(id, "waiting", "leaves at "+w.clock.Now().Add(w.Undo).Format("15:04 UTC"))
	if n := w.countIn("INBOX", "acme wrote"); n != 0 {
		t.Errorf("leaves after all, and INBOX is %q", w.subjects("INBOX"))
	}
	w.clock.Advance(w.Undo - time.Second)
	w.settle()
	if w.acmeGotLetter() {
		t.Error("it left before the undo window was over")
	}
	w.clock.Advance(time.Second)
	w.settle()
	w.ownLetter(id, "accepted")
	_, err = w.drops("ana", folder, "which build", "Do/Reject")
	w.settle()
	w.refusedWith(err, "Do/Reject", "is already sent")
	if w.journalled("letter.rejected") != 1 || w.journalled("letter.unrejected") != 1 {
		t.Error("the journal does not say what happened")
	}
}

// Its number does the same by mail, with an undo; nobody else's letter is hit.
func TestT4_LetterTakenBackByCommand(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	ben, ana := Actor{Name: "ben", Via: ViaMail}, Actor{Name: "ana", Via: ViaMail}
	w.answersAcme(id)
	name := w.ownLetter(id, "waiting").Ref
	w.refuses(ben, "there is no letter N9999", "reject N9999")
	w.refuses(ben, "there is no letter", "reject "+noticeRef(w.notice(id, "acme", cvd.HeadsUp))) // a stage is none
	tr := w.as(ben, "reject "+strings.ToLower(name)+` because "wrong build"`)
	m := undoID.FindStringSubmatch(tr.String())
	if !tr.Done() || m == nil {
		t.Fatalf("not taken back:\n%s", tr)
	}
	w.ownLetter(id, "dropped", "rejected by ben: wrong")
	w.refuses(ana, "was taken back already", "reject "+name)
	w.clock.Advance(time.Minute)
	if tr := w.as(ben, "undo "+m[1]); !tr.Done() {
		t.Fatalf("undo:\n%s", tr)
	}
	w.ownLetter(id, "waiting", "leaves at ")
	w.clock.Advance(w.Undo)
	w.settle()
	w.ownLetter(id, "accepted")
	w.refuses(ana, "is already sent", "reject "+name)
}

// In the queue, tried once and not taken, it can still be taken back; then it is
// not tried again.
func TestT4_LetterTakenBackFromTheQueue(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.sink.Refuse("psirt@acme.example", 451)
	w.answersAcme(id)
	w.clock.Advance(w.Undo)
	w.settle()
	m := w.ownLetter(id, "delayed")
	if tr := w.as(Actor{Name: "ben", Via: ViaMail}, "reject "+m.Ref); !tr.Done() {
		t.Fatalf("not taken back:\n%s", tr)
	}
	w.sink.Refuse("psirt@acme.example", 0)
	w.ownLetter(id, "dropped")
	w.clock.Advance(time.Hour)
	w.settle()
	if w.acmeGotLetter() {
		t.Error("it left all the same")
	}
}

// Between its last octet and the answer nobody can stop it, and it says so.
func TestT4_LetterUnderWay(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	server := slow{make(chan struct{}), make(chan struct{})}
	w.answersAcme(id)
	ref := w.ownLetter(id, "waiting").Ref
	w.Queue.Courier = server
	w.clock.Advance(w.Undo)
	if _, err := w.sched.round(context.Background()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := w.Queue.RunDue(context.Background(), w.clock.Now())
		done <- err
	}()
	<-server.handed
	tr, err := w.desk.Do(context.Background(), Actor{Name: "ben", Via: ViaMail}, []string{"reject " + ref})
	if err != nil || tr.Done() || !strings.Contains(tr.String(), "handed over at this moment") {
		t.Errorf("%v\n%s", err, tr)
	}
	close(server.answer)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, "acme")
		for _, n := range all {
			if n.Kind != cvd.KindLetter {
				continue
			}
			if it, err := w.Queue.Item(tx, n.Delivery); err != nil || it.State != queue.Sent {
				t.Errorf("the delivery is %v, %v", it.State, err)
			}
		}
		return err
	})
}

// Who may not know of a case cannot tell whether a letter has a number (rule A2).
func TestA2_LetterOfARestrictedCase(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.in(id, "case restrict ana")
	w.answersAcme(id)
	ref := w.ownLetter(id, "waiting").Ref
	w.refuses(Actor{Name: "ben", Via: ViaMail}, "there is no letter "+ref+"; its view", "reject "+ref)
	w.ownLetter(id, "waiting")
}

// A draft that waits for a second person shows in Approvals, and in its thread
// once somebody said yes.
func TestV6_DraftShowsInItsThreadOnceApproved(t *testing.T) {
	t.Parallel()
	w, id := crossing(t)
	w.submits("ana", w.deskTo("acme", id), false, "a build", "It is the build of spring, and no other.\n\n> "+globexWords+"\n")
	if all := w.ownLetters(id); len(all) != 0 {
		t.Fatalf("a draft shows in the thread: %q", all[0].Envelope.Subject)
	}
	req := w.keptBack()
	if tr := w.as(Actor{Name: "ben", Via: ViaMail, Signed: true}, "approve "+req.ID); !tr.Done() {
		t.Fatalf("not approved:\n%s", tr)
	}
	w.ownLetter(id, "waiting", "leaves at ")
}

// A reply to the view quotes nothing of what we put at its top.
func TestReplyToAWaitingLetterDropsOurLines(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.answersAcme(id)
	text, err := w.served(w.ownLetter(id, "waiting")).FirstText().Text()
	if err != nil {
		t.Fatal(err)
	}
	quoted := ownWords("Once more.\n\n> " + strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\n> "))
	if strings.Contains(quoted, "psirt@") || strings.Contains(quoted, "Do/Reject") || !strings.Contains(quoted, "It is the build") {
		t.Errorf("quoted:\n%s", quoted)
	}
}

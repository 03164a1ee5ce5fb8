package mailflow

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// toldOf drops the newest mail of a folder, and gives the mail that tells why
// nothing happened.
func (w *world) toldOf(from, about, to string) (subject, text string) {
	w.t.Helper()
	_, err := w.puts("COPY", from, about, to)
	var r *Refusal
	if !errors.As(err, &r) {
		w.t.Fatalf("%q from %s into %s: %v, want a refusal", about, from, to, err)
	}
	m := w.last("INBOX")
	return m.Envelope.Subject, w.words(m)
}

// What is so already is refused without advice to do it.
func TestRefusalOfWhatIsSoAlready(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	w.in(id, `hold case because "the clock is wrong"`)
	w.settle()
	_, text := w.toldOf(w.top(id)+"/Case file", string(id), "Do/Hold")
	wants(t, unwrapped(text), "is on hold since")
	wants(t, text, "To go on: there is nothing to do.\n")
	if strings.Contains(text, "hold case") || strings.Contains(text, "drop") {
		t.Errorf("it says to do what is done:\n%s", text)
	}
}

// The mail of a refused gesture is all that a coordinator with mutt gets: its
// Subject names the message and the folder, and it ends with what to do, with
// lines that can be sent as they are.
func TestA5_RefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	top := w.top(id)
	tag, low := string(id), strings.ToLower(string(id))
	for _, c := range []struct {
		from, about, to string
		subject         string
		lines           []string
	}{
		{top + "/Case file", tag, "Do/New case", "Do/New case", []string{"    new@" + w.DeskDomain}},
		{top + "/Case file", tag, "Do/Approve", "Do/Approve", []string{"    approve ID", "such as 9f3a-27c1"}},
		{top + "/Case file", tag, "Do/Reject", "Do/Reject", []string{`    reject ID because "..."`}},
		{top + "/Case file", tag, "Do/Acknowledge", "Do/Acknowledge", []string{"    case " + tag, `    record PARTY ack via phone "Jo Doe, 3 Dec"`}},
		{top + "/Case file", tag, top + "/Notes", "Cases/" + tag, []string{"    notes." + low + "@" + w.DeskDomain}},
		{top + "/Case file", tag, "Do/Spam", "Do/Spam", []string{"a report from Intake"}},
	} {
		subject, text := w.toldOf(c.from, c.about, c.to)
		if !strings.HasPrefix(subject, "Not done: "+c.subject) || !strings.Contains(subject, `"`+tag) {
			t.Errorf("%s: the Subject is %q", c.to, subject)
		}
		for _, want := range append(c.lines, "ana put", "Nothing was changed", "Why: ", "To go on: ") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: without %q:\n%s", c.to, want, text)
			}
		}
		for line := range strings.Lines(text) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 72 {
				t.Errorf("%s: a line of more than 72 columns: %s", c.to, line)
			}
		}
	}
}

// What cannot be undone any more says which command does the opposite.
func TestA5_RefusedUndoNamesTheOpposite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	file := w.folderOf(id, "Case file")
	if _, err := w.puts("COPY", file, string(id), "Do/Hold"); err != nil {
		t.Fatal(err)
	}
	w.after(w.Undo + time.Minute)
	if err := w.takesBack("ana", "Hold", file); err == nil {
		t.Fatal("undone after its time")
	}
	if text := w.words(w.last("INBOX")); !strings.Contains(text, "    case "+string(id)+"\n    release case\n") {
		t.Errorf("it does not say how to release:\n%s", text)
	}
}

// A case file that a newer one took the place of while a client looked stops
// nothing, and whoever dropped it is told so.
func TestA5_HoldByAStaleCaseFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	stale := w.windowOn(w.seatOf("ana"), w.folderOf(id, "Case file"))
	w.in(id, "case severity high")
	w.settle()
	_, err := stale.Copy(context.Background(), []int{0}, "Do/Hold")
	w.refusedWith(err, "Do/Hold", "so this stopped nothing")
	if c := w.theCase(id); c.Hold != nil || c.Severity != "high" {
		t.Errorf("the case is %+v", c)
	}
	if _, err := w.drops("ana", w.folderOf(id, "Case file"), string(id), "Do/Hold"); err != nil || w.theCase(id).Hold == nil {
		t.Errorf("the newest one: %v", err)
	}
}

// A yes by whomever takes away what told another that a button was refused, and
// the draft that only lacked a signature.
func TestRefusalEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, id cvd.CaseID, a string){
		"a yes": func(w *world, _ cvd.CaseID, a string) { w.as(benSigned, "approve "+a) },
		"a no":  func(w *world, _ cvd.CaseID, a string) { w.as(benByMail, "reject "+a+" because x") },
		"void":  func(w *world, id cvd.CaseID, _ string) { w.in(id, `case close because "no flaw"`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.coordinator("ben")
			w.coordinator("cho")
			id := w.leakCase()
			a := w.kitRequest().ID
			_, err := w.putsAs("cho", "COPY", "Approvals", "leak kit", "Do/Approve")
			w.refusedWith(err, "Do/Approve", "counts only in a mail signed")
			_, err = w.puts("COPY", "Approvals", "leak kit", "Do/Approve")
			w.refusedWith(err, "Do/Approve", "your own text")
			if n := w.windowOn(w.seatOf("cho"), "Drafts").list.len; n != 1 {
				t.Fatalf("%d drafts", n)
			}
			end(w, id, a)
			if n := w.countIn("INBOX", "Not done: "); n != 0 {
				t.Errorf("INBOX holds %q", w.subjects("INBOX"))
			}
			if n := w.windowOn(w.seatOf("cho"), "Drafts").list.len; n != 0 {
				t.Errorf("%d drafts", n)
			}
		})
	}
}

// A message that left its folder before the client was told does nothing under any
// button, and OK would say that it did; only where the same button took it away,
// and what that did still stands, the second push of a client is the first.
func TestA5_ButtonsOnWhatLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ben")
	id := w.leakCase()
	push := func(win *Window, to string) error {
		_, err := win.Copy(context.Background(), []int{0}, to)
		return err
	}
	void := w.windowOn(w.seatOf("ben"), "Approvals")
	w.in(id, `case close because "no flaw"`)
	for _, to := range []string{"Do/Approve", "Do/Reject", "Do/Release", "Do/Hold", "Do/Spam"} {
		w.refusedWith(push(void, to), to, "this message is not here any more")
	}
	w.reported(w.person("gil", "gil@other.example"), "Crash", "it crashes")
	first, second := w.windowOn(w.seatOf("ana"), "Intake"), w.windowOn(w.seatOf("ben"), "Intake")
	for _, win := range []*Window{first, first, second} {
		w.ok(push(win, "Do/New case"))
	}
	w.refusedWith(push(second, "Do/Spam"), "Do/Spam", "not here any more")
	w.restart()
	w.ok(push(w.windowOn(w.seatOf("ana"), "Do/New case"), "Do/New case"))
}

// A hold by a case file that changed with it is the same hold while it stands, and
// none once it was released.
func TestA5_HoldTwiceByOneCaseFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	win := w.windowOn(w.seatOf("ana"), w.folderOf(id, "Case file"))
	for range 2 {
		_, err := win.Copy(context.Background(), []int{0}, "Do/Hold")
		w.ok(err)
		w.settle()
	}
	w.in(id, "release case")
	_, err := win.Copy(context.Background(), []int{0}, "Do/Hold")
	w.refusedWith(err, "Do/Hold", "so this stopped nothing")
}

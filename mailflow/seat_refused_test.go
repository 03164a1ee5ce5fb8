package mailflow

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
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

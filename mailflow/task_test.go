package mailflow

import (
	"fmt"
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What somebody claims shows in the Subject for everybody, under a new UID;
// the case file says so, too.
func TestClaim_ShowsForEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.wroteTo("acme", "globex")
	task := w.openTasks()[0]
	before := w.message("INBOX", "acme wrote in")
	wants(t, w.words(before), fmt.Sprintf("claim %s", task.id()))
	got := w.by("ana", "claim "+task.id())
	wants(t, got.String(), task.id()+" is yours: acme wrote in "+string(id))
	after := w.message("INBOX", "acme wrote in")
	if !strings.HasSuffix(after.Envelope.Subject, " [ana]") || after.ID == before.ID {
		t.Errorf("Subject %q of message %d, before %d", after.Envelope.Subject, after.ID, before.ID)
	}
	if len(w.inbox()) != 2 || after.Envelope.MessageID != before.Envelope.MessageID || after.Task != task.Number || after.Kind != before.Kind || after.Ref != before.Ref {
		t.Errorf("INBOX: %q, %+v", w.inbox(), after)
	}
	if w.words(after) != w.words(before) {
		t.Errorf("its text changed:\n%s", w.words(after))
	}
	wants(t, w.words(w.filed("Cases/" + string(id) + " Heap overflow/Case file")[0]), task.id()+" acme wrote: Re: ["+string(id)+"] [ana]")
	wants(t, w.by("ana", "claim "+task.id()).String(), "was yours already")
	wants(t, w.by("ben", "claim "+task.id()).String(), "was ana's and is yours now")
	wants(t, w.message("INBOX", "acme wrote in").Envelope.Subject, " [ben]")
	w.answers("acme", id, true, "another question\n")
	if got := w.openTasks(); len(got) != 2 || got[0].id() != task.id() || got[0].By != "ben" {
		t.Errorf("after a second letter: %+v", got)
	}
	wants(t, w.by("ben", "unclaim "+task.id()).String(), "open to everybody again (it was ben's)")
	if s := w.message("INBOX", "acme wrote in").Envelope.Subject; strings.HasSuffix(s, "]") && strings.Contains(s, "[ben]") {
		t.Errorf("Subject %q", s)
	}
	if n := w.journalled("task.claimed"); n != 2 {
		t.Errorf("%d claims are in the journal", n)
	}
}

// `claim` about a case takes what nobody does yet; it leaves what others do.
func TestClaim_OfACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.wroteTo("acme", "globex")
	tag := "case " + string(id)
	all := w.openTasks()
	w.by("ben", "claim "+all[1].id())
	got := w.by("ana", tag, "claim").String()
	wants(t, got, all[0].id()+" is yours")
	if strings.Contains(got, all[1].id()) {
		t.Errorf("ben's went too:\n%s", got)
	}
	wants(t, w.by("ana", tag, "claim").String(), "OK: none of the open tasks of "+string(id)+" (2)")
	wants(t, w.by("ana", "claim").String(), "NOT DONE: which task?")
	wants(t, w.by("ana", "claim T999").String(), "NOT DONE: there is no open task T999")
	wants(t, w.by("ana", "claim acme").String(), `NOT DONE: "acme" is not the number of a task`)
	wants(t, w.by("ana", tag, "unclaim").String(), all[0].id()+" is open to everybody again")
	wants(t, w.by("ana", "done").String(), "NOT DONE: which task is done?")
	wants(t, unwrapped(w.by("ana", "done "+all[0].id()).String()), "gone for everybody")
	if got := w.inbox(); len(got) != 1 || !strings.HasPrefix(got[0], "globex") {
		t.Errorf("INBOX: %q", got)
	}
	w.by("ana", "done "+all[1].id())
	wants(t, w.by("ana", tag, "claim").String(), "OK: no task of "+string(id)+" is open")
}

// What stands for something that is still so is not done by saying so.
func TestDone_NotWhatIsStillSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.do("sending pause because \"a look first\"")
	all := w.openTasks()
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	wants(t, unwrapped(w.by("ana", "done "+all[0].id()).String()), "stays: it stands for something that is still so, and ends when `sending resume`")
	if m := w.message("INBOX", "Sending is paused"); strings.Contains(w.words(m), "done T") {
		t.Errorf("it offers what is refused:\n%s", w.words(m))
	}
	w.do("sending resume")
	if len(w.openTasks()) != 0 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
}

// A task of a case that somebody may not see is no different from one that
// does not exist.
func TestA2_TaskOfARestrictedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.wroteTo("acme")
	task := w.openTasks()[0]
	w.do("case "+string(id), "case restrict ana")
	for _, word := range []string{"claim ", "unclaim ", "done "} {
		got := strings.ReplaceAll(unwrapped(w.by("ben", word+task.id()).String()), task.id(), "T999")
		if none := unwrapped(w.by("ben", word+"T999").String()); got != none {
			t.Errorf("%s: got\n%s\nfor none\n%s", word, got, none)
		}
	}
	got := w.by("ana", "claim "+task.id())
	if wants(t, got.String(), "is yours"); got.Case != id {
		t.Errorf("the transcript is sealed with %q", got.Case)
	}
	w.update(func(tx *store.Tx) error {
		m, err := tx.Message(w.openTasks()[0].Message)
		if m.Scope != caseScope(id) {
			t.Errorf("the mail is sealed with %q", m.Scope)
		}
		return err
	})
}

// A Subject of our own is replaced, folded or not, and nothing else is.
func TestWithSubject(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 40)
	for _, old := range []string{"short", long + "end", "日本語の件名"} {
		w := Post{Subject: old, Text: "Subject: in the text\n\nmore\n"}
		raw := composed(t, w)
		for _, fresh := range []string{"other [ana]", long + "[ana]", "é"} {
			got, err := withSubject(raw, fresh)
			if err != nil {
				t.Fatal(err)
			}
			w.Subject = fresh
			if want := composed(t, w); string(got) != string(want) {
				t.Errorf("%q to %q:\n%s\nwant\n%s", old, fresh, got, want)
			}
		}
	}
	if _, err := withSubject([]byte("From: a\r\n\r\nSubject: b\r\n"), "c"); err == nil {
		t.Error("a mail without a Subject got one")
	}
}

// A task keeps its number when it comes back.
func TestTaskRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.wroteTo("acme")
	w.by("ana", "claim "+w.openTasks()[0].id())
	task, m := w.openTasks()[0], w.message("INBOX", "acme wrote in")
	key := threadTask("letter", id, "acme")
	w.update(func(tx *store.Tx) error { return w.taskDone(tx, key) })
	w.update(func(tx *store.Tx) error { return w.restoreTask(tx, key, "INBOX", m) })
	got := w.openTasks()
	if len(got) != 1 || got[0].Number != task.Number || got[0].By != "ana" || got[0].Subject != task.Subject || got[0].Case != cvd.CaseID(id) {
		t.Errorf("came back as %+v, was %+v", got, task)
	}
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

const askedSubject = "could be destroyed"

// asked are the letters that ask about closed cases, oldest first.
func (w *world) asked() (out []string) {
	w.t.Helper()
	for _, m := range w.filed("INBOX") {
		if strings.Contains(m.Envelope.Subject, askedSubject) {
			out = append(out, w.words(m))
		}
	}
	return out
}

// ages is a desk of two whose closed cases are asked about after so many days.
func ages(t *testing.T, days int) *world {
	t.Helper()
	w := newDesk(t, "ana ben")
	w.Retention.Closed = time.Duration(days) * cvd.Day
	return w
}

func (w *world) closed(titles ...string) (out []cvd.CaseID) {
	w.t.Helper()
	for _, title := range titles {
		id := cvd.FindCaseIDs(w.do(fmt.Sprintf("case open %q policy fast", title)))[0]
		w.in(id, "case close")
		out = append(out, id)
	}
	return out
}

// days lets days pass in steps of six hours.
func (w *world) days(n int) {
	w.t.Helper()
	for range 4 * n {
		w.clock.Advance(6 * time.Hour)
		w.settle()
	}
}

// Cases that fall due together stand in one letter, which says what would go and what
// to answer. Nothing is destroyed by it; each answer takes its case out, the last one
// ends it, and what nobody answers is asked about again after as long.
func TestH3_AskedTogether(t *testing.T) {
	t.Parallel()
	w := ages(t, 10)
	gil := w.person("gil", "gil@finder.example")
	r := w.reported(gil, "Heap overflow in libfoo", "it overflows")
	w.control("ana", true, fmt.Sprintf("case open %q policy fast report %d", "Heap overflow in libfoo", r.Number))
	first := caseOfReport(w, r.Number)
	w.in(first, "case close")
	more := w.closed("Second flaw", "Third flaw")
	open := w.caseWith()
	w.days(9)
	if got := w.asked(); len(got) != 0 {
		t.Fatalf("asked too early: %q", got)
	}
	w.days(1)
	got := w.asked()
	if len(got) != 1 || w.countIn("INBOX", "3 closed cases could be destroyed") != 1 {
		t.Fatalf("asked %q; INBOX %q", got, w.subjects("INBOX"))
	}
	wants(t, got[0], string(first)+" Heap overflow in libfoo\n  closed on Tue 1 Dec 2026; what goes: 2 mails with 2 files, since Tue 1\n  Dec 2026\n    shred "+string(first)+"\n    keep "+string(first)+" for 365d because \"...\"\n")
	for _, id := range more {
		wants(t, got[0], "    shred "+string(id)+"\n")
	}
	if strings.Contains(got[0], string(open)) || w.journalled("shred.proposed") != 3 {
		t.Errorf("%d in the journal\n%s", w.journalled("shred.proposed"), got[0])
	}
	w.days(1)
	if got := w.asked(); len(got) != 1 {
		t.Fatalf("asked twice: %q", got)
	}

	w.as(signed("ana"), "shred "+string(first))
	got = w.asked()
	if len(got) != 1 || strings.Contains(got[0], string(first)) || w.countIn("INBOX", "2 closed cases could") != 1 {
		t.Errorf("after shred: %q", got)
	}
	w.as(anaByMail, "keep "+string(more[0])+" for 12d")
	if w.countIn("INBOX", string(more[1])+", which is closed, could be destroyed") != 1 {
		t.Errorf("after keep: %q", w.subjects("INBOX"))
	}
	w.as(benByMail, "done "+taskNumber(t, w, askedSubject))
	w.days(9)
	if got := w.asked(); len(got) != 1 || strings.Contains(got[0], string(more[0])) || !strings.Contains(got[0], "shred "+string(more[1])) {
		t.Errorf("asked again: %q", got)
	}
	w.days(4) // past what was kept
	if got := w.asked(); len(got) != 2 || !strings.Contains(got[1], "shred "+string(more[0])) {
		t.Errorf("after the time to keep it: %q", got)
	}
	for _, id := range more {
		if c := w.caseNow(id); c.Closed.IsZero() {
			t.Errorf("%s: %+v", id, c)
		}
		w.in(id, "case reopen")
	}
	if got := w.asked(); len(got) != 0 {
		t.Errorf("reopened: %q", got)
	}
	w.whole()
}

// taskNumber is what a mail in INBOX says that it is called.
func taskNumber(t *testing.T, w *world, subject string) string {
	t.Helper()
	for _, m := range w.filed("INBOX") {
		if strings.Contains(m.Envelope.Subject, subject) {
			return fmt.Sprintf("T%d", m.Task)
		}
	}
	t.Fatalf("no %q in INBOX", subject)
	return ""
}

func (w *world) caseNow(id cvd.CaseID) (c cvd.Case) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		c, err = CaseByID(tx, id)
		return err
	})
	return c
}

// Nothing is asked where nothing is configured, of a case under legal hold, and of
// one that is about to go; what cannot be destroyed waits a day.
func TestH3_NotAsked(t *testing.T) {
	t.Parallel()
	w := ages(t, 0)
	ids := w.closed("First flaw", "Second flaw", "Third flaw")
	w.in(ids[0], "legal-hold on")
	w.days(3)
	if got := w.asked(); len(got) != 0 {
		t.Fatalf("without a setting: %q", got)
	}
	w.gaveUp(ids[1])
	w.restart()
	w.Retention.Closed = cvd.Day
	w.settle()
	if got := w.asked(); len(got) != 1 || !strings.Contains(got[0], "shred "+string(ids[2])) || strings.Contains(got[0], string(ids[0])) || strings.Contains(got[0], string(ids[1])) {
		t.Fatalf("after a restart with a setting: %q", got)
	}
	w.as(benByMail, "reject "+w.shredOf(ids[1]).Approval+` because "no"`)
	w.in(ids[0], "legal-hold off")
	w.days(1)
	if got := strings.Join(w.asked(), "\n"); !strings.Contains(got, "shred "+string(ids[0])) || !strings.Contains(got, "shred "+string(ids[1])) {
		t.Errorf("once it could be: %q", got)
	}
	w.restart()
	w.settle()
	before := w.asked()
	w.days(3)
	if got := w.asked(); !slices.Equal(got, before) {
		t.Errorf("the setting is gone, and it asks: %q, was %q", got, before)
	}
}

// Who may not see a case learns nothing of the letter about it (rule A2).
func TestA2_AskedOfThoseWhoSee(t *testing.T) {
	t.Parallel()
	w := ages(t, 5)
	w.coordinator("cleo")
	id := cvd.FindCaseIDs(w.do(`case open "Quiet flaw" policy fast`))[0]
	w.in(id, "case restrict ana ben", "case close")
	other := w.closed("Loud flaw")[0]
	w.days(5)
	for name, want := range map[string]int{"ana": 2, "cleo": 1} {
		n := 0
		win := w.windowOn(w.seatOf(name), "INBOX")
		for i := range win.Len() {
			w.ok(win.Read([]int{i}, func(tx *store.Tx, _ int, e *store.Entry) error {
				raw, err := tx.Bytes(e.Served)
				if strings.Contains(string(raw), askedSubject) {
					n++
				}
				if name == "cleo" && (strings.Contains(string(raw), string(id)) || strings.Contains(string(raw), "Quiet")) {
					t.Errorf("cleo reads of it:\n%s", raw)
				}
				return err
			}))
		}
		if n != want {
			t.Errorf("%s has %d letters, not %d", name, n, want)
		}
	}
	w.gaveUp(id)
	if got := w.asked(); len(got) != 1 || !strings.Contains(got[0], string(other)) {
		t.Errorf("%q", got)
	}
}

// A clock that jumped asks nothing before a person looked, and a kill at the letter
// neither loses it nor sends two (rules T2, T5).
func TestT5_AskedAfterAJump(t *testing.T) {
	t.Parallel()
	w := ages(t, 5)
	w.closed("First flaw")
	w.clock.Jump(10 * cvd.Day)
	w.days(1)
	if got := w.asked(); len(got) != 0 {
		t.Fatalf("asked by a clock that jumped: %q", got)
	}
	w.clock.Jump(-10 * cvd.Day)
	w.settle()
	w.do("sending resume")
	w.days(2)
	if got := w.asked(); len(got) != 0 {
		t.Fatalf("asked too early: %q", got)
	}
	w.days(2)
	for range 3 {
		closed := w.Retention.Closed
		w.restart()
		w.Retention.Closed = closed
		w.settle()
	}
	if got := w.asked(); len(got) != 1 {
		t.Errorf("asked %d times", len(got))
	}
}

// A store that was put back asks again about what it asked before: nobody knows there
// what was answered since.
func TestH7_RestoredAsksAgain(t *testing.T) {
	t.Parallel()
	w := ages(t, 5)
	ids := w.closed("First flaw", "Second flaw")
	w.days(5)
	w.as(anaByMail, "done "+taskNumber(t, w, askedSubject), "keep "+string(ids[1])+" for 30d")
	w.must(w.Restored(Backup{At: w.clock.Now(), File: "week-9.age", SHA256: "abcd", Size: 7}))
	w.days(1)
	if got := w.asked(); len(got) != 0 {
		t.Errorf("asked before a person looked: %q", got)
	}
	w.do("sending resume")
	w.days(1)
	if got := w.asked(); len(got) != 1 || !strings.Contains(got[0], "shred "+string(ids[0])) || strings.Contains(got[0], string(ids[1])) {
		t.Errorf("asked %q", got)
	}
	w.whole()
}

// The letter about a case that was destroyed leaves nothing of it, in no version that
// it had; and the others that stood in it are asked about on.
func TestH3_ShredTakesTheLetter(t *testing.T) {
	t.Parallel()
	w, id, _ := shredStory(t)
	w.Retention.Closed = 20 * cvd.Day
	w.restartKeeping()
	beside := w.closed("Alike flaw")[0]
	w.days(21)
	if got := strings.Join(w.asked(), ""); !strings.Contains(strings.ToLower(got), "zyzzyxcanary") || !strings.Contains(got, string(beside)) {
		t.Fatalf("asked %q", got)
	}
	w.gaveUp(id)
	w.days(8)
	if r := w.shredOf(id); r.Done.IsZero() {
		t.Fatalf("%+v", r)
	}
	all := dump(t, w.Store)
	if found := holding(all, wordsOfShredded...); len(found) != 0 {
		t.Errorf("words are left in %v", found)
	}
	if found := holding(all, string(id)); !slices.Equal(found, []string{"bodies", "messages", "shreds"}) {
		t.Errorf("the tag is left in %v", found)
	}
	if got := w.asked(); len(got) != 1 || !strings.Contains(got[0], "shred "+string(beside)) {
		t.Errorf("asked %q", got)
	}
	w.whole()
}

// restartKeeping is restart with the settings as they are.
func (w *world) restartKeeping() {
	w.t.Helper()
	kept, digest := w.Retention, w.Digest
	w.restart()
	w.Retention, w.Digest = kept, digest
	w.settle()
}

// A thousand closed cases that are not due are not looked at: a round reads the first
// row, and no case.
func TestRetained_CostsWhatIsDue(t *testing.T) {
	w := ages(t, 30)
	now := w.clock.Now()
	w.update(func(tx *store.Tx) error {
		for n := range uint64(1000) {
			id := cvd.CaseID(fmt.Sprintf("PAR-2026-%04d", n+100))
			if err := tx.NewScope(caseScope(id)); err != nil {
				return err
			}
			c := cvd.Case{ID: id, Number: n + 100, Title: "old", Opened: now, Closed: now.Add(time.Duration(n) * time.Minute)}
			if err := PutCase(tx, c); err != nil {
				return err
			}
			if err := w.retain(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	per := testing.AllocsPerRun(20, func() {
		if next, err := w.sched.RetainedDue(now); err != nil || !next.Equal(now.Add(30*cvd.Day)) {
			t.Fatalf("next %s, %v", next, err)
		}
	})
	if per > 200 {
		t.Errorf("%.0f allocations for nothing that is due", per)
	}
	w.clock.Advance(30*cvd.Day + 99*time.Minute + 30*time.Second)
	for range 3 {
		_, err := w.sched.RetainedDue(w.clock.Now())
		w.must(err)
	}
	got := w.asked()
	if len(got) != 2 || strings.Count(strings.Join(got, ""), "    shred ") != 100 {
		t.Errorf("%d letters with %d cases", len(got), strings.Count(strings.Join(got, ""), "    shred "))
	}
}

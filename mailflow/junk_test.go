package mailflow

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// junkDesk is a desk of two that keeps junk for so many days.
func junkDesk(t *testing.T, days int) *world {
	t.Helper()
	w := newDesk(t, "ana ben")
	w.Retention.Junk = time.Duration(days) * cvd.Day
	return w
}

const spamWords = "quaggacanary pills"

// spams lets a stranger's report come, with a mail that follows, and throws both away.
func (w *world) spams(name string) cvd.Report {
	w.t.Helper()
	p := w.person(name, name+"@finder.example")
	r := w.reported(p, "Offer of "+name, spamWords)
	if _, err := w.puts("MOVE", "Intake", "Offer of "+name, "Do/Spam"); err != nil {
		w.t.Fatal(err)
	}
	to := w.ThreadAddress(r.Token)
	w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("Re: Offer of "+name, spamWords+" again")))
	w.settle()
	return r
}

func (w *world) inJunk(name string) int {
	w.t.Helper()
	return w.windowOn(w.seatOf(name), "Junk").Len()
}

// pass lets days pass, with the receipts of buttons going after a day.
func (w *world) pass(days int) {
	w.t.Helper()
	seats := &Seats{Base: w.Base, Desk: w.desk}
	for range days {
		w.days(1)
		_, err := seats.RunDue(w.t.Context(), w.clock.Now())
		w.must(err)
	}
}

func (w *world) removed() (said []string) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		return journal.Each(tx, func(_ uint64, r journal.Record) error {
			if r.Kind == "junk.removed" {
				said = append(said, fmt.Sprintf("%s|%s|%s|%s|%s", r.Detail, r.Case, r.Party, r.Ref, r.Actor))
			}
			return nil
		})
	})
	return said
}

// What was thrown away goes for good after its time, bytes and all, from everybody's
// Junk, with one line in the journal that only counts; nothing else does.
func TestJunk_RemovedInItsTime(t *testing.T) {
	t.Parallel()
	w := junkDesk(t, 10)
	w.vendor("acme")
	id := w.started("acme")
	acme := w.people["acme"]
	w.arrives(acme.Address, w.thread(id, "acme"), mailtest.Plain(acme.Address, w.thread(id, "acme"), "In clear", "of a case\n", w.clock.Now()))
	broken := mailtest.Plain("x@y.example", "case+aaaa@"+w.Domain, "Cheap", "buy", w.clock.Now())
	w.arrives("x@y.example", "abuse@"+w.Domain, broken)
	w.settle()
	r := w.spams("gil")
	for _, from := range []string{"Quarantine", "INBOX"} {
		about := map[string]string{"Quarantine": "In clear", "INBOX": "Cheap"}[from]
		if _, err := w.puts("COPY", from, about, "Do/Spam"); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.inJunk("ben"); got != 4 {
		t.Fatalf("%d in Junk", got)
	}
	if len(holding(dump(t, w.Store), spamWords)) == 0 {
		t.Fatal("before: its words are nowhere")
	}
	w.pass(9)
	if got := w.inJunk("ana"); got != 4 || len(w.removed()) != 0 {
		t.Fatalf("too early: %d in Junk, %q", got, w.removed())
	}
	w.pass(2)
	if ana, ben := w.inJunk("ana"), w.inJunk("ben"); ana != 1 || ben != 1 {
		t.Errorf("left in Junk: ana %d, ben %d; the one of a case stays", ana, ben)
	}
	if got := strings.Join(w.removed(), "; "); got != "3 mails||||parley" {
		t.Errorf("journal: %q", got)
	}
	if found := holding(dump(t, w.Store), spamWords); len(found) != 0 {
		t.Errorf("its words are left in %v", found)
	}
	w.refuses(theOperator, "removed for good on 20", fmt.Sprintf("report %d reopen", r.Number))
	w.whole()
	w.restart()
	w.settle()
	w.whole()
}

// Nothing is removed that waits for a person, came back, is kept in another folder, or
// is of a case; and nothing at all where nothing is configured.
func TestJunk_WhatStays(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		days int
		then func(w *world, r cvd.Report)
	}{
		"no setting": {0, func(*world, cvd.Report) {}},
		"reopened":   {10, func(w *world, r cvd.Report) { w.do(fmt.Sprintf("report %d reopen", r.Number)) }},
		"became a case": {10, func(w *world, r cvd.Report) {
			w.do(fmt.Sprintf("report %d reopen", r.Number), fmt.Sprintf("case open Offer policy fast report %d", r.Number), "case close")
		}},
		"thrown away anew": {10, func(w *world, r cvd.Report) {
			w.do(fmt.Sprintf("report %d reopen", r.Number))
			w.pass(5)
			w.do(fmt.Sprintf("report %d spam", r.Number))
		}},
		"kept in a folder of one's own": {10, func(w *world, r cvd.Report) {
			w.ok(w.seatOf("ben").CreateFolder("Evidence"))
			w.copyAll("ben", "Junk", "Evidence")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := junkDesk(t, row.days)
			r := w.spams("gil")
			row.then(w, r)
			w.pass(8)
			if got := w.removed(); len(got) != 0 {
				t.Errorf("removed %q", got)
			}
			w.pass(3)
			if name != "thrown away anew" && len(w.removed()) != 0 {
				t.Errorf("removed %q", w.removed())
			}
			if name == "thrown away anew" {
				w.pass(3)
				if len(w.removed()) != 1 {
					t.Errorf("removed %q", w.removed())
				}
			}
			w.whole()
		})
	}
}

// copyAll copies all that somebody has in one folder into another.
func (w *world) copyAll(name, from, to string) {
	w.t.Helper()
	win := w.windowOn(w.seatOf(name), from)
	for i := range win.Len() {
		_, err := win.Copy(w.t.Context(), []int{i}, to)
		w.ok(err)
	}
}

// A clock that jumped removes nothing before a person said `sending resume`, and
// neither does one that sprang ahead while nobody ran, before a task is done. A pause
// of a person is obeyed as well (rule T5).
func TestT5_JunkWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		jump func(*world)
		then func(*world)
	}{
		"a jump": {func(w *world) { w.clock.Jump(400 * cvd.Day) }, func(w *world) { w.do("sending resume") }},
		"a jump while nobody ran": {func(w *world) {
			w.clock.Advance(400 * cvd.Day)
			w.restartKeeping()
		}, func(w *world) {
			w.as(benByMail, "done "+taskNumber(w.t.(*testing.T), w, "Junk is not removed: the gateway was away for 400 days"))
		}},
		"a jump while nobody ran, and a pause": {func(w *world) {
			w.do("sending pause")
			w.clock.Advance(400 * cvd.Day)
			w.restartKeeping()
		}, func(w *world) {
			w.do("sending resume")
			w.settle()
			if got := w.removed(); len(got) != 0 {
				w.t.Errorf("who resumed sending said nothing of the clock: %q", got)
			}
			w.as(benByMail, "done "+taskNumber(w.t.(*testing.T), w, "Junk is not removed"))
		}},
		"a pause": {func(w *world) {
			w.do("sending pause")
			w.pass(11)
		}, func(w *world) { w.do("sending resume") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := junkDesk(t, 10)
			w.spams("gil")
			w.after(3 * time.Hour)
			row.jump(w)
			w.pass(2)
			w.restartKeeping()
			if got := w.removed(); len(got) != 0 || w.inJunk("ana") != 2 {
				t.Fatalf("removed %q, %d in Junk", got, w.inJunk("ana"))
			}
			row.then(w)
			w.settle()
			if got := w.removed(); len(got) != 1 || w.inJunk("ana") != 0 {
				t.Errorf("removed %q, %d in Junk", got, w.inJunk("ana"))
			}
			w.whole()
		})
	}
}

// What lies in Junk in a store of before, or before there was a setting, has its time
// from the next start on; a short absence asks nobody.
func TestJunk_OfBefore(t *testing.T) {
	t.Parallel()
	w := junkDesk(t, 0)
	w.spams("gil")
	w.update(func(tx *store.Tx) error { // as a program of before left it
		for row, err := range junked.All(tx, nil) {
			if err != nil {
				return err
			}
			if err := forgetJunk(tx, binary.BigEndian.Uint64(row.Key), row.Value); err != nil {
				return err
			}
		}
		return nil
	})
	w.pass(20)
	w.Retention.Junk = 10 * cvd.Day
	w.clock.Advance(23 * time.Hour)
	w.restartKeeping()
	w.pass(9)
	if got := w.removed(); len(got) != 0 {
		t.Fatalf("too early: %q", got)
	}
	w.clock.Advance(23 * time.Hour)
	w.restartKeeping()
	w.pass(1)
	if got := strings.Join(w.removed(), "; "); got != "2 mails||||parley" || len(w.subjects("INBOX")) != 0 {
		t.Errorf("removed %q, INBOX %q", got, w.subjects("INBOX"))
	}
}

// A round costs what is due: with many that are not, it reads the first row; of many
// that are it removes some at a time, each with its count.
func TestJunk_CostsWhatIsDue(t *testing.T) {
	w := junkDesk(t, 10)
	const many = 300
	w.update(func(tx *store.Tx) error {
		for n := range many {
			raw := fmt.Sprintf("From: a@b.example\r\nSubject: %d\r\n\r\nx\r\n", n)
			m, err := w.keepOwn(tx, []byte(raw), store.Message{Scope: DeskScope, Direction: "in", Kind: "quarantine"})
			if err != nil {
				return err
			}
			if err := noteJunk(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	due := w.clock.Now().Add(10 * cvd.Day)
	per := testing.AllocsPerRun(20, func() {
		if next, err := w.sched.JunkDue(w.clock.Now()); err != nil || !next.Equal(due) {
			t.Fatalf("next %s, %v", next, err)
		}
	})
	if per > 200 {
		t.Errorf("%.0f allocations for nothing that is due", per)
	}
	w.clock.Advance(10 * cvd.Day)
	next, err := w.sched.JunkDue(w.clock.Now())
	w.must(err)
	if next.IsZero() || next.After(w.clock.Now()) {
		t.Errorf("it wants to be called next %s, and more is due", next)
	}
	_, err = w.sched.JunkDue(w.clock.Now())
	w.must(err)
	if got := strings.Join(w.removed(), "; "); got != "256 mails||||parley; 44 mails||||parley" {
		t.Errorf("journal: %q", got)
	}
	w.whole()
}

package mailflow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// Who does not answer gets the stage again at the policy's offsets, with a code
// of its own, and who answered gets nothing. An automatic reply is no answer.
func TestReminder_WhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme", "initech")
	w.answers("acme", id, true, "STATUS "+string(id)+" not-affected we ship none\n")
	p, to := w.people["initech"], w.thread(id, "initech")
	w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("Out of office", "I am back on Monday.\n"), mailtest.Field{Name: "Auto-Submitted", Value: "auto-replied"}))
	if n := w.toCome(id, "initech"); n != 3 {
		t.Fatalf("%d reminders are to come for initech", n)
	}
	plan := w.in(id, "plan initech")
	for _, want := range []string{"initech  1/4 heads-up reminder 1  2026-12-04T09:", "initech  1/4 heads-up reminder 2  2026-12-08T09:", "initech  1/4 heads-up reminder 3  2026-12-15T09:"} {
		wants(t, plan, want)
	}
	w.steps(6*time.Hour, 3*cvd.Day+12*time.Hour)
	got := w.reminded("initech")
	if len(got) != 1 || !strings.Contains(got[0].Subject, "1/4 Heads-up (reminder)") || !strings.Contains(got[0].Text, "so here it is once more") {
		t.Fatalf("initech was reminded %d times", len(got))
	}
	fresh := codePattern.FindStringSubmatch(got[0].Text)
	if fresh == nil || fresh[1] == w.code("initech") {
		t.Fatalf("the reminder has no code of its own: %q", fresh)
	}
	wants(t, w.words(w.caseFile(id)), "reminder 2 to initech")
	w.answers("initech", id, false, "STATUS "+string(id)+" not-affected we ship none "+fresh[1]+"\n")
	if w.participant(id, "initech").Status().Word != "not-affected" || w.toCome(id, "initech") != 0 {
		t.Error("the code of a reminder does not count, or more are to come")
	}
	w.steps(6*time.Hour, 14*cvd.Day)
	for _, l := range append(w.reminded("initech"), w.reminded("acme")...) {
		if date, err := l.Outer.Date(); err != nil || date.After(storyStart.Add(4*cvd.Day)) || strings.Contains(l.Subject, "acme") {
			t.Errorf("reminded at %s: %s", date, l.Subject)
		}
	}
	if n := len(w.reminded("acme")); n != 0 {
		t.Errorf("acme, who answered, was reminded %d times", n)
	}
}

// What ends the reminders of a stage, in the transaction in which it happens.
func TestReminder_IsCancelled(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(w *world, id cvd.CaseID)
	}{
		{"ACCEPT", func(w *world, id cvd.CaseID) { w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n") }},
		{"DECLINE", func(w *world, id cvd.CaseID) { w.answers("acme", id, true, "DECLINE "+string(id)+" no\n") }},
		{"a letter", func(w *world, id cvd.CaseID) { w.answers("acme", id, true, "Who are you?\n") }},
		{"filed by the desk", func(w *world, id cvd.CaseID) { w.in(id, "record acme ack via phone") }},
		{"hold", func(w *world, id cvd.CaseID) { w.in(id, "hold acme") }},
		{"hold case", func(w *world, id cvd.CaseID) { w.in(id, "hold case") }},
		{"withdraw", func(w *world, id cvd.CaseID) { w.in(id, "withdraw acme because wrong") }},
		{"close", func(w *world, id cvd.CaseID) { w.in(id, "case close") }},
		{"another policy", func(w *world, id cvd.CaseID) {
			p := w.Policies["fast"]
			p.Name, p.Remind = "quiet", nil
			w.Policies["quiet"] = p
			w.in(id, "case policy quiet")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w, id := reminding(t, "acme")
			if w.toCome(id, "acme") != 3 || w.dueReminders() != 3 {
				t.Fatal("no reminders are planned")
			}
			w.after(time.Minute)
			row.do(w, id)
			if n, rows := w.toCome(id, "acme"), w.dueReminders(); n != 0 || rows != 0 {
				t.Errorf("%d reminders are still to come, %d rows are due", n, rows)
			}
			w.steps(12*time.Hour, 8*cvd.Day)
			for _, l := range w.reminded("acme") { // what goes next asks for an answer of its own
				if strings.Contains(l.Subject, "1/4") {
					t.Errorf("reminded: %s", l.Subject)
				}
			}
		})
	}
}

// A hold leaves reminders out and does not make up for them; the next stage has
// reminders of its own; a leak and the end leave none.
func TestReminder_FollowsThePlan(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme")
	w.in(id, "hold acme")
	w.steps(12*time.Hour, 4*cvd.Day)
	w.in(id, "release acme")
	if got := w.reminders(id, "acme"); len(got) != 2 || got[0].Nth != 2 {
		t.Fatalf("after the hold: %+v", got)
	}
	w.after(w.Undo)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n") // scope and details go at once
	if got := w.reminders(id, "acme"); len(got) != 3 || got[0].Stage != cvd.Details {
		t.Fatalf("after the details: %+v", got)
	}
	w.steps(6*time.Hour, 4*cvd.Day) // Saturday, 5 December and three days: Tuesday
	if got := w.reminded("acme"); len(got) != 1 || !strings.Contains(got[0].Subject, "3/4 Details (reminder)") || !strings.Contains(got[0].Text, canary(cvd.Details)) {
		t.Fatalf("reminded %d times", len(got))
	}
	w.answers("acme", id, true, "ACK "+string(id)+"\n") // says nothing of where it stands
	if w.toCome(id, "acme") != 2 {
		t.Error("an ACK answers the details")
	}
	w.answers("acme", id, true, "STATUS "+string(id)+" investigating\n")
	if w.toCome(id, "acme") != 0 {
		t.Error("a STATUS does not answer the details")
	}
}

// A reminder that waits in the queue is taken back when an answer counts (T4).
func TestT4_ReminderInTheQueue(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme")
	w.clock.Advance(3*cvd.Day + time.Hour)
	if _, err := w.sched.round(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.reminders(id, "acme"); got[0].State != cvd.Queued {
		t.Fatalf("the reminder is %s", got[0].State)
	}
	p, to := w.people["acme"], w.thread(id, "acme")
	w.arrives(p.Address, to, w.seal(p, to, true, mailtest.Entity("Re:", "ACCEPT "+string(id)+" v1\n")))
	w.settle()
	if got := w.reminded("acme"); len(got) != 0 {
		t.Error("it left after the answer")
	}
	if r := w.reminders(id, "acme"); len(r) > 0 && r[0].Stage == cvd.HeadsUp {
		t.Errorf("still there: %+v", r)
	}
}

// What was approved is reminded of as it was; where the material changed since,
// a reminder needs a yes of its own.
func TestA3_ReminderOfChangedMaterial(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	w.as(benSigned, "approve "+w.request(cvd.Scope).ID)
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.steps(6*time.Hour, 4*cvd.Day) // Wednesday and three days: Monday
	w.after(12 * time.Hour)
	if got := w.reminded("acme"); len(got) != 1 {
		t.Fatalf("reminded %d times, want once without a second yes", len(got))
	}
	w.material(id, cvd.Scope, "other words, canaryother")
	w.steps(6*time.Hour, 4*cvd.Day)
	if got := w.reminded("acme"); len(got) != 1 {
		t.Fatal("words that nobody approved left")
	}
	w.as(benSigned, "approve "+w.request(cvd.Scope).ID)
	w.after(time.Hour)
	if got := w.reminded("acme"); len(got) != 2 || !strings.Contains(got[1].Text, "canaryother") {
		t.Errorf("reminded %d times after the yes", len(got))
	}
}

// Over random answers, holds and releases: no reminder leaves after an answer
// counted or during a hold, none on a weekend, and at most one a day.
func TestReminder_NeverAfterAnAnswer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		w, id := reminding(t, "acme", "globex", "initech")
		quiet := map[string]time.Time{} // since when nobody may remind it
		left := map[string]int{}
		held := ""
		for range 60 {
			w.clock.Advance(time.Duration(1+r.IntN(11)) * time.Hour)
			w.settle()
			for _, name := range []string{"acme", "globex", "initech"} {
				all := w.reminded(name)
				for i, l := range all[left[name]:] {
					date, err := l.Outer.Date()
					if day := date.UTC().Weekday(); err != nil || day == time.Saturday || day == time.Sunday || !quiet[name].IsZero() {
						t.Fatalf("seed %d: %s was reminded on %s; it answered, or was held, %s", seed, name, date, quiet[name])
					}
					if at := left[name] + i; at > 0 {
						if before, _ := all[at-1].Outer.Date(); before.UTC().YearDay() == date.UTC().YearDay() {
							t.Fatalf("seed %d: %s was reminded twice on %s", seed, name, date)
						}
					}
				}
				left[name] = len(all)
			}
			name := []string{"acme", "globex", "initech"}[r.IntN(3)]
			switch r.IntN(12) {
			case 0: // an ACK alone: scope goes, asks anew, and is reminded of
				if quiet[name].IsZero() && held == "" {
					w.answers(name, id, true, "STATUS "+string(id)+" not-affected we ship none\n")
					quiet[name] = w.clock.Now()
				}
			case 1, 2:
				if held == "" && quiet[name].IsZero() {
					w.in(id, "hold "+name)
					held, quiet[name] = name, w.clock.Now()
				}
			case 3, 4, 5:
				if held != "" {
					delete(quiet, held)
					w.in(id, "release "+held)
					held = ""
				}
			}
		}
	}
}

// A tick reads nothing of a reminder or a silence that is not due.
func TestSilence_CostsWhatIsDue(t *testing.T) {
	t.Parallel()
	w, id := reminding(t, "acme", "globex")
	next, err := w.SilenceDue(w.clock.Now())
	if err != nil || next.Before(storyStart.Add(7*cvd.Day)) || next.After(storyStart.Add(7*cvd.Day+time.Hour)) {
		t.Fatalf("the next step is due %s, %v", next, err)
	}
	before := w.serial()
	if _, err := w.SilenceDue(w.clock.Now()); err != nil || w.serial() != before {
		t.Errorf("a tick with nothing due writes: %v", err)
	}
	for i, name := range []string{"acme", "globex"} {
		w.answers(name, id, true, "ACK\n")
		w.view(func(tx *store.Tx) error {
			rows, err := collect(silenceRows.All(tx, nil), nil)
			if len(rows) != 1-i {
				return fmt.Errorf("%d clocks run after %d answers: %w", len(rows), i+1, err)
			}
			return err
		})
	}
}

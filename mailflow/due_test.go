package mailflow

import (
	"errors"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// dueCounts is how many rows stand among the due ones of letters, cases to be
// destroyed and days, up to an instant.
func (w *world) dueCounts(now time.Time) (letters, shredded, days int) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		for range waitingDue.Due(tx, now, new(time.Time)) {
			letters++
		}
		for range shredsDue.Due(tx, now, new(time.Time)) {
			shredded++
		}
		for range daysDue.Due(tx, now, new(time.Time)) {
			days++
		}
		return nil
	})
	return letters, shredded, days
}

// forgetDue makes the store one of before: it has no rows of these kinds, and what
// they belong to does not know of any.
func (w *world) forgetDue() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for r := range waitingRows.All(tx, nil) {
			if err := putWaiting(tx, r.Value, time.Time{}); err != nil {
				return err
			}
		}
		for r := range shreds.All(tx, nil) {
			was := r.Value
			if err := shredsDue.Delete(tx, store.DueKey(was.Next, shredKey(tx, was.Case))); err != nil {
				return err
			}
			was.Next = time.Time{}
			if err := shreds.Put(tx, caseScope(was.Case), r.Key, was); err != nil {
				return err
			}
		}
		for r := range dayRows.All(tx, nil) {
			if err := keepDay(tx, r.Value.Case, time.Time{}); err != nil {
				return err
			}
			if err := dayRows.Delete(tx, r.Key); err != nil {
				return err
			}
		}
		return nil
	})
}

// A letter that waits is looked at when something of it changes, whatever that is,
// and not in between.
func TestShowLetters_OnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.answersAcme(id)
	if n, _, _ := w.dueCounts(w.clock.Now().Add(cvd.Day)); n != 0 {
		t.Fatalf("%d letters are to be looked at although nothing changed", n)
	}
	for _, row := range []struct{ line, says string }{
		{"hold acme because lawyers", "HELD"},
		{"release acme", "leaves at"},
		{"sending pause because x", "waiting: sending is paused, x"},
		{"sending resume", "leaves at"},
	} {
		w.in(id, row.line)
		word := "waiting"
		if row.says == "HELD" {
			word = "held"
		}
		w.ownLetter(id, word, row.says)
		if n, _, _ := w.dueCounts(w.clock.Now().Add(cvd.Day)); n != 0 {
			t.Errorf("after %q %d letters are still to be looked at", row.line, n)
		}
	}
}

// A store of before has no due rows of letters: what it shows wrongly is mended once
// at the start, and what happens afterwards shows as ever.
func TestCatchUp_Letters(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.in(id, "hold acme because lawyers")
	w.answersAcme(id)
	w.ownLetter(id, "held", "HELD")
	w.update(func(tx *store.Tx) error { // it was released, and the process ended before that showed
		p, err := ParticipantByID(tx, id, "acme")
		if err != nil {
			return err
		}
		p.Hold = nil
		if err := PutParticipant(tx, p); err != nil {
			return err
		}
		return w.wakeNotices(tx, id, "acme")
	})
	w.forgetDue()
	w.restart()
	w.settle()
	w.ownLetter(id, "waiting", "leaves at")
}

// So it is with a case that was given up: it is destroyed on its day.
func TestCatchUp_Shreds(t *testing.T) {
	t.Parallel()
	w, id, _ := shredStory(t)
	w.gaveUp(id)
	if _, n, _ := w.dueCounts(w.clock.Now().Add(7 * cvd.Day)); n != 1 {
		t.Fatalf("%d rows", n)
	}
	w.forgetDue()
	w.after(time.Hour)
	w.restart()
	w.after(8 * cvd.Day)
	if r := w.shredOf(id); r.Done.IsZero() {
		t.Fatalf("not carried out: %+v", r)
	}
	if _, n, _ := w.dueCounts(w.clock.Now().Add(1000 * cvd.Day)); n != 0 {
		t.Errorf("%d rows are left of what is done", n)
	}
}

// A row of which what it names cannot be read is an error, and keeps no other from
// what is to happen to it: another letter shows how it stands, another case goes.
func TestDue_OneBadRowStopsNoOther(t *testing.T) {
	t.Parallel()
	w, id := writing(t)
	w.answersAcme(id)
	w.update(func(tx *store.Tx) error {
		err := waitingDue.Put(tx, DeskScope, store.DueKey(tx.Now.Add(-time.Hour), []byte("nothing")), struct{}{})
		for r := range waitingRows.All(tx, nil) {
			err = errors.Join(err, waitingDue.Put(tx, DeskScope, store.DueKey(tx.Now, r.Key), struct{}{}))
		}
		return err
	})
	if rows, _, err := w.lettersToShow(w.clock.Now()); err == nil || len(rows) != 1 {
		t.Errorf("%d letters are shown; the bad row says %v", len(rows), err)
	}
	v, gone, _ := shredStory(t)
	v.gaveUp(gone)
	v.update(func(tx *store.Tx) error {
		return shredsDue.Put(tx, DeskScope, store.DueKey(tx.Now, []byte("nothing")), struct{}{})
	})
	if due, _, err := v.shredsToDo(v.clock.Now().Add(30 * cvd.Day)); err == nil || len(due) != 1 {
		t.Errorf("%d cases are shredded; the bad row says %v", len(due), err)
	}
}

// A case that was saved leaves no row, and no clock of it goes on.
func TestShredsDue_Stopped(t *testing.T) {
	t.Parallel()
	w, id, _ := shredStory(t)
	r := w.gaveUp(id)
	w.as(signed("ana"), "reject "+r.Approval+" because no")
	if _, n, _ := w.dueCounts(w.clock.Now().Add(1000 * cvd.Day)); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// Of each case in which a day changes something there is one row; they are not due
// at one instant; what is closed, not started, or over and silent about nobody has
// none, and its case file stays as it is.
func TestDays_OnlyWhereADayCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runs, other, waits, shut := w.caseWith("acme"), w.caseWith("acme"), w.caseWith("acme"), w.caseWith("acme")
	for _, id := range []cvd.CaseID{runs, other, shut} {
		w.in(id, "start now")
	}
	w.after(5 * time.Minute)
	for _, id := range []cvd.CaseID{runs, other} {
		w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.in(shut, `case close because "no flaw"`)
	far := w.clock.Now().Add(1000 * cvd.Day)
	if _, _, n := w.dueCounts(far); n != 2 {
		t.Errorf("%d rows, not of the two that run", n)
	}
	at := map[cvd.CaseID]time.Time{}
	for _, id := range []cvd.CaseID{runs, other, waits, shut} {
		w.view(func(tx *store.Tx) error {
			r, err := dayRows.Get(tx, dayKey(tx, id))
			at[id] = r.Next
			return err
		})
	}
	tomorrow := date(w.clock.Now()).AddDate(0, 0, 1)
	if a, b := at[runs].Sub(tomorrow), at[other].Sub(tomorrow); a == b || min(a, b) < 0 || max(a, b) >= time.Hour {
		t.Errorf("they go on %s and %s after midnight", a, b)
	}
	if !at[waits].IsZero() || !at[shut].IsZero() {
		t.Errorf("not started: %s; closed: %s", at[waits], at[shut])
	}
	w.steps(6*time.Hour, 33*cvd.Day) // the end, and two days more
	wants(t, w.caseFile(runs).Envelope.Subject, " - ended Thu 31 Dec")
	if _, _, n := w.dueCounts(far); n != 0 {
		t.Errorf("%d rows of cases that are over", n)
	}
	before := map[cvd.CaseID]uint64{}
	for id := range at {
		before[id] = w.caseFile(id).ID
	}
	w.steps(6*time.Hour, 5*cvd.Day)
	for id := range at {
		if w.caseFile(id).ID != before[id] {
			t.Errorf("that of %s was made anew though no day changes it: %s", id, w.caseFile(id).Envelope.Subject)
		}
		w.fresh(id, false) // nor would it read differently if it were
	}
}

// fresh says whether the case file would read otherwise if it were made now.
func (w *world) fresh(id cvd.CaseID, want bool) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		l, err := w.look(tx, c)
		if err != nil {
			return err
		}
		f, err := w.renderCaseFile(tx, l)
		if f.fresh != want {
			w.t.Errorf("%s: it would read otherwise: %v", id, f.fresh)
		}
		return err
	})
}

// Who is silent is so for a day more each day, after the end, too.
func TestDays_SilentAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.steps(6*time.Hour, 34*cvd.Day)
	for range 3 {
		w.steps(6*time.Hour, cvd.Day)
		w.fresh(id, false)
	}
	wants(t, w.words(w.caseFile(id)), "silent 3")
}

// A case that starts in a month has its first row at that day; a store of before gets
// its rows at the start of the process.
func TestCatchUp_Days(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start 2027-01-10T09:00Z")
	w.view(func(tx *store.Tx) error {
		r, err := dayRows.Get(tx, dayKey(tx, id))
		if got := utc(r.Next); got != "2027-01-10T00:01Z" {
			t.Errorf("its first day is %s", got)
		}
		return err
	})
	before := w.caseFile(id).ID
	w.steps(6*time.Hour, 10*cvd.Day)
	w.fresh(id, false)
	if w.caseFile(id).ID != before {
		t.Error("it was made anew before its start")
	}
	w.steps(6*time.Hour, 31*cvd.Day)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 3*cvd.Day) // the details have gone, and nothing else happens for days
	day := w.caseFile(id).Envelope.Subject
	w.forgetDue()
	w.restart()
	w.steps(6*time.Hour, cvd.Day)
	if got := w.caseFile(id).Envelope.Subject; got == day {
		t.Errorf("a day later it still says %q", got)
	}
	w.fresh(id, false)
}

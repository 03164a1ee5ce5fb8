package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// A case file says what day of the embargo it is, and for how many days vendors are
// silent. Each case in which a day changes something has a row among the due ones, in
// the first hour after midnight UTC: not all at one instant. The end of the embargo
// is such an instant, too.

// dayRow is the next day on which the case file of a case reads differently by itself.
type dayRow struct {
	Case cvd.CaseID
	Next time.Time // of its row among the due ones; zero: it reads the same for ever
}

var (
	dayRows = store.Versioned[dayRow]("casedays")
	daysDue = store.WriteOnce[cvd.CaseID]("casedaysdue")
)

func dayKey(tx *store.Tx, id cvd.CaseID) []byte { return tx.Name("caseday", string(id)) }

// nextDay is when the case file reads differently because a day has passed, zero
// for never.
func (l caseLook) nextDay() time.Time {
	if !l.Started() || !l.Closed.IsZero() {
		return time.Time{}
	}
	var end time.Time
	if e := l.Embargo().End; l.now.Before(e) {
		end = e
	}
	minute := time.Duration(l.Number%60) * time.Minute
	tomorrow := date(l.now).AddDate(0, 0, 1)
	day, days := l.day()
	switch {
	case day < 1: // it counts from its start on
		return sooner(laterOf(tomorrow, date(l.Start)).Add(minute), end)
	case day <= days+1, l.anySilent():
		return sooner(tomorrow.Add(minute), end)
	}
	return end
}

// ended says that the embargo of a case is over, or was when it was closed.
func (l caseLook) ended() bool { return l.Started() && !l.moment().Before(l.Embargo().End) }

// dayWords is how far a case is, "day 12 of 90"; "" before its start.
func (l caseLook) dayWords() string {
	day, days := l.day()
	switch {
	case l.ended():
		return "ended " + l.Embargo().End.UTC().Format("Mon 2 Jan")
	case day < 1:
		return ""
	}
	return fmt.Sprintf("day %d of %d", min(day, days), days)
}

// anySilent says whether the silence of somebody is counted, or will be.
func (l caseLook) anySilent() bool {
	for _, v := range l.vendors {
		if told := l.toldAt(v); !told.IsZero() {
			return true
		}
	}
	return false
}

// keepDay keeps the row of a case in step with what its case file says.
func keepDay(tx *store.Tx, id cvd.CaseID, next time.Time) error {
	key := dayKey(tx, id)
	r, err := dayRows.Get(tx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && r.Next.Equal(next) {
		return err
	}
	if err := moveDue(tx, daysDue, caseScope(id), key, r.Next, next, id); err != nil {
		return err
	}
	return dayRows.Put(tx, caseScope(id), key, dayRow{id, next})
}

// daysBatch is how many case files go on to the next day in one transaction.
const daysBatch = 256

// DaysDue lets the case files that say what day it is go on to the next one, whether
// anything else happens or not. After downtime that is once. It returns when it
// wants to be called next.
func (b *Base) DaysDue(now time.Time) (next time.Time, err error) {
	var due []cvd.CaseID
	err = b.Store.View(func(tx *store.Tx) error {
		for row, err := range daysDue.Due(tx, now, &next) {
			if err != nil {
				return err
			}
			if due = append(due, row.Value); len(due) == daysBatch {
				return nil
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return next, err
	}
	return next, b.Store.Update(func(tx *store.Tx) error {
		for _, id := range due {
			b.moved(tx, id)
			if err := askOvertaken(tx, id); err != nil {
				return err
			}
			if err := keepDay(tx, id, time.Time{}); err != nil { // the case file that is made says when next
				return err
			}
		}
		return nil
	})
}

// askOvertaken lets the gate end what waits for something when the embargo is over,
// with the requests and tasks that stand before the desk because of it: no answer lets
// it leave any more.
func askOvertaken(tx *store.Tx, id cvd.CaseID) error {
	c, err := CaseByID(tx, id)
	if err != nil || tx.Now.Before(c.Embargo().End) {
		return err
	}
	ps, err := Participants(tx, id)
	if err != nil {
		return err
	}
	for _, p := range ps {
		all, err := Notices(tx, id, p.Party)
		if err != nil {
			return err
		}
		for _, n := range all {
			waits := n.Row.IsZero() || n.Row.After(tx.Now)
			if n.State.Over() || !waits || !overtaken(c, n, tx.Now) {
				continue
			}
			if err := putNotice(tx, n, tx.Now); err != nil {
				return err
			}
		}
	}
	return nil
}

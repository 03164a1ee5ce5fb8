package mailflow

import (
	"errors"
	"time"

	"parley/mailflow/store"
)

// dayRow remembers the day that the case files were last made for.
type dayRow struct{ Day time.Time }

var dayRows = store.Versioned[dayRow]("days")

// DaysDue lets the case files of open cases go on to the next day at midnight
// UTC, whether anything else happens or not: "day 12 of 90". After downtime
// that is once. It returns the next midnight.
func (b *Base) DaysDue(now time.Time) (time.Time, error) {
	today := date(now)
	next := today.AddDate(0, 0, 1)
	var shown dayRow
	err := b.Store.View(func(tx *store.Tx) (err error) {
		shown, err = dayRows.Get(tx, tx.Name("day", "casefiles"))
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil || shown.Day.Equal(today) {
		return next, err
	}
	return next, b.Store.Update(func(tx *store.Tx) error {
		for r, err := range cases.All(tx, nil) {
			if errors.Is(err, store.ErrShredded) {
				continue
			}
			if err != nil {
				return err
			}
			c := r.Value
			if !c.Started() || !c.Closed.IsZero() {
				continue
			}
			b.moved(tx, c.ID)
			if c.Exploited == nil && len(c.Leaks) == 0 {
				continue
			}
			if err := watch(tx, c.ID); err != nil { // a store of before does not know yet
				return err
			}
		}
		return dayRows.Put(tx, DeskScope, tx.Name("day", "casefiles"), dayRow{today})
	})
}

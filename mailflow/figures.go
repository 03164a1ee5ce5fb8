package mailflow

import (
	"time"

	"parley/mailflow/store"
)

// Figures are counts for a monitoring system: none of them says of which case or
// whom (rule H6).
type Figures struct {
	Spooled    int       // mails that were accepted and are not filed yet
	Planned    int       // notices that are to be asked about, now or later
	Due        time.Time // the first of them
	Waiting    int       // deliveries that wait for the smarthost
	UnderWay   int       // that are being handed over
	Tasks      int       // that wait for a person
	Paused     bool
	LastBackup time.Time
	Commits    uint64
	Journal    uint64
}

// Figures counts, without opening what it counts.
func (b *Base) Figures() (f Figures, err error) {
	appended := b.Store.Appended() // looked at first: what is absorbed meanwhile is rather counted twice than not at all
	err = b.Store.View(func(tx *store.Tx) error {
		f.Spooled, f.Planned, f.Tasks = appended+spool.Count(tx, nil), dueRows.Count(tx, nil), openNames.Count(tx, nil)
		f.Waiting, f.UnderWay = b.Queue.Counts(tx)
		f.Paused, f.Commits = SendingPaused(tx), tx.Serial()
		for r, err := range dueRows.All(tx, nil) {
			if err == nil {
				f.Due = store.ParseInstant(r.Key)
			}
			break
		}
		all, err := Backups(tx)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			f.LastBackup = all[len(all)-1].At
		}
		f.Journal, _, err = tx.LastLink()
		return err
	})
	return f, err
}

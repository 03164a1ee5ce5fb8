package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// A Backup is one that was made and opened again.
type Backup struct {
	At         time.Time // what was committed by then is in it
	File       string    // its name, without the folder
	Recipients []string  // age recipients that open it; none are known of one that this store was put back from
	SHA256     string    // of the file, in hex
	Size       int64
	Head       string // of the journal
}

// backupRows are the backups, by number: whoever shreds a case must know which
// copies of it are left (rule H3).
var backupRows = store.WriteOnce[Backup]("backups")

// BackedUp notes a backup. One that holds a case which was destroyed while it was
// made is refused: nobody was told of it among the copies that are left.
func (b *Base) BackedUp(m Backup) error {
	return b.Store.Update(func(tx *store.Tx) error {
		for r, err := range shreds.All(tx, nil) {
			if err != nil {
				return err
			}
			if r.Value.Erased.After(m.At) {
				return errors.New("a case was destroyed while it was made, and is in it: it is not kept, make another")
			}
		}
		n, err := noteBackup(tx, m)
		if err != nil {
			return err
		}
		return record(tx, journal.Record{Kind: "store.backed-up", Actor: Operator, Ref: fmt.Sprint(n),
			Detail: fmt.Sprintf("%d bytes, SHA-256 %s, for %s", m.Size, m.SHA256, strings.Join(m.Recipients, ", "))})
	})
}

func noteBackup(tx *store.Tx, m Backup) (n uint64, err error) {
	if n, err = tx.Next("backup"); err != nil {
		return 0, err
	}
	return n, backupRows.Put(tx, DeskScope, store.Seq(n), m)
}

// Backups are those that were made, oldest first.
func Backups(tx *store.Tx) ([]Backup, error) { return collect(backupRows.All(tx, nil), nil) }

// Restored is asked once, of a store that was put back from a backup, before anything
// runs. That backup is not in itself, and is noted: it is a copy like the others. What
// left after it was taken is not known here.
// So nothing leaves until a person resumes sending (rule H7): what waited in the
// queue is unknown, what is overdue waits for a review, and every UIDVALIDITY is
// higher than any before.
func (b *Base) Restored(from Backup) error {
	return b.Store.Update(func(tx *store.Tx) error {
		if _, err := noteBackup(tx, from); err != nil {
			return err
		}
		if err := tx.RaiseValidity(); err != nil {
			return err
		}
		since := from.At.UTC().Format("Mon 2 Jan 2006, 15:04:05 MST")
		doubted, err := b.Queue.Doubt(tx, "the gateway was put back from a backup of "+since+"; it may have left after that")
		if err != nil {
			return err
		}
		if err := b.askAnew(tx); err != nil {
			return err
		}
		s := Sending{Paused: true, By: restorer, At: tx.Now, Because: "the gateway was put back from a backup of " + since + ", and what left after that is not known here"}
		reviews, err := b.reviewOverdue(tx, s)
		if err != nil {
			return err
		}
		if err := b.setSending(tx, s); err != nil {
			return err
		}
		return record(tx, journal.Record{Kind: "store.restored", Actor: Operator,
			Detail: fmt.Sprintf("of %s; %s unknown, %s to review", since, count(doubted, "delivery"), count(reviews, "case"))})
	})
}

// restorer is who pauses after a restore.
const restorer = "parley restore"

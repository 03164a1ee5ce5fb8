package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// A store that was put back sends nothing by itself (rule H7): what waited in the
// queue is unknown, what is overdue waits for a review, UIDVALIDITY is higher
// everywhere, and only a person lets mail leave again.
func TestH7_Restored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.vendor("acme")
	w.vendor("globex")
	id := w.started("acme", "globex")
	w.sink.Fail(mailtest.Mail, 451, 1000) // what leaves now waits for the smarthost
	taken := w.clock.Now()
	w.answers("acme", id, true, "ACK "+string(id))
	w.settle()
	w.clock.Advance(10 * time.Minute) // too short to be noticed as downtime
	var before []store.Mailbox
	var waiting int
	w.view(func(tx *store.Tx) (err error) {
		before, err = tx.Mailboxes()
		all, failed := w.Queue.All(tx)
		for _, it := range all {
			if it.State == queue.Waiting {
				waiting++
			}
		}
		if err == nil {
			err = failed
		}
		return err
	})
	if waiting == 0 {
		t.Fatal("nothing waits in the queue")
	}
	from := Backup{At: taken, File: "week-9.age", SHA256: "abcd", Size: 7}
	w.must(w.Restored(from))
	w.view(func(tx *store.Tx) error {
		if all, err := Backups(tx); err != nil || len(all) != 1 || all[0].File != from.File || !all[0].At.Equal(taken) {
			t.Errorf("the backup that it is of is not noted, and gives a shredded case back: %+v, %v", all, err)
		}
		after, err := tx.Mailboxes()
		for i, m := range after[:len(before)] {
			if m.UIDValidity <= before[i].UIDValidity {
				t.Errorf("UIDVALIDITY of %d is not higher", m.Number)
			}
		}
		all, failed := w.Queue.All(tx)
		unknown := 0
		for _, it := range all {
			if it.State == queue.Waiting {
				t.Errorf("%s waits", it)
			}
			if it.State == queue.Unknown && strings.Contains(it.Reply, "put back from a backup") {
				unknown++
			}
		}
		if unknown != waiting {
			t.Errorf("%d deliveries are unknown, and %d waited", unknown, waiting)
		}
		if !SendingPaused(tx) {
			t.Error("sending goes on")
		}
		if err == nil {
			err = failed
		}
		return err
	})
	w.sink.Fail(mailtest.Mail, 451, 0)
	sent := len(w.sink.Mails())
	w.after(cvd.Day)
	if got := len(w.sink.Mails()) - sent; got != 0 {
		t.Errorf("%d mails left before a person said so", got)
	}
	if got := w.do("status"); !strings.Contains(strings.Join(strings.Fields(got), " "), "put back from a backup of") {
		t.Errorf("status does not say why:\n%s", got)
	}
	w.do("sending resume")
	w.after(time.Hour)
	if len(w.sink.Mails()) == sent {
		t.Error("nothing leaves after a person resumed sending")
	}
}

// A backup that was begun before a case was destroyed, and ended after it, is not
// kept: the desk was told of the copies that are left without it (rule H3).
func TestH3_BackupOverAShred(t *testing.T) {
	t.Parallel()
	w, id, _ := shredStory(t)
	begun := w.clock.Now()
	w.gaveUp(id)
	w.steps(cvd.Day, 9*cvd.Day)
	if w.shredOf(id).Done.IsZero() {
		t.Fatal("the case is still there")
	}
	if err := w.BackedUp(Backup{At: begun, File: "a.age"}); err == nil || !strings.Contains(err.Error(), "make another") {
		t.Errorf("a backup of before: %v", err)
	}
	w.must(w.BackedUp(Backup{At: w.clock.Now(), File: "b.age"}))
	w.view(func(tx *store.Tx) error {
		if all, err := Backups(tx); err != nil || len(all) != 1 || all[0].File != "b.age" {
			t.Errorf("noted are %+v, %v", all, err)
		}
		return nil
	})
}

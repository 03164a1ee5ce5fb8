package mailflow

import (
	"fmt"
	"time"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// guardForgets remembers since when the desk knows that the guard compares with
// newer mail only. It is told once: what was forgotten does not come back, since
// after a restart the same texts fill the memory anew.
var guardForgets = store.Versioned[time.Time]("guardforgets")

// oldest is the number of the oldest message that the guard remembers, where older
// ones had to be forgotten; 0 where none was.
func (g *Guard) oldest() uint64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.since
}

// TellGuard puts it before the desk, once, that what parties wrote long ago is not
// compared with letters any more (rule V6).
func (s *Scheduler) TellGuard(time.Time) (next time.Time, err error) {
	if s.Guard == nil || s.Guard.oldest() == 0 {
		return next, nil
	}
	told := false
	err = s.Store.View(func(tx *store.Tx) error {
		told = guardForgets.Has(tx, tx.Name("guard", "forgets"))
		return nil
	})
	if err != nil || told {
		return next, err
	}
	return next, s.Store.Update(s.tellGuard)
}

func (b *Base) tellGuard(tx *store.Tx) error {
	key := tx.Name("guard", "forgets")
	if guardForgets.Has(tx, key) {
		return nil
	}
	since, err := b.comparedSince(tx)
	if err != nil {
		return err
	}
	r, err := b.Templates.Refusal(refusal("comparing letters with all that parties wrote",
		fmt.Sprintf("What parties wrote before %s is not compared with letters any more. Names of parties, later stages and newer mail are, as before.", since),
		"there is more mail than the memory of the guard holds",
		"look twice at letters that quote mail from before then. `status` says how it stands"))
	if err != nil {
		return err
	}
	if err := guardForgets.Put(tx, DeskScope, key, tx.Now); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Kind: "guard.forgets", Detail: "mail before " + since}); err != nil {
		return err
	}
	return b.task(tx, "guard", Post{Subject: "The guard forgets: mail before " + since + " is not compared with letters", Text: r.Text, Kind: "guard"})
}

// comparedSince says since when mail is compared with letters.
func (b *Base) comparedSince(tx *store.Tx) (string, error) {
	for m, err := range tx.MessagesFrom(b.guard().oldest()) {
		if unreadableMessage(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		return day(m.At), nil
	}
	return "now", nil
}

// guardLines say in `status` that the guard forgets, where it does.
func (s *sitting) guardLines() []string {
	if s.Guard == nil || s.Guard.oldest() == 0 {
		return nil
	}
	since, err := s.comparedSince(s.tx)
	if err != nil {
		return nil
	}
	return []string{"letters are compared only with what parties wrote since " + since + ": the guard's memory is full"}
}

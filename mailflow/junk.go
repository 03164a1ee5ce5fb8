package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// What was thrown away with Do/Spam, and what came for it after that, is removed so
// long after as Settings.Retention says. No button destroys a record by itself: between
// the two lies a time in which anybody can bring it back. In Quarantine a mail waits
// for a person, and nothing is removed there.

const (
	// junkAtOnce is how much is removed in one commit.
	junkAtOnce = 256
	// longAway is how long the gateway may be away, by its clock, before a person says
	// whether the clock is right that would remove what fell due meanwhile (rule T5).
	longAway = cvd.Day
	// junkTask names the task that asks.
	junkTask = "junk"
)

var (
	// junked is when a message was thrown away last.
	junked = store.Versioned[time.Time]("junked")
	// junkDue are under that instant and the number of the message: under no other
	// settings does a row stand elsewhere.
	junkDue = store.WriteOnce[uint64]("junkdue")
)

// noteJunk remembers that a message was thrown away now.
func noteJunk(tx *store.Tx, m store.Message) error {
	was, err := junked.Get(tx, store.Seq(m.ID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := moveDue(tx, junkDue, m.Scope, store.Seq(m.ID), was, tx.Now, m.ID); err != nil {
		return err
	}
	return junked.Put(tx, m.Scope, store.Seq(m.ID), tx.Now)
}

// forgetJunk is for what is not thrown away any more, or not there.
func forgetJunk(tx *store.Tx, id uint64, at time.Time) error {
	return errors.Join(junkDue.Delete(tx, store.DueKey(at, store.Seq(id))), junked.Delete(tx, store.Seq(id)))
}

// JunkDue removes what was thrown away long enough ago, and returns when it wants to
// be called next. To remove is not to send, but a clock that jumped would remove all
// of it in one burst: while sending is paused, or after the gateway was away so long
// that nobody can say whether the clock is right, nothing is removed (rule T5). A row
// that cannot be read is an error, and keeps no other.
func (s *Scheduler) JunkDue(now time.Time) (next time.Time, err error) {
	if s.Retention.Junk <= 0 {
		return next, nil
	}
	due, next, err := s.junkToRemove(now)
	if !next.IsZero() {
		next = next.Add(s.Retention.Junk)
	}
	if len(due) == 0 {
		return next, err
	}
	return next, errors.Join(err, s.Store.Update(func(tx *store.Tx) error { return removeJunk(tx, due) }))
}

// thrownAway is a message, and when.
type thrownAway struct {
	id uint64
	at time.Time
}

func (s *Scheduler) junkToRemove(now time.Time) (due []thrownAway, next time.Time, err error) {
	var bad error
	err = s.Store.View(func(tx *store.Tx) error {
		state, err := sendingNow(tx)
		if err != nil || state.Paused {
			return err
		}
		if asked, err := readTask(tx, junkTask); err != nil || asked.Number != 0 {
			return err
		}
		for row, err := range junkDue.Due(tx, now.Add(-s.Retention.Junk), &next) {
			if err != nil {
				bad = errors.Join(bad, fmt.Errorf("read what was thrown away: %w", err))
				continue
			}
			if due = append(due, thrownAway{row.Value, store.ParseInstant(row.Key)}); len(due) == junkAtOnce {
				break
			}
		}
		return nil
	})
	return due, next, errors.Join(err, bad)
}

// removeJunk removes what still is junk, with one line in the journal that counts it.
func removeJunk(tx *store.Tx, due []thrownAway) error {
	n := 0
	for _, d := range due {
		if err := forgetJunk(tx, d.id, d.at); err != nil {
			return err
		}
		m, err := tx.Message(d.id)
		if unreadableMessage(err) {
			continue
		}
		if err != nil {
			return err
		}
		junk, err := isJunk(tx, m)
		if err != nil {
			return err
		}
		if !junk {
			continue
		}
		if err := dropJunk(tx, m); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return nil
	}
	return record(tx, journal.Record{Actor: byItself, Kind: "junk.removed", Detail: count(n, "mail")})
}

// isJunk says whether nobody needs a mail: it came from outside, is of no case, and
// stands only where things are thrown away. What somebody put into another folder is
// kept.
func isJunk(tx *store.Tx, m store.Message) (bool, error) {
	if m.Direction != "in" {
		return false, nil
	}
	if m.Scope != DeskScope {
		r, inReport, err := reportOf(tx, cvd.CaseID(m.Scope))
		if err != nil || !inReport || !r.Spam || r.Case != "" {
			return false, err
		}
	}
	filed, err := tx.FiledIn(m.ID)
	if err != nil {
		return false, err
	}
	for _, at := range filed {
		box, err := tx.Mailbox(at.Mailbox)
		if err != nil {
			return false, err
		}
		if !slices.Contains([]string{`\Junk`, `\Trash`}, box.Attr) && !isUnder(box.Name, buttonsFolder) {
			return false, nil
		}
	}
	return true, nil
}

// dropJunk removes a mail for good. Clients learn of it as of an EXPUNGE elsewhere.
func dropJunk(tx *store.Tx, m store.Message) error {
	r, inReport, err := reportOf(tx, cvd.CaseID(m.Scope))
	if err != nil {
		return err
	}
	if inReport {
		r.Messages, r.Removed = slices.DeleteFunc(r.Messages, func(id uint64) bool { return id == m.ID }), tx.Now
		if err := reports.Put(tx, m.Scope, store.Seq(r.Number), r); err != nil {
			return err
		}
	}
	for row, err := range receipts.All(tx, store.Seq(m.ID)) {
		if err != nil {
			return err
		}
		if err := receipts.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	if err := unfileEverywhere(tx, m.ID); err != nil {
		return err
	}
	return tx.DropMessage(m.ID)
}

// junkBehind is what lies in Junk in a store of before: its time begins now.
func (b *Base) junkBehind(tx *store.Tx) (out []func(*store.Tx) error, err error) {
	if b.Retention.Junk <= 0 {
		return nil, nil
	}
	boxes, err := tx.Mailboxes()
	if err != nil {
		return nil, err
	}
	found := map[uint64]bool{}
	for _, box := range boxes {
		if box.Attr != `\Junk` {
			continue
		}
		uids, err := tx.UIDs(box.Number, nil)
		if err != nil {
			return nil, err
		}
		err = tx.Entries(box.Number, uids, func(e *store.Entry) error {
			if id := e.Message; !found[id] && !junked.Has(tx, store.Seq(id)) {
				found[id] = true
				out = append(out, func(tx *store.Tx) error { return noteOldJunk(tx, id) })
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func noteOldJunk(tx *store.Tx, id uint64) error {
	m, err := tx.Message(id)
	if unreadableMessage(err) || err == nil && m.Direction != "in" {
		return nil
	}
	return errors.Join(err, noteJunk(tx, m))
}

// askJunk lets a person look first, where the gateway was away for long and would
// remove junk now (rule T5): a clock that is wrong by a year looks the same.
func (s *Scheduler) askJunk(now time.Time, away time.Duration) error {
	due := false
	err := s.Store.View(func(tx *store.Tx) error {
		for range junkDue.Due(tx, now.Add(-s.Retention.Junk), new(time.Time)) {
			due = s.Retention.Junk > 0
			break
		}
		return nil
	})
	if err != nil || !due {
		return err
	}
	was := count(int(away/cvd.Day), "day")
	words, err := s.Templates.Refusal(refusal("removing junk", "Nothing is removed from Junk until this task is done. All else goes on.",
		"the gateway was away for "+was+", by its clock, and junk fell due meanwhile",
		"see that the clock of the server is right, and that nothing in Junk is wanted (`report N reopen`, or move it out of Junk). Then end this task, as below"))
	if err != nil {
		return err
	}
	return s.Store.Update(func(tx *store.Tx) error {
		return s.taskUnlessThere(tx, junkTask, Post{Kind: "junk", Subject: "Junk is not removed: the gateway was away for " + was, Text: strings.TrimRight(words.Text, "\n")})
	})
}

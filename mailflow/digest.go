package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// DigestTime is the time of day at which a coordinator gets the daily digest,
// where it is. The zero value is never.
type DigestTime struct {
	On           bool
	Hour, Minute int
}

// ParseDigestTime reads "08:00", or "off".
func ParseDigestTime(s string) (DigestTime, error) {
	if s == "off" {
		return DigestTime{}, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return DigestTime{}, fmt.Errorf("%q is neither a time of day such as 08:00 nor off", s)
	}
	return DigestTime{true, t.Hour(), t.Minute()}, nil
}

// after is the first such time of day after an instant. It comes once on every
// date of the zone: where the clock leaps over it, an hour off; where the clock
// shows it twice, at one of them (time.Date).
func (d DigestTime) after(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	for days := 0; ; days++ {
		next := time.Date(local.Year(), local.Month(), local.Day()+days, d.Hour, d.Minute, 0, 0, zone)
		if next.After(t) {
			return next
		}
	}
}

// digestRow remembers what a coordinator was told last.
type digestRow struct {
	At   time.Time // when it was last decided whether there is something to tell
	Told time.Time // of the last digest; zero before the first
	Seq  uint64    // the record of the journal up to which it told
	Sent []digestSent
}

// digestSent is a digest that is still in Status.
type digestSent struct {
	Mailbox, UID uint32
	Message      uint64
	Cases        []cvd.CaseID // that it tells of
}

var digestRows = store.Versioned[digestRow]("digests")

// keptDigests is how many digests of a coordinator stay in Status.
const keptDigests = 30

func digestKey(tx *store.Tx, coordinator string) []byte { return tx.Name("digest", coordinator) }

// zoneOf is where a coordinator is.
func (b *Base) zoneOf(c Coordinator) *time.Location {
	for _, name := range []string{c.Zone, b.Zone} {
		if loc, err := time.LoadLocation(name); name != "" && err == nil {
			return loc
		}
	}
	return time.UTC
}

// DigestsDue gives each coordinator its digest at its time of day, and returns
// when the next one is due. What was told is in the store: after downtime there
// is one digest, and none comes twice. On a Saturday or Sunday there is one
// only where something needs a person.
func (b *Base) DigestsDue(now time.Time) (next time.Time, err error) {
	if !b.Digest.On {
		return next, nil
	}
	var desk []Coordinator
	rows := map[string]digestRow{}
	err = b.Store.View(func(tx *store.Tx) error {
		if desk, err = Coordinators(tx); err != nil {
			return err
		}
		for _, c := range desk {
			row, err := digestRows.Get(tx, digestKey(tx, c.Name))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			rows[c.Name] = row
		}
		return nil
	})
	for _, c := range desk {
		row := rows[c.Name]
		due := b.Digest.after(row.At, b.zoneOf(c))
		switch {
		case row.At.IsZero(), row.At.After(now): // a new coordinator, or the clock was wrong
			err = errors.Join(err, b.beginDigests(c, row, now))
			due = b.Digest.after(now, b.zoneOf(c))
		case !now.Before(due):
			err = errors.Join(err, b.giveDigest(c, row))
			due = b.Digest.after(now, b.zoneOf(c))
		}
		next = sooner(next, due)
	}
	if err != nil {
		next = sooner(next, now.Add(time.Minute))
	}
	return next, err
}

// beginDigests notes that there was nothing to tell up to now.
func (b *Base) beginDigests(c Coordinator, row digestRow, now time.Time) error {
	return b.Store.Update(func(tx *store.Tx) error {
		if row.At.IsZero() {
			seq, _, err := journal.Head(tx)
			if err != nil {
				return err
			}
			row.Seq = seq
		}
		row.At = now
		return putDigestRow(tx, c.Name, row)
	})
}

func putDigestRow(tx *store.Tx, coordinator string, row digestRow) error {
	if err := tx.NewScope(onlyScope(coordinator)); err != nil {
		return err
	}
	return digestRows.Put(tx, onlyScope(coordinator), digestKey(tx, coordinator), row)
}

// giveDigest writes a digest and files it where its coordinator alone sees it.
func (b *Base) giveDigest(c Coordinator, row digestRow) error {
	var d digest
	err := b.Store.View(func(tx *store.Tx) (err error) {
		d, err = b.gatherDigest(tx, c, row)
		return err
	})
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	text, err := b.Templates.Digest(d.Digest)
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	row.At = d.At
	if weekend(d.At.In(b.zoneOf(c))) && d.Count == 0 && len(d.Alarms) == 0 {
		return b.Store.Update(func(tx *store.Tx) error { return putDigestRow(tx, c.Name, row) })
	}
	row.Told, row.Seq = d.At, d.Seq
	before := row.Sent
	return b.Store.Update(func(tx *store.Tx) error {
		if err := mayStillRead(tx, c, d.cases); err != nil {
			return err
		}
		m, box, uid, err := b.post(tx, Post{Folder: "Status", Only: c.Name, Subject: text.Subject, Text: text.Text, Kind: "digest"})
		if err != nil {
			return err
		}
		row.Sent = append(slices.Clone(before), digestSent{box, uid, m.ID, d.cases})
		for len(row.Sent) > keptDigests {
			if err := takeDigest(tx, row.Sent[0]); err != nil {
				return err
			}
			row.Sent = row.Sent[1:]
		}
		return putDigestRow(tx, c.Name, row)
	})
}

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// mayStillRead is an error where a case was restricted, or a coordinator left,
// between the reading and the filing: the digest is then written anew.
func mayStillRead(tx *store.Tx, who Coordinator, told []cvd.CaseID) error {
	if _, err := CoordinatorByName(tx, who.Name); err != nil {
		return err
	}
	for _, id := range told {
		now, err := caseNow(tx, id)
		if err != nil {
			return err
		}
		c, err := CaseByID(tx, now)
		if errors.Is(err, ErrNoCase) && now == id {
			continue // a report that is of no case
		}
		if err != nil {
			return err
		}
		if !maySee(c, who.Name) {
			return fmt.Errorf("a case of the digest was restricted meanwhile")
		}
	}
	return nil
}

// takeDigest takes a digest away; nothing is lost, the records stay.
func takeDigest(tx *store.Tx, s digestSent) error {
	return statusMail{s.Mailbox, s.UID, s.Message}.take(tx)
}

// recallDigests takes the digests that tell of a case away from coordinators
// who may not see it any more (rule A2).
func recallDigests(tx *store.Tx, c cvd.Case) error {
	return recallDigestsFrom(tx, c, func(who Coordinator) bool { return maySee(c, who.Name) })
}

// recallDigestsFrom does so but from those who may keep theirs, people who left
// the desk among them.
func recallDigestsFrom(tx *store.Tx, c cvd.Case, keeps func(Coordinator) bool) error {
	desk, err := collect(coordinators.All(tx, nil), nil)
	if err != nil {
		return err
	}
	for _, who := range desk {
		row, err := digestRows.Get(tx, digestKey(tx, who.Name))
		if errors.Is(err, store.ErrNotFound) || err == nil && keeps(who) {
			continue
		}
		if err != nil {
			return err
		}
		var kept []digestSent
		for _, s := range row.Sent {
			tells, err := s.tellsOf(tx, c.ID)
			if err != nil {
				return err
			}
			if !tells {
				kept = append(kept, s)
			} else if err := takeDigest(tx, s); err != nil {
				return err
			}
		}
		row.Sent = kept
		if err := putDigestRow(tx, who.Name, row); err != nil {
			return err
		}
	}
	return nil
}

// tellsOf says whether a digest tells of a case, or of what became part of it.
func (s digestSent) tellsOf(tx *store.Tx, id cvd.CaseID) (bool, error) {
	for _, told := range s.Cases {
		now, err := caseNow(tx, told)
		if err != nil || told == id || now == id {
			return true, err
		}
	}
	return false, nil
}

// digest is one on its way.
type digest struct {
	templates.Digest
	cases []cvd.CaseID // that it tells of
}

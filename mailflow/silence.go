package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// silenceRow is how far the clock of a participant's silence is: since when a
// notice has no answer, the steps that were taken, and when the next one is due.
type silenceRow struct {
	Case  cvd.CaseID
	Party cvd.PartyID
	Since time.Time
	Stage cvd.Stage
	Taken cvd.SilenceStep
	At    time.Time // when the last of these was taken
	Next  time.Time // zero where there is none, or the case or the participant is on hold
}

// silenceBatch is how many steps are taken in one transaction.
const silenceBatch = 64

var (
	silences    = store.Versioned[silenceRow]("silences")
	silenceRows = store.Versioned[dueRow]("silencesdue") // under the instant of the next step

)

func silenceKey(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) []byte {
	return tx.Name("silence", string(c), string(p))
}

func silenceTask(c cvd.CaseID, p cvd.PartyID) string { return threadTask("silent", c, p) }

// silenceOf reads the clock of a participant, the zero row where none runs.
func silenceOf(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) (silenceRow, error) {
	row, err := silences.Get(tx, silenceKey(tx, c, p))
	if errors.Is(err, store.ErrNotFound) {
		return silenceRow{}, nil
	}
	return row, err
}

// keepSilence lets the clock run from the first notice that has no answer. An
// answer ends it, and the task that it made.
func (b *Base) keepSilence(tx *store.Tx, c cvd.Case, p cvd.Participant, open []cvd.Notice) error {
	row, err := silenceOf(tx, c.ID, p.Party)
	if err != nil || len(open) == 0 && row.Since.IsZero() {
		return err
	}
	if len(open) == 0 {
		return b.endSilence(tx, row)
	}
	first := slices.MinFunc(open, func(x, y cvd.Notice) int { return x.SentAt.Compare(y.SentAt) })
	want := silenceRow{Case: c.ID, Party: p.Party, Since: first.SentAt, Stage: first.Stage}
	if row.Since.Equal(want.Since) {
		want.Taken, want.At = row.Taken, row.At
	} else if err := b.taskDone(tx, silenceTask(c.ID, p.Party)); err != nil {
		return err
	}
	if c.Hold == nil && p.Hold == nil {
		party, err := PartyByID(tx, p.Party)
		if err != nil {
			return err
		}
		want.Next = want.next(c, party)
	}
	return putSilence(tx, row, want)
}

// next is when the step after those that were taken is due, zero where there is
// none. Each leaves a person the time for the one before it, also where that came
// late, after a hold, a pause or downtime.
func (r silenceRow) next(c cvd.Case, party cvd.Party) time.Time {
	zone, end := cvd.ZoneOf(party.Zone), c.Embargo().End
	steps := c.Policy.SilenceSteps(r.Since, end, zone)
	if int(r.Taken) >= len(steps) {
		return time.Time{}
	}
	at := steps[r.Taken]
	if r.Taken > 0 {
		at = laterOf(at, c.Policy.Days.BusinessDay(r.At.Add(at.Sub(steps[r.Taken-1])), zone))
	}
	if !at.Before(end) {
		return time.Time{}
	}
	return at
}

// putSilence writes a clock in the place of what it was, and keeps its row among
// those that are due in step.
func putSilence(tx *store.Tx, was, row silenceRow) error {
	scope, key := caseScope(row.Case), silenceKey(tx, row.Case, row.Party)
	if err := moveDue(tx, silenceRows, scope, key, was.Next, row.Next, dueRow{Case: row.Case, Party: row.Party}); err != nil {
		return err
	}
	if was == row {
		return nil
	}
	return silences.Put(tx, scope, key, row)
}

func (b *Base) endSilence(tx *store.Tx, row silenceRow) error {
	over := row
	over.Next = time.Time{}
	if err := putSilence(tx, row, over); err != nil {
		return err
	}
	if err := silences.Delete(tx, silenceKey(tx, row.Case, row.Party)); err != nil {
		return err
	}
	b.moved(tx, row.Case)
	return b.taskDone(tx, silenceTask(row.Case, row.Party))
}

// SilenceDue takes the steps that are due about participants who do not answer,
// and says when the next one will be. Its cost grows with what is due. While
// sending is paused it waits, so that a clock that jumped makes nobody late.
func (b *Base) SilenceDue(now time.Time) (next time.Time, err error) {
	for {
		var due []dueRow
		err := b.Store.View(func(tx *store.Tx) error {
			if state, err := sendingNow(tx); err != nil || state.Paused {
				return err
			}
			for row, err := range silenceRows.Due(tx, now, &next) {
				if err != nil {
					return err
				}
				if due = append(due, row.Value); len(due) == silenceBatch {
					return nil
				}
			}
			return nil
		})
		if err != nil || len(due) == 0 {
			return next, err
		}
		err = b.Store.Update(func(tx *store.Tx) error {
			for _, row := range due {
				if err := b.silenceStep(tx, row, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return now.Add(time.Minute), err
		}
	}
}

// silenceStep takes the next step about one participant, if it is still due.
func (b *Base) silenceStep(tx *store.Tx, due dueRow, now time.Time) error {
	if err := b.keepAskingOf(tx, due.Case, due.Party); err != nil {
		return err
	}
	row, err := silenceOf(tx, due.Case, due.Party)
	if err != nil || row.Next.IsZero() || row.Next.After(now) {
		return err
	}
	c, err := CaseByID(tx, due.Case)
	if err != nil {
		return err
	}
	p, err := ParticipantByID(tx, due.Case, due.Party)
	if err != nil {
		return err
	}
	party, err := PartyByID(tx, due.Party)
	if err != nil {
		return err
	}
	was := row
	row.Taken, row.At = row.Taken+1, tx.Now
	row.Next = row.next(c, party)
	if err := putSilence(tx, was, row); err != nil {
		return err
	}
	if row.Taken == cvd.StepSecond && p.Accepted() == 0 && !p.IsLate() {
		if p, err = b.becomesLate(tx, c, p); err != nil {
			return err
		}
	}
	b.moved(tx, c.ID)
	return b.tellSilence(tx, c, p, party, row)
}

// becomesLate marks a participant that did not answer in time. Who accepted is
// bound by its word and stays in the plan.
func (b *Base) becomesLate(tx *store.Tx, c cvd.Case, p cvd.Participant) (cvd.Participant, error) {
	p.Late = &cvd.Late{Silent: tx.Now}
	if err := PutParticipant(tx, p); err != nil {
		return p, err
	}
	err := record(tx, journal.Record{Case: string(c.ID), Party: string(p.Party), Kind: "late", Detail: "no answer; " + lateLine(c, p)})
	if err != nil {
		return p, err
	}
	return p, b.replanParty(tx, c.ID, p.Party)
}

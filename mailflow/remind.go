package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// keepAsking keeps what asks a participant for an answer in step with what it
// said: its reminders, and the clock of its silence. all are its notices; it
// says whether it changed some. It runs in the transaction of whatever ends or
// begins them: a notice that arrived, an answer, a hold, the next stage.
func (b *Base) keepAsking(tx *store.Tx, c cvd.Case, p cvd.Participant, all []cvd.Notice) (changed bool, err error) {
	if !p.Has(cvd.RoleVendor) || p.Party.IsFinder() {
		return false, nil
	}
	open := openNotices(c, p, all, tx.Now)
	known := slices.ContainsFunc(all, func(n cvd.Notice) bool {
		return n.Kind == cvd.KindReminder && (n.State == cvd.Queued || !n.State.Over())
	})
	if len(open) > 0 || known {
		party, err := PartyByID(tx, p.Party)
		if err != nil {
			return false, err
		}
		if changed, err = b.remind(tx, c, p, party, open, all); err != nil {
			return changed, err
		}
	}
	return changed, b.keepSilence(tx, c, p, open)
}

// keepAskingOf is keepAsking for a participant as the store holds it.
func (b *Base) keepAskingOf(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) error {
	c, err := CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return nil // a report that belongs to no case
	}
	if err != nil {
		return err
	}
	p, err := ParticipantByID(tx, id, party)
	if err != nil {
		return err
	}
	all, err := Notices(tx, id, party)
	if err == nil {
		_, err = b.keepAsking(tx, c, p, all)
	}
	return err
}

// openNotices are those of a participant that we wait for an answer to.
func openNotices(c cvd.Case, p cvd.Participant, all []cvd.Notice, now time.Time) []cvd.Notice {
	if !c.Started() || !c.Closed.IsZero() || len(c.Leaks) > 0 || p.Withdrawn != nil || !now.Before(c.Embargo().End) {
		return nil
	}
	return p.Unanswered(all)
}

// remind plans the reminders of the stage that a participant reached, and ends
// all others. One that waits in the queue is taken back (rule T4).
func (b *Base) remind(tx *store.Tx, c cvd.Case, p cvd.Participant, party cvd.Party, open, all []cvd.Notice) (changed bool, err error) {
	i := slices.IndexFunc(open, func(n cvd.Notice) bool { return n.Stage == p.Reached })
	var want []time.Time
	if i >= 0 && c.Hold == nil && p.Hold == nil {
		want = c.Policy.Reminders(open[i].SentAt, c.Embargo().End, cvd.ZoneOf(party.Zone))
	}
	if len(want) == 0 {
		if err := b.taskDone(tx, remindTask(c.ID, p.Party)); err != nil {
			return false, err
		}
		if all, err = b.recallReminders(tx, p, all); err != nil {
			return false, err
		}
	}
	have := map[int]bool{}
	for _, n := range all {
		switch stands := len(want) > 0 && n.Stage == p.Reached && n.Nth >= 1 && n.Nth <= len(want); {
		case n.Kind != cvd.KindReminder || n.State == cvd.Cancelled:
			continue
		case n.State.Over():
		case !stands:
			if err := b.cancel(tx, n, "nobody is reminded any more"); err != nil {
				return changed, err
			}
			changed = true
		case !n.Due.Equal(want[n.Nth-1]):
			if n.Due = want[n.Nth-1]; !n.Row.IsZero() {
				n.State, n.Why = cvd.Planned, ""
			}
			if err := putNotice(tx, n, laterOf(n.Due, tx.Now)); err != nil {
				return changed, err
			}
			changed = true
		}
		have[n.Nth] = have[n.Nth] || n.Stage == p.Reached
	}
	for k, at := range want {
		if have[k+1] || at.Before(tx.Now) {
			continue // one that a hold left out is not made up for
		}
		n := cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindReminder, Stage: p.Reached, Nth: k + 1, Code: cvd.NewCode(), Version: c.Embargo().Version, Due: at}
		if _, err := b.newNotice(tx, n, nil); err != nil {
			return changed, err
		}
		changed = true
	}
	if changed {
		b.moved(tx, c.ID)
	}
	return changed, nil
}

// recallReminders takes back what reminds a participant and was not handed over
// yet, and gives its notices anew.
func (b *Base) recallReminders(tx *store.Tx, p cvd.Participant, all []cvd.Notice) ([]cvd.Notice, error) {
	queued := func(n cvd.Notice) bool { return n.Kind == cvd.KindReminder && n.State == cvd.Queued }
	if !slices.ContainsFunc(all, queued) {
		return all, nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if err != nil {
		return all, err
	}
	n, _, err := b.recall(tx, &who, "parley", queued)
	if err != nil || n == 0 {
		return all, err
	}
	if err := PutParticipant(tx, who); err != nil {
		return all, err
	}
	return Notices(tx, p.Case, p.Party)
}

// wroteBack notes that a person of a participant wrote a letter, which is an
// answer to whatever we asked.
func (b *Base) wroteBack(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) error {
	who, err := ParticipantByID(tx, id, party)
	if err != nil || party.IsFinder() {
		return err
	}
	who.Wrote = tx.Now
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	return b.keepAskingOf(tx, id, party)
}

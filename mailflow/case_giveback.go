package mailflow

import (
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// untouched says whether nothing happened in a case since it was opened from a
// report: nobody joined, nothing was written, dated or narrowed.
func untouched(tx *store.Tx, c cvd.Case, r cvd.Report) (bool, error) {
	if !c.Closed.IsZero() || c.Hold != nil || len(c.Embargoes) > 0 || len(c.Restricted) > 0 || len(c.Reports) != 1 {
		return false, nil
	}
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return false, err
	}
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil || !p.Party.IsFinder() || len(all) > 0 {
			return false, err
		}
	}
	return holdsOnly(tx, c, r.Messages)
}

// holdsOnly says whether nothing lies in the folders of a case but some messages
// and its case file.
func holdsOnly(tx *store.Tx, c cvd.Case, own []uint64) (bool, error) {
	boxes, err := tx.Mailboxes()
	if err != nil {
		return false, err
	}
	for _, box := range boxes {
		if box.Case != string(c.ID) {
			continue
		}
		for m, err := range tx.MessagesIn(box.Number) {
			if err != nil || m.Kind != "casefile" && !slices.Contains(own, m.ID) {
				return false, err
			}
		}
	}
	return true, nil
}

// giveBack undoes takeReport.
func (b *Base) giveBack(tx *store.Tx, c cvd.Case, r cvd.Report) error {
	id := reportCase(r.Number)
	for _, m := range r.Messages {
		if err := b.moveToIntake(tx, c, r, m); err != nil {
			return fmt.Errorf("move message %d back: %w", m, err)
		}
	}
	own, err := ownsThread(tx, c, r)
	if err != nil {
		return err
	}
	var mails []uint64
	if own {
		if mails, err = taskMails(tx, c.ID, r.Finder()); err != nil {
			return err
		}
	}
	of := func(m store.Message) bool { return m.Report == r.Number || slices.Contains(mails, m.ID) }
	if err := moveRest(tx, c.ID, id, of, renamed{r.Finder(): cvd.Finder}); err != nil {
		return fmt.Errorf("move what is about report %d back: %w", r.Number, err)
	}
	was := r.Finder()
	if own {
		if err := b.moveTasks(tx, c.ID, was, id, cvd.Finder); err != nil {
			return err
		}
	}
	r.Case, r.Party = "", ""
	if err := reports.Put(tx, caseScope(id), store.Seq(r.Number), r); err != nil {
		return err
	}
	if own {
		if err := b.dropPlanned(tx, c.ID, was); err != nil {
			return err
		}
		if err := participants.Delete(tx, participantKey(tx, c.ID, was)); err != nil {
			return err
		}
	}
	return tokens.Put(tx, caseScope(id), tokenKey(tx, r.Token), tokenRow{Case: id, Party: cvd.Finder, Report: r.Number})
}

// moveToIntake undoes moveToCase. What we sent has no folder of its own there.
func (b *Base) moveToIntake(tx *store.Tx, c cvd.Case, r cvd.Report, id uint64) error {
	report := reportCase(r.Number)
	finder, err := b.threadBox(tx, c, r.Finder())
	if err != nil {
		return err
	}
	intake, err := b.folder(tx, "Intake")
	if err != nil {
		return err
	}
	came := false
	err = tx.MoveMessage(id, caseScope(report), func(m *store.Message) {
		came = m.Direction == "in"
		m.Case, m.Party = string(report), string(cvd.Finder)
		if came {
			m.Case = ""
		}
	})
	if err != nil {
		return err
	}
	places, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	for _, at := range places {
		if at.Mailbox == finder.Number {
			if err := tx.Unfile(at.Mailbox, at.UID); err != nil {
				return err
			}
		}
	}
	if !came {
		return nil
	}
	_, err = tx.File(intake.Number, id)
	return err
}

// onlyPlanned says that a notice is one that the plan made, and has not left.
func onlyPlanned(n cvd.Notice) bool {
	return n.Kind == cvd.KindStage && (!n.State.Over() || n.State == cvd.Cancelled && n.Delivery == 0)
}

// dropPlanned ends what was planned for a finder that is in no case any more.
func (b *Base) dropPlanned(tx *store.Tx, c cvd.CaseID, finder cvd.PartyID) error {
	all, err := Notices(tx, c, finder)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.State.Over() {
			continue
		}
		if err := b.cancel(tx, n, "its report is in Intake again"); err != nil {
			return err
		}
	}
	return nil
}

// ownsThread says whether the thread that a report is in began with it: it may
// also have come from somebody who took part before.
func ownsThread(tx *store.Tx, c cvd.Case, r cvd.Report) (bool, error) {
	who, err := ParticipantByID(tx, c.ID, r.Finder())
	if errors.Is(err, ErrNoParticipant) {
		return false, nil
	}
	return who.Token == r.Token, err
}

// untouchedThread says whether nothing happened in the thread of a finder since
// its report joined a case: nothing was written to it, and it wrote nothing.
func untouchedThread(tx *store.Tx, c cvd.Case, r cvd.Report) (bool, error) {
	all, err := Notices(tx, c.ID, r.Finder())
	if err != nil || slices.ContainsFunc(all, func(n cvd.Notice) bool { return !onlyPlanned(n) }) {
		return false, err
	}
	boxes, err := tx.Mailboxes()
	if err != nil {
		return false, err
	}
	for _, box := range boxes {
		if box.Case != string(c.ID) || box.Party != string(r.Finder()) {
			continue
		}
		for m, err := range tx.MessagesIn(box.Number) {
			if err != nil || !slices.Contains(r.Messages, m.ID) {
				return false, err
			}
		}
	}
	return true, nil
}

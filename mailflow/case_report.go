package mailflow

import (
	"errors"
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// reportSeen is reportNumbered, for somebody who may not know of the case that
// the report belongs to by now (rule A2).
func (s *sitting) reportSeen(n uint64) (cvd.Report, error) {
	r, err := reports.Get(s.tx, store.Seq(n))
	if err == nil && r.Case != "" {
		c, err := CaseByID(s.tx, r.Case)
		if err != nil || !s.by.sees(c) {
			return r, noReport(n)
		}
	}
	return reportNumbered(s.tx, n)
}

func noReport(n uint64) error {
	return notDone("there is no report #%d; Intake shows those that belong to no case", n)
}

// reportNumbered reads a report that may still become a case.
func reportNumbered(tx *store.Tx, n uint64) (cvd.Report, error) {
	r, err := reports.Get(tx, store.Seq(n))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return r, noReport(n)
	case err != nil:
		return r, err
	case r.Case != "":
		return r, notDone("report #%d belongs to a case already", n)
	case r.Ended != "":
		return r, notDone("report #%d was ended: %s", n, r.Ended)
	}
	return r, nil
}

// caseOfReport is the case that a report's pseudo case became part of; what is
// no such report's stays as it is.
func caseOfReport(tx *store.Tx, id cvd.CaseID) (cvd.CaseID, error) {
	r, ok, err := reportOf(tx, id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!ok || r.Case == ""):
		return id, nil
	case err != nil:
		return id, err
	}
	return r.Case, nil
}

// takeReport moves a report into a case: its mails from Intake into Finder,
// sealed anew under the case's key with whatever else is known of it, and its
// finder as a participant with the address and keys it has.
func (b *Base) takeReport(tx *store.Tx, c cvd.Case, n uint64) error {
	r, err := reportNumbered(tx, n)
	if err != nil {
		return err
	}
	for _, m := range r.Messages {
		if err := b.moveToCase(tx, c, m); err != nil {
			return fmt.Errorf("move message %d into its case: %w", m, err)
		}
	}
	if err := moveRest(tx, reportCase(n), c.ID, func(store.Message) bool { return true }); err != nil {
		return fmt.Errorf("move what is about report %d into its case: %w", n, err)
	}
	r.Case = c.ID
	if err := reports.Put(tx, caseScope(c.ID), store.Seq(n), r); err != nil {
		return err
	}
	finder, err := ParticipantByID(tx, reportCase(n), cvd.Finder)
	if errors.Is(err, ErrNoParticipant) {
		return nil // a report that a coordinator wrote down
	}
	if err != nil {
		return err
	}
	// The participant of the report stays: a receipt may still be under way.
	finder.Case = c.ID
	if err := PutParticipant(tx, finder); err != nil {
		return err
	}
	row := tokenRow{Case: c.ID, Party: cvd.Finder, Report: n}
	return tokens.Put(tx, caseScope(c.ID), tokenKey(tx, finder.Token), row)
}

// moveToCase files one mail of a report in the Finder folder of its case and
// takes it out of Intake, for everyone.
func (b *Base) moveToCase(tx *store.Tx, c cvd.Case, id uint64) error {
	before, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	err = tx.MoveMessage(id, caseScope(c.ID), func(m *store.Message) {
		m.Case, m.Party = string(c.ID), string(cvd.Finder)
	})
	if err != nil {
		return err
	}
	box, err := b.caseFolder(tx, c, threadFolder(cvd.Finder))
	if err != nil {
		return err
	}
	if _, err := tx.File(box.Number, id); err != nil {
		return err
	}
	intake, err := b.folder(tx, "Intake")
	if err != nil {
		return err
	}
	for _, at := range before {
		if at.Mailbox != intake.Number {
			continue // a copy that somebody keeps, or a receipt
		}
		if err := tx.Unfile(at.Mailbox, at.UID); err != nil {
			return err
		}
	}
	return nil
}

// moveRest seals what else stands before the desk about a report under its
// case, or the other way round: tasks, what is in Quarantine, drafts. Whoever
// may not see the one may not see the other (rule A2).
func moveRest(tx *store.Tx, from, to cvd.CaseID, which func(store.Message) bool) error {
	boxes, err := tx.Mailboxes()
	if err != nil {
		return err
	}
	for _, box := range boxes {
		if box.Case != "" {
			continue
		}
		uids, err := tx.UIDs(box.Number, func(s store.Scope) bool { return s == caseScope(from) })
		if err != nil {
			return err
		}
		for _, uid := range uids {
			if err := moveFiled(tx, box.Number, uid, to, which); err != nil {
				return err
			}
		}
	}
	for _, what := range []string{"letter", "clear"} {
		if err := renameTask(tx, threadTask(what, from, cvd.Finder), threadTask(what, to, cvd.Finder), to); err != nil {
			return err
		}
	}
	return nil
}

func moveFiled(tx *store.Tx, box, uid uint32, to cvd.CaseID, which func(store.Message) bool) error {
	e, err := tx.Entry(box, uid)
	if err != nil {
		return err
	}
	m, err := tx.Message(e.Message)
	if err != nil || !which(m) {
		return err
	}
	return tx.MoveMessage(e.Message, caseScope(to), func(m *store.Message) { m.Case = string(to) })
}

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
		if err != nil || p.Party != cvd.Finder || len(all) > 0 {
			return false, err
		}
	}
	own := map[uint64]bool{}
	for _, id := range r.Messages {
		own[id] = true
	}
	boxes, err := tx.Mailboxes()
	if err != nil {
		return false, err
	}
	for _, box := range boxes {
		if box.Case != string(c.ID) {
			continue
		}
		uids, err := tx.UIDs(box.Number, nil)
		if err != nil {
			return false, err
		}
		for _, uid := range uids {
			e, err := tx.Entry(box.Number, uid)
			if err != nil {
				return false, err
			}
			m, err := tx.Message(e.Message)
			if err != nil || m.Kind != "casefile" && !own[m.ID] {
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
		if err := b.moveToIntake(tx, c, id, m); err != nil {
			return fmt.Errorf("move message %d back: %w", m, err)
		}
	}
	of := func(m store.Message) bool { return m.Report == r.Number || m.Kind == "letter" || m.Kind == "clear" }
	if err := moveRest(tx, c.ID, id, of); err != nil {
		return fmt.Errorf("move what is about report %d back: %w", r.Number, err)
	}
	r.Case = ""
	if err := reports.Put(tx, caseScope(id), store.Seq(r.Number), r); err != nil {
		return err
	}
	if err := participants.Delete(tx, participantKey(tx, c.ID, cvd.Finder)); err != nil {
		return err
	}
	return tokens.Put(tx, caseScope(id), tokenKey(tx, r.Token), tokenRow{Case: id, Party: cvd.Finder, Report: r.Number})
}

// moveToIntake undoes moveToCase. What we sent has no folder of its own there.
func (b *Base) moveToIntake(tx *store.Tx, c cvd.Case, report cvd.CaseID, id uint64) error {
	finder, err := b.caseFolder(tx, c, threadFolder(cvd.Finder))
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
		m.Case = string(report)
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

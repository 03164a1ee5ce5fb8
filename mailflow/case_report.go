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
		switch {
		case err != nil || !s.by.sees(c):
			return r, noReport(n)
		case !s.tells(c):
			return r, errMixed
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
		return r, ended(r)
	}
	return r, nil
}

// takeReport moves a report into a case: its mails from Intake into a thread,
// sealed anew under the case's key with whatever else is known of it, and its
// finder as a participant with the address and keys it has. It says under which
// name: a case may have several finders.
func (b *Base) takeReport(tx *store.Tx, c cvd.Case, n uint64) (cvd.PartyID, error) {
	r, err := reportNumbered(tx, n)
	if err != nil {
		return "", err
	}
	if r.Party, err = freeFinder(tx, c.ID); err != nil {
		return "", err
	}
	if err := b.moveReport(tx, c, r); err != nil {
		return "", err
	}
	return r.Party, b.moveFinder(tx, c, r)
}

// moveReport files the mails of a report, and what else is about it, in the
// thread of r.Party.
func (b *Base) moveReport(tx *store.Tx, c cvd.Case, r cvd.Report) error {
	for _, m := range r.Messages {
		if err := b.moveToCase(tx, c, r.Party, m); err != nil {
			return fmt.Errorf("move message %d into its case: %w", m, err)
		}
	}
	id := reportCase(r.Number)
	if err := moveRest(tx, id, c.ID, everything, renamed{cvd.Finder: r.Party}); err != nil {
		return fmt.Errorf("move what is about report %d into its case: %w", r.Number, err)
	}
	if err := b.moveTasks(tx, id, cvd.Finder, c.ID, r.Party); err != nil {
		return err
	}
	r.Case = c.ID
	if err := reports.Put(tx, caseScope(c.ID), store.Seq(r.Number), r); err != nil {
		return err
	}
	if err := lettersChanged(tx, id, cvd.Finder); err != nil { // they show in its folders now
		return err
	}
	return recallDigests(tx, c) // that told of the report, where others may not know of the case
}

// moveFinder lets whoever sent a report take part in its case.
func (b *Base) moveFinder(tx *store.Tx, c cvd.Case, r cvd.Report) error {
	finder, err := ParticipantByID(tx, reportCase(r.Number), cvd.Finder)
	if errors.Is(err, ErrNoParticipant) {
		return nil // a report that a coordinator wrote down
	}
	if err != nil {
		return err
	}
	// The participant of the report stays: a receipt may still be under way.
	finder.Case, finder.Party = c.ID, r.Party
	if err := PutParticipant(tx, finder); err != nil {
		return err
	}
	row := tokenRow{Case: c.ID, Party: r.Party, Report: r.Number}
	return tokens.Put(tx, caseScope(c.ID), tokenKey(tx, finder.Token), row)
}

// moveToCase files one mail of a report in a thread of its case and takes it
// out of Intake, for everyone.
func (b *Base) moveToCase(tx *store.Tx, c cvd.Case, party cvd.PartyID, id uint64) error {
	before, err := tx.FiledIn(id)
	if err != nil {
		return err
	}
	err = tx.MoveMessage(id, caseScope(c.ID), func(m *store.Message) {
		m.Case, m.Party = string(c.ID), string(party)
	})
	if err != nil {
		return err
	}
	box, err := b.threadBox(tx, c, party)
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
func moveRest(tx *store.Tx, from, to cvd.CaseID, which func(store.Message) bool, names renamed) error {
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
			if err := moveFiled(tx, box.Number, uid, to, which, names); err != nil {
				return err
			}
		}
	}
	return rehomeTasks(tx, from, to)
}

// rehomeTasks lets open tasks be of the case that their mails are of by now:
// `status`, `claim` and the digest tell nobody else of them (rule A2).
func rehomeTasks(tx *store.Tx, from, to cvd.CaseID) error {
	open, err := openTasks(tx, from)
	if err != nil {
		return err
	}
	for _, r := range open {
		e, err := tx.Entry(r.Mailbox, r.UID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		m, err := tx.Message(e.Message)
		if err != nil {
			return err
		}
		if m.Scope != caseScope(to) {
			continue // it stays where it was
		}
		if err := dropTask(tx, r, r.Key); err != nil {
			return err
		}
		r.Case = to
		if err := putTask(tx, m.Scope, r); err != nil {
			return err
		}
	}
	return nil
}

// threadTasks are the kinds of tasks about a thread that move with it.
var threadTasks = []string{"letter", "clear", "talk", "deadline", "left", "takes-back", "their-ref", "bounces"}

// taskMails lists the mails of the open tasks about a thread.
func taskMails(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) ([]uint64, error) {
	var out []uint64
	for _, what := range threadTasks {
		row, err := tasks.Get(tx, tx.Name("task", threadTask(what, id, party)))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e, err := tx.Entry(row.Mailbox, row.UID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		out = append(out, e.Message)
	}
	return out, nil
}

// moveTasks gives the open tasks about a thread the names that they have in
// another one.
func (b *Base) moveTasks(tx *store.Tx, from cvd.CaseID, was cvd.PartyID, to cvd.CaseID, party cvd.PartyID) error {
	for _, what := range threadTasks {
		if err := b.renameTask(tx, threadTask(what, from, was), threadTask(what, to, party), to); err != nil {
			return err
		}
	}
	return nil
}

// everything is each message.
func everything(store.Message) bool { return true }

// renamed says under which name a participant goes on in another case; who is
// not in it keeps its own.
type renamed map[cvd.PartyID]cvd.PartyID

func (r renamed) name(party string) string {
	if now, ok := r[cvd.PartyID(party)]; ok {
		return string(now)
	}
	return party
}

func moveFiled(tx *store.Tx, box, uid uint32, to cvd.CaseID, which func(store.Message) bool, names renamed) error {
	e, err := tx.Entry(box, uid)
	if err != nil {
		return err
	}
	m, err := tx.Message(e.Message)
	if err != nil || !which(m) {
		return err
	}
	return tx.MoveMessage(e.Message, caseScope(to), func(m *store.Message) { m.Case, m.Party = string(to), names.name(m.Party) })
}

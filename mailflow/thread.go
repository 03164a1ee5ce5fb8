package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// fileThread files a participant's mail into its thread and does what its
// commands say. A letter without a command changes nothing and waits for a
// coordinator.
func (in *Intake) fileThread(tx *store.Tx, a *arrival, p place, replay bool) error {
	m, err := in.fileInThread(tx, a, p)
	if err != nil {
		return err
	}
	if !replay && a.automatic() == "" {
		if err := in.keepCame(tx, a, p); err != nil {
			return err
		}
	}
	if !replay {
		if err := in.proposeRef(tx, a, p); err != nil {
			return err
		}
	}
	done, err := in.obey(tx, a, p, replay)
	if err != nil || done {
		return err
	}
	if !replay && a.automatic() == "" {
		if err := in.wroteBack(tx, p.Case, p.Party); err != nil {
			return err
		}
	}
	return in.wrote(tx, a, p, m)
}

// fileSpam throws away what comes for a report that was thrown away: it is
// kept, in Junk, and nobody is told or answered.
func (in *Intake) fileSpam(tx *store.Tx, a *arrival, p place) error {
	if p.Kind == toQuarantine {
		p.Asks = false
		return in.quarantine(tx, a, p, p.Why)
	}
	m, err := in.fileInThread(tx, a, p)
	if err != nil {
		return err
	}
	return in.junk(tx, m.ID, "Intake")
}

// fileInThread files a participant's mail into its thread, and does nothing
// else.
func (in *Intake) fileInThread(tx *store.Tx, a *arrival, p place) (store.Message, error) {
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if err != nil {
		return store.Message{}, err
	}
	c, folder, err := in.threadHome(tx, p)
	if err != nil {
		return store.Message{}, err
	}
	v := view{scope: caseScope(p.Case), caseID: c.ID, report: p.Report, kind: "letter",
		name: partyTitle(who, c), alias: string(p.Party) + "." + p.Case.Lower(), subject: orNone(a.subject()), note: words(a, p)}
	m, err := in.present(tx, a, p, v)
	if err != nil {
		return m, err
	}
	if _, err := tx.File(folder.Number, m.ID); err != nil {
		return m, err
	}
	if err := in.keepWithReport(tx, p, m.ID); err != nil {
		return m, err
	}
	if err := in.remindID(tx, a, p); err != nil {
		return m, err
	}
	if err := received(tx, a, p, "mail.received", m); err != nil {
		return m, err
	}
	if a.automatic() == "" { // what no person wrote is no word of theirs
		who.LastHeard = tx.Now
		if err := PutParticipant(tx, who); err != nil {
			return m, err
		}
	}
	in.moved(tx, p.Case)
	return m, in.burntIn(tx, a, p)
}

// threadHome is the folder of a thread: of the case, or Intake for a report
// that has none.
func (in *Intake) threadHome(tx *store.Tx, p place) (cvd.Case, store.Mailbox, error) {
	if _, inReport := reportNumber(p.Case); inReport {
		box, err := in.folder(tx, "Intake")
		return cvd.Case{}, box, err
	}
	c, err := CaseByID(tx, p.Case)
	if err != nil {
		return c, store.Mailbox{}, err
	}
	box, err := in.threadBox(tx, c, p.Party)
	return c, box, err
}

// keepWithReport lets later mails about a report move with it into a case.
func (in *Intake) keepWithReport(tx *store.Tx, p place, message uint64) error {
	r, ok, err := reportOf(tx, p.Case)
	if err != nil || !ok {
		return err
	}
	r.Messages = append(r.Messages, message)
	return reports.Put(tx, caseScope(p.Case), store.Seq(r.Number), r)
}

// wrote puts a letter before the desk as a task, one for each thread.
func (in *Intake) wrote(tx *store.Tx, a *arrival, p place, m store.Message) error {
	if why := a.automatic(); why != "" {
		return nil // in its thread for whoever looks; nothing to do
	}
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("a letter from %s in %s", p.Party, p.Case),
		fmt.Sprintf("%s wrote: %s\n\nThe mail is filed in its thread. No date, stage or status changed by it.", p.Party, orNone(a.subject())),
		"it holds no command that counts",
		fmt.Sprintf("read it, and answer it with Reply. If it says what a command would have said, file that in a mail to control@%s, such as\n    case %s\n    record %s status investigating via mail", in.DeskDomain, p.Case, p.Party)))
	if err != nil {
		return err
	}
	return in.task(tx, threadTask("letter", p.Case, p.Party), Post{Case: p.Case, Kind: "letter", Ref: fmt.Sprint(m.ID),
		From: string(p.Party), Alias: string(p.Party) + "." + p.Case.Lower(),
		Subject: fmt.Sprintf("%s wrote in %s: %s", p.Party, p.Case, orNone(a.subject())), Text: r.Text})
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// endedReports is the folder of reports that were declined in a year.
func endedReports(at time.Time) string { return closedFolder(at) + "Reports" }

// ended says that nothing can be done with a report that is over.
func ended(r cvd.Report) error {
	return notDone("report #%d was ended: %s; nothing was changed. `report %d reopen` brings it back", r.Number, r.Ended, r.Number)
}

// fileEnded takes the mails of a report that was declined out of Intake, for
// everyone, and into the folder of those.
func (s *sitting) fileEnded(r cvd.Report) error {
	box, err := ensureFolder(s.tx, store.Mailbox{Name: endedReports(s.tx.Now), Scope: DeskScope})
	if err != nil {
		return err
	}
	for _, id := range r.Messages {
		came, err := s.takeOut(s.tx, id, "Intake")
		if err != nil {
			return err
		}
		if !came {
			continue // what we sent stood in no folder
		}
		if _, err := s.tx.File(box.Number, id); err != nil {
			return err
		}
	}
	return nil
}

// takeOut takes a message out of a folder of the desk, for everyone, and says
// whether it stood there.
func (b *Base) takeOut(tx *store.Tx, id uint64, folder string) (bool, error) {
	box, err := b.folder(tx, folder)
	if err != nil {
		return false, err
	}
	places, err := tx.FiledIn(id)
	if err != nil {
		return false, err
	}
	found := false
	for _, at := range places {
		if at.Mailbox != box.Number {
			continue
		}
		found = true
		if err := tx.Unfile(at.Mailbox, at.UID); err != nil {
			return false, err
		}
	}
	return found, nil
}

// fileAgain brings the mails of a report that was ended back into Intake.
func (s *sitting) fileAgain(r cvd.Report) error {
	for _, id := range r.Messages {
		m, err := s.tx.Message(id)
		if err != nil {
			return err
		}
		if m.Direction != "in" {
			continue
		}
		if err := s.fileBack(id, "Intake"); err != nil {
			return err
		}
	}
	return nil
}

// fileBack puts a message that was ended or thrown away back where it stood.
func (s *sitting) fileBack(id uint64, folder string) error {
	box, err := s.folder(s.tx, folder)
	if err != nil {
		return err
	}
	places, err := s.tx.FiledIn(id)
	if err != nil {
		return err
	}
	for _, at := range places {
		where, err := s.tx.Mailbox(at.Mailbox)
		if err != nil {
			return err
		}
		thrown := where.Attr == `\Junk` || where.Owner == "" && isUnder(where.Name, closedFolders)
		if at.Mailbox == box.Number || !thrown {
			continue // a copy that somebody keeps, or a receipt
		}
		if err := s.tx.Unfile(at.Mailbox, at.UID); err != nil {
			return err
		}
	}
	if uid, err := filedIn(s.tx, box.Number, id); err != nil || uid != 0 {
		return err
	}
	_, err = s.tx.File(box.Number, id)
	return err
}

// junk throws a message away: it leaves its folder of the desk for everyone,
// and is in the Junk of every coordinator who may see it. It stays a record until
// JunkDue removes it.
func (b *Base) junk(tx *store.Tx, id uint64, folder string) error {
	was, err := b.takeOut(tx, id, folder)
	if err != nil || !was {
		return err
	}
	m, err := tx.Message(id)
	if err != nil {
		return err
	}
	if err := noteJunk(tx, m); err != nil {
		return err
	}
	desk, err := Coordinators(tx)
	if err != nil {
		return err
	}
	for _, c := range desk {
		seen, err := seesScope(tx, c.Name, m.Scope)
		if err != nil {
			return err
		}
		if !seen {
			continue // its UIDs would tell of it (rule A2)
		}
		if err := ensureOwnFolders(tx, c.Name); err != nil {
			return err
		}
		box, err := tx.MailboxNamed(c.Name, "Junk")
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		uid, err := tx.File(box.Number, id)
		if err != nil {
			return err
		}
		if err := tx.Mark(box.Number, c.Name, []uint32{uid}, 0, store.MarkSeen); err != nil {
			return err
		}
	}
	return nil
}

// spamWhy is why an answer to a report was taken back.
const spamWhy = "the report is spam"

func (s *sitting) spamNumbered(n uint64, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	r, err := s.reportSeen(n)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("report #%d is spam: it is in Junk, and nothing more is answered; `report %d reopen` brings it back", n, n), s.spamReport(r)
}

// spamReport throws a report away: what we were about to answer stays here,
// and what else comes for it goes the same way.
func (s *sitting) spamReport(r cvd.Report) error {
	r.Ended, r.Spam = "spam, said "+s.by.Name, true
	if err := s.endReport(r, "report.spam", ""); err != nil {
		return err
	}
	for _, id := range r.Messages {
		if err := s.junk(s.tx, id, "Intake"); err != nil {
			return err
		}
	}
	all, err := Notices(s.tx, reportCase(r.Number), cvd.Finder)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.State.Over() {
			continue
		}
		if err := s.cancel(s.tx, n, spamWhy); err != nil {
			return err
		}
	}
	return nil
}

// reviveAnswers lets what spamReport stopped leave after all.
func (s *sitting) reviveAnswers(r cvd.Report) error {
	all, err := Notices(s.tx, reportCase(r.Number), cvd.Finder)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.State != cvd.Cancelled || n.Why != spamWhy {
			continue
		}
		n.State, n.Why = cvd.Planned, ""
		if err := putNotice(s.tx, n, laterOf(n.Due, s.tx.Now)); err != nil {
			return err
		}
	}
	return nil
}

// isSpam says whether a mail belongs to a report that was thrown away.
func (in *Intake) isSpam(tx *store.Tx, p place) (bool, error) {
	if !p.thread() || !slices.Contains([]placeKind{toThread, toQuarantine, toKeys}, p.Kind) {
		return false, nil
	}
	r, inReport, err := reportOf(tx, p.Case)
	return inReport && r.Spam, err
}

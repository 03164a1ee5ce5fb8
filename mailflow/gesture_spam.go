package mailflow

import (
	"fmt"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// spamBy throws away what nobody needs: a report in Intake, a mail in
// Quarantine, a mail to postmaster@ or abuse@. It is in Junk then, and stays a
// record. What a party of a case writes is never spam.
func (s *sitting) spamBy(m store.Message) error {
	folder := map[string]string{"quarantine": "Quarantine", "desk": "INBOX"}[m.Kind]
	r, err := s.looseReport(m)
	switch {
	case err != nil:
		return err
	case r.Number != 0 && folder == "":
		if r.Ended != "" {
			return already("report #%d was ended: %s; nothing was changed", r.Number, r.Ended)
		}
		return s.spamReport(r)
	case m.Report != 0 && folder == "", m.Direction == "in" && folder == "" && m.Party != "":
		return toDo(notDone("%s is a party of %s, and what it writes stays in its thread; `hold %s` stops what goes to it", m.Party, s.this, m.Party),
			"delete it to have it out of your own sight: the record stays. To stop what goes to %s, write to control@%s:\n    case %s\n    hold %s because \"...\"", m.Party, s.DeskDomain, s.this, m.Party)
	case folder == "":
		return notDone("this is no mail from outside, and so no spam; nothing was changed. To have it out of your own sight, delete it")
	}
	here, err := s.stands(m.ID, folder)
	if err != nil {
		return err
	}
	if !here {
		return already("this mail is not in %s any more; nothing was changed", folder)
	}
	if err := s.junk(s.tx, m.ID, folder); err != nil {
		return err
	}
	return record(s.tx, journal.Record{Case: m.Case, Party: m.Party, Actor: s.by.Name, Kind: "mail.spam", Ref: fmt.Sprintf("M%d", m.ID)})
}

// stands says whether a message is filed in a folder of the desk.
func (s *sitting) stands(id uint64, folder string) (bool, error) {
	box, err := s.folder(s.tx, folder)
	if err != nil {
		return false, err
	}
	uid, err := filedIn(s.tx, box.Number, id)
	return uid != 0, err
}

// unspam brings back what spamBy threw away.
func (s *sitting) unspam(m store.Message) error {
	folder := map[string]string{"quarantine": "Quarantine", "desk": "INBOX"}[m.Kind]
	if folder == "" {
		r, err := s.looseReport(m)
		if err != nil {
			return err
		}
		if r.Number == 0 || !r.Spam {
			return notDone("this was not thrown away; nothing was changed")
		}
		return s.reopenReport(r)
	}
	if err := s.fileBack(m.ID, folder); err != nil {
		return err
	}
	return record(s.tx, journal.Record{Case: m.Case, Party: m.Party, Actor: s.by.Name, Kind: "mail.unspam", Ref: fmt.Sprintf("M%d", m.ID)})
}

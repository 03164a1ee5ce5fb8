package mailflow

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// drop is a message that somebody put into a folder of a case.
type drop struct {
	c   cvd.Case
	sub string      // the folder, "Finder"; "" for the one that holds the others
	who cvd.PartyID // whose thread it shows, or ""
	m   store.Message
}

// fileBy does what it means to put a message into a folder of a case: a report
// joins the case, and what came from a party of the case goes into its thread.
// Nothing else can be filed by hand, since it is filed already, and in no thread
// but its own. It says which message is filed there from now on.
func (s *sitting) fileBy(g Gesture, m store.Message) (uint64, error) {
	d, err := s.dropOf(g, m)
	if err != nil {
		return 0, err
	}
	if m.Direction == ownMail {
		return 0, notDone("what you write is filed in Notes of %s when you send it to notes.%s@%s, and in a thread when you send it to its participant; nothing was changed", d.c.ID, d.c.ID.Lower(), s.DeskDomain)
	}
	r, err := s.looseReport(m)
	switch {
	case err != nil:
		return 0, err
	case r.Number != 0 && m.Kind == "quarantine":
		return 0, notDone("this mail belongs to report #%d, which is in Intake; put that into the case, and this one follows", r.Number)
	case r.Number != 0:
		return m.ID, s.fileReport(d, r)
	case m.Direction == "system" && m.Kind == "note":
		return 0, notDone("this is a note of the desk and stays in Notes, where no party reads it; nothing was changed. To tell a participant the same, write to its desk address")
	case m.Direction == "system":
		return 0, notDone("this mail is Parley's own, no letter of anybody, and belongs into no thread; nothing was changed")
	case m.Case != "" && cvd.CaseID(m.Case) != d.c.ID:
		return 0, toDo(notDone("this mail is of %s, and what a party says in one case stays in it; nothing was changed", m.Case),
			"leave it there. If both cases are of one flaw, make them one, by a mail to control@%s:\n    case %s\n    case merge %s", s.DeskDomain, d.c.ID, m.Case)
	case m.Kind == "quarantine":
		return s.fileQuarantined(d)
	case m.Party == "":
		return 0, notDone("this mail belongs to no thread of %s; nothing was changed", d.c.ID)
	}
	return 0, s.wrongThread(d)
}

// dropOf reads where a message was put.
func (s *sitting) dropOf(g Gesture, m store.Message) (drop, error) {
	gone := notDone("this folder is not here any more")
	box, err := s.tx.Mailbox(g.Folder)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) || err == nil && box.Case == "" {
		return drop{}, gone
	}
	if err != nil {
		return drop{}, err
	}
	c, err := CaseByID(s.tx, cvd.CaseID(box.Case))
	if err != nil && !errors.Is(err, ErrNoCase) {
		return drop{}, err
	}
	if err != nil || !s.by.sees(c) {
		return drop{}, gone
	}
	if !c.Closed.IsZero() {
		return drop{}, toDo(notDone("%s is closed since %s and stays as it is; `case reopen` first", c.ID, day(c.Closed)),
			"open it again by a mail to control@%s, then put the message there once more:\n    case %s\n    case reopen", s.DeskDomain, c.ID)
	}
	top, err := caseTop(s.tx, c)
	sub := strings.TrimPrefix(strings.TrimPrefix(box.Name, top.Name), delimiter)
	return drop{c: c, sub: sub, who: cvd.PartyID(box.Party), m: m}, err
}

// looseReport is the report that a message belongs to while that belongs to no
// case; the zero Report for any other message.
func (s *sitting) looseReport(m store.Message) (cvd.Report, error) {
	if m.Report == 0 {
		return cvd.Report{}, nil
	}
	r, err := reports.Get(s.tx, store.Seq(m.Report))
	if err != nil || r.Case != "" {
		return cvd.Report{}, err
	}
	return r, nil
}

// wrongThread refuses to file a mail of a participant anywhere but in its
// thread, where it is.
func (s *sitting) wrongThread(d drop) error {
	box, err := s.threadBox(s.tx, d.c, cvd.PartyID(d.m.Party))
	if err != nil {
		return err
	}
	mine := path.Base(box.Name)
	if d.who == "" {
		return toDo(notDone("this mail is in %s already, the thread of %s; nothing was changed", mine, d.m.Party), "there is nothing to do; it is where it belongs. A copy for yourself goes into a folder of your own")
	}
	return toDo(notDone("this mail is of the thread of %s, and %s is that of %s: neither may learn what the other says. It stays in %s; nothing was changed",
		d.m.Party, d.sub, d.who, mine), "there is nothing to do; it stays where it belongs. To tell %s something, in words of your own, write to\n    %s.%s@%s", d.who, d.who, d.c.ID.Lower(), s.DeskDomain)
}

// fileReport lets a report join a case, or takes it as a letter where it comes
// from the participant into whose thread it was put.
func (s *sitting) fileReport(d drop, r cvd.Report) error {
	if r.Ended != "" {
		return ended(r)
	}
	if d.who == "" && d.sub != "" {
		return notDone("a report does not belong into %s; nothing was changed. Put it into Finder of %s, or into the thread of the party that it is from", d.sub, d.c.ID)
	}
	who, err := ParticipantByID(s.tx, d.c.ID, d.who)
	if err != nil && !errors.Is(err, ErrNoParticipant) {
		return err
	}
	if err == nil {
		theirs, err := s.isFrom(r.From, who)
		switch {
		case err != nil:
			return err
		case d.who.IsFinder():
		case theirs:
			return s.reportAsLetter(d.c, who, r)
		default:
			return toDo(notDone("report #%d is from %s, which is no address of %s; it stays in Intake. If it is theirs, `member add %s ADDRESS`, signed, first; if it is a finder's, put it into Finder",
				r.Number, orNone(r.From), d.who, d.who),
				"if a finder wrote it, put it into the folder Finder of %s. If it is of %s, add the address in a signed mail to control@%s, and put it there once more:\n    case %s\n    member add %s %s",
				d.c.ID, d.who, s.DeskDomain, d.c.ID, d.who, orNone(r.From))
		}
	}
	_, err = s.joinReport(d.c, r)
	return err
}

// isFrom says whether an address is one from which a participant may write.
func (s *sitting) isFrom(address string, who cvd.Participant) (bool, error) {
	own, err := addressesOf(s.tx, who)
	return address != "" && slices.ContainsFunc(own, func(o string) bool { return keyring.SameAddress(o, address) }), err
}

// reportAsLetter files what a participant wrote to report@ in its thread. The
// address that it was answered from leads there from now on, too.
func (s *sitting) reportAsLetter(c cvd.Case, who cvd.Participant, r cvd.Report) error {
	r.Party = who.Party
	if err := s.moveReport(s.tx, c, r); err != nil {
		return err
	}
	row := tokenRow{Case: c.ID, Party: who.Party}
	if err := tokens.Put(s.tx, caseScope(c.ID), tokenKey(s.tx, r.Token), row); err != nil {
		return err
	}
	s.touch(s.tx, c.ID)
	return record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "report.filed",
		Ref: fmt.Sprintf("#%d", r.Number)})
}

// unfileBy takes a filing back: the report, or the mail, is again where it came
// from.
func (s *sitting) unfileBy(m store.Message) error {
	if f, err := filings.Get(s.tx, store.Seq(m.ID)); err == nil {
		return s.unfileLetter(m, f)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if m.Report == 0 || s.this == "" {
		return notDone("this was not filed by hand; nothing was changed")
	}
	c, err := s.openCaseHere()
	if err != nil {
		return err
	}
	r, err := reports.Get(s.tx, store.Seq(m.Report))
	if err != nil {
		return err
	}
	return s.unjoin(c, r)
}

// unjoin gives a report back to Intake that joined a case, or was taken as a
// letter, unless somebody wrote to its finder there since.
func (s *sitting) unjoin(c cvd.Case, r cvd.Report) error {
	own, err := ownsThread(s.tx, c, r)
	if err != nil {
		return err
	}
	if own {
		same, err := untouchedThread(s.tx, c, r)
		if err != nil {
			return err
		}
		if !same {
			return notDone("report #%d was answered as one of %s since, and stays there", r.Number, c.ID)
		}
	}
	was := r.Finder()
	if err := s.giveBack(s.tx, c, r); err != nil {
		return err
	}
	c.Reports = slices.DeleteFunc(slices.Clone(c.Reports), func(n uint64) bool { return n == r.Number })
	return s.changeCase(c, "case.undone", fmt.Sprintf("#%d, filed as %s, is in Intake again", r.Number, was))
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// roleFolders begin the names of the folders of organisations, by what they are in
// a case. Who is a vendor as well has a vendor's.
var roleFolders = []struct {
	role cvd.Role
	word string
}{{cvd.RoleVendor, "Vendor"}, {cvd.RoleObserver, "Observer"}, {cvd.RoleCoordinator, "Coordinator"}, {cvd.RoleFinder, "Finder"}}

// threadFolder is the sub-folder of a case that shows one participant's thread,
// where that is a vendor's or of who sent a report.
func threadFolder(p cvd.PartyID) string {
	switch n := p.FinderNumber(); {
	case n == 1:
		return "Finder"
	case n > 1:
		return fmt.Sprintf("Finder %d", n)
	}
	return "Vendor " + string(p)
}

// roleFolder is the sub-folder of a participant by its roles: "Observer certx". A
// party whose name is a number must not be taken for the second finder.
func roleFolder(who cvd.Participant) string {
	if who.Party.IsFinder() {
		return threadFolder(who.Party)
	}
	for _, f := range roleFolders {
		sub := f.word + " " + string(who.Party)
		if who.Has(f.role) && !threadParty(sub).IsFinder() {
			return sub
		}
	}
	return threadFolder(who.Party)
}

// threadParty reads the participant back from the name of its folder; "" for
// one that shows no thread.
func threadParty(sub string) cvd.PartyID {
	p := cvd.PartyID(strings.ReplaceAll(strings.ToLower(sub), " ", "-"))
	if p.IsFinder() && threadFolder(p) == sub {
		return p
	}
	for _, f := range roleFolders {
		if name, ok := strings.CutPrefix(sub, f.word+" "); ok {
			return cvd.PartyID(name)
		}
	}
	return ""
}

// isCaseFolder says whether a case has, or may have, a sub-folder of that
// name.
func isCaseFolder(sub string) bool {
	return slices.Contains([]string{"Case file", "Notes"}, sub) || threadParty(sub) != ""
}

// threadBox finds the folder of a participant's thread, and makes it where it is
// missing. It keeps the name that it was made with.
func (b *Base) threadBox(tx *store.Tx, c cvd.Case, party cvd.PartyID) (store.Mailbox, error) {
	top, err := caseTop(tx, c)
	if err != nil {
		return top, err
	}
	subs := []string{threadFolder(party)}
	for _, f := range roleFolders {
		subs = append(subs, f.word+" "+string(party))
	}
	for _, sub := range subs {
		m, err := tx.MailboxNamed("", top.Name+delimiter+sub)
		if err == nil && m.Party == string(party) {
			return m, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return m, err
		}
	}
	who, err := ParticipantByID(tx, c.ID, party)
	if errors.Is(err, ErrNoParticipant) {
		who = cvd.Participant{Party: party}
	} else if err != nil {
		return top, err
	}
	return b.caseFolder(tx, c, roleFolder(who))
}

// asVendor lets the folder of who becomes a vendor, too, say so. As where the words
// of a case change, only the name does: it stays the same mailbox, with its UIDs.
func (s *sitting) asVendor(c cvd.Case, who cvd.Participant) error {
	box, err := s.threadBox(s.tx, c, who.Party)
	if err != nil || !who.Has(cvd.RoleVendor) || who.Party.IsFinder() {
		return err
	}
	top, err := caseTop(s.tx, c)
	if err != nil {
		return err
	}
	if name := top.Name + delimiter + threadFolder(who.Party); box.Name != name {
		_, err = s.tx.RenameMailbox(box.Number, name)
	}
	return err
}

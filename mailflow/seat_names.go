package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/store"
)

// shownNames gives the name under which this seat has each of its folders, by
// number. Only in a sealed view they are others than in the store: what a
// stolen password sees of a case is its tag and how many threads it has.
//
//	Cases/PAR-2026-0007 Heap overflow               PAR-2026-0007
//	Cases/PAR-2026-0007 Heap overflow/Case file     PAR-2026-0007/Case file   and Notes
//	Cases/PAR-2026-0007 Heap overflow/Vendor acme   PAR-2026-0007/Thread 2    and Finder: in the order they began
//	a folder of the coordinator's own               Folder 57                 but for Sent, Drafts, Trash, Junk
//
// A closed case keeps its name. INBOX, Intake, Do/… say nothing and keep theirs.
func (s *Seat) shownNames(boxes []store.Mailbox) map[uint32]string {
	names := make(map[uint32]string, len(boxes))
	threads := map[string]int{}
	for _, m := range boxes {
		switch {
		case !s.sealed():
			names[m.Number] = m.Name
		case m.Case != "" && m.Party != "":
			threads[m.Case]++
			names[m.Number] = fmt.Sprintf("%s%sThread %d", m.Case, delimiter, threads[m.Case])
		default:
			names[m.Number] = neutralName(m)
		}
	}
	return names
}

func (s *Seat) sealed() bool { return s.shown != nil && s.shown.View == SealedView }

// neutralName is that of a folder that is no thread. What is not known to say
// nothing has a number.
func neutralName(m store.Mailbox) string {
	number := fmt.Sprintf("Folder %d", m.Number)
	switch {
	case m.Case != "":
		if sub := belowCase(m); sub == "" {
			return m.Case
		} else if sub == "Case file" || sub == "Notes" {
			return m.Case + delimiter + sub
		}
		return m.Case + delimiter + number
	case m.Owner != "" && m.Attr != "", m.Owner == "" && slices.Contains(fixedFolders(), m.Name):
		return m.Name
	}
	return number
}

// belowCase is the name that a folder has below that of its case.
func belowCase(m store.Mailbox) string {
	parts := strings.Split(m.Name, delimiter)
	for i, p := range parts {
		if p == m.Case || strings.HasPrefix(p, m.Case+" ") {
			return strings.Join(parts[i+1:], delimiter)
		}
	}
	return m.Name
}

// named gives folders the names that this seat has them under.
func (s *Seat) named(boxes []store.Mailbox) []store.Mailbox {
	names := s.shownNames(boxes)
	for i := range boxes {
		boxes[i].Name = names[boxes[i].Number]
	}
	return boxes
}

// mayArrange refuses changes of folders where their names are not shown.
func (s *Seat) mayArrange() error {
	if s.sealed() {
		return &Denied{"a sealed login cannot make, rename or delete folders; a login with another view of yours can"}
	}
	return nil
}

package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/store"
)

// Folder is a line of a coordinator's list of folders.
type Folder struct {
	Name       string
	Attr       string // its special use, or ""
	Container  bool   // only holds other folders
	Parent     bool   // holds other folders
	Subscribed bool
}

// seatRow is what is kept of a coordinator's folders.
type seatRow struct{ Unsubscribed []string }

var seatRows = store.Versioned[seatRow]("seats")

// Folders lists all folders that this seat has, by name, those that only hold
// others included. Every one is subscribed until its coordinator says
// otherwise.
func (s *Seat) Folders() ([]Folder, error) {
	var all []Folder
	err := s.Store.View(func(tx *store.Tx) error {
		boxes, err := s.boxes(tx)
		if err != nil {
			return err
		}
		row, err := s.row(tx)
		if err != nil {
			return err
		}
		all = foldersOf(s.named(boxes), row.Unsubscribed)
		return nil
	})
	return all, err
}

// boxes lists the mailboxes that this seat sees.
func (s *Seat) boxes(tx *store.Tx) ([]store.Mailbox, error) {
	all, err := tx.Mailboxes()
	if err != nil {
		return nil, err
	}
	seen := map[store.Scope]bool{}
	mine := all[:0]
	for _, m := range all {
		if m.Owner != "" && m.Owner != s.name {
			continue
		}
		ok, known := seen[m.Scope]
		if !known {
			if ok, err = s.sees(tx, m.Scope); err != nil {
				return nil, err
			}
			seen[m.Scope] = ok
		}
		if ok {
			mine = append(mine, m)
		}
	}
	return mine, nil
}

func foldersOf(boxes []store.Mailbox, unsubscribed []string) []Folder {
	byName := map[string]*Folder{}
	for _, m := range boxes {
		byName[m.Name] = &Folder{Name: m.Name, Attr: m.Attr}
	}
	for _, m := range boxes {
		for i := strings.LastIndex(m.Name, delimiter); i > 0; i = strings.LastIndex(m.Name[:i], delimiter) {
			up := m.Name[:i]
			if byName[up] == nil {
				byName[up] = &Folder{Name: up, Container: true}
			}
			byName[up].Parent = true
		}
	}
	all := make([]Folder, 0, len(byName))
	for _, f := range byName {
		f.Subscribed = !slices.Contains(unsubscribed, f.Name)
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b Folder) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s *Seat) row(tx *store.Tx) (seatRow, error) {
	row, err := seatRows.Get(tx, s.rowKey(tx))
	if errors.Is(err, store.ErrNotFound) {
		return seatRow{}, nil
	}
	return row, err
}

// rowKey is where the row of a seat stands. Names of folders are in it, which in
// a sealed view are others.
func (s *Seat) rowKey(tx *store.Tx) []byte {
	if s.sealed() {
		return tx.Name("seat", s.name, string(SealedView))
	}
	return tx.Name("seat", s.name)
}

// find looks a folder up by its name. It asks a list of the folders that this
// seat has, not the store: so a folder of a case that is restricted to others
// takes the same time as one that does not exist (rule A2).
func (s *Seat) find(name string) (store.Mailbox, error) {
	var m store.Mailbox
	err := s.Store.View(func(tx *store.Tx) error {
		s.take()
		if s.tree == nil || s.treeAt < s.foldersAt {
			if err := s.readTree(tx); err != nil {
				return err
			}
		}
		number, ok := s.tree[name]
		if !ok {
			return ErrNoFolder
		}
		var err error
		m, err = s.enter(tx, number)
		return err
	})
	return m, err
}

func (s *Seat) readTree(tx *store.Tx) error {
	boxes, err := s.boxes(tx)
	if err != nil {
		return err
	}
	s.tree, s.treeAt = make(map[string]uint32, len(boxes)), tx.Serial()
	for number, name := range s.shownNames(boxes) {
		s.tree[name] = number
	}
	return nil
}

// enter reads a mailbox that was found, if it is still there to be seen, with the
// UIDVALIDITY that it has in this view.
func (s *Seat) enter(tx *store.Tx, number uint32) (store.Mailbox, error) {
	m, err := tx.Mailbox(number)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
		return m, ErrNoFolder
	}
	if err != nil {
		return m, err
	}
	ok, err := s.sees(tx, m.Scope)
	if err == nil && !ok {
		err = ErrNoFolder
	}
	if s.shown != nil {
		m.UIDValidity += s.shown.lift
	}
	return m, err
}

// Status is what there is to tell of a folder without opening it.
type Status struct {
	UIDValidity, UIDNext      uint32
	Messages, Unseen, Deleted uint32
	// Octets of all messages and of those marked as deleted, only where asked for.
	// In a view that is not clear they are more than that: what was never read was
	// not made yet (RFC 9051 section 6.3.11 allows it).
	Size, DeletedSize int64
}

// Status looks into a folder; ErrNoFolder if there is none.
func (s *Seat) Status(name string, size bool) (Status, error) {
	var st Status
	box, err := s.find(name)
	if err != nil {
		return st, err
	}
	err = s.Store.View(func(tx *store.Tx) error {
		box, err := s.enter(tx, box.Number)
		if err != nil {
			return err
		}
		uids, marks, err := s.uids(tx, box.Number)
		if err != nil {
			return err
		}
		st = Status{UIDValidity: box.UIDValidity, UIDNext: box.UIDNext, Messages: uint32(len(uids))}
		for _, m := range marks {
			if m&store.MarkSeen == 0 {
				st.Unseen++
			}
			if m&store.MarkDeleted != 0 {
				st.Deleted++
			}
		}
		if !size {
			return nil
		}
		next := 0
		return tx.Entries(box.Number, uids, func(e *store.Entry) error {
			for uids[next] != e.UID {
				next++
			}
			n := s.atMost(e.Size)
			if st.Size += n; marks[next]&store.MarkDeleted != 0 {
				st.DeletedSize += n
			}
			return nil
		})
	})
	return st, err
}

// place says what kind of folder a mailbox is for what is put into it.
type seatPlace int

const (
	ownPlace    seatPlace = iota // private to the coordinator
	buttonPlace                  // Do/…
	casePlace                    // belongs to a case
	deskPlace                    // kept by the gateway: INBOX, Intake, Held …
)

func placeOf(m store.Mailbox) seatPlace {
	switch {
	case m.Owner != "":
		return ownPlace
	case m.Case != "":
		return casePlace
	case isUnder(m.Name, buttonsFolder):
		return buttonPlace
	}
	return deskPlace
}

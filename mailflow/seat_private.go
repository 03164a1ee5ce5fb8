package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Denied is an answer to a coordinator that is no refusal of a gesture: what
// was asked of a folder cannot be.
type Denied struct{ Sentence string }

func (d *Denied) Error() string { return d.Sentence }

// ErrFolderExists says that a coordinator has a folder of that name.
var ErrFolderExists = errors.New("a folder of that name exists")

const (
	folderNameBytes  = 255
	folderDepth      = 10
	foldersPerSeat   = 1000
	notYours         = "the folders of the desk stay as they are, nothing was changed; UNSUBSCRIBE hides one from your list"
	folderNameWanted = "nothing was changed: the name of a folder has at most 255 octets and 10 levels, none of them empty or with a space at its end, and no %, * or invisible characters"
)

// CreateFolder makes a folder that only this coordinator sees.
func (s *Seat) CreateFolder(name string) error {
	if err := s.mayArrange(); err != nil {
		return err
	}
	name = strings.TrimSuffix(name, delimiter)
	return s.Store.Update(func(tx *store.Tx) error {
		if err := checkOwnName(name); err != nil {
			return err
		}
		if _, err := tx.MailboxNamed("", name); err == nil {
			return ErrFolderExists // one of the fixed: those of cases are not asked for here
		}
		boxes, err := s.ownBoxes(tx)
		if err != nil {
			return err
		}
		if len(boxes) >= foldersPerSeat {
			return &Denied{"no folder was made: you have 1000, delete one first"}
		}
		_, err = tx.CreateMailbox(store.Mailbox{Name: name, Owner: s.name, Scope: DeskScope})
		if errors.Is(err, store.ErrExists) {
			return ErrFolderExists
		}
		return err
	})
}

// MayBeOwn says whether a coordinator may have a folder of that name, in
// whatever case its letters are. It looks at the name alone: that it is free, or
// that there is room for another, is for Create to say.
func MayBeOwn(name string) bool { return checkOwnName(name) == nil }

func checkOwnName(name string) error {
	for _, top := range []string{casesFolder, closedFolders, buttonsFolder} {
		if isUnder(strings.ToLower(name), strings.ToLower(top)) {
			return &Denied{"nothing was changed: what is below " + top + " is the desk's; a folder of your own may have any other name"}
		}
	}
	parts := strings.Split(name, delimiter)
	loose := func(part string) bool { return part == "" || part != strings.TrimSpace(part) }
	if slices.ContainsFunc(parts, loose) || len(parts) > folderDepth || len(name) > folderNameBytes ||
		strings.ContainsAny(name, "%*") || message.CheckHeaderValue(name) != nil {
		return &Denied{folderNameWanted}
	}
	return nil
}

func (s *Seat) ownBoxes(tx *store.Tx) ([]store.Mailbox, error) {
	all, err := tx.Mailboxes()
	return slices.DeleteFunc(all, func(m store.Mailbox) bool { return m.Owner != s.name }), err
}

// own finds a folder that its coordinator may rename or delete.
func (s *Seat) own(name string) (store.Mailbox, error) {
	if err := s.mayArrange(); err != nil {
		return store.Mailbox{}, err
	}
	m, err := s.find(name)
	switch {
	case err != nil:
		return m, err
	case m.Owner == "":
		return m, &Denied{notYours}
	case m.Attr != "":
		return m, &Denied{"your folder " + m.Name + " always stays, nothing was changed; what is in it can be deleted"}
	}
	return m, nil
}

// DeleteFolder removes a folder of the coordinator's own, with what is in it.
// Mail of the desk that was copied there stays where else it is.
func (s *Seat) DeleteFolder(name string) error {
	m, err := s.own(name)
	if err != nil {
		return err
	}
	for {
		var left int
		err := s.Store.Update(func(tx *store.Tx) error {
			uids, err := tx.UIDs(m.Number, nil)
			if err != nil {
				return err
			}
			some := uids[:min(len(uids), atOnce)]
			left = len(uids) - len(some)
			if err := discard(tx, m.Number, some); err != nil || left > 0 {
				return err
			}
			return tx.DeleteMailbox(m.Number)
		})
		if err != nil || left == 0 {
			return err
		}
	}
}

// discard takes messages out of a private folder. What only this
// coordinator ever had, a draft or a copy of its own, goes for good.
func discard(tx *store.Tx, box uint32, uids []uint32) error {
	for _, uid := range uids {
		e, err := tx.Entry(box, uid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := tx.Unfile(box, uid); err != nil {
			return err
		}
		if err := dropOwn(tx, e.Message); err != nil {
			return err
		}
	}
	return nil
}

// ownMail is the Direction of a mail that a coordinator put into a folder of
// its own: neither received nor sent by the gateway, and no record.
const ownMail = "own"

func dropOwn(tx *store.Tx, id uint64) error {
	m, err := tx.Message(id)
	if err != nil || m.Direction != ownMail {
		return err
	}
	filed, err := tx.FiledIn(id)
	if err != nil || len(filed) > 0 {
		return err
	}
	return tx.DropMessage(id)
}

// RenameFolder renames a folder of the coordinator's own with those below it;
// or that of a case, for everybody, where the tag stays.
func (s *Seat) RenameFolder(name, to string) error {
	if err := s.mayArrange(); err != nil {
		return err
	}
	to = strings.TrimSuffix(to, delimiter)
	if box, err := s.find(name); err == nil && placeOf(box) == casePlace {
		return s.renameCase(box, to)
	}
	m, err := s.own(name)
	if err != nil {
		return err
	}
	if isUnder(to, name) {
		return &Denied{"a folder cannot move into itself; nothing was changed"}
	}
	return s.Store.Update(func(tx *store.Tx) error {
		boxes, err := s.ownBoxes(tx)
		if err != nil {
			return err
		}
		for _, b := range boxes {
			if b.Number != m.Number && (b.Attr != "" || !isUnder(b.Name, name)) {
				continue
			}
			fresh := to + strings.TrimPrefix(b.Name, name)
			if err := checkOwnName(fresh); err != nil {
				return err
			}
			if _, err := tx.MailboxNamed("", fresh); err == nil {
				return ErrFolderExists
			}
			if _, err := tx.RenameMailbox(b.Number, fresh); err != nil {
				if errors.Is(err, store.ErrExists) {
					return ErrFolderExists
				}
				return err
			}
		}
		return nil
	})
}

// Subscribe notes whether a folder is among those that clients show.
func (s *Seat) Subscribe(name string, on bool) error {
	folders, err := s.Folders()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(folders, func(f Folder) bool { return f.Name == name }) {
		return ErrNoFolder
	}
	return s.Store.Update(func(tx *store.Tx) error {
		row, err := s.row(tx)
		if err != nil {
			return err
		}
		if slices.Contains(row.Unsubscribed, name) == !on {
			return nil
		}
		row.Unsubscribed = slices.DeleteFunc(row.Unsubscribed, func(n string) bool { return n == name })
		if !on {
			row.Unsubscribed = append(row.Unsubscribed, name)
		}
		return seatRows.Put(tx, DeskScope, s.rowKey(tx), row)
	})
}

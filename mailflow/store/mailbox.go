package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Changes of mailboxes have this topic. Mailbox is set in each, UID where one message is meant.
const TopicMailbox = "mailbox"

// Kinds of changes of mailboxes.
const (
	ChangeFolders = "folders" // a mailbox was made, renamed or deleted
	ChangeFiled   = "filed"   // UID is new
	ChangeUnfiled = "unfiled" // UID is gone, for everyone
	ChangeMarked  = "marked"  // marks of Seat (of all seats, where empty) among UID to UID+255
	ChangeScope   = "scope"   // UID now belongs to another scope
)

// A Mailbox is an ordered list of messages in which each has a number of its own, its UID (RFC 9051 section 2.3.1.1). UIDs
// are given in ascending order and never again.
type Mailbox struct {
	Number      uint32 // never reused
	Name        string // in full, "Cases/PAR-2026-0007 Heap overflow/Vendor acme"
	Owner       string // "" = everybody's, else private to that coordinator
	Case        string // the tag of the case it belongs to, or ""
	Party       string // whose thread it shows, or ""
	Scope       Scope  // seals this record and the marks; each message in it keeps its own
	UIDValidity uint32 // higher than that of any mailbox made before
	UIDNext     uint32
	Attr        string // its special use (RFC 6154): \Sent, \Drafts, \Trash, \Junk, or ""
}

var (
	mailboxes    = Versioned[Mailbox]("mailboxes")
	mailboxNames = Versioned[[]byte]("mailboxnames") // the number, under owner and name
	validity     = Versioned[[]byte]("uidvalidity")  // the last one given, in its one row
)

var validityKey = []byte("last")

func boxKey(number uint32) []byte { return binary.BigEndian.AppendUint32(nil, number) }

func (tx *Tx) boxNameKey(owner, name string) []byte { return tx.Name("mailbox", owner, name) }

// CreateMailbox makes an empty mailbox of that Name, Owner and Scope: ErrExists if the owner has one of that name. It gives
// Number, UIDValidity and UIDNext.
func (tx *Tx) CreateMailbox(m Mailbox) (Mailbox, error) {
	if err := tx.createMailbox(&m); err != nil {
		return m, fmt.Errorf("create mailbox: %w", err)
	}
	return m, nil
}

func (tx *Tx) createMailbox(m *Mailbox) error {
	if m.Name == "" {
		return errors.New("it has no name")
	}
	name := tx.boxNameKey(m.Owner, m.Name)
	if mailboxNames.Has(tx, name) {
		return ErrExists
	}
	n, err := tx.Next("mailbox")
	if err != nil {
		return err
	}
	if n > math.MaxUint32 {
		return errors.New("no number is left")
	}
	m.Number, m.UIDNext = uint32(n), 1
	if m.UIDValidity, err = tx.nextValidity(m.Scope); err != nil {
		return err
	}
	if err := mailboxes.Put(tx, m.Scope, boxKey(m.Number), *m); err != nil {
		return err
	}
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: m.Number, Kind: ChangeFolders})
	return mailboxNames.Put(tx, m.Scope, name, boxKey(m.Number))
}

// nextValidity follows the clock, so that a store put back from a backup does not give values again that clients already know
// (RFC 9051 section 2.3.1.1), and counts on where the clock stands or was set back.
func (tx *Tx) nextValidity(s Scope) (uint32, error) {
	v := uint32(min(max(tx.Now.Unix(), 1), math.MaxUint32))
	switch last, err := validity.Get(tx, validityKey); {
	case err == nil && len(last) == 4:
		v = max(v, binary.BigEndian.Uint32(last)+1)
	case err == nil:
		return 0, ErrTampered
	case !errors.Is(err, ErrNotFound):
		return 0, err
	}
	return v, validity.Put(tx, s, validityKey, boxKey(v))
}

// Mailbox returns a mailbox by its number; ErrNotFound if there is none.
func (tx *Tx) Mailbox(number uint32) (Mailbox, error) {
	m, err := mailboxes.Get(tx, boxKey(number))
	if err != nil {
		return m, fmt.Errorf("mailbox %d: %w", number, err)
	}
	return m, nil
}

// MailboxNamed returns the mailbox of that owner ("" for everybody's) and full name; ErrNotFound if there is none.
func (tx *Tx) MailboxNamed(owner, name string) (Mailbox, error) {
	number, err := mailboxNames.Get(tx, tx.boxNameKey(owner, name))
	if err != nil {
		return Mailbox{}, fmt.Errorf("mailbox by name: %w", err)
	}
	if len(number) != 4 {
		return Mailbox{}, ErrTampered
	}
	return tx.Mailbox(binary.BigEndian.Uint32(number))
}

// Mailboxes lists every mailbox in the order they were made, those of shredded scopes left out.
func (tx *Tx) Mailboxes() ([]Mailbox, error) {
	var all []Mailbox
	for row, err := range mailboxes.All(tx, nil) {
		if errors.Is(err, ErrShredded) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list mailboxes: %w", err)
		}
		all = append(all, row.Value)
	}
	return all, nil
}

// RenameMailbox gives a mailbox another name: ErrExists if its owner has one of that name. Number, UIDs and UIDVALIDITY stay.
func (tx *Tx) RenameMailbox(number uint32, name string) (Mailbox, error) {
	m, err := tx.Mailbox(number)
	if err != nil {
		return m, err
	}
	fresh := tx.boxNameKey(m.Owner, name)
	if name == "" || mailboxNames.Has(tx, fresh) {
		return m, fmt.Errorf("rename mailbox %d: %w", number, ErrExists)
	}
	if err := mailboxNames.Delete(tx, tx.boxNameKey(m.Owner, m.Name)); err != nil {
		return m, err
	}
	if err := mailboxNames.Put(tx, m.Scope, fresh, boxKey(number)); err != nil {
		return m, err
	}
	m.Name = name
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: number, Kind: ChangeFolders})
	return m, mailboxes.Put(tx, m.Scope, boxKey(number), m)
}

// DeleteMailbox removes a mailbox with all that is filed in it. The messages themselves stay, in other mailboxes or in none.
func (tx *Tx) DeleteMailbox(number uint32) error {
	m, err := tx.Mailbox(number)
	if err != nil {
		return err
	}
	uids, err := tx.UIDs(number, nil)
	if err != nil {
		return err
	}
	for _, uid := range uids {
		if err := tx.Unfile(number, uid); err != nil {
			return err
		}
	}
	for row := range marked.All(tx, boxKey(number)) {
		if err := marked.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	if err := mailboxNames.Delete(tx, tx.boxNameKey(m.Owner, m.Name)); err != nil {
		return err
	}
	tx.Changed(Change{Topic: TopicMailbox, Mailbox: number, Kind: ChangeFolders})
	return mailboxes.Delete(tx, boxKey(number))
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// delimiter stands between the names of a folder and its sub-folder.
const delimiter = "/"

// Folders under which the others stand.
const (
	casesFolder   = "Cases"
	closedFolders = "Closed"
	buttonsFolder = "Do"
)

// The buttons: what it means to put a message there is for Desk.Gesture.
var buttons = []string{"Approve", "Reject", "Hold", "Release", "New case", "Acknowledge", "Spam"}

// fixedFolders is the tree of product.md section 4 that the desk shares.
func fixedFolders() []string {
	names := []string{"INBOX", "Intake", "Approvals", "Scheduled", "Held", "Quarantine", "Keys", "Status"}
	for _, b := range buttons {
		names = append(names, buttonsFolder+delimiter+b)
	}
	return names
}

// ownFolders are those that each coordinator has for itself, with their
// special use (RFC 6154).
func ownFolders() []store.Mailbox {
	return []store.Mailbox{
		{Name: "Sent", Attr: `\Sent`}, {Name: "Drafts", Attr: `\Drafts`},
		{Name: "Trash", Attr: `\Trash`}, {Name: "Junk", Attr: `\Junk`},
	}
}

// ensureFolders makes what is missing of the desk's fixed folders.
func (b *Base) ensureFolders(tx *store.Tx) error {
	if err := tx.NewScope(DeskScope); err != nil {
		return err
	}
	for _, name := range fixedFolders() {
		if _, err := ensureFolder(tx, store.Mailbox{Name: name, Scope: DeskScope}); err != nil {
			return err
		}
	}
	return nil
}

// ensureOwnFolders makes what is missing of a coordinator's own folders.
func ensureOwnFolders(tx *store.Tx, coordinator string) error {
	for _, m := range ownFolders() {
		m.Owner, m.Scope = coordinator, DeskScope
		if _, err := ensureFolder(tx, m); err != nil {
			return err
		}
	}
	return nil
}

func ensureFolder(tx *store.Tx, m store.Mailbox) (store.Mailbox, error) {
	have, err := tx.MailboxNamed(m.Owner, m.Name)
	if errors.Is(err, store.ErrNotFound) {
		return tx.CreateMailbox(m)
	}
	return have, err
}

// folder finds one of the fixed folders, "Intake", and makes it where it is
// missing.
func (b *Base) folder(tx *store.Tx, name string) (store.Mailbox, error) {
	if !slices.Contains(fixedFolders(), name) {
		return store.Mailbox{}, fmt.Errorf("folder %q: not one of the desk's", name)
	}
	return ensureFolder(tx, store.Mailbox{Name: name, Scope: DeskScope})
}

// caseFolder finds a folder of a case ("Case file", "Finder", "Finder 2", "Notes",
// "Vendor acme"; "" is the one that holds them), and makes it where it is missing. The
// tag leads to it: the words behind the tag may have changed since.
func (b *Base) caseFolder(tx *store.Tx, c cvd.Case, sub string) (store.Mailbox, error) {
	top, err := caseTop(tx, c)
	if err != nil || sub == "" {
		return top, err
	}
	m := store.Mailbox{Name: top.Name + delimiter + sub, Case: string(c.ID), Scope: caseScope(c.ID)}
	m.Party = string(threadParty(sub))
	return ensureFolder(tx, m)
}

// caseTops remembers the folder of each case under its tag.
var caseTops = store.Versioned[uint32]("casefolders")

func caseTop(tx *store.Tx, c cvd.Case) (store.Mailbox, error) {
	key := tx.Name("casefolder", string(c.ID))
	number, err := caseTops.Get(tx, key)
	if err == nil {
		return tx.Mailbox(number)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return store.Mailbox{}, err
	}
	name := strings.TrimSpace(casesFolder + delimiter + string(c.ID) + " " + c.Title)
	m, err := ensureFolder(tx, store.Mailbox{Name: name, Case: string(c.ID), Scope: caseScope(c.ID)})
	if err != nil {
		return m, err
	}
	return m, caseTops.Put(tx, caseScope(c.ID), key, m.Number)
}

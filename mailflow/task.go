package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// taskRow points at the mail that stands for an open task, or that replaces
// itself.
type taskRow struct {
	Case         cvd.CaseID
	Mailbox, UID uint32
	Hash         string // of what it says, where it replaces itself
	Sequence     int    // of its calendar, where it has one
	Picture      string // digest of what its picture shows, where it has one

	// Of what a person must do; Number is 0 for a mail that only shows something.
	Number  uint64 // T12
	Key     string // the name of the task
	Kind    string
	Subject string // without the name of who does it
	By      string // who does it, or ""
	Since   time.Time
	Message uint64
}

// id is how a task is called, "T12".
func (r taskRow) id() string { return fmt.Sprintf("T%d", r.Number) }

// shown is the Subject with the name of who does it.
func (r taskRow) shown() string {
	return r.Subject + r.doer()
}

// taskFolders are those whose mails stand for something that a person must do.
var taskFolders = []string{"INBOX", "Keys", "Approvals"}

func readTask(tx *store.Tx, key string) (taskRow, error) {
	row, err := tasks.Get(tx, tx.Name("task", key))
	if errors.Is(err, store.ErrNotFound) {
		return taskRow{}, nil
	}
	return row, err
}

// task puts one mail into a folder (INBOX where none is named) for something
// that needs a person. A task with the same key is replaced; its number stays,
// and so does who does it.
func (b *Base) task(tx *store.Tx, key string, p Post) error {
	before, err := readTask(tx, key)
	if err != nil {
		return err
	}
	if err := b.taskDone(tx, key); err != nil {
		return err
	}
	if p.Folder == "" {
		p.Folder = "INBOX"
	}
	row := taskRow{Key: key, Kind: p.Kind, Subject: p.Subject, Since: tx.Now}
	if slices.Contains(taskFolders, p.Folder) {
		if row.Number, row.By = before.Number, before.By; row.Number == 0 {
			if row.Number, err = tx.Next("task"); err != nil {
				return err
			}
		}
		p.Task, p.Subject = row.Number, row.shown()
		if p.Folder != "Approvals" {
			p.Text = strings.TrimRight(p.Text, "\n") + "\n\n" + b.taskWords(row)
		}
	}
	m, box, uid, err := b.post(tx, p)
	if err != nil {
		return err
	}
	row.Case, row.Mailbox, row.UID, row.Message = cvd.CaseID(m.Case), box, uid, m.ID
	if err := b.taskMoved(tx, row); err != nil {
		return err
	}
	return putTask(tx, m.Scope, row)
}

// taskUnlessThere is task for what says the same each time: where its mail still
// stands in its folder it stays, so that ten thousand mails are one.
func (b *Base) taskUnlessThere(tx *store.Tx, key string, p Post) error {
	row, err := readTask(tx, key)
	if err != nil {
		return err
	}
	if row.Number != 0 {
		_, err := tx.Entry(row.Mailbox, row.UID)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return b.task(tx, key, p)
}

// taskWords say how to take a task, at the end of its mail.
func (b *Base) taskWords(r taskRow) string {
	words := fmt.Sprintf("This is task %s. To take it on, write to control@%s\n    claim %s\n", r.id(), b.DeskDomain, r.id())
	if endsByItself(r) == "" {
		words += fmt.Sprintf("and when there is nothing left to do\n    done %s\n", r.id())
	}
	return words
}

// taskMoved lets the case file show that a task of its case came, went, or
// changed hands.
func (b *Base) taskMoved(tx *store.Tx, r taskRow) error {
	if r.Number == 0 || r.Case == "" || !tx.HasScope(caseScope(r.Case)) {
		return nil
	}
	b.moved(tx, r.Case)
	return nil
}

// threadTask names a task about the thread of one participant.
func threadTask(what string, id cvd.CaseID, party cvd.PartyID) string {
	return fmt.Sprintf("%s:%s:%s", what, id, party)
}

// renameTask gives an open task the name that it has in another case. One that
// has that name already is replaced.
func (b *Base) renameTask(tx *store.Tx, key, to string, id cvd.CaseID) error {
	row, err := tasks.Get(tx, tx.Name("task", key))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dropTask(tx, row, key); err != nil {
		return err
	}
	if err := b.taskDone(tx, to); err != nil {
		return err
	}
	row.Case, row.Key = id, to
	return putTask(tx, caseScope(id), row)
}

// restoreTask puts the mail of a task that was done back where it stood, unless
// the task is open again.
func (b *Base) restoreTask(tx *store.Tx, key, folder string, m store.Message) error {
	if _, err := tasks.Get(tx, tx.Name("task", key)); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	box, err := b.folder(tx, folder)
	if err != nil {
		return err
	}
	uid, err := tx.File(box.Number, m.ID)
	if err != nil {
		return err
	}
	row := taskRow{Case: cvd.CaseID(m.Case), Mailbox: box.Number, UID: uid, Number: m.Task, Key: key, Kind: m.Kind,
		Subject: m.Envelope.Subject, Since: tx.Now, Message: m.ID}
	if i := strings.LastIndex(row.Subject, " ["); i >= 0 && strings.HasSuffix(row.Subject, "]") {
		if who := row.Subject[i+2 : len(row.Subject)-1]; isCoordinator(tx, who) {
			row.Subject, row.By = row.Subject[:i], who
		}
	}
	if err := b.taskMoved(tx, row); err != nil {
		return err
	}
	return putTask(tx, m.Scope, row)
}

func isCoordinator(tx *store.Tx, name string) bool {
	_, err := CoordinatorByName(tx, name)
	return err == nil
}

// taskDone takes the mail of a task away, for everyone.
func (b *Base) taskDone(tx *store.Tx, key string) error {
	row, err := tasks.Get(tx, tx.Name("task", key))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.Unfile(row.Mailbox, row.UID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := b.taskMoved(tx, row); err != nil {
		return err
	}
	return dropTask(tx, row, key)
}

// dropReplaced forgets a mail that only showed what the records say, and that
// another one took the place of; where somebody keeps a copy, it stays.
func dropReplaced(tx *store.Tx, message uint64) error {
	if message == 0 {
		return nil
	}
	filed, err := tx.FiledIn(message)
	if err != nil || len(filed) > 0 {
		return err
	}
	if err := tx.DropMessage(message); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

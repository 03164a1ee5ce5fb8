package mailflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// undoRow is what one command did, as far as it can be taken back by its
// number within the undo window, as a gesture can by moving its receipt back.
type undoRow struct {
	Number uint64
	Verb   string // one of takenBack
	Said   string // the first line of its answer
	Case   cvd.CaseID
	Party  cvd.PartyID
	Stage  cvd.Stage
	By     string
	At     time.Time
	Spent  time.Time // when it was taken back

	Ref     string           // the approval that was decided
	Why     string           // of a hold that was ended
	Notices []uint64         // that it planned
	Answer  uint64           // to all vendors
	Message uint64           // the mail of a task that it ended
	Was, Is time.Time        // an instant that it changed
	Case0   *cvd.Case        // as it was
	Who0    *cvd.Participant // as it was
	No      *cvd.Acceptance  // the word that a filed one took the place of, or nil
	Moved   []movedWave      // vendors that it put into other waves
}

var (
	undos    = store.Versioned[undoRow]("undos")
	decided  = store.Versioned[uint64]("undos-of") // approval and coordinator to the number of the newest
	unlisted = "there is no undo %s; the line that answered your command names it, such as undo U17"
)

func undoKey(tx *store.Tx, n uint64) []byte { return tx.Name("undo", strconv.FormatUint(n, 10)) }

// undoName is how people write it.
func undoName(n uint64) string { return fmt.Sprintf("U%d", n) }

// keepUndo writes what the command at hand offers to take back, and gives the
// sentence about it.
func (s *sitting) keepUndo(said string) (string, error) {
	u := s.undo
	if u == nil || s.dry || s.Settings.Undo <= 0 {
		return "", nil
	}
	n, err := s.tx.Next("undo")
	if err != nil {
		return "", err
	}
	u.Number, u.By, u.At = n, s.by.Name, s.tx.Now
	u.Said, _, _ = strings.Cut(said, "\n")
	scope := DeskScope
	if u.Case != "" {
		scope = caseScope(u.Case)
	}
	if u.Verb == "approve" || u.Verb == "reject" {
		if err := decided.Put(s.tx, scope, s.tx.Name("undo-of", u.Ref, u.By), n); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("undo %s takes it back, until %s", undoName(n), utc(u.At.Add(s.Settings.Undo))), undos.Put(s.tx, scope, undoKey(s.tx, n), *u)
}

// deskUndo is `undo ID`.
func deskUndo(s *sitting, p *phrase) (string, error) {
	id, err := p.only("the number of what is to be taken back, such as U17,")
	if err != nil {
		return "", err
	}
	u, err := s.undoNamed(id)
	if err != nil {
		return "", err
	}
	if err := s.mayTakeBack(u, id); err != nil {
		return "", err
	}
	here := s.this
	s.this = u.Case
	said, err := takenBack()[u.Verb](s, u)
	s.this = here
	if err != nil {
		return "", err
	}
	u.Spent = s.tx.Now
	scope := DeskScope
	if u.Case != "" {
		scope = caseScope(u.Case)
	}
	if err := undos.Put(s.tx, scope, undoKey(s.tx, u.Number), u); err != nil {
		return "", err
	}
	s.undo = nil // what an undo did is not undone: give the command again
	return said, record(s.tx, journal.Record{Case: string(u.Case), Party: string(u.Party), Actor: s.by.Name, Kind: "undone", Ref: undoName(u.Number), Detail: u.Verb})
}

// undoNamed reads what the actor may know of under a number, or under the ID
// of an approval that it answered.
func (s *sitting) undoNamed(id string) (undoRow, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(id), "U"), 10, 64)
	if err != nil {
		n, err = decided.Get(s.tx, s.tx.Name("undo-of", strings.ToLower(id), s.by.Name))
	}
	var u undoRow
	if err == nil {
		u, err = undos.Get(s.tx, undoKey(s.tx, n))
	}
	if errors.Is(err, store.ErrNotFound) {
		return u, notDone(unlisted, id)
	}
	if err != nil || u.Case == "" {
		return u, err
	}
	_, err = s.caseSeen(u.Case)
	var unseen *Refusal
	if errors.As(err, &unseen) && unseen != errMixed {
		return u, notDone(unlisted, id)
	}
	return u, err
}

func (s *sitting) mayTakeBack(u undoRow, id string) error {
	end := u.At.Add(s.Settings.Undo)
	switch {
	case u.By != s.by.Name:
		return notDone("%s is what %s did, and only %s can take it back (until %s); you can give the command that does the opposite", id, u.By, u.By, utc(end))
	case !u.Spent.IsZero():
		return already("%s was taken back already, %s", id, utc(u.Spent))
	case s.tx.Now.After(end):
		return notDone("the %s in which %s could be undone ended %s; give the command that does the opposite (%s)",
			cvd.FormatDuration(s.Settings.Undo), id, utc(end), u.Said)
	case takenBack()[u.Verb] == nil:
		return notDone("%s cannot be taken back any more; give the command that does the opposite (%s)", id, u.Said)
	}
	return nil
}

// copyOf and whoOf keep what a command is about to change.
func copyOf(c cvd.Case) *cvd.Case { return &c }

func whoOf(p cvd.Participant) *cvd.Participant { return &p }

// taskMessage is the mail of an open task, 0 where there is none.
func taskMessage(tx *store.Tx, key string) (uint64, error) {
	row, err := tasks.Get(tx, tx.Name("task", key))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	e, err := tx.Entry(row.Mailbox, row.UID)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return e.Message, err
}

// reopenTask puts the mail of a task that a command ended back.
func (s *sitting) reopenTask(key, folder string, message uint64) error {
	if message == 0 {
		return nil
	}
	m, err := s.tx.Message(message)
	if err != nil {
		return err
	}
	return s.restoreTask(s.tx, key, folder, m)
}

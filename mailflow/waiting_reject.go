package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// answeredBy are the kinds of tasks about a thread that a letter into it ends.
var answeredBy = []string{"letter", "declined", "proposes"}

// answersTasks ends the tasks that a letter answers, and remembers them for when
// it is taken back.
func (b *Base) answersTasks(tx *store.Tx, n cvd.Notice) error {
	row, err := waitingLetter(tx, n)
	if err != nil {
		return err
	}
	for _, what := range answeredBy {
		key := threadTask(what, n.Case, n.Party)
		mail, err := taskMessage(tx, key)
		if err != nil {
			return err
		}
		if mail != 0 {
			row.Answers = append(row.Answers, answeredTask{key, mail})
		}
		if err := b.taskDone(tx, key); err != nil {
			return err
		}
	}
	if row.Notice == 0 || len(row.Answers) == 0 {
		return nil
	}
	return putWaiting(tx, row, row.Next)
}

// letterID reads the number of a letter, "N12", as its view names it.
func letterID(id string) (uint64, bool) {
	digits, ok := strings.CutPrefix(strings.ToUpper(id), "N")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil
}

// letterNamed finds a letter that the actor may know of by its number.
func (s *sitting) letterNamed(id uint64) (cvd.Notice, error) {
	unknown := notDone("there is no letter N%d; its view in the thread names the number, and `plan` lists what is on its way", id)
	n, err := s.noticeNumbered(id)
	if err != nil {
		return n, err
	}
	if n.ID == 0 || n.Kind != cvd.KindLetter {
		return n, unknown
	}
	home, _, err := threadNow(s.tx, n.Case, n.Party)
	if err != nil {
		return n, err
	}
	if _, inReport := reportNumber(home); inReport {
		return n, nil
	}
	_, err = s.caseSeen(home)
	var unseen *Refusal
	if errors.As(err, &unseen) && unseen != errMixed {
		return cvd.Notice{}, unknown
	}
	return n, err
}

// noticeNumbered finds a notice by its number: at once while it is a letter that
// waits, else among all; the zero Notice where there is none.
func (s *sitting) noticeNumbered(id uint64) (cvd.Notice, error) {
	row, err := waitingRows.Get(s.tx, store.Seq(id))
	if err == nil {
		return notices.Get(s.tx, noticeKey(s.tx, row.Case, row.Party, id))
	}
	if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrShredded) {
		return cvd.Notice{}, err
	}
	for r, err := range notices.All(s.tx, nil) {
		if errors.Is(err, store.ErrShredded) {
			continue
		}
		if err != nil {
			return cvd.Notice{}, err
		}
		if r.Value.ID == id {
			return r.Value, nil
		}
	}
	return cvd.Notice{}, nil
}

// rejectLetter takes one letter back before it leaves (rule T4). What it said
// stays in its thread.
func (s *sitting) rejectLetter(n cvd.Notice, because string) (string, error) {
	sent := notDone("%s to %s is already sent; write to them again if it was wrong", noticeRef(n), n.Party)
	switch {
	case n.State == cvd.Cancelled:
		return "", already("%s was taken back already (%s); it did not leave", noticeRef(n), n.Why)
	case n.State == cvd.Queued:
		switch err := s.Queue.Cancel(s.tx, n.Delivery); {
		case errors.Is(err, queue.ErrAlreadySent):
			return "", sent
		case errors.Is(err, queue.ErrUnderWay):
			return "", notDone("%s to %s is being handed over at this moment, which nobody can stop; its view says what became of it", noticeRef(n), n.Party)
		case err != nil:
			return "", err
		}
		var err error
		if n, err = s.planAgain(s.tx, n, s.by.Name); err != nil {
			return "", err
		}
	case n.State.Over():
		return "", sent
	case n.ApprovalID != "":
		a, err := approvalByID(s.tx, n.ApprovalID)
		if err != nil {
			return "", err
		}
		if a.Open() {
			return s.rejectID(a.ID, because)
		}
	}
	return s.dropLetter(n, because)
}

func (s *sitting) dropLetter(n cvd.Notice, because string) (string, error) {
	row, err := waitingLetter(s.tx, n)
	if err != nil {
		return "", err
	}
	if err := s.cancel(s.tx, n, rejectedBy(s.by.Name)+because); err != nil {
		return "", err
	}
	for _, a := range row.Answers {
		if err := s.reopenTask(a.Key, "INBOX", a.Message); err != nil {
			return "", err
		}
	}
	err = record(s.tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: s.by.Name, Kind: "letter.rejected", Ref: noticeRef(n), Detail: because})
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "letter", Party: n.Party, Ref: row.MessageID, Notices: []uint64{n.ID}}
	if home, _, err := threadNow(s.tx, n.Case, n.Party); err == nil && s.tx.HasScope(caseScope(home)) {
		if _, inReport := reportNumber(home); !inReport {
			s.undo.Case = home
		}
	}
	return fmt.Sprintf("the letter %s to %s does not leave; what it says stays in its thread", noticeRef(n), n.Party), nil
}

// rejectedBy begins why a letter was taken back.
func rejectedBy(name string) string { return "rejected by " + name + ": " }

// unrejectLetter lets a letter leave after all that the actor took back; the undo
// window begins anew.
func (s *sitting) unrejectLetter(n cvd.Notice, messageID string) (string, error) {
	if n.State != cvd.Cancelled || !strings.HasPrefix(n.Why, rejectedBy(s.by.Name)) {
		return "", notDone("%s is no letter that you took back; nothing was changed", noticeRef(n))
	}
	n.State, n.Why, n.LastAct, n.ByNeed = cvd.Planned, "", lastAct(n.LastAct, s.tx.Now), false
	row := laterOf(n.Due, s.tx.Now)
	if err := putNotice(s.tx, n, row); err != nil {
		return "", err
	}
	n.Row = row
	if err := s.awaits(s.tx, n); err != nil {
		return "", err
	}
	if err := s.showAgain(n, messageID); err != nil {
		return "", err
	}
	if err := s.answersTasks(s.tx, n); err != nil {
		return "", err
	}
	s.moved(s.tx, n.Case)
	err := record(s.tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: s.by.Name, Kind: "letter.unrejected", Ref: noticeRef(n)})
	return fmt.Sprintf("the letter %s to %s leaves at %s", noticeRef(n), n.Party, utc(s.tx.Now.Add(s.Settings.Undo))), err
}

// showAgain lets the view of a letter that leaves after all take the place of the
// one that said that it does not.
func (s *sitting) showAgain(n cvd.Notice, messageID string) error {
	row, err := waitingLetter(s.tx, n)
	if err != nil || row.Message != 0 || messageID == "" {
		return err
	}
	ids, err := s.tx.MessagesWithID(messageID)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		m, err := s.tx.Message(id)
		if err != nil {
			return err
		}
		if m.Direction == "out" && m.Ref == noticeRef(n) {
			row.Message, row.MessageID, row.Since = id, messageID, m.At
			break
		}
	}
	return putWaiting(s.tx, row, row.Next)
}

// letterIn is the letter that a view in a thread shows.
func (s *sitting) letterIn(m store.Message) (cvd.Notice, error) {
	id, ok := letterID(m.Ref)
	if !ok {
		return cvd.Notice{}, notDone("the letter that this message shows is gone; nothing was changed")
	}
	return s.letterNamed(id)
}

// unletter is the undo of `reject N12`.
func unletter(s *sitting, u undoRow) (string, error) {
	n, err := s.letterNamed(u.Notices[0])
	if err != nil {
		return "", err
	}
	return s.unrejectLetter(n, u.Ref)
}

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

// A letter that a coordinator wrote stands in its thread at once, and says when it
// leaves, or why it does not: what is seen nowhere is written again. As it leaves,
// the view of what left takes its place (fileSent). Each step is a message of its
// own, as it is afterwards (sent_state.go).

// waitingRow is a letter that has not left yet, under the number of its notice.
type waitingRow struct {
	Case      cvd.CaseID // of the notice
	Party     cvd.PartyID
	Notice    uint64
	MessageID string // of the view, and of the mail once it leaves
	Since     time.Time
	Message   uint64 // the view, 0 while there is none
	Said      string // what the view says of its delivery
	Answers   []answeredTask
	Next      time.Time // of its row among the due ones; zero: what the desk sees of it is so
}

// answeredTask is a task that somebody ended by writing a letter.
type answeredTask struct {
	Key     string
	Message uint64
}

var (
	waitingRows = store.Versioned[waitingRow]("letters-waiting")
	waitingDue  = store.WriteOnce[struct{}]("letters-waitingdue") // under the instant at which something of it changed, and its number
)

// awaits notes that a letter is to leave, so that it is shown until it does.
func (b *Base) awaits(tx *store.Tx, n cvd.Notice) error {
	if n.Kind != cvd.KindLetter || n.State.Over() {
		return nil
	}
	tx.Changed(store.Change{Topic: "prepare"})
	if waitingRows.Has(tx, store.Seq(n.ID)) {
		return nil
	}
	return putWaiting(tx, waitingRow{Case: n.Case, Party: n.Party, Notice: n.ID, Since: tx.Now, MessageID: newMessageID(b.Domain)}, tx.Now)
}

// putWaiting writes the row of a letter, which is to be looked at next: at once
// where something of it changed, and never (zero) once the desk sees that.
func putWaiting(tx *store.Tx, r waitingRow, next time.Time) error {
	scope, key := caseScope(r.Case), store.Seq(r.Notice)
	if err := moveDue(tx, waitingDue, scope, key, r.Next, next, struct{}{}); err != nil {
		return err
	}
	r.Next = next
	return waitingRows.Put(tx, scope, key, r)
}

// dropWaiting forgets a letter that left, or ended.
func dropWaiting(tx *store.Tx, r waitingRow) error {
	key := store.Seq(r.Notice)
	if err := moveDue(tx, waitingDue, caseScope(r.Case), key, r.Next, time.Time{}, struct{}{}); err != nil {
		return err
	}
	return waitingRows.Delete(tx, key)
}

// letterChanged lets the clockwork look at a letter again, if it still waits.
func letterChanged(tx *store.Tx, notice uint64) error {
	r, err := waitingRows.Get(tx, store.Seq(notice))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
		return nil
	}
	if err != nil || !r.Next.IsZero() && !r.Next.After(tx.Now) {
		return err
	}
	return putWaiting(tx, r, tx.Now)
}

// lettersChanged is letterChanged for all to one participant, and allLettersChanged
// for every one that waits: sending stopped, or goes on.
func lettersChanged(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) error {
	all, err := Notices(tx, id, party)
	for _, n := range all {
		if n.Kind == cvd.KindLetter {
			err = errors.Join(err, letterChanged(tx, n.ID))
		}
	}
	return err
}

func allLettersChanged(tx *store.Tx) error {
	all, err := collect(waitingRows.All(tx, nil), nil)
	for _, r := range all {
		err = errors.Join(err, letterChanged(tx, r.Notice))
	}
	return err
}

// waitingLetter reads the row of a letter; the zero row where it left, or was
// taken back.
func waitingLetter(tx *store.Tx, n cvd.Notice) (waitingRow, error) {
	r, err := waitingRows.Get(tx, store.Seq(n.ID))
	if errors.Is(err, store.ErrNotFound) {
		return waitingRow{}, nil
	}
	return r, err
}

// said is what tells one fate from another.
func (f fate) said() string { return strings.Join(append([]string{f.word}, f.lines...), "\n") }

// waitingFate says what becomes of a letter that has not left; false where it
// shows elsewhere: as a draft in Approvals, or as a mail that left.
func (b *Base) waitingFate(tx *store.Tx, n cvd.Notice) (fate, bool, error) {
	name := noticeRef(n)
	if n.State == cvd.Cancelled {
		return fate{"dropped", filled("dropped ("+name+"), it did not leave:", n.Why)}, true, nil
	}
	if n.State == cvd.Sent && n.Delivery == 0 {
		return fate{"delivered", filled("delivered on "+instant(n.SentAt)+" ("+name+")", n.Why)}, true, nil
	}
	leaves := laterOf(n.Due, n.Row)
	if n.ApprovalID != "" {
		a, err := approvalByID(tx, n.ApprovalID)
		if err != nil || !a.Granted() {
			return fate{}, false, err
		}
		leaves = laterOf(leaves, a.Cool)
	}
	now, err := sendingNow(tx)
	switch {
	case err != nil || n.State.Over():
		return fate{}, false, err
	case now.Stops():
		return stoppable(fate{"waiting", filled("waiting: sending is paused,", now.Because)}, name), true, nil
	case n.State == cvd.Held:
		return stoppable(fate{"held", filled("HELD ("+name+"):", n.Why)}, name), true, nil
	}
	if !n.ByNeed && !n.LastAct.IsZero() {
		leaves = laterOf(leaves, laterOf(n.LastAct, now.lastAct()).Add(b.Undo))
	}
	return stoppable(fate{"waiting", []string{"waiting: leaves at " + leaves.UTC().Format("15:04 UTC, Mon 2 Jan 2006") + " (" + name + ")"}}, name), true, nil
}

// stoppable adds how a letter is stopped.
func stoppable(f fate, name string) fate {
	f.lines = append(f.lines, "to stop it: this mail into Do/Reject, or `reject "+name+"`")
	return f
}

// ShowLetters makes what the desk sees of letters that have not left say how it
// stands, once something of them changed. All that it goes by is in the store; it
// returns when it wants to be called next.
func (s *Scheduler) ShowLetters(now time.Time) (next time.Time, err error) {
	rows, next, err := s.lettersToShow(now)
	for i, failed := range doEach(rows, restateAtOnce, func(r waitingRow) error { return s.showLetter(r, now) }) {
		if failed != nil {
			next, err = now.Add(restateAgain), errors.Join(err, fmt.Errorf("show letter N%d: %w", rows[i].Notice, failed))
		}
	}
	return next, err
}

// lettersToShow lists letters of which something changed, and says when there are
// more. A row that cannot be read is an error, and hides no other.
func (b *Base) lettersToShow(now time.Time) (out []waitingRow, next time.Time, err error) {
	var bad error
	err = b.Store.View(func(tx *store.Tx) error {
		for due, err := range waitingDue.Due(tx, now, &next) {
			var r waitingRow
			if err == nil {
				r, err = waitingRows.Get(tx, store.DueName(due.Key))
			}
			if err != nil {
				bad = errors.Join(bad, fmt.Errorf("read a letter that waits: %w", err))
				continue
			}
			if out = append(out, r); len(out) == restateBatch {
				return nil
			}
		}
		return nil
	})
	return out, next, errors.Join(err, bad)
}

// waitingState is how a letter stands, and how the desk is to see it.
type waitingState struct {
	row    waitingRow
	notice cvd.Notice
	home   cvd.CaseID // in whose folders its thread is
	party  cvd.PartyID
	fate   fate
	shows  bool
}

// settled says whether there is nothing to change.
func (w waitingState) settled() bool {
	if w.ended() {
		return false
	}
	return !w.shows || w.fate.said() == w.row.Said
}

// ended says whether the row is not needed any more, once the view says so.
func (w waitingState) ended() bool { return w.notice.ID == 0 || w.notice.State.Over() }

func (w waitingState) same(o waitingState) bool {
	return w.row.Message == o.row.Message && w.row.MessageID == o.row.MessageID && w.shows == o.shows && w.fate.word == o.fate.word &&
		slices.Equal(w.fate.lines, o.fate.lines) && w.home == o.home && w.party == o.party && w.notice.State == o.notice.State
}

func (b *Base) waitingNow(tx *store.Tx, r waitingRow) (w waitingState, err error) {
	w.row = r
	w.notice, err = notices.Get(tx, noticeKey(tx, r.Case, r.Party, r.Notice))
	if errors.Is(err, store.ErrNotFound) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	if _, err := ParticipantByID(tx, r.Case, r.Party); errors.Is(err, ErrNoParticipant) {
		return waitingState{row: r}, nil // gone with the report that was given back
	} else if err != nil {
		return w, err
	}
	if w.home, w.party, err = threadNow(tx, r.Case, r.Party); err != nil {
		return w, err
	}
	if _, err := CaseByID(tx, w.home); errors.Is(err, ErrNoCase) {
		return w, nil // a report that belongs to no case has no thread that could show it
	} else if err != nil {
		return w, err
	}
	w.fate, w.shows, err = b.waitingFate(tx, w.notice)
	if w.notice.State == cvd.Cancelled && w.notice.ApprovalID != "" && r.Message == 0 {
		w.shows = false // a draft that was given up; its text is in Status
	}
	return w, err
}

// filled puts words behind a beginning, and goes on in further lines where they
// do not fit into one.
func filled(line, words string) []string {
	var out []string
	for _, w := range strings.Fields(plainWords(words)) {
		w = shortened(w, answerColumns-2)
		if len(line)+1+len(w) > answerColumns {
			out, line = append(out, line), " "
		}
		line += " " + w
	}
	return append(out, line)
}

// leavesAs is the Message-ID under which a letter leaves: the one that its view
// has, so that a client sees one mail.
func leavesAs(tx *store.Tx, n cvd.Notice) (string, error) {
	if n.Kind != cvd.KindLetter {
		return "", nil
	}
	r, err := waitingLetter(tx, n)
	return r.MessageID, err
}

package mailflow

import (
	"errors"
	"time"

	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// Sending says whether notices may leave at all.
type Sending struct {
	Paused  bool
	Overdue bool // only what was overdue when it was paused, and waits for a review
	Reviews bool `json:",omitempty"` // of everything: it ends when the reviews that it began with are answered
	Because string
	By      string
	At      time.Time
	Acted   time.Time `json:",omitzero"` // where the undo window starts: At, or what lastAct keeps of the acts before
}

// lastAct is when somebody paused or resumed last.
func (s Sending) lastAct() time.Time { return laterOf(s.Acted, s.At) }

// Stops says that nothing at all may leave.
func (s Sending) Stops() bool { return s.Paused && !s.Overdue }

// sendingNow reads whether notices may leave.
func sendingNow(tx *store.Tx) (Sending, error) {
	s, err := sendingState.Get(tx, tx.Name("sending", "state"))
	if errors.Is(err, store.ErrNotFound) {
		return Sending{}, nil
	}
	return s, err
}

// setSending pauses or resumes all sending. Pausing is told to the desk.
func (b *Base) setSending(tx *store.Tx, s Sending) error {
	before, err := sendingNow(tx)
	if err != nil {
		return err
	}
	s.Acted = lastAct(before.lastAct(), s.At)
	if err := errors.Join(sendingState.Put(tx, DeskScope, tx.Name("sending", "state"), s), allLettersChanged(tx)); err != nil {
		return err
	}
	kind := "sending.resumed"
	if s.Paused {
		kind = "sending.paused"
		r, err := b.Templates.Refusal(refusal("sending", pausedState(s), s.Because, b.pausedNext(s)))
		if err != nil {
			return err
		}
		subject := "Sending is paused: "
		if s.By != byItself {
			subject = "Sending is paused by " + s.By + ": "
		}
		if err := b.task(tx, "sending", Post{Subject: subject + s.Because, Text: r.Text, Kind: "sending"}); err != nil {
			return err
		}
	} else if err := b.taskDone(tx, "sending"); err != nil {
		return err
	}
	tx.Changed(store.Change{Topic: "due"})
	tx.Changed(store.Change{Topic: "queue"})
	return record(tx, journal.Record{Kind: kind, Actor: s.By, Detail: s.Because})
}

// SendingPaused says whether a person or rule T5 stopped all sending; the
// delivery queue asks.
func SendingPaused(tx *store.Tx) bool {
	s, err := sendingNow(tx)
	return err != nil || s.Stops()
}

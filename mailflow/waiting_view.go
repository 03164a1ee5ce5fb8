package mailflow

import (
	"errors"
	"fmt"
	"time"

	"parley/mailflow/message"
	"parley/mailflow/store"
)

// waitingFor begins the first line of the view of a letter that has not left.
const waitingFor = "It has not left for "

// showLetter makes the view of one letter anew. What is written is made outside
// of the transaction, which looks again.
func (s *Scheduler) showLetter(r waitingRow, now time.Time) error {
	var seen waitingState
	var p *parcel
	err := s.Store.View(func(tx *store.Tx) (err error) {
		if seen, err = s.waitingNow(tx, r); err != nil || !seen.shows {
			return err
		}
		p, err = s.gather(tx, dueRow{Case: r.Case, Party: r.Party, Notice: r.Notice}, now, &looks{})
		return err
	})
	if err != nil {
		return err
	}
	var fresh *freshView
	if seen.shows && seen.fate.said() != r.Said {
		if fresh, err = s.waitingView(p, seen); err != nil {
			return err
		}
		defer fresh.draft.Drop()
	}
	return s.Store.Update(func(tx *store.Tx) error { return s.putWaitingView(tx, seen, fresh) })
}

// waitingView is what the desk sees of a letter that has not left: the words and
// files that will.
func (s *Scheduler) waitingView(p *parcel, w waitingState) (*freshView, error) {
	o := s.Outbox
	r, err := o.render(p)
	if err != nil {
		return nil, err
	}
	files, err := o.attachments(p)
	if err != nil {
		return nil, err
	}
	p.Now = w.row.Since
	note := fmt.Sprintf("%s%s <%s>.", waitingFor, p.Notice.Party, p.to()) + w.fate.note()
	fields := append(o.viewFields(p, r.Subject, w.row.MessageID), message.Field{Name: "Parley-Encryption", Value: "yes"},
		w.fate.field(), message.Field{Name: "Parley-Via", Value: o.ThreadAddress(p.Participant.Token)})
	raw, err := message.Entity{Fields: fields, Text: laidOut(note) + "\n\n" + p.words(r, files), Attachments: files}.Bytes(randomHex(16))
	if err != nil {
		return nil, err
	}
	f := &freshView{size: int64(len(raw))}
	if f.tree, err = message.Parse(raw, ownLimits(s.Limits)); err != nil {
		return nil, fmt.Errorf("read our own mail: %w", err)
	}
	f.draft, err = s.Store.SealBytes(raw)
	return f, err
}

// putWaitingView files a view, unless the letter stands otherwise by now: then
// it is looked at once more.
func (b *Base) putWaitingView(tx *store.Tx, seen waitingState, f *freshView) error {
	r, err := waitingRows.Get(tx, store.Seq(seen.row.Notice))
	if errors.Is(err, store.ErrNotFound) {
		return nil // it left
	}
	if err != nil {
		return err
	}
	now, err := b.waitingNow(tx, r)
	if err != nil {
		return err
	}
	if !now.same(seen) {
		tx.Changed(store.Change{Topic: "prepare"})
		return nil
	}
	if f != nil {
		id, err := b.fileWaiting(tx, now, f)
		if err != nil {
			return err
		}
		r.Message, r.Said = id, now.fate.said()
	}
	if now.ended() {
		return dropWaiting(tx, r)
	}
	return putWaiting(tx, r, time.Time{})
}

func (b *Base) fileWaiting(tx *store.Tx, w waitingState, f *freshView) (uint64, error) {
	served, err := tx.Keep(f.draft)
	if err != nil {
		return 0, err
	}
	m := store.Message{Scope: caseScope(w.home), At: w.row.Since, Served: served, Size: f.size, Envelope: f.tree.Envelope(),
		Structure: f.tree.Structure(), MessageID: w.row.MessageID, Case: string(w.home), Party: string(w.party),
		Direction: "out", Kind: string(w.notice.Kind), Ref: noticeRef(w.notice)}
	if m, err = tx.PutMessage(m); err != nil {
		return 0, err
	}
	if done, err := takesPlace(tx, w.row.Message, m.ID); err != nil || done {
		return m.ID, err
	}
	c, err := CaseByID(tx, w.home)
	if err != nil {
		return 0, err
	}
	box, err := b.threadBox(tx, c, w.party)
	if err != nil {
		return 0, err
	}
	return m.ID, fileIn(tx, box, m)
}

// takesPlace puts a view into the place that one before has in its thread; false
// where that is in none. Copies that somebody keeps stay what they are, and so do
// receipts.
func takesPlace(tx *store.Tx, old, fresh uint64) (done bool, err error) {
	if err := supersede(tx, old); err != nil || old == 0 {
		return false, err
	}
	filed, err := tx.FiledIn(old)
	if err != nil {
		return false, err
	}
	for _, at := range filed {
		box, err := tx.Mailbox(at.Mailbox)
		if err != nil {
			return done, err
		}
		if box.Owner != "" || box.Case == "" {
			continue
		}
		if _, err := tx.Replace(at.Mailbox, at.UID, fresh); err != nil {
			return done, err
		}
		done = true
	}
	return done, nil
}

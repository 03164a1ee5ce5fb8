package mailflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// Outbox turns due notices into sealed mails in the delivery queue.
type Outbox struct{ *Base }

// errStale says that a parcel changed while it was sealed.
var errStale = errors.New("changed while it was sealed")

// Release asks the gate about one due notice and, where it answers Release,
// renders, seals and queues it. A notice that fails to render or seal is
// held, and the desk told; it never stops the others.
func (o *Outbox) Release(ctx context.Context, row dueNotice, now time.Time, l *looks) error {
	for range 3 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := o.releaseOnce(row, now, l)
		if !errors.Is(err, errStale) {
			return err
		}
	}
	return nil // still due; the next round tries again
}

func (o *Outbox) releaseOnce(row dueNotice, now time.Time, l *looks) error {
	var p *parcel
	err := o.Store.View(func(tx *store.Tx) (err error) {
		p, err = o.gather(tx, row.dueRow, now, l)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrNoParticipant) {
		return o.dropRow(row.key)
	}
	if err != nil {
		return o.fault(row.dueRow, "it could not be read", err)
	}
	if a := MayRelease(p.Question); a.Decision != Release {
		return o.settleNow(row.dueRow, now, l)
	}
	if p.size() > largeMail { // one after the other, since each takes some times its size in memory
		l.large.Lock()
		defer l.large.Unlock()
	}
	var s *sealed
	err = guarded(func() (err error) {
		s, err = o.seal(p)
		return err
	})
	if err != nil {
		return o.fault(row.dueRow, "it could not be written", err)
	}
	defer s.drop()
	mark := p.mark()
	return o.Store.Update(func(tx *store.Tx) error { return o.enqueue(tx, row.dueRow, now, mark, s, l) })
}

// fault holds a notice that cannot be read or written. Why stands before the
// desk; a log learns the kind only, since the words may be those of the case
// (rule H6). What ails the store itself, and what was not done because the
// gateway stops, is tried again.
func (o *Outbox) fault(row dueRow, what string, err error) error {
	for _, ails := range []error{store.ErrFull, store.ErrBroken, store.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ails) {
			return err
		}
	}
	about := []any{"notice", row.Notice, "kind", fmt.Sprintf("%T", rootOf(err))}
	if p := (*store.PanicError)(nil); errors.As(err, &p) {
		about = append(about, "stack", string(p.Stack))
	}
	o.Log.Error("notice held: "+what, about...)
	return o.hold(row, what+": "+err.Error())
}

// rootOf is the innermost error.
func rootOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// dropRow forgets the row of a notice that is gone.
func (o *Outbox) dropRow(key []byte) error {
	return o.Store.Update(func(tx *store.Tx) error { return dueRows.Delete(tx, key) })
}

// settleNow asks again inside a transaction and writes the answer.
func (o *Outbox) settleNow(row dueRow, now time.Time, l *looks) error {
	return o.Store.Update(func(tx *store.Tx) error {
		p, err := o.gather(tx, row, now, l)
		if err != nil {
			return err
		}
		a := MayRelease(p.Question)
		if a.Decision == Release {
			return nil // became free meanwhile: its row is still due
		}
		return o.settle(tx, p.Notice, a)
	})
}

func (o *Outbox) hold(row dueRow, why string) error {
	return o.Store.Update(func(tx *store.Tx) error {
		n, err := notices.Get(tx, noticeKey(tx, row.Case, row.Party, row.Notice))
		if err != nil {
			return err
		}
		return o.settle(tx, n, Answer{Decision: HoldIt, Why: why})
	})
}

// enqueue is the transaction in which a notice leaves the desk: the gate is
// asked again, then thread, queue row, notice, participant and journal change
// together.
func (o *Outbox) enqueue(tx *store.Tx, row dueRow, now time.Time, mark string, s *sealed, l *looks) error {
	p, err := o.gather(tx, row, now, l)
	if err != nil {
		return err
	}
	if a := MayRelease(p.Question); a.Decision != Release {
		return o.settle(tx, p.Notice, a)
	}
	if p.mark() != mark || !sameAgreed(agreedDate(p), s.agreed) {
		return errStale
	}
	n := p.Notice
	if n.Delivery, err = o.toQueue(tx, p, s); err != nil {
		return err
	}
	if n.State == cvd.Held {
		if err := o.heldDone(tx, n); err != nil {
			return err
		}
	}
	n.State, n.Why, n.MessageID, n.Hash = cvd.Queued, "", s.messageID, mark
	n.Bounced, n.Delayed, n.Returned = time.Time{}, time.Time{}, ""
	if n.Kind == cvd.KindStage || n.Kind == cvd.KindReminder {
		n.Words = p.Words
	}
	if n.Keys = nil; !p.inClear() {
		n.Keys = p.keys()
	}
	if err := putNotice(tx, n, time.Time{}); err != nil {
		return err
	}
	if err := o.reach(tx, p, n); err != nil {
		return err
	}
	if err := o.fileSent(tx, p, s); err != nil {
		return err
	}
	o.moved(tx, n.Case)
	return record(tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: letterAuthor(p), Kind: "notice.queued",
		Ref: noticeRef(n), Detail: string(n.Kind) + " " + string(n.Stage)})
}

// toQueue hands the exact bytes of a notice to the queue, and remembers whose
// thread a bounce of it or a reply to it belongs to.
func (o *Outbox) toQueue(tx *store.Tx, p *parcel, s *sealed) (delivery uint64, err error) {
	body, err := tx.Keep(s.wire)
	if err != nil {
		return 0, err
	}
	n := p.Notice
	item := queue.Item{Case: string(n.Case), Party: string(n.Party), Notice: n.ID, Scope: caseScope(n.Case),
		From: "bounce+" + s.bounce + "@" + o.Domain, To: p.to(), MessageID: s.messageID, EnvelopeID: envelopeID(s.bounce),
		Head: s.head, Body: body, InOrder: n.Kind == cvd.KindLeak}
	if delivery, err = o.Queue.Add(tx, item); err != nil {
		return 0, err
	}
	back := tokenRow{Case: n.Case, Party: n.Party}
	if err := bounces.Put(tx, caseScope(n.Case), tx.Name("bounce", s.bounce), bounceRow{tokenRow: back, Notice: n.ID}); err != nil {
		return 0, err
	}
	return delivery, msgIDs.Put(tx, caseScope(n.Case), msgIDKey(tx, s.messageID), back)
}

func letterAuthor(p *parcel) string {
	if p.Letter != nil {
		return p.Letter.Author
	}
	return ""
}

// reach writes what the participant knows from now on, and wakes its next
// stages.
func (o *Outbox) reach(tx *store.Tx, p *parcel, n cvd.Notice) error {
	who := p.Participant
	if agreed := agreedDate(p); agreed != nil {
		who.Agreed = agreed
	}
	if n.Code != "" {
		who.Remember(n.Code, n.ID, tx.Now)
	}
	if disclosing(n) && n.Stage.Rank() > who.Reached.Rank() {
		who.Reached = n.Stage
	}
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	if !disclosing(n) {
		return nil
	}
	return o.wake(tx, n.Case, n.Party, true)
}

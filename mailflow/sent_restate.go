package mailflow

import (
	"bytes"
	"errors"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// restated is a delivery with its view and with what that should say.
type restated struct {
	it   queue.Item
	view store.Message // none has the number 0
	fate fate
}

func (r restated) same(o restated) bool {
	return r.view.ID == o.view.ID && r.fate.word == o.fate.word && slices.Equal(r.fate.lines, o.fate.lines)
}

// restatedNow reads how a delivery stands.
func (b *Base) restatedNow(tx *store.Tx, id uint64) (r restated, err error) {
	if r.it, err = b.Queue.Item(tx, id); err != nil {
		return r, err
	}
	n, err := notices.Get(tx, noticeKey(tx, cvd.CaseID(r.it.Case), cvd.PartyID(r.it.Party), r.it.Notice))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return r, err
	}
	r.fate = fateOf(r.it, n)
	ids, err := tx.MessagesWithID(r.it.MessageID)
	for _, m := range slices.Backward(ids) { // the newest says how it stood last
		if r.view, err = tx.Message(m); err != nil {
			return r, err
		}
		if r.view.Direction == "out" && r.view.Party == r.it.Party {
			return r, nil
		}
	}
	r.view = store.Message{}
	return r, err
}

// restateOne writes the view of one delivery anew where it says something else by
// now. What is written is made outside of the transaction, which looks again.
func (b *Base) restateOne(id uint64) error {
	var seen restated
	err := b.Store.View(func(tx *store.Tx) (err error) {
		seen, err = b.restatedNow(tx, id)
		return err
	})
	switch {
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, store.ErrShredded):
		return b.Store.Update(func(tx *store.Tx) error { return restates.Delete(tx, store.Seq(id)) })
	case err != nil:
		return err
	}
	fresh, err := b.freshView(seen)
	if err != nil {
		return err
	}
	if fresh != nil {
		defer fresh.draft.Drop()
	}
	return b.Store.Update(func(tx *store.Tx) error {
		now, err := b.restatedNow(tx, id)
		if err != nil {
			return err
		}
		if !now.same(seen) {
			tx.Changed(store.Change{Topic: "prepare"})
			return nil // once more, from the start
		}
		if fresh != nil {
			if err := b.putView(tx, seen, fresh); err != nil {
				return err
			}
		}
		return restates.Delete(tx, store.Seq(id))
	})
}

// freshView is a view that is not filed yet.
type freshView struct {
	draft *store.Draft
	tree  *message.Part
	size  int64
}

// freshView makes the view, or none where there is nothing to change.
func (b *Base) freshView(r restated) (*freshView, error) {
	if r.view.ID == 0 {
		return nil, nil // our key, to somebody who asked for it
	}
	old, err := b.Store.Bytes(r.view.Served)
	if err != nil {
		return nil, err
	}
	text, err := r.fate.in(old)
	if errors.Is(err, errNoFate) || err == nil && bytes.Equal(text, old) {
		return nil, nil // it is from an earlier version, or says so already
	}
	if err != nil {
		return nil, err
	}
	f := &freshView{}
	if f.tree, err = message.Parse(text, ownLimits(b.Limits)); err != nil {
		return nil, err
	}
	f.draft, err = b.Store.SealBytes(text)
	return f, err
}

// putView puts a view in the place of the one before. Where a coordinator put a
// copy of that one elsewhere, the copy stays what it is.
func (b *Base) putView(tx *store.Tx, r restated, f *freshView) error {
	m := r.view
	var err error
	if m.Served, err = tx.Keep(f.draft); err != nil {
		return err
	}
	m.Envelope, m.Structure = f.tree.Envelope(), f.tree.Structure()
	if m, err = tx.PutMessage(m); err != nil {
		return err
	}
	if err := errors.Join(inReport(tx, cvd.CaseID(r.it.Case), r.view, m.ID), supersede(tx, r.view.ID)); err != nil {
		return err
	}
	filed, err := tx.FiledIn(r.view.ID)
	if err != nil {
		return err
	}
	for _, at := range filed {
		box, err := tx.Mailbox(at.Mailbox)
		if err != nil {
			return err
		}
		if box.Owner != "" || box.Party != m.Party {
			continue
		}
		if _, err := tx.Replace(at.Mailbox, at.UID, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// inReport names a view anew among the mails of a report.
func inReport(tx *store.Tx, c cvd.CaseID, old store.Message, fresh uint64) error {
	r, ok, err := reportOf(tx, c)
	if err != nil || !ok {
		return err
	}
	i := slices.Index(r.Messages, old.ID)
	if i < 0 {
		return nil
	}
	r.Messages[i] = fresh
	return reports.Put(tx, old.Scope, store.Seq(r.Number), r)
}

// newerIn is the UID in a folder of the view that took the place of a view of a
// mail of ours; 0 where none is there.
func newerIn(tx *store.Tx, box uint32, id uint64) (uint32, error) {
	old, err := tx.Message(id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil // it was replaced meanwhile
	}
	if err != nil || old.Direction != "out" {
		return 0, err
	}
	ids, err := tx.MessagesWithID(old.Envelope.MessageID)
	for _, other := range slices.Backward(ids) {
		m, err := tx.Message(other)
		if err != nil {
			return 0, err
		}
		if m.Direction != "out" || m.Ref != old.Ref || m.Party != old.Party || m.Case != old.Case {
			continue
		}
		if uid, err := filedIn(tx, box, other); err != nil || uid > 0 {
			return uid, err
		}
	}
	return 0, err
}

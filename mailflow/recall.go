package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// recall takes back what was queued to a participant, is one of these and has
// not been handed over (rule T4): such notices are planned again. It counts
// them, and names those that left. The caller writes the participant.
func (b *Base) recall(tx *store.Tx, p *cvd.Participant, by string, these func(cvd.Notice) bool) (recalled int, gone []string, err error) {
	all, err := Notices(tx, p.Case, p.Party)
	if err != nil {
		return 0, nil, err
	}
	for i, n := range all {
		if n.State != cvd.Queued || !these(n) {
			continue
		}
		switch err := b.Queue.Cancel(tx, n.Delivery); {
		case errors.Is(err, queue.ErrAlreadySent), errors.Is(err, queue.ErrUnderWay):
			gone = append(gone, noticeName(n))
			continue
		case err != nil:
			return recalled, gone, err
		}
		if all[i], err = b.planAgain(tx, n, by); err != nil {
			return recalled, gone, err
		}
		// It is given again as the notice leaves; twice on record it would count twice.
		p.Codes = slices.DeleteFunc(p.Codes, func(c cvd.Code) bool { return c.Notice == n.ID })
		recalled++
	}
	if recalled > 0 {
		p.Reached = reachedBy(all)
	}
	return recalled, gone, b.recallOtherHalves(tx, *p, by, these)
}

// recallMislaid takes back what waits in the queue encrypted to a key that is
// not to be used any more: it passes the gate again, and is encrypted anew.
func (b *Base) recallMislaid(tx *store.Tx, who cvd.Participant, by string) error {
	mislaid, err := b.mislaid(tx, who)
	if err != nil {
		return err
	}
	n, _, err := b.recall(tx, &who, by, mislaid)
	if err != nil || n == 0 {
		return err
	}
	return PutParticipant(tx, who)
}

// mislaid says of a notice that was encrypted for a participant whether one of
// the keys it was encrypted to would not be chosen now. Of one from before they
// were on record nobody knows, and it counts as such.
func (b *Base) mislaid(tx *store.Tx, who cvd.Participant) (func(cvd.Notice) bool, error) {
	c, err := CaseByID(tx, who.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	keys, err := ownerKeys(tx, OwnerOf(who))
	if err != nil {
		return nil, err
	}
	return func(n cvd.Notice) bool {
		if clearKind(n.Kind) {
			return false
		}
		choice := keyring.Select(b.Certs, keys, need(Question{Case: c, Participant: who, Notice: n}), tx.Now)
		good := encryptedTo(choice.Certificates, tx.Now)
		return len(n.Keys) == 0 || slices.ContainsFunc(n.Keys, func(f string) bool { return !slices.Contains(good, f) })
	}, nil
}

// planAgain makes a notice whose delivery was taken back one that is to come.
func (b *Base) planAgain(tx *store.Tx, n cvd.Notice, by string) (cvd.Notice, error) {
	if err := unfileSent(tx, n); err != nil {
		return n, err
	}
	n.State, n.Why, n.Delivery, n.MessageID, n.Hash, n.Keys = cvd.Planned, "", 0, "", "", nil
	n.SentAt, n.Bounced = time.Time{}, time.Time{}
	n.LastAct, n.ByNeed = lastAct(n.LastAct, tx.Now), false
	row := laterOf(n.Due, tx.Now)
	err := putNotice(tx, n, row)
	n.Row = row
	if err == nil {
		err = b.awaits(tx, n)
	}
	if err == nil {
		err = record(tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: by, Kind: "notice.recalled", Ref: noticeRef(n)})
	}
	return n, err
}

// unfileSent takes the view of a mail that did not leave after all out of its
// thread.
func unfileSent(tx *store.Tx, n cvd.Notice) error {
	ids, err := tx.MessagesWithID(n.MessageID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		places, err := tx.FiledIn(id)
		if err != nil {
			return err
		}
		for _, at := range places {
			box, err := tx.Mailbox(at.Mailbox)
			if err != nil {
				return err
			}
			if box.Case != string(n.Case) {
				continue
			}
			if err := tx.Unfile(at.Mailbox, at.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// reachedBy is the highest stage that has left, or is about to. What their server
// refused or gave back told nobody anything.
func reachedBy(all []cvd.Notice) cvd.Stage {
	reached := cvd.Stage("")
	for _, n := range all {
		told := hasLeft(n.State) && !cameBack(n)
		if disclosing(n) && told && n.Stage.Rank() > reached.Rank() {
			reached = n.Stage
		}
	}
	return reached
}

// cameBack says that the server of a participant refused a notice, or took it and
// gave it back.
func cameBack(n cvd.Notice) bool {
	return n.State == cvd.Failed || n.State == cvd.Sent && !n.Bounced.IsZero()
}

// reachAgain writes what a participant knows once a notice came back, or went
// after all. Who was late for it was silent about nothing.
func (b *Base) reachAgain(tx *store.Tx, n cvd.Notice) error {
	who, err := ParticipantByID(tx, n.Case, n.Party)
	if errors.Is(err, ErrNoParticipant) || err == nil && !disclosing(n) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := Notices(tx, n.Case, n.Party)
	if err != nil {
		return err
	}
	who.Reached = reachedBy(all)
	silent := who.Late != nil && !who.Late.Silent.IsZero() && who.Late.Word == ""
	if !silent || len(who.Unanswered(all)) > 0 {
		return PutParticipant(tx, who)
	}
	who.Late = nil // nobody answers what did not get there
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	return b.replan(tx, who.Case)
}

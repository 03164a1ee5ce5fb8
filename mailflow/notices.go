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

// reportCase is the CaseID under which the finder of a report takes part
// until the report belongs to a case. It is a scope of its own, so that the
// report can move into a case's.
func reportCase(n uint64) cvd.CaseID { return cvd.CaseID(fmt.Sprintf("report-%d", n)) }

// reportNumber reads the number back from a report's CaseID.
func reportNumber(c cvd.CaseID) (uint64, bool) {
	rest, ok := strings.CutPrefix(string(c), "report-")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(rest, 10, 64)
	return n, err == nil && reportCase(n) == c
}

// putNotice writes a notice and keeps its row among the due ones in step: a
// notice that time alone can move has one, at n.Row; others have none.
func putNotice(tx *store.Tx, n cvd.Notice, row time.Time) error {
	r := dueRow{Case: n.Case, Party: n.Party, Notice: n.ID, InOrder: n.Kind == cvd.KindLeak}
	if err := moveDue(tx, dueRows, caseScope(n.Case), store.Seq(n.ID), n.Row, row, r); err != nil {
		return err
	}
	n.Row = row
	if n.Kind == cvd.KindLetter {
		if err := letterChanged(tx, n.ID); err != nil {
			return err
		}
		tx.Changed(store.Change{Topic: "prepare"})
	}
	return notices.Put(tx, caseScope(n.Case), noticeKey(tx, n.Case, n.Party, n.ID), n)
}

// newNotice plans a notice: it gets its ID, its row and, where a person or
// template already wrote its words, its letter. A zero Due means now.
func (b *Base) newNotice(tx *store.Tx, n cvd.Notice, l *Letter) (cvd.Notice, error) {
	id, err := tx.Next("notice")
	if err != nil {
		return n, err
	}
	n.ID, n.State = id, cvd.Planned
	if n.Due.IsZero() {
		n.Due = tx.Now
	}
	if l != nil {
		l.OurKey = b.Own.now.Load().named(l.Text)
		if err := letters.Put(tx, caseScope(n.Case), letterKey(id), *l); err != nil {
			return n, err
		}
	}
	row := n.Due
	n.Row = time.Time{}
	if err := putNotice(tx, n, row); err != nil {
		return n, err
	}
	n.Row = row
	return n, b.awaits(tx, n)
}

// settle writes what the gate said of a notice that does not leave now. A
// notice that is held or asks for a person is told to the desk once.
func (b *Base) settle(tx *store.Tx, n cvd.Notice, a Answer) error {
	if n.State.Over() {
		return putNotice(tx, n, time.Time{}) // it left or ended meanwhile, and only its row is too many
	}
	var row time.Time
	was, why := n.State, n.Why
	n.Why = a.Why
	switch a.Decision {
	case NotYet:
		n.State, row = cvd.Planned, a.At
	case Wait:
		n.State = cvd.Waiting
	case Ask:
		n.State = cvd.Approval
	case HoldIt:
		if n.State, row = cvd.Held, a.At; a.ByHand && n.Kind == cvd.KindReminder {
			n.State, n.Why = cvd.Waiting, remindsByHand
		}
	default:
		return b.cancel(tx, n, a.Why)
	}
	if err := putNotice(tx, n, row); err != nil {
		return err
	}
	n.Row = row
	if n.State == cvd.Approval {
		b.touch(tx, n.Case)
	} else {
		b.moved(tx, n.Case)
	}
	switch {
	case n.State == was && why == n.Why:
		return nil
	case n.Why == remindsByHand:
		return b.tellRemind(tx, n)
	case n.State != cvd.Held && was == cvd.Held:
		return b.heldDone(tx, n)
	case n.State != cvd.Held:
		return nil
	}
	err := record(tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Kind: "notice.held", Ref: noticeRef(n), Detail: a.Why})
	if err != nil {
		return err
	}
	if err := b.tellHeld(tx, n); err != nil || !a.NoKey || !disclosing(n) {
		return err
	}
	who, err := ParticipantByID(tx, n.Case, n.Party)
	if err != nil {
		return err
	}
	return b.askForKey(tx, who)
}

// cancel ends a notice that will not leave any more, with what stood before
// the desk because of it.
func (b *Base) cancel(tx *store.Tx, n cvd.Notice, why string) error {
	held := n.State == cvd.Held
	n.State, n.Why = cvd.Cancelled, why
	if err := putNotice(tx, n, time.Time{}); err != nil {
		return err
	}
	b.moved(tx, n.Case)
	if err := keyAskCancelled(tx, n); err != nil {
		return err
	}
	if held {
		if err := b.heldDone(tx, n); err != nil {
			return err
		}
	}
	return b.voidRequest(tx, n, why)
}

// voidRequest ends the request for approval that a notice waited for. What
// else was in it is asked for anew.
func (b *Base) voidRequest(tx *store.Tx, n cvd.Notice, why string) error {
	if n.ApprovalID == "" {
		return nil
	}
	a, err := approvalByID(tx, n.ApprovalID)
	if err != nil || !a.Open() {
		return err
	}
	b.touch(tx, n.Case)
	return b.void(tx, a.ID, why, "")
}

// disclosing says that a notice raises what its participant knows.
func disclosing(n cvd.Notice) bool { return n.Kind == cvd.KindStage || n.Kind == cvd.KindLeak }

// noticeRef names a notice in the journal and in mails, "N12".
func noticeRef(n cvd.Notice) string { return fmt.Sprintf("N%d", n.ID) }

// wakeNotices asks the gate again for every notice of a participant (of all,
// where party is empty) that is not over: after an answer, a release, a key,
// an approval. byNeed says that a participant's answer did it, so that
// no undo window applies.
func (b *Base) wakeNotices(tx *store.Tx, c cvd.CaseID, party cvd.PartyID) error {
	return b.wake(tx, c, party, false)
}

func (b *Base) wake(tx *store.Tx, c cvd.CaseID, party cvd.PartyID, byNeed bool) error {
	ps := []cvd.PartyID{party}
	if party == "" {
		all, err := Participants(tx, c)
		if err != nil {
			return err
		}
		ps = ps[:0]
		for _, p := range all {
			ps = append(ps, p.Party)
		}
	}
	home, err := CaseByID(tx, c)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return err
	}
	for _, p := range ps {
		all, err := b.askedOf(tx, home, p, c)
		if err != nil {
			return err
		}
		for _, n := range all {
			if err := wakeOne(tx, n, byNeed); err != nil {
				return err
			}
		}
	}
	if party != "" { // else theirs are among all
		if err := wakeOtherHalves(tx, c, party, byNeed); err != nil {
			return err
		}
	}
	b.touch(tx, c)
	return nil
}

// askedOf gives the notices of a participant, once those that remind it stand as
// they should.
func (b *Base) askedOf(tx *store.Tx, home cvd.Case, party cvd.PartyID, id cvd.CaseID) ([]cvd.Notice, error) {
	all, err := Notices(tx, id, party)
	if err != nil || home.ID == "" {
		return all, err
	}
	p, err := ParticipantByID(tx, id, party)
	if errors.Is(err, ErrNoParticipant) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	if changed, err := b.keepAsking(tx, home, p, all); err != nil || !changed {
		return all, err
	}
	return Notices(tx, id, party)
}

func wakeOne(tx *store.Tx, n cvd.Notice, byNeed bool) error {
	if n.State.Over() {
		return nil
	}
	was, row := n, n.Due
	if row.Before(tx.Now) {
		row = tx.Now
	}
	switch {
	case byNeed && n.State == cvd.Waiting:
		n.ByNeed = true
	case !byNeed:
		n.LastAct, n.ByNeed = lastAct(n.LastAct, tx.Now), false
	}
	if n.State == cvd.Waiting {
		n.State, n.Why = cvd.Planned, ""
	}
	same := n.State == was.State && n.ByNeed == was.ByNeed && n.LastAct.Equal(was.LastAct)
	if same && n.Row.Equal(row) {
		return nil // most are: one answer wakes one stage
	}
	return putNotice(tx, n, row)
}

// record appends to the journal in the scope of the record's case, or in that
// of the journal, whose key stays when others are renewed.
func record(tx *store.Tx, r journal.Record) error {
	r.At = tx.Now
	scope := JournalScope
	if id := cvd.CaseID(r.Case); id != "" && id != deskCase && tx.HasScope(caseScope(id)) {
		scope = caseScope(id)
	}
	if err := tx.NewScope(scope); err != nil {
		return err
	}
	return journal.Append(tx, string(scope), r)
}

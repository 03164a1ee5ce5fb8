package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// hears takes the word of one of the two on their introduction: yes or no. With
// both yes the introductions are planned; a no takes them back, unless one has
// left, which is `late`. filed says that a coordinator files it, so that what it
// lets go waits for the undo window.
func (b *Base) hears(tx *store.Tx, who *cvd.Participant, i intro, yes bool, a cvd.Acceptance, filed bool) (late bool, err error) {
	at := i.side(who.Party)
	if !yes { // which takes out of the queue what was not handed over
		if late, err = b.stopIntro(tx, who, &i, string(who.Party)+" took its word back"); late || err != nil {
			return late, err
		}
		i.Sides[at].Yes, i.Sides[at].No = nil, &a
		return false, putIntro(tx, i)
	}
	if gone, err := begun(tx, i); gone || err != nil {
		return false, err
	}
	i.Sides[at].Yes, i.Sides[at].No = &a, nil
	if err := b.cancelOne(tx, i, at, i.Sides[at].Asked, "answered"); err != nil { // one that a person put by hand
		return false, err
	}
	if i.agreed() {
		if err := b.planIntro(tx, &i, filed); err != nil {
			return false, err
		}
	}
	return false, putIntro(tx, i)
}

// planIntro plans both halves of an introduction that both agreed to, but what is
// planned already, or has left.
func (b *Base) planIntro(tx *store.Tx, i *intro, filed bool) error {
	for at, s := range i.Sides {
		if n, err := half(tx, *i, s); n.ID != 0 || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		n := cvd.Notice{Case: i.Case, Party: s.Party, Kind: cvd.KindIntroduction, Intro: i.Number, LastAct: tx.Now, ByNeed: !filed}
		n, err := b.newNotice(tx, n, nil)
		if err != nil {
			return err
		}
		i.Sides[at].Told = n.ID
	}
	return nil
}

// resumeIntros lets the introductions of a case go on that is open again: who had not
// answered when it was closed, and was not asked yet, is asked, and what both agreed
// to is planned anew.
func (b *Base) resumeIntros(tx *store.Tx, c cvd.CaseID) error {
	all, err := introsOf(tx, c)
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Ended != nil {
			continue
		}
		for at, s := range i.Sides {
			if i.Sides[at].Asked, err = b.askAgain(tx, i, s); err != nil {
				return err
			}
		}
		gone, err := begun(tx, i)
		if err == nil && (gone || i.agreed()) {
			err = b.planIntro(tx, &i, true)
		}
		if err == nil {
			err = putIntro(tx, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// askAgain plans a question anew that was cancelled with its case, and gives the
// notice that asks; it has the number that it had.
func (b *Base) askAgain(tx *store.Tx, i intro, s introSide) (uint64, error) {
	if s.Asked == 0 || s.Yes != nil || s.No != nil {
		return s.Asked, nil
	}
	n, err := notices.Get(tx, noticeKey(tx, i.Case, s.Party, s.Asked))
	if err != nil || n.State != cvd.Cancelled {
		return s.Asked, err
	}
	n, err = b.newNotice(tx, questionTo(i, s.Party, tx.Now), nil)
	return n.ID, err
}

// questionTo is the notice that asks one of the two.
func questionTo(i intro, p cvd.PartyID, now time.Time) cvd.Notice {
	return cvd.Notice{Case: i.Case, Party: p, Kind: cvd.KindQuestion, Intro: i.Number, Code: cvd.NewCode(), LastAct: now}
}

// stopIntro takes back the halves of an introduction that have not left. Where one
// has, the other goes as well: gone.
func (b *Base) stopIntro(tx *store.Tx, who *cvd.Participant, i *intro, why string) (gone bool, err error) {
	for _, s := range i.Sides {
		if err := b.recallTo(tx, who, *i, s); err != nil {
			return false, err
		}
	}
	if gone, err := begun(tx, *i); gone || err != nil {
		return gone, err
	}
	for at, s := range i.Sides {
		if err := b.cancelOne(tx, *i, at, s.Told, why); err != nil {
			return false, err
		}
		i.Sides[at].Told = 0
	}
	return false, nil
}

// recallTo takes one half out of the queue, where it was not handed over. who is a
// participant that the caller writes itself, or nil.
func (b *Base) recallTo(tx *store.Tx, who *cvd.Participant, i intro, s introSide) error {
	if s.Told == 0 {
		return nil
	}
	its := func(n cvd.Notice) bool { return n.ID == s.Told }
	if who != nil && who.Party == s.Party {
		_, _, err := b.recall(tx, who, "", its)
		return err
	}
	other, err := ParticipantByID(tx, i.Case, s.Party)
	if err != nil {
		return err
	}
	if n, _, err := b.recall(tx, &other, "", its); err != nil || n == 0 {
		return err
	}
	return PutParticipant(tx, other)
}

// wakeOtherHalves asks the gate again for what introduces others to a participant
// that can be written to by now, or was let go: no half leaves without the other,
// and none stays behind.
func wakeOtherHalves(tx *store.Tx, c cvd.CaseID, party cvd.PartyID, byNeed bool) error {
	all, err := introsOf(tx, c)
	if err != nil {
		return err
	}
	for _, i := range all {
		at := i.side(party)
		if at < 0 {
			continue
		}
		n, err := half(tx, i, i.Sides[1-at])
		if err != nil {
			return err
		}
		if n.ID == 0 {
			continue
		}
		if err := wakeOne(tx, n, byNeed); err != nil {
			return err
		}
	}
	return nil
}

// recallOtherHalves takes out of the queue what introduces others to a participant
// of whom something is stopped, its own half of the introduction with it: these says
// what. Where that half has left the other stays.
func (b *Base) recallOtherHalves(tx *store.Tx, who cvd.Participant, by string, these func(cvd.Notice) bool) error {
	all, err := introsOf(tx, who.Case)
	if err != nil {
		return err
	}
	for _, i := range all {
		at := i.side(who.Party)
		if at < 0 {
			continue
		}
		own, err := half(tx, i, i.Sides[at])
		if err != nil {
			return err
		}
		if own.ID == 0 || hasLeft(own.State) || !these(own) {
			continue
		}
		other, err := half(tx, i, i.Sides[1-at])
		if err != nil {
			return err
		}
		if other.State != cvd.Queued {
			continue
		}
		switch err := b.Queue.Cancel(tx, other.Delivery); {
		case errors.Is(err, queue.ErrAlreadySent), errors.Is(err, queue.ErrUnderWay):
			continue
		case err != nil:
			return err
		}
		if _, err := b.planAgain(tx, other, by); err != nil {
			return err
		}
	}
	return nil
}

// cancelOne ends a notice of an introduction, if there is one and it has not left.
func (b *Base) cancelOne(tx *store.Tx, i intro, at int, id uint64, why string) error {
	if id == 0 {
		return nil
	}
	n, err := notices.Get(tx, noticeKey(tx, i.Case, i.Sides[at].Party, id))
	if err != nil || n.State.Over() {
		return err
	}
	return b.cancel(tx, n, why)
}

// questionsTo lists the introductions that a participant may still say something
// about by a number: those that it was asked about, and nobody took back.
func questionsTo(tx *store.Tx, who cvd.Participant) ([]intro, error) {
	all, err := introsOf(tx, who.Case)
	return slices.DeleteFunc(all, func(i intro) bool {
		at := i.side(who.Party)
		return at < 0 || i.Sides[at].Question == 0 || i.Ended != nil
	}), err
}

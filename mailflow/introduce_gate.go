package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// introLook is what the gate is told of an introduction.
type introLook struct {
	intro
	Other     cvd.Participant
	OtherMay  Answer // of the gate about the other half, of an introduction
	OtherLeft bool   // it has left, and did not come back
}

// isOf says whether an introduction is the one that a notice is about.
func (i *introLook) isOf(q *Question) bool {
	return i != nil && i.Number == q.Notice.Intro && i.side(q.Participant.Party) >= 0
}

// waitsFor says whether a notice is the one that its participant is asked or told
// by: another was put in the place of any before it.
func (i *introLook) waitsFor(n cvd.Notice) bool {
	s := i.Sides[i.side(n.Party)]
	return n.ID == s.Told || n.Kind == cvd.KindQuestion && n.ID == s.Asked
}

func ofIntroduction(n cvd.Notice) bool {
	return n.Kind == cvd.KindQuestion || n.Kind == cvd.KindIntroduction
}

// stillWaitsFor refuses to send a mail of an introduction once more that nothing
// rests on any more: a word was taken back since, or another mail took its place.
func (s *sitting) stillWaitsFor(n cvd.Notice) error {
	i, err := introByNumber(s.tx, n.Case, n.Intro)
	if err != nil {
		return err
	}
	look := introLook{intro: i}
	if i.Ended == nil && look.waitsFor(n) {
		return nil
	}
	return notDone("what %s and %s said of their introduction has changed since this mail was written, and nobody is told who the other is by it; `status` says how it stands", i.Sides[0].Party, i.Sides[1].Party)
}

// why is the reason for which an introduction was taken back.
func (i *introLook) why() string { return because(i.Ended) }

// follows says whether the other half of an introduction has left already.
func follows(q *Question) bool { return anIntroduction(q.Notice.Kind) && q.Intro.OtherLeft }

// gatherIntro reads what a question or an introduction depends on, and writes its
// words as they are now: a contact address may have changed since.
func (b *Base) gatherIntro(tx *store.Tx, p *parcel) error {
	i, err := introByNumber(tx, p.Notice.Case, p.Notice.Intro)
	if err != nil {
		return err
	}
	at := i.side(p.Notice.Party)
	if at < 0 {
		return fmt.Errorf("introduction %d is not about %s", i.Number, p.Notice.Party)
	}
	other := i.Sides[1-at]
	look := &introLook{intro: i}
	if look.Other, err = ParticipantByID(tx, i.Case, other.Party); err != nil {
		return err
	}
	if look.OtherLeft, err = toldFor(tx, i, other); err != nil {
		return err
	}
	p.Intro = look
	if p.Notice.Kind == cvd.KindQuestion {
		p.Letter, err = b.questionLetter(p, i.Sides[at])
		return err
	}
	if !look.OtherLeft {
		if look.OtherMay, err = b.couldLeave(tx, p, look); err != nil {
			return err
		}
	}
	p.Letter, err = b.introLetter(tx, p, look.Other)
	return err
}

// couldLeave asks the gate about the other half of an introduction, as if nothing
// but that stood in its way: both leave, or neither.
func (b *Base) couldLeave(tx *store.Tx, p *parcel, look *introLook) (Answer, error) {
	n, err := half(tx, look.intro, look.Sides[look.side(look.Other.Party)])
	switch {
	case err != nil:
		return Answer{}, err
	case n.ID == 0:
		return Answer{Decision: HoldIt, Why: "it is not planned"}, nil
	case cameBack(n):
		return Answer{Decision: HoldIt, Why: "their server refused it, or gave it back"}, nil
	}
	h, err := homeOf(tx, p.Case, look.Other)
	if err != nil {
		return Answer{}, err
	}
	q := b.bareParcel(h, n, p.Now).Question
	q.Intro = &introLook{intro: look.intro, Other: p.Participant, OtherMay: Answer{Decision: Release}}
	a := MayRelease(q)
	if a.ByHand {
		a = Answer{Decision: Release} // a person tells it
	}
	return a, nil
}

// introTrust is the stage whose trust a key needs for an introduction: it tells of
// others, and so what a scope needs at least.
func introTrust(p cvd.Participant) cvd.Stage {
	if p.Reached.Rank() < cvd.Scope.Rank() {
		return cvd.Scope
	}
	return p.Reached
}

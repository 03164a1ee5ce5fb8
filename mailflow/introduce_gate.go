package mailflow

import (
	"fmt"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// introLook is what the gate is told of an introduction.
type introLook struct {
	intro
	Other     cvd.Participant
	OtherMay  string // why the other's half could not leave now; empty where it could, or has
	OtherLeft bool   // it has left
}

// isOf says whether an introduction is the one that a notice is about.
func (i *introLook) isOf(q *Question) bool {
	return i != nil && i.Number == q.Notice.Intro && i.side(q.Participant.Party) >= 0
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
	if look.OtherLeft, err = leftFor(tx, i, other); err != nil {
		return err
	}
	p.Intro = look
	if p.Notice.Kind == cvd.KindQuestion {
		p.Letter, err = b.questionLetter(p, i.Sides[at])
		return err
	}
	if look.OtherMay, err = b.couldLeave(tx, p, look); err != nil {
		return err
	}
	p.Letter, err = b.introLetter(tx, p, look.Other)
	return err
}

// couldLeave says why the other half of an introduction could not leave now, or "".
func (b *Base) couldLeave(tx *store.Tx, p *parcel, look *introLook) (string, error) {
	h, err := homeOf(tx, p.Case, look.Other)
	if err != nil || look.OtherLeft {
		return "", err
	}
	q := Question{Now: p.Now, Case: p.Case, Participant: look.Other, Party: h.Party,
		Notice: cvd.Notice{Case: p.Notice.Case, Party: look.Other.Party, Kind: cvd.KindIntroduction, Intro: look.Number}}
	if h.Party.Channel == cvd.ChannelHand {
		return "", nil // a person tells it
	}
	if revokedThere(&q) {
		return string(look.Other.Party) + revokedWhy + look.Other.Address, nil
	}
	q.Keys = keyring.Select(b.Certs, h.Pinned, need(q), q.Now)
	if a := mayEncrypt(&q); a != nil {
		return a.Why, nil
	}
	q.Pause = pauseOf(h.Pinned, q.Keys.Standing, p.Case.Policy)
	if a := mayPause(&q); a != nil {
		return a.Why, nil
	}
	return "", nil
}

// introTrust is the stage whose trust a key needs for an introduction: it tells of
// others, and so what a scope needs at least.
func introTrust(p cvd.Participant) cvd.Stage {
	if p.Reached.Rank() < cvd.Scope.Rank() {
		return cvd.Scope
	}
	return p.Reached
}

package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// asksConsentAgain takes back what a party agreed to by mail and that has led to
// nothing yet, once it revoked an address: whoever reads there may have said it. It is
// asked again, with a fresh code; of a case that is closed once that is opened again.
// It counts those questions. A REVEAL that nobody made an introduction of is gone, and
// `introduce` asks.
func (b *Base) asksConsentAgain(tx *store.Tx, p cvd.PartyID) (asked int, err error) {
	all, err := placesOf(tx, p, func(_ cvd.Case, who cvd.Participant) bool { return who.Withdrawn == nil })
	if err != nil {
		return asked, err
	}
	for _, who := range all {
		if len(who.Reveals) > 0 {
			who.Reveals = nil
			if err := PutParticipant(tx, who); err != nil {
				return asked, err
			}
		}
		intros, err := introsOf(tx, who.Case)
		if err != nil {
			return asked, err
		}
		for _, i := range intros {
			at := i.side(p)
			if at < 0 || i.Ended != nil || i.Sides[at].Yes == nil || i.Sides[at].Yes.By != "" {
				continue // a coordinator who filed it knows who said it
			}
			gone, err := b.stopIntro(tx, nil, &i, string(p)+" revoked an address, and is asked again")
			if err != nil {
				return asked, err
			}
			if gone {
				continue
			}
			if err := b.askSideAgain(tx, i, at, intros); err != nil {
				return asked, err
			}
			asked++
		}
	}
	return asked, nil
}

// askSideAgain asks one of two again. Who agreed without a question, by REVEAL, has a
// question from now on.
func (b *Base) askSideAgain(tx *store.Tx, i intro, at int, all []intro) error {
	side := &i.Sides[at]
	n, err := b.newNotice(tx, cvd.Notice{Case: i.Case, Party: side.Party, Kind: cvd.KindQuestion, Intro: i.Number, Code: cvd.NewCode()}, nil)
	if err != nil {
		return err
	}
	if side.Yes, side.Asked = nil, n.ID; side.Question == 0 {
		side.Question = nextQuestion(all, side.Party)
	}
	if err := putIntro(tx, i); err != nil {
		return err
	}
	b.touch(tx, i.Case)
	return record(tx, journal.Record{Case: string(i.Case), Party: string(side.Party), Kind: "introduce.asked", Ref: string(i.Sides[1-at].Party),
		Detail: fmt.Sprintf("again: %s revoked an address", side.Party)})
}

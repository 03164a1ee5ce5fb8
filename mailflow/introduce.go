package mailflow

import (
	"errors"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// intro is an introduction: two participants of a case are asked, each in its own
// thread, whether they want to know of each other. Only where both say so does
// each learn who the other is; before that neither learns what the other was asked
// or said.
type intro struct {
	Number  uint64
	Case    cvd.CaseID
	Sides   [2]introSide
	Because string // for the desk alone
	By      string
	At      time.Time
	Ended   *cvd.Hold // taken back by the desk, or nil
}

// introSide is one of the two.
type introSide struct {
	Party    cvd.PartyID
	Question int             // its number among those that this participant was asked, from 1; 0: not asked
	Asked    uint64          // the notice that asks
	Yes      *cvd.Acceptance // or nil
	No       *cvd.Acceptance // its last word was no, or nil
	Told     uint64          // the notice that tells it who the other is; 0: none is planned
}

var introductions = store.Versioned[intro]("introductions")

func introPrefix(tx *store.Tx, c cvd.CaseID) []byte { return tx.Name("introduction", string(c)) }

func putIntro(tx *store.Tx, i intro) error {
	return introductions.Put(tx, caseScope(i.Case), append(introPrefix(tx, i.Case), store.Seq(i.Number)...), i)
}

func introByNumber(tx *store.Tx, c cvd.CaseID, n uint64) (intro, error) {
	return introductions.Get(tx, append(introPrefix(tx, c), store.Seq(n)...))
}

// introsOf lists the introductions of a case, oldest first.
func introsOf(tx *store.Tx, c cvd.CaseID) ([]intro, error) {
	return collect(introductions.All(tx, introPrefix(tx, c)), nil)
}

// side is the place of a participant among the two, -1 for anybody else.
func (i intro) side(p cvd.PartyID) int {
	return slices.IndexFunc(i.Sides[:], func(s introSide) bool { return s.Party == p })
}

// between says whether it is these two that it is about.
func (i intro) between(a, b cvd.PartyID) bool {
	return a != b && i.side(a) >= 0 && i.side(b) >= 0
}

// agreed says that both said yes, and nobody took it back.
func (i intro) agreed() bool {
	return i.Ended == nil && i.Sides[0].Yes != nil && i.Sides[1].Yes != nil
}

// half is the notice that tells one of the two who the other is; the zero one where
// none is planned.
func half(tx *store.Tx, i intro, s introSide) (cvd.Notice, error) {
	if s.Told == 0 {
		return cvd.Notice{}, nil
	}
	n, err := notices.Get(tx, noticeKey(tx, i.Case, s.Party, s.Told))
	if err != nil || n.State == cvd.Cancelled {
		return cvd.Notice{}, err
	}
	return n, nil
}

// toldFor says whether one of the two has been told who the other is, or is about
// to be. What came back told nobody.
func toldFor(tx *store.Tx, i intro, s introSide) (bool, error) {
	n, err := half(tx, i, s)
	return hasLeft(n.State) && !cameBack(n), err
}

// leftFor says whether somebody else may have read by now, or is about to, who the
// other is: a server took it, even if it gave it back later.
func leftFor(tx *store.Tx, i intro, s introSide) (bool, error) {
	n, err := half(tx, i, s)
	return hasLeft(n.State) && n.State != cvd.Failed, err
}

// begun says whether either half has left, so that no word takes it back.
func begun(tx *store.Tx, i intro) (bool, error) {
	for _, s := range i.Sides {
		if left, err := leftFor(tx, i, s); left || err != nil {
			return left, err
		}
	}
	return false, nil
}

// handedOn says whether either half was given to a server. What only waits in the
// queue can still be taken back by a word of either.
func handedOn(tx *store.Tx, i intro) (bool, error) {
	for _, s := range i.Sides {
		n, err := half(tx, i, s)
		if err != nil {
			return false, err
		}
		if n.State == cvd.Sent || n.State == cvd.Unknown {
			return true, nil
		}
	}
	return false, nil
}

// introducedTo lists whom a participant of a case was introduced to. Letters to it
// may name these (rule V6), in this case and nowhere else.
func introducedTo(tx *store.Tx, who cvd.Participant) ([]cvd.PartyID, error) {
	all, err := introsOf(tx, who.Case)
	if err != nil {
		return nil, err
	}
	var out []cvd.PartyID
	for _, i := range all {
		at := i.side(who.Party)
		if at < 0 {
			continue
		}
		told, err := toldFor(tx, i, i.Sides[at])
		if err != nil {
			return nil, err
		}
		if told {
			out = append(out, i.Sides[1-at].Party)
		}
	}
	return out, nil
}

// strangers leaves out of the mentions in a text those whom its reader was
// introduced to.
func strangers(tx *store.Tx, all []mention, who cvd.Participant) ([]mention, error) {
	if len(all) == 0 {
		return nil, nil
	}
	known, err := introducedTo(tx, who)
	if err != nil || len(known) == 0 {
		return all, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(m mention) bool { return slices.Contains(known, m.party) }), nil
}

// nextQuestion is the number of the next question to a participant. It counts its
// own alone, so that it tells nothing of anybody else's.
func nextQuestion(all []intro, p cvd.PartyID) int {
	n := 1
	for _, i := range all {
		if at := i.side(p); at >= 0 && i.Sides[at].Question >= n {
			n = i.Sides[at].Question + 1
		}
	}
	return n
}

// openIntro is the introduction of two participants that nobody ended and that has
// not been made; errNoIntro where there is none.
func openIntro(tx *store.Tx, c cvd.CaseID, a, b cvd.PartyID) (intro, error) {
	all, err := introsOf(tx, c)
	if err != nil {
		return intro{}, err
	}
	for _, i := range slices.Backward(all) {
		if i.between(a, b) && i.Ended == nil {
			return i, nil
		}
	}
	return intro{}, errNoIntro
}

var errNoIntro = errors.New("there is no such introduction")

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// kitLevel is one level of the leak kit of a case as it stands: what it is made
// of, and what became of the request for it.
type kitLevel struct {
	Level   cvd.Level
	Rule    cvd.StageRule // of the stage that the level stands for
	Lacks   string        // why it cannot be fired at all, "no material"; or empty
	Shared  []wording     // what everybody gets, in order
	Annexes []wording     // what one party gets besides
	Answers map[cvd.Stage][]faqEntry
	Need    int                  // yeses that it takes; 0 where it is ready without
	Hash    string               // over all of its texts and files
	Request *cvd.ApprovalRequest // the one that asked for it last, or nil
	Found   map[cvd.PartyID][]Crossing
	Spoken  map[cvd.PartyID]string // how our words speak to each of the vendors that were looked at
}

// kitRow says which request asked for each level last.
type kitRow struct{ Asked map[cvd.Level]string }

var kitRows = store.Versioned[kitRow]("leakkits")

func kitKey(tx *store.Tx, c cvd.CaseID) []byte { return tx.Name("leakkit", string(c)) }

func readKit(tx *store.Tx, c cvd.CaseID) (kitRow, error) {
	row, err := kitRows.Get(tx, kitKey(tx, c))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return row, err
}

// kitOf reads one level. What the check finds in it is another question, which
// costs more: see withFound.
func (b *Base) kitOf(tx *store.Tx, c cvd.Case, level cvd.Level, l *looks) (kitLevel, error) {
	k := kitLevel{Level: level, Answers: map[cvd.Stage][]faqEntry{}}
	rule, ok := c.Policy.Rule(level.Stage())
	if !ok {
		k.Lacks = fmt.Sprintf("the policy has no %s", level.Stage())
		return k, nil
	}
	k.Rule, k.Need = rule, rule.Approvals
	for _, piece := range level.Pieces() {
		if err := k.add(tx, c.ID, piece, l); err != nil {
			return k, err
		}
	}
	if len(k.Shared) > 0 && level == cvd.Rumour {
		k.Need = max(k.Need, 1) // words of a person; a heads-up has none
	}
	if k.Lacks != "" {
		return k, nil
	}
	k.Hash = k.sum(c.Policy.Name)
	return k, k.asked(tx, c.ID)
}

// add reads one piece: what everybody gets, each party's annex, and the answers
// that belong to it.
func (k *kitLevel) add(tx *store.Tx, id cvd.CaseID, piece cvd.Stage, l *looks) error {
	all, err := l.latest(tx, id, piece, "")
	if err != nil {
		return err
	}
	if all.Version > 0 {
		k.Shared = append(k.Shared, all)
	}
	if piece.Rank() == 0 {
		return nil
	}
	if all.Version == 0 {
		k.Lacks = "no material"
	}
	ps, err := Participants(tx, id)
	if err != nil {
		return err
	}
	for _, p := range ps {
		annex, err := l.latest(tx, id, piece, p.Party)
		if err != nil {
			return err
		}
		if annex.Version > 0 {
			k.Annexes = append(k.Annexes, annex)
		}
	}
	k.Answers[piece], err = faqOf(tx, id, piece)
	return err
}

// sum digests what a yes to the level is bound to.
func (k *kitLevel) sum(policy string) string {
	what := []any{"leak kit", k.Level, policy, k.Rule}
	for _, w := range slices.Concat(k.Shared, k.Annexes) {
		what = append(what, w.Stage, w.Party, w.Digest)
	}
	for _, piece := range k.Level.Pieces() {
		what = append(what, faqTexts(k.Answers[piece]))
	}
	return digestAll(what...)
}

// asked reads the request that asked for the level last.
func (k *kitLevel) asked(tx *store.Tx, id cvd.CaseID) error {
	row, err := readKit(tx, id)
	if err != nil || row.Asked[k.Level] == "" {
		return err
	}
	a, err := approvals.Get(tx, approvalKey(tx, row.Asked[k.Level]))
	if err == nil {
		k.Request = &a
	}
	return err
}

// withFound says of each vendor what the check finds in what it would get, and
// how it is spoken to.
func (b *Base) withFound(tx *store.Tx, k *kitLevel, ps []cvd.Participant, l *looks) error {
	k.Found, k.Spoken = map[cvd.PartyID][]Crossing{}, map[cvd.PartyID]string{}
	for _, p := range ps {
		if !inKit(p) {
			continue
		}
		party, err := PartyByID(tx, p.Party)
		if err != nil {
			return err
		}
		k.Spoken[p.Party] = spokenWords(party)
		found, err := b.foundInKit(tx, k, p, l)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			k.Found[p.Party] = found
		}
	}
	if len(k.Found) > 0 {
		k.Need = max(k.Need, 1)
	}
	return nil
}

func (b *Base) foundInKit(tx *store.Tx, k *kitLevel, p cvd.Participant, l *looks) ([]Crossing, error) {
	words, err := k.wordsFor(p.Party)
	if err != nil {
		return nil, err
	}
	about := &parcel{Question: Question{Participant: p, Notice: cvd.Notice{Stage: k.Level.Stage()}}}
	return b.foundIn(tx, about, l, words...)
}

// wordsFor is all that one party gets of the level.
func (k *kitLevel) wordsFor(party cvd.PartyID) ([]wording, error) {
	out := slices.Clone(k.Shared)
	for _, a := range k.Annexes {
		if a.Party == party {
			out = append(out, a)
		}
	}
	for _, piece := range k.Level.Pieces() {
		said, err := answerWords(k.Answers[piece])
		if err != nil {
			return nil, err
		}
		out = append(out, said...)
	}
	return out, nil
}

// inKit says whether a leak is told to a participant, whatever it was told
// before.
func inKit(p cvd.Participant) bool { return p.Has(cvd.RoleVendor) && p.Withdrawn == nil }

// foundKey names what the check found for one party in a level, in a request.
func foundKey(l cvd.Level, p cvd.PartyID) string { return string(l) + " " + string(p) }

// bound says that the last request asked for exactly this, spoken as it is to each
// vendor that was looked at, and for all that the check finds in it.
func (k *kitLevel) bound() bool {
	a := k.Request
	if a == nil || k.Hash == "" || a.Kit[k.Level] != k.Hash {
		return false
	}
	for p, found := range k.Found {
		if a.KitFound[foundKey(k.Level, p)] != digestAll(found) {
			return false
		}
	}
	return k.speaksAs(a)
}

// speaksAs says that those who were looked at are spoken to as a request showed.
func (k *kitLevel) speaksAs(a *cvd.ApprovalRequest) bool {
	for p, how := range k.Spoken {
		if a.KitSpoken[p] != how {
			return false
		}
	}
	return true
}

// answered says that the request needs no other in its place: it waits, was
// granted, or somebody said no to exactly this.
func (k *kitLevel) answered() bool {
	return k.bound() && (k.Request.Open() || k.Request.Granted() || strings.HasPrefix(k.Request.How, "rejected"))
}

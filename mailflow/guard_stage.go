package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// foundIn says what of the words of a stage a person must see before they go to
// a participant: of its material and annex, of what goes with every stage, of
// answers, and of what the desk says that its product is.
func (b *Base) foundIn(tx *store.Tx, p *parcel, l *looks, words ...wording) ([]Crossing, error) {
	var out []Crossing
	reach := p.Notice.Stage
	for _, w := range words {
		if w.Version == 0 {
			continue
		}
		e, err := l.examined(tx, b, w)
		if err != nil {
			return nil, err
		}
		found, err := b.crossings(tx, e, p.Participant, reach)
		if err != nil {
			return nil, err
		}
		out = append(out, inPiece(found, w.Material)...)
	}
	product, err := l.productNames(tx, b, p.Participant)
	return append(out, product...), err
}

// inPiece names the text in which something was found, where a mail is made of
// several.
func inPiece(found []Crossing, m cvd.Material) []Crossing {
	for i := range found {
		switch {
		case found[i].Piece != "":
		case m.Party != "":
			found[i].Piece = "the annex"
		case m.Stage == cvd.Mitigation:
			found[i].Piece = "the mitigation"
		case m.Stage == cvd.Holding:
			found[i].Piece = "the holding statement"
		case m.Stage == faqStage:
			found[i].Piece = "the answers"
		}
	}
	return found
}

// examined compares one version of a material once in a run: of the many that
// are at work on a wave one does it, and the others wait.
func (l *looks) examined(tx *store.Tx, b *Base, w wording) (*examined, error) {
	key := fmt.Sprint(w.Case, w.Stage, w.Party, w.Version, w.Digest)
	l.comparing.Lock()
	defer l.comparing.Unlock()
	if e := l.compared[key]; e != nil {
		return e, nil
	}
	if l.until != nil && l.until.Err() != nil {
		return nil, l.until.Err()
	}
	all, err := l.directory(tx, b, w.Case)
	if err != nil {
		return nil, err
	}
	e, err := b.examineWith(tx, question{outgoing: outgoing{text: w.Text, files: w.Files}, id: w.Case, at: w.At, until: l.until}, all)
	if err == nil && (l.within == tx || !tx.Writable()) {
		if l.compared == nil {
			l.compared = map[string]*examined{}
		}
		l.compared[key] = e
	}
	return e, err
}

// productNames finds the names of others in what the desk calls a vendor's
// product.
func (l *looks) productNames(tx *store.Tx, b *Base, who cvd.Participant) ([]Crossing, error) {
	if who.Affects == "" {
		return nil, nil
	}
	all, err := l.namesIn(tx, b, who.Case)
	if err != nil {
		return nil, err
	}
	e := &examined{words: &spelled{}}
	e.words.spell("the product", who.Affects)
	found, err := strangers(tx, others(all.in(e.words.text), who.Party), who)
	if err != nil {
		return nil, err
	}
	return e.uncovered(make([]bool, len(e.words.text)), nil, found, nil), nil
}

// namesIn reads the directory once in a run, as examined does.
func (l *looks) namesIn(tx *store.Tx, b *Base, id cvd.CaseID) (*names, error) {
	l.comparing.Lock()
	defer l.comparing.Unlock()
	return l.directory(tx, b, id)
}

// directory is namesIn for who compares already.
func (l *looks) directory(tx *store.Tx, b *Base, id cvd.CaseID) (*names, error) {
	if n := l.names[id]; n != nil {
		return n, nil
	}
	n, err := b.namesIn(tx, id)
	if err == nil && (l.within == tx || !tx.Writable()) {
		if l.names == nil {
			l.names = map[cvd.CaseID]*names{}
		}
		l.names[id] = n
	}
	return n, err
}

// suspicious says whether anything may be found in a stage for a participant, so
// that its notice must be looked at closely.
func (b *Base) suspicious(tx *store.Tx, who cvd.Participant, n cvd.Notice, l *looks) (bool, error) {
	p := &parcel{Question: Question{Notice: n, Participant: who}}
	if n.Stage == cvd.HeadsUp {
		found, err := b.foundIn(tx, p, l)
		return len(found) > 0, err
	}
	words, err := l.wordsOf(tx, n)
	if err != nil {
		return false, err
	}
	found, err := b.foundIn(tx, p, l, words...)
	return len(found) > 0, err
}

// wordsOf reads what a stage notice is made of: what everybody gets, the annex,
// what goes with every stage, and then each answer that was given to all.
func (l *looks) wordsOf(tx *store.Tx, n cvd.Notice) ([]wording, error) {
	all, err := l.forStage(tx, n.Case, n.Stage, "")
	if err != nil {
		return nil, err
	}
	annex, err := l.forStage(tx, n.Case, n.Stage, n.Party)
	if err != nil {
		return nil, err
	}
	mitigation, err := l.latest(tx, n.Case, cvd.Mitigation, "")
	if err != nil {
		return nil, err
	}
	faq, err := faqOf(tx, n.Case, n.Stage)
	if err != nil {
		return nil, err
	}
	said, err := answerWords(faq)
	return append([]wording{all, annex, mitigation}, said...), err
}

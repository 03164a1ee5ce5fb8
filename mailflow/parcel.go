package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// parcel is everything that one notice to one participant is made of, read in
// one transaction: what the gate is asked about, and what is rendered.
type parcel struct {
	Question
	View   *templates.Notice // of stages and reminders
	Leak   *templates.Leak   // of notices about a leak
	Letter *Letter           // of everything else
	Files  []cvd.File
	Shared []cvd.File       // those of Files that everybody gets
	Own    []cvd.File       // and those for this participant alone
	Made   []string         // digests of Material, Annex and Mitigation
	Pinned []keyring.Pinned // every key that is known of the participant
	Ours   *ownSet          // our own keys: one state of them for the whole mail
	Parts  approvalParts    // what a yes is bound to
	As     string           // the Message-ID under which a letter shows already, or empty
	Ref    string           // its participant's own reference, where that may stand in a Subject
}

// home is what all notices to one participant have in common.
type home struct {
	Sending     Sending
	Case        cvd.Case
	Participant cvd.Participant
	Party       cvd.Party
	Pinned      []keyring.Pinned
	All         []cvd.Notice
}

// gather reads a parcel. now is the instant that the gate is asked for.
func (b *Base) gather(tx *store.Tx, row dueRow, now time.Time, l *looks) (*parcel, error) {
	n, err := notices.Get(tx, noticeKey(tx, row.Case, row.Party, row.Notice))
	if err != nil {
		return nil, err
	}
	who, err := ParticipantByID(tx, row.Case, row.Party)
	if err != nil {
		return nil, err
	}
	c, err := CaseByID(tx, row.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	h, err := homeOf(tx, c, who)
	if err != nil {
		return nil, err
	}
	return b.parcelOf(tx, h, n, now, l)
}

// homeOf reads the home of a participant; the zero Case is a report's that
// belongs to none.
func homeOf(tx *store.Tx, c cvd.Case, who cvd.Participant) (h home, err error) {
	h.Case, h.Participant = c, who
	if h.Sending, err = sendingNow(tx); err != nil {
		return h, err
	}
	if h.Pinned, err = ownerKeys(tx, OwnerOf(who)); err != nil {
		return h, err
	}
	if h.All, err = Notices(tx, who.Case, who.Party); err != nil {
		return h, err
	}
	if who.Party.IsFinder() || who.Case == deskCase {
		return h, nil // in no directory
	}
	h.Party, err = PartyByID(tx, who.Party)
	return h, err
}

// bareParcel is a parcel without what is in it: what the gate is asked about any
// notice.
func (b *Base) bareParcel(h home, n cvd.Notice, now time.Time) *parcel {
	p := &parcel{Pinned: h.Pinned, Ours: b.Own.now.Load(), Question: Question{Now: now, Undo: b.Undo, Notice: n, Sending: h.Sending,
		Case: h.Case, Participant: h.Participant, Party: h.Party, Prior: h.All}}
	p.CannotSign = p.Ours.cannotSign(now)
	p.Keys = keyring.Select(b.Certs, h.Pinned, need(p.Question), now)
	p.Pause = pauseOf(h.Pinned, p.Keys.Standing, h.Case.Policy)
	return p
}

// parcelOf makes the parcel of one notice to a participant.
func (b *Base) parcelOf(tx *store.Tx, h home, n cvd.Notice, now time.Time, l *looks) (*parcel, error) {
	p := b.bareParcel(h, n, now)
	var err error
	if p.Ref, err = b.refInForce(tx, h.Participant); err != nil {
		return nil, err
	}
	switch n.Kind {
	case cvd.KindKey:
		letter, err := b.keyLetter(p)
		p.Letter = letter
		return p, err
	case cvd.KindQuestion, cvd.KindIntroduction:
		return p, b.gatherIntro(tx, p)
	case cvd.KindCounts:
		letter, err := b.countsLetter(tx, p)
		p.Letter = letter
		return p, err
	case cvd.KindLeak:
		return p, b.gatherLeak(tx, p, l)
	}
	if n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder {
		letter, err := letters.Get(tx, letterKey(n.ID))
		if err != nil {
			return p, err
		}
		p.Letter, p.Files, p.Found, p.For = &letter, letter.Files, letter.Found, letter.For
		if p.As, err = leavesAs(tx, n); err != nil {
			return p, err
		}
	} else if err := b.gatherWords(tx, p, l); err != nil {
		return nil, err
	}
	return p, p.withApproval(tx)
}

// withApproval reads the request that names the notice, if there is one, and
// what it would have to be bound to.
func (p *parcel) withApproval(tx *store.Tx) error {
	n := p.Notice
	p.Words = digestAll(p.Made)
	if n.Kind == cvd.KindStage || n.Kind == cvd.KindReminder || len(p.Found) > 0 {
		p.Parts = p.frozen()
		p.Hash = p.Parts.sum()
	}
	if n.ApprovalID == "" {
		return nil
	}
	a, err := approvalOf(tx, n)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	p.Approval = &a
	return err
}

// need is what a notice's key must have.
func need(q Question) keyring.Need {
	return keyring.Need{Trust: needTrust(q), Confirmers: q.Case.Policy.KeyConfirmers()}
}

// needTrust is the trust that a notice's key must have.
func needTrust(q Question) keyring.Trust {
	n := q.Notice
	stage := n.Stage
	switch {
	case n.Party.IsFinder():
		return keyring.Claimed // only keys that signed the report that carried them are kept
	case n.Kind == cvd.KindLetter || n.Kind == cvd.KindCounts:
		return keyring.Confirmed
	case n.Kind == cvd.KindIntroduction:
		stage = introTrust(q.Participant)
	case n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder && n.Kind != cvd.KindLeak:
		stage = q.Participant.Reached
	}
	rule, ok := q.Case.Policy.Rule(stage)
	t, err := keyring.ParseTrust(string(rule.Trust))
	if !ok || err != nil {
		return keyring.Confirmed
	}
	return t
}

// gatherWords reads what was written for the stage, for everybody and for this
// participant alone, and what belongs to every stage from scope on. A heads-up
// is made of none of it: it names no component and no class of bug.
func (b *Base) gatherWords(tx *store.Tx, p *parcel, l *looks) (err error) {
	n := p.Notice
	if n.Stage == cvd.HeadsUp {
		p.View = b.noticeView(p)
		p.Found, err = b.foundIn(tx, p, l)
		return err
	}
	words, err := l.wordsOf(tx, n)
	if err != nil {
		return err
	}
	all, annex, mitigation := words[0], words[1], words[2]
	p.HasMaterial = all.Version > 0 || annex.Version > 0
	p.Shared, p.Own = slices.Concat(bareFiles(all), bareFiles(mitigation)), bareFiles(annex)
	p.Files = slices.Concat(p.Shared, p.Own)
	p.Made = madeOf(words)
	p.View = b.noticeView(p)
	p.View.Material, p.View.Annex, p.View.Mitigation = all.Text, annex.Text, mitigation.Text
	faq, err := faqOf(tx, n.Case, n.Stage)
	if err != nil {
		return err
	}
	p.View.FAQ = faqTexts(faq)
	if err := b.addPublication(tx, p, l); err != nil {
		return err
	}
	p.Found, err = b.foundIn(tx, p, l, words...)
	return err
}

// size is how many octets of words and files it has.
func (p *parcel) size() int {
	n := 0
	for _, f := range p.Files {
		n += len(f.Data)
	}
	if p.View != nil {
		n += len(p.View.Material) + len(p.View.Annex) + len(p.View.Mitigation)
	}
	if v := p.Leak; v != nil {
		n += len(v.Holding) + len(v.Mitigation) + len(v.Material) + len(v.Annex) + len(v.Proof) + len(v.ProofAnnex)
	}
	if p.Letter != nil {
		n += len(p.Letter.Text)
	}
	return n
}

// render writes the words of the parcel.
func (b *Base) render(p *parcel) (templates.Rendered, error) {
	switch {
	case p.View != nil:
		return p.withRef(b.Templates.Notice(*p.View))
	case p.Leak != nil:
		return p.withRef(b.Templates.Leak(*p.Leak))
	}
	if p.Letter == nil {
		return templates.Rendered{}, fmt.Errorf("render notice %d: it has neither view nor letter", p.Notice.ID)
	}
	return p.withRef(templates.Rendered{Subject: p.Letter.Subject, Text: p.Ours.sign(p.Letter)}, nil)
}

package mailflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	Request *cvd.ApprovalRequest
	View    *templates.Notice // of stages and reminders
	Letter  *Letter           // of everything else
	Files   []cvd.File
	Pinned  []keyring.Pinned // every key that is known of the participant
}

// gather reads a parcel. now is the instant that the gate is asked for.
func (b *Base) gather(tx *store.Tx, row dueRow, now time.Time) (*parcel, error) {
	n, err := notices.Get(tx, noticeKey(tx, row.Case, row.Party, row.Notice))
	if err != nil {
		return nil, err
	}
	p := &parcel{Question: Question{Now: now, Undo: b.Undo, Notice: n}}
	if p.Participant, err = ParticipantByID(tx, row.Case, row.Party); err != nil {
		return nil, err
	}
	if p.Sending, err = sendingNow(tx); err != nil {
		return nil, err
	}
	if err := b.gatherHome(tx, p); err != nil {
		return nil, err
	}
	if err := b.gatherKeys(tx, p); err != nil {
		return nil, err
	}
	if n.Kind == cvd.KindStage || n.Kind == cvd.KindReminder {
		if err := b.gatherStage(tx, p); err != nil {
			return nil, err
		}
		return p, nil
	}
	l, err := letters.Get(tx, letterKey(n.ID))
	if err != nil {
		return nil, err
	}
	p.Letter, p.Files = &l, l.Files
	return p, nil
}

// gatherHome reads the case and party of a notice; a report that belongs to
// no case has neither.
func (b *Base) gatherHome(tx *store.Tx, p *parcel) error {
	c, err := CaseByID(tx, p.Notice.Case)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return err
	}
	p.Case = c
	if p.Notice.Party == cvd.Finder || p.Notice.Case == deskCase {
		return nil // in no directory
	}
	p.Party, err = PartyByID(tx, p.Notice.Party)
	return err
}

// needTrust is the trust that a notice's key must have.
func needTrust(q Question) keyring.Trust {
	n := q.Notice
	stage := n.Stage
	switch {
	case n.Party == cvd.Finder:
		return keyring.Claimed // only keys that signed the report that carried them are kept
	case n.Kind == cvd.KindLetter:
		return keyring.Confirmed
	case n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder:
		stage = q.Participant.Reached
	}
	rule, ok := q.Case.Policy.Rule(stage)
	t, err := keyring.ParseTrust(string(rule.Trust))
	if !ok || err != nil {
		return keyring.Confirmed
	}
	return t
}

func (b *Base) gatherKeys(tx *store.Tx, p *parcel) error {
	keys, err := ownerKeys(tx, OwnerOf(p.Participant))
	if err != nil {
		return err
	}
	p.Pinned = keys
	p.Keys = keyring.Select(b.Certs, keys, needTrust(p.Question), p.Now)
	return nil
}

func (b *Base) gatherStage(tx *store.Tx, p *parcel) error {
	n := p.Notice
	var err error
	if p.Prior, err = Notices(tx, n.Case, n.Party); err != nil {
		return err
	}
	text, files, ok, err := stageMaterial(tx, n.Case, n.Stage, "")
	if err != nil {
		return err
	}
	annex, more, annexed, err := stageMaterial(tx, n.Case, n.Stage, n.Party)
	if err != nil {
		return err
	}
	mitigation, _, _, err := stageMaterial(tx, n.Case, cvd.Mitigation, "")
	if err != nil {
		return err
	}
	p.HasMaterial = ok || annexed
	if n.Stage != cvd.HeadsUp {
		p.Files = append(files, more...)
	}
	p.View = b.noticeView(p, text, annex)
	if n.Stage.Rank() >= cvd.Scope.Rank() {
		p.View.Mitigation = mitigation
	}
	p.Hash = p.frozen()
	if n.ApprovalID == "" {
		return nil
	}
	a, err := approvals.Get(tx, approvalKey(tx, n.ApprovalID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		p.Approval = &a
	}
	return nil
}

// stageMaterial reads what was written for a stage; the advisory stands in
// for a public text that nobody wrote.
func stageMaterial(tx *store.Tx, c cvd.CaseID, s cvd.Stage, party cvd.PartyID) (string, []cvd.File, bool, error) {
	m, err := latestMaterial(tx, c, s, party)
	if errors.Is(err, store.ErrNotFound) && s == cvd.Public {
		m, err = latestMaterial(tx, c, cvd.Advisory, party)
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", nil, false, nil
	}
	return m.Text, m.Files, err == nil, err
}

func (b *Base) us() templates.Us {
	return templates.Us{Name: b.Domain, Domain: b.Domain, Fingerprint: b.signer().Certificate().Fingerprint().Spaced()}
}

// noticeView fills what the recipient may know at this stage, and no more.
func (b *Base) noticeView(p *parcel, text, annex string) *templates.Notice {
	c, n := p.Case, p.Notice
	rule, _ := c.Policy.Rule(n.Stage)
	v := &templates.Notice{Us: b.us(), Case: c.ID, Stage: n.Stage, TLP: rule.TLP, Code: n.Code,
		Version: c.Embargo().Version, End: c.End(p.Participant), Zone: p.Party.Zone,
		Severity: c.Severity, Product: p.Participant.Affects, Material: text, Annex: annex,
		Reminder: n.Kind == cvd.KindReminder}
	v.Number, v.Of = c.Policy.Number(n.Stage)
	v.ReplyBy = replyBy(n.Stage, p.Now, v.End)
	if k := len(p.Participant.Acceptances); k > 0 {
		v.Accepted = p.Participant.Acceptances[k-1].At
	}
	for _, d := range cvd.Plan(c, []cvd.Participant{p.Participant}) {
		v.Steps = append(v.Steps, templates.Step{Stage: d.Stage, At: d.At, Done: d.Stage.Rank() <= n.Stage.Rank()})
	}
	for _, f := range p.Files {
		v.Files = append(v.Files, f.Name)
	}
	if n.Stage == cvd.HeadsUp {
		v.Material, v.Annex = "", "" // no component, no bug class
	}
	return v
}

// replyBy is by when an answer is asked: three days for the first stages, a
// week for a status, never after the end; none for what only informs.
func replyBy(s cvd.Stage, now, end time.Time) time.Time {
	days := 3
	switch s {
	case cvd.Details, cvd.Proof:
		days = 7
	case cvd.Advisory, cvd.Public:
		return time.Time{}
	}
	by := now.Add(time.Duration(days) * cvd.Day)
	if by.After(end) {
		return end
	}
	return by
}

// frozen digests what people decide of a stage notice: its words, files,
// recipient, keys and date. What the gateway fills in as it leaves (the code,
// the marks of progress, the day an answer is asked by) is not part of it,
// so that a vendor's answer does not void an approval.
func (p *parcel) frozen() string {
	v := *p.View
	v.Code, v.Accepted, v.ReplyBy, v.Reminder = "", time.Time{}, time.Time{}, false
	v.Steps = nil
	return p.digest(v, p.Notice.Due)
}

// mark digests the parcel as it leaves, to see that nothing changed between
// rendering and queueing.
func (p *parcel) mark() string {
	return p.digest(p.View, p.Letter, p.Notice.Kind, p.Notice.Code)
}

func (p *parcel) digest(what ...any) string {
	var fprs []string
	for _, c := range p.Keys.Certificates {
		fprs = append(fprs, string(c.Fingerprint()))
	}
	slices.Sort(fprs)
	h := sha256.New()
	err := json.NewEncoder(h).Encode([]any{what, p.Files, p.Participant.Address, fprs})
	if err != nil {
		return "" // never equal to an approved hash
	}
	return hex.EncodeToString(h.Sum(nil))
}

// render writes the words of the parcel.
func (b *Base) render(p *parcel) (templates.Rendered, error) {
	if p.View != nil {
		return b.Templates.Notice(*p.View)
	}
	if p.Letter == nil {
		return templates.Rendered{}, fmt.Errorf("render notice %d: it has neither view nor letter", p.Notice.ID)
	}
	return templates.Rendered{Subject: p.Letter.Subject, Text: p.Letter.Text}, nil
}

// reportNumber reads the number back from a report's CaseID.
func reportNumber(c cvd.CaseID) (uint64, bool) {
	var n uint64
	rest, ok := strings.CutPrefix(string(c), "report-")
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscanf(rest, "%d", &n)
	return n, err == nil
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// askApprovals asks for a yes to every stage of a case that needs one and
// whose text stands: one request for each stage and date, bound to the exact
// renderings, recipients, keys and times. A request whose contents changed is
// void, and a new one takes its place.
func (b *Base) askApprovals(tx *store.Tx, c cvd.Case) error {
	if !c.Started() || !c.Closed.IsZero() {
		return nil
	}
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return err
	}
	for _, rule := range c.Policy.Stages {
		if rule.Approvals == 0 {
			continue
		}
		groups, err := b.approvalGroups(tx, c, rule.Stage, ps)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := b.askGroup(tx, c, rule, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// approvalGroups gathers the future notices of one stage that could be
// rendered now, by date.
func (b *Base) approvalGroups(tx *store.Tx, c cvd.Case, s cvd.Stage, ps []cvd.Participant) ([][]*parcel, error) {
	byDue := map[time.Time][]*parcel{}
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			if n.Kind != cvd.KindStage || n.Stage != s || n.State.Over() {
				continue
			}
			g, err := b.gather(tx, dueRow{Case: c.ID, Party: p.Party, Notice: n.ID}, tx.Now)
			if err != nil {
				return nil, err
			}
			if g.HasMaterial || s == cvd.HeadsUp {
				byDue[n.Due] = append(byDue[n.Due], g)
			}
		}
	}
	var out [][]*parcel
	for _, g := range byDue {
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y []*parcel) int { return x[0].Notice.Due.Compare(y[0].Notice.Due) })
	return out, nil
}

// askGroup asks anew where a notice of the group has no request, or one that
// was bound to something else.
func (b *Base) askGroup(tx *store.Tx, c cvd.Case, rule cvd.StageRule, g []*parcel) error {
	var ask []*parcel
	for _, p := range g {
		a := p.Approval
		bound := a != nil && a.Hashes[p.Notice.ID] == p.Hash
		if bound && (a.Open() || a.Granted() || strings.HasPrefix(a.How, "rejected")) {
			continue
		}
		if a != nil && a.Open() {
			if err := b.void(tx, *a, "something in it changed"); err != nil {
				return err
			}
		}
		ask = append(ask, p)
	}
	if len(ask) == 0 {
		return nil
	}
	// What shared a request with a changed notice is asked for again with it.
	for _, p := range g {
		if p.Approval == nil || slices.Contains(ask, p) || !p.Approval.Open() {
			continue
		}
		if now, err := approvalByID(tx, p.Approval.ID); err != nil || now.Open() {
			if err != nil {
				return err
			}
			continue
		}
		ask = append(ask, p)
	}
	return b.request(tx, c, rule, ask)
}

func (b *Base) void(tx *store.Tx, a cvd.ApprovalRequest, why string) error {
	now, err := approvalByID(tx, a.ID)
	if err != nil || !now.Open() {
		return err
	}
	now.Ended, now.How = tx.Now, "void: "+why
	if err := putApproval(tx, now); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(a.Case), Kind: "approval.void", Ref: a.ID, Detail: why}); err != nil {
		return err
	}
	return b.taskDone(tx, "approval:"+a.ID)
}

// request writes a new request, its mail in Approvals, and binds its notices.
func (b *Base) request(tx *store.Tx, c cvd.Case, rule cvd.StageRule, g []*parcel) error {
	id, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	authors, err := authorsOf(tx, c, rule.Stage, g)
	if err != nil {
		return err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c.ID, Stage: rule.Stage, Authors: authors, Hashes: map[uint64]string{},
		Need: rule.Approvals, Signed: rule.Signed, Created: tx.Now, Due: g[0].Notice.Due}
	if len(authors) > 0 {
		a.Author = authors[0]
	}
	for _, p := range g {
		a.Hashes[p.Notice.ID] = p.Hash
		a.Notices = append(a.Notices, p.Notice.ID)
		a.Parties = append(a.Parties, p.Notice.Party)
		n := p.Notice
		n.ApprovalID = id
		if err := notices.Put(tx, caseScope(c.ID), noticeKey(tx, n.Case, n.Party, n.ID), n); err != nil {
			return err
		}
	}
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(c.ID), Actor: a.Author, Kind: "approval.asked", Ref: id, Detail: string(rule.Stage)}); err != nil {
		return err
	}
	return b.postApproval(tx, c, a, g)
}

// authorsOf are those who wrote what is to be approved; where nobody did, who
// started the case.
func authorsOf(tx *store.Tx, c cvd.Case, s cvd.Stage, g []*parcel) ([]string, error) {
	var out []string
	add := func(m cvd.Material, err error) {
		if err == nil && m.Author != "" && !slices.Contains(out, m.Author) {
			out = append(out, m.Author)
		}
	}
	add(latestMaterial(tx, c.ID, s, ""))
	if s == cvd.Public {
		add(latestMaterial(tx, c.ID, cvd.Advisory, ""))
	}
	for _, p := range g {
		add(latestMaterial(tx, c.ID, s, p.Notice.Party))
	}
	if len(out) == 0 && len(c.Embargoes) > 0 {
		out = append(out, c.Embargoes[0].By)
	}
	return out, nil
}

// postApproval shows a request with the exact mails attached. The one-time
// codes are masked: who reads the desk's mail must not answer for a vendor.
func (b *Base) postApproval(tx *store.Tx, c cvd.Case, a cvd.ApprovalRequest, g []*parcel) error {
	v := templates.Approval{Case: c.ID, Title: c.Title, Stage: a.Stage, ID: a.ID, Author: a.Author, Due: a.Due,
		Signed: a.Signed, Need: a.Need, Checked: "no later stage's words or files, no other vendor's name can stand in a template's fields"}
	var files []message.Attachment
	for _, p := range g {
		v.Rows = append(v.Rows, approvalRow(p))
		masked := *p.View
		masked.Code = maskedCode
		r, err := b.Templates.Notice(masked)
		if err != nil {
			return err
		}
		raw, err := message.Entity{Fields: []message.Field{{Name: "To", Value: p.Participant.Address}, {Name: "Subject", Value: r.Subject}}, Text: r.Text}.Bytes(randomHex(16))
		if err != nil {
			return err
		}
		files = append(files, message.Attachment{Filename: string(p.Notice.Party) + ".eml", MediaType: "message/rfc822", Data: raw})
	}
	text, err := b.Templates.Approval(v)
	if err != nil {
		return err
	}
	return b.task(tx, "approval:"+a.ID, Post{Folder: "Approvals", Case: c.ID, Subject: text.Subject, Text: text.Text,
		Attachments: files, Kind: "approval", Ref: a.ID, From: a.Author})
}

// maskedCode stands where a one-time code stands in the mail that leaves.
const maskedCode = "****-****"

func trustOf(keys []keyring.Pinned, f keyring.Fingerprint) string {
	for _, k := range keys {
		if k.Fingerprint == f {
			return k.Trust.String()
		}
	}
	return ""
}

func approvalRow(p *parcel) templates.ApprovalRow {
	row := templates.ApprovalRow{Party: string(p.Notice.Party), Stage: p.Participant.Reached}
	n, _ := p.Case.Policy.Number(p.Notice.Stage)
	row.Gets = fmt.Sprintf("%d %s", n, p.Notice.Stage)
	if len(p.Keys.Certificates) == 0 {
		row.Gets, row.Key = "nothing: HELD", "-"
		row.Why = strings.Join(p.Keys.Why, "; ")
		return row
	}
	cert := p.Keys.Certificates[0]
	row.Key = cert.Fingerprint().Spaced()[:9] + ".."
	row.Trust = trustOf(p.Pinned, cert.Fingerprint())
	row.Until = cert.Expires()
	row.Soon = !row.Until.IsZero() && row.Until.Before(p.Case.End(p.Participant))
	return row
}

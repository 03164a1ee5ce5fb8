package mailflow

import (
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// askApprovals asks for a yes to every stage of a case that needs one and
// whose text stands: one request for each stage and date, bound to the exact
// renderings, recipients, keys and times. A request whose contents changed is
// void, and a new one takes its place.
func (b *Base) askApprovals(tx *store.Tx, c cvd.Case, l *looks) error {
	groups, err := b.approvalGroups(tx, c, l)
	if err != nil {
		return err
	}
	for _, rule := range c.Policy.Stages {
		for _, g := range groups[rule.Stage] {
			if err := b.askGroup(tx, c, rule, g, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// asksMissing says whether askApprovals would ask for anything.
func (b *Base) asksMissing(tx *store.Tx, c cvd.Case, l *looks) (bool, error) {
	groups, err := b.approvalGroups(tx, c, l)
	for _, stage := range groups {
		for _, g := range stage {
			if slices.ContainsFunc(g, func(p *parcel) bool { return !asked(p) }) {
				return true, err
			}
		}
	}
	return false, err
}

// asked says that somebody was asked for exactly this, whatever came of it.
func asked(p *parcel) bool {
	a := p.Approval
	return a != nil && a.Hashes[p.Notice.ID] == p.Hash && (a.Open() || a.Granted() || strings.HasPrefix(a.How, "rejected"))
}

// approvalGroups gathers the future notices that need a yes and could be
// rendered now, by stage and by date, soonest first.
func (b *Base) approvalGroups(tx *store.Tx, c cvd.Case, l *looks) (map[cvd.Stage][][]*parcel, error) {
	needed := slices.ContainsFunc(c.Policy.Stages, func(r cvd.StageRule) bool { return r.Approvals > 0 })
	if !c.Started() || !c.Closed.IsZero() || !needed {
		return nil, nil
	}
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return nil, err
	}
	type day struct {
		stage cvd.Stage
		due   time.Time
	}
	byDue := map[day][]*parcel{}
	for _, p := range ps {
		if !p.Has(cvd.RoleVendor) || p.Withdrawn != nil {
			continue
		}
		h, err := homeOf(tx, c, p)
		if err != nil {
			return nil, err
		}
		for _, n := range h.All {
			rule, _ := c.Policy.Rule(n.Stage)
			if n.Kind != cvd.KindStage || n.State.Over() || rule.Approvals == 0 {
				continue
			}
			g, err := b.parcelOf(tx, h, n, tx.Now, l)
			if err != nil {
				return nil, err
			}
			if g.HasMaterial || n.Stage == cvd.HeadsUp {
				d := day{n.Stage, n.Due.UTC()}
				byDue[d] = append(byDue[d], g)
			}
		}
	}
	out := map[cvd.Stage][][]*parcel{}
	for d, g := range byDue {
		out[d.stage] = append(out[d.stage], g)
	}
	for _, g := range out {
		slices.SortFunc(g, func(x, y []*parcel) int { return x[0].Notice.Due.Compare(y[0].Notice.Due) })
	}
	return out, nil
}

// askGroup asks anew where a notice of the group has no request, or one that
// was bound to something else. What shared an open request with a changed
// notice is asked for again with it.
func (b *Base) askGroup(tx *store.Tx, c cvd.Case, rule cvd.StageRule, g []*parcel, l *looks) error {
	void := map[string]bool{}
	for _, p := range g {
		a := p.Approval
		if asked(p) || a == nil || !a.Open() || void[a.ID] {
			continue
		}
		void[a.ID] = true
		if err := b.void(tx, *a, "something in it changed"); err != nil {
			return err
		}
	}
	var ask []*parcel
	for _, p := range g {
		if !asked(p) || void[p.Approval.ID] {
			ask = append(ask, p)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	return b.request(tx, c, rule, ask, l)
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
func (b *Base) request(tx *store.Tx, c cvd.Case, rule cvd.StageRule, g []*parcel, l *looks) error {
	id, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	authors, err := authorsOf(tx, c, rule.Stage, g, l)
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
func authorsOf(tx *store.Tx, c cvd.Case, s cvd.Stage, g []*parcel, l *looks) ([]string, error) {
	var out []string
	add := func(w wording, err error) error {
		if err == nil && w.Author != "" && !slices.Contains(out, w.Author) {
			out = append(out, w.Author)
		}
		return err
	}
	if s != cvd.HeadsUp {
		if err := add(l.forStage(tx, c.ID, s, "")); err != nil {
			return nil, err
		}
		if err := add(l.latest(tx, c.ID, cvd.Mitigation, "")); err != nil {
			return nil, err
		}
		for _, p := range g {
			if err := add(l.forStage(tx, c.ID, s, p.Notice.Party)); err != nil {
				return nil, err
			}
		}
	}
	if len(out) == 0 && len(c.Embargoes) > 0 {
		out = append(out, c.Embargoes[0].By)
	}
	return out, nil
}

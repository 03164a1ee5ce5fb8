package mailflow

import (
	"errors"
	"fmt"
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
func (b *Base) askApprovals(tx *store.Tx, id cvd.CaseID, l *looks) error {
	groups, err := b.approvalGroups(tx, id, l)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := b.askGroup(tx, g, l); err != nil {
			return err
		}
	}
	return nil
}

// asksMissing says whether askApprovals would ask for anything.
func (b *Base) asksMissing(tx *store.Tx, id cvd.CaseID, l *looks) (bool, error) {
	groups, err := b.approvalGroups(tx, id, l)
	for _, g := range groups {
		if slices.ContainsFunc(g.parcels, func(p *parcel) bool { return !asked(p) }) {
			return true, err
		}
	}
	return false, err
}

// asked says that somebody was asked for exactly this, whatever came of it.
func asked(p *parcel) bool {
	a := p.Approval
	return a != nil && a.Hashes[p.Notice.ID] == p.Hash && (a.Open() || a.Granted() || strings.HasPrefix(a.How, "rejected"))
}

// approvalGroup is what one request asks for: the notices of a stage that fall
// due together, or the letters that one mail became.
type approvalGroup struct {
	rule    cvd.StageRule
	due     time.Time
	letter  string // the request that the letters wait for
	late    bool   // to those who are late
	parcels []*parcel
}

// approvalGroups gathers the future notices of a case or report that need a yes
// and could be rendered now, soonest first.
func (b *Base) approvalGroups(tx *store.Tx, id cvd.CaseID, l *looks) ([]*approvalGroup, error) {
	c, err := CaseByID(tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return nil, err
	}
	ps, err := Participants(tx, id)
	if err != nil || !c.Closed.IsZero() {
		return nil, err
	}
	var out []*approvalGroup
	for _, p := range ps {
		if p.Withdrawn != nil {
			continue
		}
		h, err := homeOf(tx, c, p)
		if err != nil {
			return nil, err
		}
		for _, n := range h.All {
			needs, err := b.needsYes(tx, h, n, l)
			if err != nil {
				return nil, err
			}
			if !needs {
				continue
			}
			g, err := b.parcelOf(tx, h, n, tx.Now, l)
			if err != nil {
				return nil, err
			}
			if n.Kind == cvd.KindLetter || g.HasMaterial || n.Stage == cvd.HeadsUp {
				out = intoGroup(out, g)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y *approvalGroup) int { return x.due.Compare(y.due) })
	return out, nil
}

// needsYes says whether a notice goes only after somebody's yes: its policy says
// so, or what the guard found in it.
func (b *Base) needsYes(tx *store.Tx, h home, n cvd.Notice, l *looks) (bool, error) {
	switch {
	case n.State.Over():
		return false, nil
	case n.Kind == cvd.KindLetter:
		return n.ApprovalID != "", nil
	case overtaken(h.Case, n, tx.Now):
		return false, nil
	case n.Kind == cvd.KindReminder:
		fresh, err := remindsAnew(tx, h, n, l)
		if rule, _ := h.Case.Policy.Rule(n.Stage); err != nil || fresh && (rule.Approvals > 0 || lateFor(h.Case, h.Participant, n)) {
			return true, err
		}
		return b.suspicious(tx, h.Participant, n, l)
	case n.Kind != cvd.KindStage || !h.Case.Started() || !h.Participant.Hears(n.Stage):
		return false, nil
	}
	if rule, _ := h.Case.Policy.Rule(n.Stage); rule.Approvals > 0 || lateFor(h.Case, h.Participant, n) {
		return true, nil
	}
	return b.suspicious(tx, h.Participant, n, l)
}

// intoGroup adds a parcel to those that are asked for together.
func intoGroup(groups []*approvalGroup, p *parcel) []*approvalGroup {
	rule, _ := p.Case.Policy.Rule(p.Notice.Stage)
	key := approvalGroup{rule: rule, due: p.Notice.Due.UTC(), late: lateFor(p.Case, p.Participant, p.Notice)}
	if p.Letter != nil {
		key = approvalGroup{letter: p.Notice.ApprovalID}
	}
	i := slices.IndexFunc(groups, func(g *approvalGroup) bool {
		return g.rule.Stage == key.rule.Stage && g.due.Equal(key.due) && g.letter == key.letter && g.late == key.late
	})
	if i < 0 {
		i, groups = len(groups), append(groups, &key)
	}
	groups[i].parcels = append(groups[i].parcels, p)
	if p.Letter != nil {
		groups[i].rule = draftRule(groups[i].parcels)
	}
	return groups
}

// askGroup asks anew where a notice of the group has no request, or one that
// was bound to something else. What shared an open request with a changed
// notice is asked for again with it.
func (b *Base) askGroup(tx *store.Tx, g *approvalGroup, l *looks) error {
	changed, void := map[string]string{}, map[string]bool{} // what changed, by request; and which were still open
	for _, p := range g.parcels {
		a := p.Approval
		if asked(p) || a == nil {
			continue
		}
		what, err := changedIn(tx, p)
		if err != nil {
			return err
		}
		changed[a.ID] += what
		void[a.ID] = a.Open()
	}
	var ask []*parcel
	for _, p := range g.parcels {
		if !asked(p) || void[p.Approval.ID] {
			ask = append(ask, p)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	next, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	for id, what := range changed {
		if err := b.void(tx, id, strings.TrimSuffix(what, "; "), next); err != nil {
			return err
		}
	}
	return b.request(tx, next, g.rule, ask, changed, l)
}

// changedIn says of a notice what is not as it was when somebody was asked:
// "acme: the keys; ".
func changedIn(tx *store.Tx, p *parcel) (string, error) {
	key := append(approvalKey(tx, p.Notice.ApprovalID), store.Seq(p.Notice.ID)...)
	was, err := approvalDetails.Get(tx, key)
	what := "something in it"
	switch {
	case err == nil:
		if all := was.changed(p.Parts); len(all) > 0 {
			what = strings.Join(all, ", ")
		}
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	return fmt.Sprintf("%s: %s changed; ", p.Notice.Party, what), nil
}

// request writes a new request, its mail in Approvals, and binds its notices.
// It takes the place of others, each of which is given with what changed.
func (b *Base) request(tx *store.Tx, id string, rule cvd.StageRule, g []*parcel, before map[string]string, l *looks) error {
	authors, err := authorsOf(tx, g, l)
	if err != nil {
		return err
	}
	c := g[0].Notice.Case
	need, err := yesNeeded(tx, g[0], rule, authors)
	if err != nil {
		return err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c, Stage: rule.Stage, Authors: authors, Hashes: map[uint64]string{},
		Need: need, Signed: rule.Signed, Created: tx.Now, Beside: casesBeside(g)}
	if g[0].Letter == nil {
		a.Due = g[0].Notice.Due
	}
	if len(authors) > 0 {
		a.Author = authors[0]
	}
	for _, p := range g {
		a.Hashes[p.Notice.ID] = p.Hash
		a.Notices = append(a.Notices, p.Notice.ID)
		a.Parties = append(a.Parties, p.Notice.Party)
		if err := bind(tx, p, id); err != nil {
			return err
		}
	}
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(c), Actor: a.Author, Kind: "approval.asked", Ref: id, Detail: approvalWhat(a)}); err != nil {
		return err
	}
	if err := b.tellVeiled(tx, a, g); err != nil {
		return err
	}
	return b.postApproval(tx, a, g, before)
}

// bind lets a notice wait for a request.
func bind(tx *store.Tx, p *parcel, id string) error {
	p.Notice.ApprovalID = id
	n := p.Notice
	key := append(approvalKey(tx, id), store.Seq(n.ID)...)
	if err := approvalDetails.Put(tx, caseScope(n.Case), key, p.Parts); err != nil {
		return err
	}
	return errors.Join(letterChanged(tx, n.ID), notices.Put(tx, caseScope(n.Case), noticeKey(tx, n.Case, n.Party, n.ID), n))
}

// authorsOf are those who wrote what is to be approved; where nobody did, who
// started the case.
func authorsOf(tx *store.Tx, g []*parcel, l *looks) ([]string, error) {
	if g[0].Letter != nil {
		return []string{g[0].Letter.Author}, nil
	}
	c, s := g[0].Case, g[0].Notice.Stage
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
		faq, err := faqOf(tx, c.ID, s)
		if err != nil {
			return nil, err
		}
		for _, e := range faq {
			if !slices.Contains(out, e.Author) {
				out = append(out, e.Author)
			}
		}
	}
	if len(out) == 0 && len(c.Embargoes) > 0 {
		out = append(out, c.Embargoes[0].By)
	}
	return out, nil
}

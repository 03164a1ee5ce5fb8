package mailflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// The leak kit is approved before anything leaked, so that at night one person
// fires it. What of it changes is asked for again.

// kitStage stands for the stage in a request for levels of the leak kit.
const kitStage cvd.Stage = "leak-kit"

func isKit(a cvd.ApprovalRequest) bool { return a.Stage == kitStage }

// kitToAsk reads the levels of a case's leak kit that need a yes which nobody
// was asked for. A level that was fired needs one as long as somebody waits
// for it, after the end of the embargo too; the others do not then.
func (b *Base) kitToAsk(tx *store.Tx, id cvd.CaseID, l *looks) (c cvd.Case, all, stale []kitLevel, err error) {
	c, err = CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return c, nil, nil, nil
	}
	if err != nil || !c.Started() || !c.Closed.IsZero() {
		return c, nil, nil, err
	}
	ended := !tx.Now.Before(c.Embargo().End)
	ps, err := Participants(tx, id)
	if err != nil {
		return c, nil, nil, err
	}
	for _, level := range cvd.Levels() {
		if ended && c.Leak().Level.Rank() < level.Rank() {
			continue
		}
		if over, err := leakOver(tx, c, level, ps); err != nil || over {
			if err != nil {
				return c, nil, nil, err
			}
			continue
		}
		k, err := b.kitOf(tx, c, level, l)
		if err != nil {
			return c, nil, nil, err
		}
		if k.Lacks != "" {
			continue
		}
		if err := b.withFound(tx, &k, ps, l); err != nil {
			return c, nil, nil, err
		}
		if all = append(all, k); k.Need > 0 && !k.answered() {
			stale = append(stale, k)
		}
	}
	return c, all, stale, nil
}

// leakOver says that a level was fired, or a higher one, and nobody waits for it
// any more.
func leakOver(tx *store.Tx, c cvd.Case, level cvd.Level, ps []cvd.Participant) (bool, error) {
	if c.Leak().Level.Rank() < level.Rank() {
		return false, nil
	}
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(all, func(n cvd.Notice) bool { return n.Kind == cvd.KindLeak && n.Level == level && !n.State.Over() }) {
			return false, nil
		}
	}
	return true, nil
}

// askKit asks for the yes that levels of the leak kit lack. Those that take as
// many, given in the same way, share a request; what shared an open one with a
// level that changed is asked for again with it.
func (b *Base) askKit(tx *store.Tx, id cvd.CaseID, l *looks) error {
	c, all, stale, err := b.kitToAsk(tx, id, l)
	if err != nil || len(stale) == 0 {
		return err
	}
	before := map[string]string{} // by request: what changed
	for _, k := range stale {
		if a := k.Request; a != nil {
			before[a.ID] += fmt.Sprintf("%s: %s; ", k.Level, k.changed())
		}
	}
	var groups [][]kitLevel
	for _, k := range all {
		again := slices.ContainsFunc(stale, func(s kitLevel) bool { return s.Level == k.Level })
		if a := k.Request; !again && (k.Need == 0 || a == nil || !a.Open() || before[a.ID] == "") {
			continue
		}
		i := slices.IndexFunc(groups, func(g []kitLevel) bool { return g[0].Need == k.Need && g[0].Rule.Signed == k.Rule.Signed })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], k)
	}
	for _, g := range groups {
		if err := b.requestKit(tx, c, g, before, l); err != nil {
			return err
		}
	}
	return nil
}

// changed says what of a level is not as it was asked for.
func (k *kitLevel) changed() string {
	a := k.Request
	switch {
	case a.Kit[k.Level] != k.Hash:
		return "its material changed"
	case !k.speaksAs(a):
		return "the language or kind of a vendor changed"
	case !k.bound():
		return "what the check found changed"
	}
	return "it is needed again"
}

// requestKit writes one request for some levels, in the place of those before.
func (b *Base) requestKit(tx *store.Tx, c cvd.Case, g []kitLevel, before map[string]string, l *looks) error {
	id, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c.ID, Stage: kitStage, Authors: kitAuthors(c, g), Need: g[0].Need, Signed: g[0].Rule.Signed,
		Created: tx.Now, Kit: map[cvd.Level]string{}, KitFound: map[string]string{}, KitSpoken: unusual(g[0].Spoken)}
	a.Author = a.Authors[0]
	row, err := readKit(tx, c.ID)
	if err != nil {
		return err
	}
	mine := map[string]string{}
	asked := maps.Clone(row.Asked)
	if asked == nil {
		asked = map[cvd.Level]string{}
	}
	for _, k := range g {
		a.Kit[k.Level], asked[k.Level] = k.Hash, id
		for p, found := range k.Found {
			a.KitFound[foundKey(k.Level, p)] = digestAll(found)
			a.Beside = appendCases(a.Beside, c.ID, found)
		}
		if k.Request == nil {
			continue
		}
		why := strings.TrimSuffix(before[k.Request.ID], "; ")
		if mine[k.Request.ID] = why; why == "" {
			delete(mine, k.Request.ID)
			continue
		}
		if err := b.void(tx, k.Request.ID, why, id); err != nil {
			return err
		}
	}
	if err := kitRows.Put(tx, caseScope(c.ID), kitKey(tx, c.ID), kitRow{asked}); err != nil {
		return err
	}
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(c.ID), Actor: a.Author, Kind: "approval.asked", Ref: id, Detail: approvalWhat(a)}); err != nil {
		return err
	}
	return b.postKit(tx, c, a, g, mine)
}

// appendCases adds the other cases whose words were found.
func appendCases(to []cvd.CaseID, home cvd.CaseID, found []Crossing) []cvd.CaseID {
	for _, f := range found {
		if f.Case != "" && f.Case != home && !slices.Contains(to, f.Case) {
			to = append(to, f.Case)
		}
	}
	return to
}

// kitAuthors are those who wrote any of it; where nobody did, who started the
// case.
func kitAuthors(c cvd.Case, g []kitLevel) []string {
	var out []string
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, k := range g {
		for _, w := range slices.Concat(k.Shared, k.Annexes) {
			add(w.Author)
		}
		for _, piece := range k.Level.Pieces() {
			for _, e := range k.Answers[piece] {
				add(e.Author)
			}
		}
	}
	if len(out) == 0 {
		add(c.Embargoes[0].By)
	}
	if len(out) == 0 {
		out = []string{""}
	}
	return out
}

// kitLevels names the levels that a request is about, in order.
func kitLevels(a cvd.ApprovalRequest) string {
	var out []string
	for _, l := range cvd.Levels() {
		if a.Kit[l] != "" {
			out = append(out, string(l))
		}
	}
	return strings.Join(out, ", ")
}

// voidKit ends what is asked of the leak kit of a case that needs none any more.
func (b *Base) voidKit(tx *store.Tx, id cvd.CaseID, why string) error {
	row, err := readKit(tx, id)
	if err != nil {
		return err
	}
	for _, l := range cvd.Levels() {
		if row.Asked[l] == "" {
			continue
		}
		if err := b.void(tx, row.Asked[l], why, ""); err != nil {
			return err
		}
	}
	return nil
}

// mayReconsiderKit refuses to take back a yes on which a leak went out.
func (s *sitting) mayReconsiderKit(a cvd.ApprovalRequest) error {
	c, err := CaseByID(s.tx, a.Case)
	if err != nil {
		return err
	}
	for _, l := range c.Leaks {
		if a.Kit[l.Level] != "" && len(a.Yes) > 0 && !l.At.Before(a.Yes[0].At) {
			return notDone("the leak of %s was told on it; `hold case` stops what has not left", l.Level)
		}
	}
	return nil
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// suggest puts a further party before the desk that a vendor knows of, upstream
// or downstream. Nobody is told because of it.
func (in *Intake) suggest(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string) (templates.Result, error) {
	if len(args) == 0 {
		return templates.Result{Word: templates.ResultNobody}, nil
	}
	words := defanged(strings.Join(args, " "))
	subject := fmt.Sprintf("%s suggests somebody in %s: %s", who.Party, c.ID, shortened(words, 40))
	err := in.decisionFor(tx, c, who.Party, "suggests-"+randomHex(4), subject, words,
		"decide. To tell them, find out their address and key, and write to control@"+in.DeskDomain+", signed,\n    vendor add NAME ADDRESS\n    case "+
			string(c.ID)+"\n    invite NAME")
	return templates.Result{Word: templates.ResultSuggested}, err
}

// stateOf tells a finder how far its case is: counts and dates, and no names.
func stateOf(tx *store.Tx, c cvd.Case, who cvd.Participant) (templates.Result, error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return templates.Result{}, err
	}
	n := countsFor(ps, who)
	r, inReport, err := reportOf(tx, c.ID)
	switch {
	case err != nil:
		return templates.Result{}, err
	case inReport && r.Ended != "":
		return templates.Result{Word: templates.ResultNoCase}, nil
	case inReport:
		return templates.Result{Word: templates.ResultInIntake}, nil
	case !c.Closed.IsZero():
		return templates.Result{Word: templates.ResultClosed, At: c.Closed}, nil
	case !c.Started():
		return templates.Result{Word: templates.ResultNotStarted, Counts: n}, nil
	}
	return templates.Result{Word: templates.ResultState, Counts: n, At: c.Start, End: c.Embargo().End}, nil
}

// countsFor is what a participant may count. Of few vendors more would tell one of
// them what another said (rule V2).
func countsFor(ps []cvd.Participant, who cvd.Participant) templates.Counts {
	n := countsOf(ps)
	if who.Has(cvd.RoleVendor) {
		return templates.Counts{Vendors: n.Vendors, Told: n.Told, Agreed: n.Agreed}
	}
	return n
}

// countsOf counts where the vendors of a case stand.
func countsOf(ps []cvd.Participant) (n templates.Counts) {
	statuses := map[string]*int{"affected": &n.Affected, "not-affected": &n.NotAffected, "fixed": &n.Fixed, "investigating": &n.Investigating}
	for _, p := range ps {
		if !p.Has(cvd.RoleVendor) || p.Withdrawn != nil {
			continue
		}
		n.Vendors++
		if p.Reached != "" {
			n.Told++
		}
		if p.Accepted() > 0 {
			n.Agreed++
		}
		if p.Ready != nil {
			n.Ready++
		}
		if of := statuses[p.Status().Word]; of != nil {
			*of++
		}
	}
	return n
}

// maxHistory is how many mails a history lists, the newest ones.
const maxHistory = 200

// historyFor lists a participant's own exchange: dates, directions and stages, no
// text.
func (in *Intake) historyFor(tx *store.Tx, c cvd.Case, who cvd.Participant) ([]templates.Exchange, error) {
	all, err := in.came(tx, c, who)
	if err != nil {
		return nil, err
	}
	ns, err := Notices(tx, c.ID, who.Party)
	if err != nil {
		return nil, err
	}
	for _, n := range ns {
		if n.State != cvd.Sent || n.SentAt.IsZero() {
			continue
		}
		e := templates.Exchange{At: n.SentAt, Kind: n.Kind, Stage: n.Stage, Level: n.Level, Version: n.Version}
		e.Number, e.Of = c.Policy.Number(n.Stage)
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b templates.Exchange) int { return a.At.Compare(b.At) }) // what came stands first
	return all[max(0, len(all)-maxHistory):], nil
}

// came lists what came from a participant into its thread.
func (in *Intake) came(tx *store.Tx, c cvd.Case, who cvd.Participant) ([]templates.Exchange, error) {
	box, err := in.threadBox(tx, c, who.Party)
	if err != nil {
		return nil, err
	}
	uids, err := tx.UIDs(box.Number, nil)
	if err != nil {
		return nil, err
	}
	var out []templates.Exchange
	for _, uid := range uids[max(0, len(uids)-maxHistory):] {
		e, err := tx.Entry(box.Number, uid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := tx.Message(e.Message)
		if err != nil {
			return nil, err
		}
		if m.Direction == "in" && m.Party == string(who.Party) {
			out = append(out, templates.Exchange{At: m.At, From: true})
		}
	}
	return out, nil
}

package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// shownRow is a mail in Scheduled that stands for a stage on its way.
type shownRow struct {
	Key     string // of its task
	Parties []cvd.PartyID
}

// departure is a stage that goes to some vendors at one instant.
type departure struct {
	stage   cvd.Stage
	at      time.Time
	parties []cvd.PartyID
}

func (d departure) key(c cvd.CaseID) string {
	return fmt.Sprintf("scheduled:%s:%s:%d", c, d.stage, d.at.Unix())
}

// showScheduled keeps the folder Scheduled in step with a case: one mail for
// each stage and date that nothing but time holds back.
func (b *Base) showScheduled(tx *store.Tx, id cvd.CaseID) error {
	c, err := CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return nil // a report that belongs to no case, or the desk
	}
	if err != nil {
		return err
	}
	going, err := departures(tx, c)
	if err != nil {
		return err
	}
	shown, err := scheduledRows.Get(tx, tx.Name("scheduled", string(c.ID)))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var now []shownRow
	for _, d := range going {
		row := shownRow{Key: d.key(c.ID), Parties: d.parties}
		now = append(now, row)
		if i := slices.IndexFunc(shown, func(s shownRow) bool { return s.Key == row.Key }); i >= 0 && slices.Equal(shown[i].Parties, d.parties) {
			continue
		}
		if err := b.task(tx, row.Key, departureMail(c, d)); err != nil {
			return err
		}
	}
	for _, s := range shown {
		if slices.ContainsFunc(now, func(r shownRow) bool { return r.Key == s.Key }) {
			continue
		}
		if err := b.taskDone(tx, s.Key); err != nil {
			return err
		}
	}
	if slices.EqualFunc(shown, now, func(x, y shownRow) bool { return x.Key == y.Key && slices.Equal(x.Parties, y.Parties) }) {
		return nil
	}
	return scheduledRows.Put(tx, caseScope(c.ID), tx.Name("scheduled", string(c.ID)), now)
}

// departures gathers what is planned and, where the policy asks for it,
// approved, by instant.
func departures(tx *store.Tx, c cvd.Case) ([]departure, error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []departure
	granted := map[string]bool{}
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			if n.Kind != cvd.KindStage || n.State != cvd.Planned || n.Row.IsZero() {
				continue
			}
			free, err := approvedOrFree(tx, c, p, n, granted)
			if err != nil {
				return nil, err
			}
			if free {
				out = board(out, n)
			}
		}
	}
	slices.SortFunc(out, func(x, y departure) int { return x.at.Compare(y.at) })
	return out, nil
}

func board(out []departure, n cvd.Notice) []departure {
	i := slices.IndexFunc(out, func(d departure) bool { return d.stage == n.Stage && d.at.Equal(n.Due) })
	if i < 0 {
		return append(out, departure{n.Stage, n.Due, []cvd.PartyID{n.Party}})
	}
	out[i].parties = append(out[i].parties, n.Party)
	return out
}

func approvedOrFree(tx *store.Tx, c cvd.Case, p cvd.Participant, n cvd.Notice, granted map[string]bool) (bool, error) {
	rule, ok := c.Policy.Rule(n.Stage)
	if !ok || n.ApprovalID == "" {
		return ok && rule.Approvals == 0 && !lateFor(c, p, n), nil
	}
	if yes, known := granted[n.ApprovalID]; known {
		return yes, nil
	}
	a, err := approvalByID(tx, n.ApprovalID)
	granted[n.ApprovalID] = err == nil && a.Granted()
	return granted[n.ApprovalID], err
}

func departureMail(c cvd.Case, d departure) Post {
	n, of := c.Policy.Number(d.stage)
	var names []string
	for _, p := range d.parties {
		names = append(names, "    "+string(p))
	}
	who := partyList(d.parties)
	if len(d.parties) > 4 {
		who = fmt.Sprintf("%d vendors", len(d.parties))
	}
	text := fmt.Sprintf("%s, %s\nstage %d of %d, %s, goes on\n%s to\n\n%s\n\nif by then they did what the stage needs, and their keys are good.\n\nTo stop it: drop this mail into Do/Hold, or\n    case %s\n    hold case because \"...\"\n",
		c.ID, c.Title, n, of, d.stage, instant(d.at), strings.Join(names, "\n"), c.ID)
	return Post{Folder: "Scheduled", Case: c.ID, Subject: fmt.Sprintf("%s: %s to %s in %s", instant(d.at), d.stage, who, c.ID), Text: text, Kind: "scheduled"}
}

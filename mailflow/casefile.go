package mailflow

import (
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// caseFile is the newest mail of a case's folder, ready to replace the one
// before it.
type caseFile struct {
	post  Post
	hash  string
	fresh bool // it reads differently
}

func caseFileKey(id cvd.CaseID) string { return "casefile:" + string(id) }

// renderCaseFile writes the case file as it should read now.
func (b *Base) renderCaseFile(tx *store.Tx, c cvd.Case) (f caseFile, err error) {
	v, err := b.caseFileView(tx, c)
	if err != nil {
		return f, err
	}
	text, err := b.Templates.CaseFile(v)
	if err != nil {
		return f, err
	}
	if f.hash, err = digestOf(text.Subject, text.Text); err != nil {
		return f, err
	}
	row, err := tasks.Get(tx, tx.Name("task", caseFileKey(c.ID)))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return f, err
	}
	f.fresh = row.Hash != f.hash
	f.post = Post{Folder: "Case file", Case: c.ID, Subject: text.Subject, Text: text.Text, Kind: "casefile"}
	return f, nil
}

// putCaseFile puts it in the place of the one before.
func (b *Base) putCaseFile(tx *store.Tx, f caseFile) error {
	key := caseFileKey(f.post.Case)
	if err := b.task(tx, key, f.post); err != nil {
		return err
	}
	row, err := tasks.Get(tx, tx.Name("task", key))
	if err != nil {
		return err
	}
	row.Hash = f.hash
	return tasks.Put(tx, caseScope(f.post.Case), tx.Name("task", key), row)
}

func (b *Base) caseFileView(tx *store.Tx, c cvd.Case) (templates.CaseFile, error) {
	v := templates.CaseFile{Case: c.ID, Title: c.Title, Responsible: c.Responsible, Severity: c.Severity, Policy: c.Policy.Name,
		Start: c.Start, End: c.Embargo().End, Now: tx.Now}
	if c.Started() {
		v.Day = int(tx.Now.Sub(c.Start)/cvd.Day) + 1
		v.Days = int(v.End.Sub(c.Start) / cvd.Day)
	}
	for _, r := range c.Policy.Stages {
		v.Stages = append(v.Stages, r.Stage)
	}
	v.NeedsYou = exploitedLines(c)
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return v, err
	}
	var next []cvd.Notice
	for _, p := range ps {
		if !p.Has(cvd.RoleVendor) {
			continue
		}
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return v, err
		}
		v.Rows = append(v.Rows, caseRow(c, p, all))
		v.NeedsYou = append(v.NeedsYou, needsYou(c, p, all)...)
		for _, n := range all {
			if n.Kind == cvd.KindStage && !n.Row.IsZero() {
				next = append(next, n)
			}
		}
	}
	slices.SortFunc(next, func(a, b cvd.Notice) int { return a.Due.Compare(b.Due) })
	for _, n := range next[:min(len(next), 5)] {
		v.Next = append(v.Next, fmt.Sprintf("%s  %s to %s", instant(n.Due), n.Stage, n.Party))
	}
	return v, nil
}

// caseRow is one participant's line in the matrix of who knows what.
func caseRow(c cvd.Case, p cvd.Participant, all []cvd.Notice) templates.CaseRow {
	row := templates.CaseRow{Party: string(p.Party)}
	for _, r := range c.Policy.Stages {
		cell := "-"
		for _, n := range all {
			if n.Kind == cvd.KindStage && n.Stage == r.Stage && n.State != cvd.Cancelled {
				cell = noticeCell(n)
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	switch s := p.Status(); {
	case p.Withdrawn != nil:
		row.Status = "withdrawn"
	case p.Declined != nil:
		row.Status = "declined"
	case s.Word != "":
		row.Status = s.Word + " " + s.Text
	case p.Accepted() > 0:
		row.Status = "accepted"
	case p.Acknowledged != nil:
		row.Status = "acknowledged"
	case p.Reached != "":
		row.Status = "no answer yet"
	}
	return row
}

func noticeCell(n cvd.Notice) string {
	switch n.State {
	case cvd.Sent:
		return n.SentAt.Format("2 Jan") + " ok"
	case cvd.Queued:
		return "going"
	case cvd.Held:
		return "HELD"
	case cvd.Unknown:
		return "ask"
	case cvd.Failed:
		return "refused"
	case cvd.Approval:
		return "approve"
	case cvd.Waiting:
		return "waits"
	}
	return n.Due.Format("2 Jan")
}

// needsYou lists what a person must do about one participant.
func needsYou(c cvd.Case, p cvd.Participant, all []cvd.Notice) []string {
	var out []string
	for _, n := range all {
		switch {
		case n.State == cvd.Held && !n.Row.IsZero():
			// it ends by itself
		case n.State == cvd.Held:
			out = append(out, fmt.Sprintf("%s to %s is held: %s", n.Stage, p.Party, n.Why))
		case n.State == cvd.Unknown:
			out = append(out, fmt.Sprintf("%s to %s: did it arrive? (D%d)", n.Stage, p.Party, n.Delivery))
		case n.State == cvd.Failed:
			out = append(out, fmt.Sprintf("%s to %s was refused by their server (D%d)", n.Stage, p.Party, n.Delivery))
		}
	}
	if k := len(p.Proposals); k > 0 && p.Proposals[k-1].At.After(c.Embargo().At) {
		out = append(out, fmt.Sprintf("%s proposes %s (now %s)", p.Party, p.Proposals[k-1].Date.Format("2006-01-02"), c.Embargo().End.Format("2006-01-02")))
	}
	return out
}

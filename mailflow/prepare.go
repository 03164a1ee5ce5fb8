package mailflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// Prepare makes anew what the desk sees of every case that changed: requests
// for approval, mails about held notices, and the case file.
func (s *Scheduler) Prepare(ctx context.Context) error {
	var dirty []cvd.CaseID
	err := s.Store.View(func(tx *store.Tx) (err error) {
		dirty, err = collect(dirtyCases.All(tx, nil), nil)
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range dirty {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.Store.Update(func(tx *store.Tx) error { return s.prepareCase(tx, id) }); err != nil {
			errs = append(errs, fmt.Errorf("prepare %s: %w", id, err)) // one bad case keeps no other waiting
		}
	}
	return errors.Join(errs...)
}

func (b *Base) prepareCase(tx *store.Tx, id cvd.CaseID) error {
	if err := dirtyCases.Delete(tx, tx.Name("dirty", string(id))); err != nil {
		return err
	}
	c, err := CaseByID(tx, id)
	if errors.Is(err, ErrNoCase) {
		return nil // a report that belongs to no case, or the desk
	}
	if err != nil {
		return err
	}
	if err := b.askApprovals(tx, c, &looks{within: tx}); err != nil {
		return err
	}
	return b.caseFile(tx, c)
}

// caseFile replaces the newest mail of a case's folder where it would read
// differently.
func (b *Base) caseFile(tx *store.Tx, c cvd.Case) error {
	v, err := b.caseFileView(tx, c)
	if err != nil {
		return err
	}
	text, err := b.Templates.CaseFile(v)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(text.Subject + "\n" + text.Text))
	hash := hex.EncodeToString(sum[:])
	key := "casefile:" + string(c.ID)
	if row, err := tasks.Get(tx, tx.Name("task", key)); err == nil && row.Hash == hash {
		return nil
	}
	if err := b.task(tx, key, Post{Folder: "Case file", Case: c.ID, Subject: text.Subject, Text: text.Text, Kind: "casefile"}); err != nil {
		return err
	}
	row, err := tasks.Get(tx, tx.Name("task", key))
	if err != nil {
		return err
	}
	row.Hash = hash
	return tasks.Put(tx, caseScope(c.ID), tx.Name("task", key), row)
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
		switch n.State {
		case cvd.Held:
			out = append(out, fmt.Sprintf("%s to %s is held: %s", n.Stage, p.Party, n.Why))
		case cvd.Unknown:
			out = append(out, fmt.Sprintf("%s to %s: did it arrive? (D%d)", n.Stage, p.Party, n.Delivery))
		case cvd.Failed:
			out = append(out, fmt.Sprintf("%s to %s was refused by their server (D%d)", n.Stage, p.Party, n.Delivery))
		}
	}
	if k := len(p.Proposals); k > 0 && p.Proposals[k-1].At.After(c.Embargo().At) {
		out = append(out, fmt.Sprintf("%s proposes %s (now %s)", p.Party, p.Proposals[k-1].Date.Format("2006-01-02"), c.Embargo().End.Format("2006-01-02")))
	}
	return out
}

package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// What is overdue after downtime, or when the clock jumped, goes to Approvals,
// one mail for each case, since not everybody may see every case (rule A2). A
// yes lets just these notices go, by the rules of their stages, a no holds them.

// reviewStage stands for the stage in a request to review overdue notices.
const reviewStage cvd.Stage = "overdue"

func isReview(a cvd.ApprovalRequest) bool { return a.Stage == reviewStage }

// reviewRows are the open reviews, by their request.
var reviewRows = store.Versioned[string]("reviews")

func reviewKey(tx *store.Tx, id string) []byte { return tx.Name("review", id) }

// reviewOverdue stops every notice of a case that is overdue, and asks the desk
// about it. It gives how many cases there are.
func (b *Base) reviewOverdue(tx *store.Tx, p Sending) (int, error) {
	late, err := overdue(tx, p.At)
	if err != nil {
		return 0, err
	}
	var ids []cvd.CaseID
	for id := range late {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := b.review(tx, id, late[id], p); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// overdue reads what should have left by an instant, by case. Receipts and
// answers follow from mail that came in, and nobody has to look at them.
func overdue(tx *store.Tx, now time.Time) (map[cvd.CaseID][]cvd.Notice, error) {
	late := map[cvd.CaseID][]cvd.Notice{}
	for r, err := range dueRows.Due(tx, now, new(time.Time)) {
		if err != nil {
			return nil, err
		}
		row := r.Value
		n, err := notices.Get(tx, noticeKey(tx, row.Case, row.Party, row.Notice))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if row.Case == deskCase || n.State.Over() || n.Kind == cvd.KindReceipt || n.Kind == cvd.KindAnswer {
			continue
		}
		late[row.Case] = append(late[row.Case], n)
	}
	return late, nil
}

// review asks about the overdue notices of one case.
func (b *Base) review(tx *store.Tx, id cvd.CaseID, late []cvd.Notice, p Sending) error {
	request, err := newApprovalID(tx)
	if err != nil {
		return err
	}
	a := cvd.ApprovalRequest{ID: request, Case: id, Stage: reviewStage, Author: p.By, Need: 1, Created: tx.Now}
	text := b.reviewText(a, late, p)
	for _, n := range late {
		a.Notices = append(a.Notices, n.ID)
		if !slices.Contains(a.Parties, n.Party) {
			a.Parties = append(a.Parties, n.Party)
		}
		n.Review = fmt.Sprintf("it was overdue (%s), and waits for the review %s", whatHappened(p), a.ID)
		n.State, n.Why = cvd.Held, n.Review
		if err := putNotice(tx, n, time.Time{}); err != nil {
			return err
		}
	}
	if err := putApproval(tx, a); err != nil {
		return err
	}
	if err := reviewRows.Put(tx, caseScope(id), reviewKey(tx, a.ID), a.ID); err != nil {
		return err
	}
	if err := record(tx, journal.Record{Case: string(id), Kind: "approval.asked", Ref: a.ID, Detail: fmt.Sprintf("%d overdue", len(late))}); err != nil {
		return err
	}
	b.moved(tx, id)
	return b.task(tx, "approval:"+a.ID, Post{Folder: "Approvals", Case: id, Kind: "approval", Ref: a.ID, Text: text,
		Subject: fmt.Sprintf("Overdue: %s of %s, up to %s late", count(len(late), "notice"), id, lateBy(latest(late, p.At)))})
}

// latest is how late the first of some notices is.
func latest(late []cvd.Notice, now time.Time) time.Duration {
	var most time.Duration
	for _, n := range late {
		most = max(most, now.Sub(n.Row))
	}
	return most
}

// lateBy is "3 d", "16 min": how late something is, in round numbers.
func lateBy(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*cvd.Day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/cvd.Day)
}

// reviewText lists who should have got what, and how late it is.
func (b *Base) reviewText(a cvd.ApprovalRequest, late []cvd.Notice, p Sending) string {
	late = slices.Clone(late)
	slices.SortStableFunc(late, func(x, y cvd.Notice) int { return cmp.Or(x.Row.Compare(y.Row), cmp.Compare(x.Party, y.Party)) })
	rest := "What is not overdue leaves as planned."
	if !p.Overdue {
		rest = "Nothing else leaves either, until each of these mails is answered: see first that the clock is right."
	}
	lines := []string{templates.Fill("", fmt.Sprintf("%s. This should have left, of %s, and is stopped until one of you says what becomes of it. %s", upperFirst(whatHappened(p)), a.Case, rest)), ""}
	for _, n := range late {
		lines = append(lines, templates.Fill("    ", fmt.Sprintf("%s to %s, for %s, %s late", noticeName(n), n.Party, instant(n.Row), lateBy(p.At.Sub(n.Row)))))
	}
	lines = append(lines, "", templates.Fill("", "To let just these go, in their order and by the rules of their stages: drop this mail into Do/Approve, or write to control@"+b.DeskDomain),
		"    approve "+a.ID, "To hold them: drop it into Do/Reject, or write", "    reject "+a.ID+` because "..."`, "",
		templates.Fill("", "One person is enough, whoever approved them before. `sending resume` lets go what waits so in all cases."))
	return strings.Join(lines, "\n") + "\n"
}

// whatHappened is why it paused: that notices are overdue is said beside it.
func whatHappened(p Sending) string { return strings.TrimSuffix(p.Because, overdueToo) }

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// Undo takes back what a gesture did (rule A5): whoever made a slip moves the
// receipt back. The caller sees to the time in which that is possible; nothing
// that depends on the gesture leaves within it. What cannot be taken back
// comes as *Refusal, with one sentence; nothing was changed then.
func (d *Desk) Undo(ctx context.Context, by Actor, g Gesture) error {
	return d.onMessage(ctx, by, g, (*sitting).takeBack)
}

func (s *sitting) takeBack(g Gesture, m store.Message) error {
	switch g.Button {
	case "Hold":
		if err := s.holdStands(g, m); err != nil {
			return err
		}
		return s.holdBy("Release", m)
	case "Release":
		return s.holdBy("Hold", m)
	case "New case":
		return s.unopen(m)
	case "Approve", "Reject":
		if isOwnLetter(m) {
			return s.unrejectShown(m)
		}
		return s.reconsider(m)
	case "Acknowledge":
		return s.unacknowledge(g, m)
	case "Spam":
		return s.unspam(m)
	case "":
		return s.unfileBy(m)
	}
	return notDone("Do/%s did nothing that could be undone", g.Button)
}

// unrejectShown lets the letter that a message shows leave after all.
func (s *sitting) unrejectShown(m store.Message) error {
	n, err := s.letterIn(m)
	if err != nil {
		return err
	}
	_, err = s.unrejectLetter(n, m.MessageID)
	return err
}

// holdStands refuses where the hold that a gesture began is over: another one may
// stand in its place by now, which somebody wanted for a reason of its own.
func (s *sitting) holdStands(g Gesture, m store.Message) error {
	if g.Done.IsZero() || s.this == "" {
		return nil
	}
	party, err := s.partyOf(m)
	if err != nil {
		return err
	}
	now, err := s.holdOf(undoRow{Party: cvd.PartyID(party)})
	if err == nil && (now == nil || !now.At.Equal(g.Done)) {
		err = changedSince("the hold", "`status` says what is held, and why")
	}
	return err
}

// unopen gives the report of a case back to Intake and closes the case. Its
// tag is not used again.
func (s *sitting) unopen(m store.Message) error {
	c, err := s.theCase()
	if err != nil {
		return err
	}
	r, err := reports.Get(s.tx, store.Seq(m.Report))
	if err != nil {
		return err
	}
	same, err := untouched(s.tx, c, r)
	if err != nil {
		return err
	}
	if !same {
		return notDone("%s was worked on since it was opened, and stays; `case close` ends it", c.ID)
	}
	if err := s.giveBack(s.tx, c, r); err != nil {
		return err
	}
	c.Closed, c.Reports = s.tx.Now, nil
	if err := s.changeCase(c, "case.undone", fmt.Sprintf("#%d is in Intake again", r.Number)); err != nil {
		return err
	}
	return s.moveFolders(c, casesFolder+delimiter, closedFolder(c.Closed))
}

// reconsider takes the actor's own yes or no back: the request is open again,
// as it was.
func (s *sitting) reconsider(m store.Message) error {
	a, err := s.approvalSeen(m.Ref)
	if err != nil {
		return err
	}
	if isShred(a) {
		return s.reconsiderShred(a)
	}
	if isReview(a) {
		return notDone("what was answered about overdue notices is not taken back; `hold case` stops what has not left, `release PARTY` lets go what was held")
	}
	yes := slices.IndexFunc(a.Yes, func(y cvd.Approved) bool { return y.By == s.by.Name })
	switch {
	case strings.HasPrefix(a.How, "rejected by "+s.by.Name+":"):
	case yes < 0 || !a.Open() && !a.Granted():
		return notDone("%s has no answer of yours that could be taken back", a.ID)
	default:
		if err := s.mayReconsider(a); err != nil {
			return err
		}
		a.Yes = slices.Delete(slices.Clone(a.Yes), yes, yes+1)
	}
	a.Ended, a.How, a.Cool = time.Time{}, "", time.Time{}
	if err := putApproval(s.tx, a); err != nil {
		return err
	}
	if err := s.restoreTask(s.tx, "approval:"+a.ID, "Approvals", m); err != nil {
		return err
	}
	if isDraft(a) {
		if err := s.reviveDraft(s.tx, a); err != nil {
			return err
		}
	}
	if err := s.wakeRequest(s.tx, a); err != nil {
		return err
	}
	return record(s.tx, journal.Record{Case: string(a.Case), Actor: s.by.Name, Kind: "approval.undone", Ref: a.ID})
}

// mayReconsider refuses to take back a yes on which something rests already.
func (s *sitting) mayReconsider(a cvd.ApprovalRequest) error {
	_, err := filedOrders.Get(s.tx, approvalKey(s.tx, a.ID))
	switch {
	case err == nil && a.Granted():
		return notDone("what %s let count counts; `hold %s` stops what has not left", a.ID, partyList(a.Parties))
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	if isKit(a) {
		return s.mayReconsiderKit(a)
	}
	for _, p := range a.Parties {
		all, err := Notices(s.tx, a.Case, p)
		if err != nil {
			return err
		}
		for _, n := range all {
			if slices.Contains(a.Notices, n.ID) && hasLeft(n.State) {
				return notDone("%s to %s has left already", noticeName(n), p)
			}
		}
	}
	return nil
}

// hasLeft says whether a notice is on its way, or was.
func hasLeft(s cvd.NoticeState) bool {
	return s == cvd.Queued || s == cvd.Sent || s == cvd.Unknown || s == cvd.Failed
}

// unacknowledge takes back that a letter was filed as an acknowledgement.
func (s *sitting) unacknowledge(g Gesture, letter store.Message) error {
	c, err := s.openCaseHere()
	if err != nil {
		return err
	}
	who, err := s.takesPart(c, letter.Party)
	if err != nil {
		return err
	}
	ack := who.Acknowledged
	if ack == nil || ack.By != s.by.Name {
		return notDone("%s has no acknowledgement that you filed", who.Party)
	}
	all, err := Notices(s.tx, c.ID, who.Party)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Kind == cvd.KindStage && (n.State == cvd.Queued || hasLeft(n.State) && n.SentAt.After(ack.At)) {
			return notDone("%s to %s has left since", noticeName(n), who.Party)
		}
	}
	who.Acknowledged = nil
	if err := s.recorded(who, "ack.undone", ""); err != nil {
		return err
	}
	task, err := s.tx.Message(g.Message)
	if err != nil || task.ID == letter.ID {
		return err
	}
	return s.restoreTask(s.tx, threadTask("letter", c.ID, who.Party), "INBOX", task)
}

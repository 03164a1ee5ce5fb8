package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// caseShred is `shred TAG`. A signed mail that asks for it is the first yes;
// the operator asks without one. On a desk of one its own yes is enough, and
// cool_off stands for the second person.
func caseShred(s *sitting, p *phrase) (string, error) {
	tag, err := p.next("the tag of the case, such as " + s.CasePrefix + "-2026-0007,")
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	c, err := s.caseNamed(tag)
	if err != nil {
		return "", err
	}
	r, err := shredOf(s.tx, c.ID)
	switch {
	case err != nil:
		return "", err
	case r.pending():
		return "", already("%s is destroyed on %s; `reject %s because \"...\"` stops it", c.ID, instant(r.Due), r.Approval)
	case r.Approval != "":
		return "", already("that %s is destroyed waits for approval %s, asked by %s on %s", c.ID, r.Approval, r.By, day(r.Asked))
	}
	if err := mayShred(s.tx, c); err != nil {
		return "", err
	}
	return s.askShred(c)
}

func (s *sitting) askShred(c cvd.Case) (string, error) {
	id, err := newApprovalID(s.tx)
	if err != nil {
		return "", err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c.ID, Stage: shredStage, Author: s.by.Name, Signed: true, Created: s.tx.Now}
	err = record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "approval.asked", Ref: id, Detail: "shred"})
	if err != nil {
		return "", err
	}
	if s.by.Signed {
		if a, err = s.saidYes(a); err != nil {
			return "", err
		}
	}
	if err := putApproval(s.tx, a); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "shred", Case: c.ID, Ref: id}
	said, err := s.settleShred(c, a, shredRow{Case: c.ID, By: s.by.Name, Asked: s.tx.Now, Approval: id})
	if err == nil {
		err = s.retain(s.tx, c)
	}
	if err != nil {
		return "", err
	}
	g, err := countShred(s.tx, c)
	return said + "\nIt destroys " + g.String() + ". First, on the server: export case FILE", err
}

func (s *sitting) saidYes(a cvd.ApprovalRequest) (cvd.ApprovalRequest, error) {
	a.Yes = append(slices.Clone(a.Yes), cvd.Approved{By: s.by.Name, At: s.tx.Now, Signed: true})
	return a, record(s.tx, journal.Record{Case: string(a.Case), Actor: s.by.Name, Kind: "approval.yes", Ref: a.ID, Detail: s.by.Via})
}

// settleShred asks for the yes that is missing, or sets the day.
func (s *sitting) settleShred(c cvd.Case, a cvd.ApprovalRequest, r shredRow) (string, error) {
	desk, err := Coordinators(s.tx)
	if err != nil {
		return "", err
	}
	a.Need = 2
	if len(desk) == 1 {
		a.Need = 1
	}
	s.touch(s.tx, c.ID)
	if len(a.Yes) < a.Need {
		a.Ended, a.How, a.Cool, r.Due = time.Time{}, "", time.Time{}, time.Time{}
		s.waits = a.ID
		if err := s.putShredding(a, r); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s is destroyed for good once two coordinators said yes, signed, and 7 days have passed; %s has %d of %d", c.ID, a.ID, len(a.Yes), a.Need), s.postShred(c, a)
	}
	a.Ended, a.How, r.Due = s.tx.Now, "approved", s.tx.Now.Add(shredDelay)
	if a.Need == 1 {
		a.Cool = s.tx.Now.Add(s.CoolOff)
		r.Due = a.Cool.Add(shredDelay)
	}
	if err := s.putShredding(a, r); err != nil {
		return "", err
	}
	for _, t := range approvalTasks(a) {
		if err := s.taskDone(s.tx, t); err != nil {
			return "", err
		}
	}
	s.tx.Changed(store.Change{Topic: "due"})
	err = record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "shred.scheduled", Ref: a.ID, Detail: utc(r.Due)})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is destroyed for good on %s; until then `reject %s because \"...\"` stops it", c.ID, instant(r.Due), a.ID), s.postScheduledShred(s.tx, c, r)
}

func (s *sitting) putShredding(a cvd.ApprovalRequest, r shredRow) error {
	if err := putApproval(s.tx, a); err != nil {
		return err
	}
	return putShred(s.tx, r)
}

// shredAsked is the case of a request to destroy it, which must still be the one
// that stands.
func (s *sitting) shredAsked(a cvd.ApprovalRequest) (cvd.Case, shredRow, error) {
	c, err := s.caseSeen(a.Case)
	if err != nil {
		return c, shredRow{}, err
	}
	r, err := shredOf(s.tx, c.ID)
	if err == nil && r.Approval != a.ID {
		err = overNow(a)
	}
	return c, r, err
}

// approveShred is one more yes to it.
func (s *sitting) approveShred(a cvd.ApprovalRequest) (string, error) {
	if _, err := s.mayApprove(s.tx, a, s.by); err != nil {
		return "", err
	}
	c, r, err := s.shredAsked(a)
	if err != nil {
		return "", err
	}
	if err := mayShred(s.tx, c); err != nil {
		return "", err
	}
	mail, err := taskMessage(s.tx, "approval:"+a.ID)
	if err != nil {
		return "", err
	}
	if a, err = s.saidYes(a); err != nil {
		return "", err
	}
	said, err := s.settleShred(c, a, r)
	s.undo = &undoRow{Verb: "approve", Case: c.ID, Ref: a.ID, Message: mail}
	return said, err
}

// rejectShred is a no, which stops it until it is carried out, whoever said yes.
func (s *sitting) rejectShred(a cvd.ApprovalRequest, why string) (string, error) {
	if strings.HasPrefix(a.How, "rejected") {
		return "", already("%s is over: %s", a.ID, a.How)
	}
	c, _, err := s.shredAsked(a)
	if err != nil {
		return "", err
	}
	mail, err := taskMessage(s.tx, "approval:"+a.ID)
	if err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "approval.no", Ref: a.ID, Detail: why})
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "reject", Case: c.ID, Ref: a.ID, Message: mail}
	_, err = s.stopShred(s.tx, c.ID, s.by.Name, why)
	return fmt.Sprintf("%s rejected; %s is not destroyed", a.ID, c.ID), err
}

// stopShred ends what would destroy a case, if anything would. What it says is
// the end of the answer to the command that stopped it.
func (b *Base) stopShred(tx *store.Tx, id cvd.CaseID, by, why string) (string, error) {
	r, err := shredOf(tx, id)
	if err != nil || r.Approval == "" || r.gone() {
		return "", err
	}
	a, err := approvalByID(tx, r.Approval)
	if err != nil {
		return "", err
	}
	a.Ended, a.How = tx.Now, "rejected by "+by+": "+why
	if err := putApproval(tx, a); err != nil {
		return "", err
	}
	for _, t := range slices.Concat(approvalTasks(a), shredTasks(id)) {
		if err := b.taskDone(tx, t); err != nil {
			return "", err
		}
	}
	b.touch(tx, id)
	if err := dropShred(tx, r); err != nil {
		return "", err
	}
	return "; it is not destroyed", record(tx, journal.Record{Case: string(id), Actor: by, Kind: "shred.stopped", Ref: a.ID, Detail: why})
}

// unshred takes it back that somebody asked for it.
func unshred(s *sitting, u undoRow) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	r, err := shredOf(s.tx, c.ID)
	if err == nil && r.Approval != u.Ref {
		err = changedSince("this request", "see Approvals")
	}
	if err != nil {
		return "", err
	}
	_, err = s.stopShred(s.tx, c.ID, s.by.Name, "undo")
	return fmt.Sprintf("%s is not destroyed", c.ID), err
}

// reconsiderShred takes the actor's own yes or no back. The 7 days begin anew
// where enough of a yes is left.
func (s *sitting) reconsiderShred(a cvd.ApprovalRequest) error {
	c, err := s.caseSeen(a.Case)
	if err != nil {
		return err
	}
	r, err := shredOf(s.tx, c.ID)
	if err != nil {
		return err
	}
	yes := slices.IndexFunc(a.Yes, func(y cvd.Approved) bool { return y.By == s.by.Name })
	switch {
	case strings.HasPrefix(a.How, "rejected by "+s.by.Name+":") && r.Approval == "":
		r = shredRow{Case: c.ID, By: a.Author, Asked: a.Created, Approval: a.ID}
	case yes < 0 || r.Approval != a.ID:
		return notDone("%s has no answer of yours that could be taken back", a.ID)
	default:
		a.Yes = slices.Delete(slices.Clone(a.Yes), yes, yes+1)
	}
	if err := mayShred(s.tx, c); err != nil {
		return err
	}
	for _, t := range shredTasks(c.ID) {
		if err := s.taskDone(s.tx, t); err != nil {
			return err
		}
	}
	r.Warned = time.Time{}
	if _, err := s.settleShred(c, a, r); err != nil {
		return err
	}
	s.waits = ""
	return record(s.tx, journal.Record{Case: string(c.ID), Actor: s.by.Name, Kind: "approval.undone", Ref: a.ID})
}

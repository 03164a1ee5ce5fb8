package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// filedOrder is an acceptance, or a consent to an introduction, that a coordinator
// filed and a second person has to confirm before it counts. A no of its
// participant's own that came after it counts instead.
type filedOrder struct {
	Case    cvd.CaseID
	Party   cvd.PartyID
	Version int
	Via     string
	By      string
	At      time.Time // when it was filed
	Intro   uint64    `json:",omitempty"` // of a consent: the introduction
}

var filedOrders = store.WriteOnce[filedOrder]("filed") // under the ID of the request for approval

// secondPerson says whether the next stage of a participant needs a second
// person, and its rule. A desk of one has none; there CoolOff holds the stage
// itself back.
func (s *sitting) secondPerson(c cvd.Case, who cvd.Participant) (cvd.StageRule, bool, error) {
	desk, err := Coordinators(s.tx)
	if err != nil || len(desk) < 2 {
		return cvd.StageRule{}, false, err
	}
	for _, r := range c.Policy.Stages {
		if r.Stage.Rank() > who.Reached.Rank() {
			return r, r.Approvals > 0, nil
		}
	}
	return cvd.StageRule{}, false, nil
}

// fileForSecond asks another coordinator for a yes to what was filed.
func (s *sitting) fileForSecond(c cvd.Case, rule cvd.StageRule, f filedOrder) (string, error) {
	id, err := newApprovalID(s.tx)
	if err != nil {
		return "", err
	}
	a := cvd.ApprovalRequest{ID: id, Case: c.ID, Stage: rule.Stage, Author: f.By, Authors: []string{f.By}, Parties: []cvd.PartyID{f.Party},
		Need: 1, Signed: rule.Signed, Created: s.tx.Now}
	if err := putApproval(s.tx, a); err != nil {
		return "", err
	}
	if err := filedOrders.Put(s.tx, caseScope(c.ID), approvalKey(s.tx, id), f); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(f.Party), Actor: f.By, Kind: "approval.asked", Ref: id, Detail: "accept"})
	if err != nil {
		return "", err
	}
	what := fmt.Sprintf("%s accepted v%d of the embargo, via %s", f.Party, f.Version, f.Via)
	text := fmt.Sprintf("%s files: %s.\n\nIt does not count yet. Once you say yes, %s may go to %s.\n\nTo approve: drop this mail into Do/Approve, or write to control@%s\n    approve %s\nTo refuse: drop it into Do/Reject, or write\n    reject %s because \"...\"\n",
		f.By, what, rule.Stage, f.Party, s.DeskDomain, id, id)
	if rule.Signed {
		text += "\nIt counts only in a mail signed with your own OpenPGP key.\n"
	}
	s.waits = id
	return what, s.task(s.tx, "approval:"+id, Post{Folder: "Approvals", Case: c.ID, From: f.By, Kind: "approval", Ref: id,
		Subject: fmt.Sprintf("Approve? %s in %s: accept v%d, filed by %s", f.Party, c.ID, f.Version, f.By), Text: text})
}

// approvalSeen reads a request for approval that the actor may know of.
func (s *sitting) approvalSeen(id string) (cvd.ApprovalRequest, error) {
	a, err := approvalByID(s.tx, id)
	if err == nil {
		err = s.requestSeen(a)
	}
	var unknown *Refusal
	if errors.As(sentence(err), &unknown) {
		return cvd.ApprovalRequest{}, notDone("there is no approval %s; any change to a text, recipient, key or date makes a new one, see Approvals", id)
	}
	if err != nil {
		return cvd.ApprovalRequest{}, err
	}
	home, err := caseNow(s.tx, a.Case)
	if err != nil {
		return cvd.ApprovalRequest{}, err
	}
	if s.this != "" && s.this != a.Case && s.this != home {
		return cvd.ApprovalRequest{}, notDone("%s is about %s, and these lines are about %s; nothing was changed. Write it without the `case` line, or look the ID up in Approvals", a.ID, a.Case, s.this)
	}
	return a, nil
}

// requestSeen says whether the actor may know of what a request is about: its
// case, or a report that has none.
func (s *sitting) requestSeen(a cvd.ApprovalRequest) error {
	id, err := caseNow(s.tx, a.Case)
	if _, inReport := reportNumber(id); err != nil || inReport {
		return err
	}
	_, err = s.caseSeen(id)
	return err
}

// deskApprove is `approve ID`.
func deskApprove(s *sitting, p *phrase) (string, error) {
	id, err := p.only("the ID of the approval")
	if err != nil {
		return "", err
	}
	return s.approveID(id)
}

func (s *sitting) approveID(id string) (string, error) {
	a, err := s.approvalSeen(id)
	if err != nil {
		return "", err
	}
	if s.by.Via == ViaOperator && a.Signed {
		return "", notDone("%s counts only in a mail signed by a coordinator; the operator cannot give it", a.ID)
	}
	if isShred(a) {
		return s.approveShred(a)
	}
	if isReview(a) {
		return s.answerReview(a, "")
	}
	mail, err := taskMessage(s.tx, "approval:"+a.ID)
	if err != nil {
		return "", err
	}
	said, err := s.approve(s.tx, a.ID, s.by)
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "approve", Case: a.Case, Ref: a.ID, Message: mail}
	now, err := approvalByID(s.tx, a.ID)
	switch {
	case err != nil:
		return "", err
	case now.Open():
		s.waits = a.ID
		return said, nil
	case !now.Granted():
		return said, nil
	}
	f, err := filedOrders.Get(s.tx, approvalKey(s.tx, a.ID))
	if errors.Is(err, store.ErrNotFound) {
		return said, nil
	}
	if err != nil {
		return "", err
	}
	return s.fileFiled(f)
}

// deskReject is `reject ID because "…"`; of a letter that has not left,
// `reject N12`.
func deskReject(s *sitting, p *phrase) (string, error) {
	id, err := p.next("the ID of the approval, or the number of a letter such as N12,")
	if err != nil {
		return "", err
	}
	if number, ok := letterID(id); ok {
		return s.rejectNumbered(number, p)
	}
	why, err := p.reason(true)
	if err != nil {
		return "", err
	}
	return s.rejectID(id, why)
}

// rejectNumbered takes a letter back by its number. Stopping needs no reason.
func (s *sitting) rejectNumbered(number uint64, p *phrase) (string, error) {
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	n, err := s.letterNamed(number)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "no reason was given"
	}
	return s.rejectLetter(n, why)
}

func (s *sitting) rejectID(id, why string) (string, error) {
	a, err := s.approvalSeen(id)
	if err != nil {
		return "", err
	}
	if isShred(a) {
		return s.rejectShred(a, why)
	}
	if isReview(a) {
		return s.answerReview(a, why)
	}
	mail, err := taskMessage(s.tx, "approval:"+a.ID)
	if err != nil {
		return "", err
	}
	said, err := s.reject(s.tx, a.ID, s.by, why)
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "reject", Case: a.Case, Ref: a.ID, Message: mail}
	if _, err := filedOrders.Get(s.tx, approvalKey(s.tx, a.ID)); err == nil {
		return fmt.Sprintf("%s rejected; what %s filed does not count", a.ID, strings.Join(a.Authors, ", ")), nil
	}
	return said, nil
}

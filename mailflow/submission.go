package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Submission takes what coordinators write in their mail clients. Everything
// is checked while the client still shows the draft, and every refusal is a
// sentence for a person.
type Submission struct {
	*Base
	Desk *Desk

	large sync.Mutex // held while a large mail is opened and filed
}

func refuse(why string, a ...any) *Reply {
	return &Reply{550, [3]int{5, 7, 1}, "Not sent: " + fmt.Sprintf(why, a...)}
}

// CheckSender lets a coordinator write only under its own address.
func (s *Submission) CheckSender(_ context.Context, by, from string) error {
	var c Coordinator
	err := s.Store.View(func(tx *store.Tx) (err error) {
		c, err = CoordinatorByName(tx, by)
		return err
	})
	if err != nil {
		return refuse("you are not on the desk")
	}
	if !strings.EqualFold(c.Address, from) {
		return refuse("%s is not your address here; write as %s", from, c.Address)
	}
	return nil
}

// CheckRcpt answers one RCPT: nil, or the sentence that the client shows.
func (s *Submission) CheckRcpt(_ context.Context, by string, before []string, rcpt string) error {
	d, ok := s.parseDeskAddress(rcpt)
	if !ok {
		return refuse("%s is not an address of the desk; write to PARTY.CASE@%s, STAGE.CASE@%s or control@%s", rcpt, s.DeskDomain, s.DeskDomain, s.DeskDomain)
	}
	if len(before) > 0 {
		return refuse("one mail goes to one place; you also wrote to %s. Send each its own mail", before[0])
	}
	if d.Case == "" {
		return nil
	}
	var reply *Reply
	err := s.Store.View(func(tx *store.Tx) (err error) {
		reply, err = s.mayWrite(tx, by, d)
		return err
	})
	if err != nil {
		return replyLater
	}
	if reply != nil {
		return reply
	}
	return nil
}

// inItsCase follows the address of a report that became part of a case, or of a
// case that was merged: views that were filed before keep the old one. The number
// of a thread becomes whose it is.
func inItsCase(tx *store.Tx, d deskAddress) (deskAddress, error) {
	d, err := d.byThread(tx)
	if err != nil {
		return d, err
	}
	if d.Party == "" {
		d.Case, err = caseNow(tx, d.Case)
		return d, err
	}
	d.Case, d.Party, err = threadNow(tx, d.Case, d.Party)
	return d, err
}

// mayWrite says why a coordinator cannot write to a place, or nil. A case
// that is restricted to others is answered as one that does not exist, under
// the name that was asked for (rule A2).
func (s *Submission) mayWrite(tx *store.Tx, by string, asked deskAddress) (*Reply, error) {
	unknown := refuse("there is no case %s", asked.Case)
	d, err := inItsCase(tx, asked)
	if err != nil {
		return nil, err
	}
	if _, inReport := reportNumber(d.Case); inReport {
		_, known, err := reportOf(tx, d.Case)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if !known || d.Kind != addrParty || !d.Party.IsFinder() {
			return unknown, nil
		}
	} else {
		c, err := CaseByID(tx, d.Case)
		if err != nil && !errors.Is(err, ErrNoCase) {
			return nil, err
		}
		if err != nil || !maySee(c, by) {
			return unknown, nil
		}
		if !c.Closed.IsZero() {
			return refuse("%s is closed; reopen it first", d.Case), nil
		}
	}
	if d.Party == "" {
		return nil, nil
	}
	if d.Kind == addrMaterial && d.Stage == cvd.Holding {
		return refuse("a holding statement is one for everybody; write it to holding.%s@%s", d.Case.Lower(), s.DeskDomain), nil
	}
	who, err := ParticipantByID(tx, d.Case, d.Party)
	if errors.Is(err, ErrNoParticipant) {
		return refuse("%s takes no part in %s", d.Party, d.Case), nil
	}
	if err != nil || d.Kind != addrParty {
		return nil, err
	}
	reply, err := s.mayReach(tx, who)
	if _, unnamed := asked.thread(); unnamed && reply != nil { // a sealed login is not told whose the thread is
		reply = refuse("nothing can be sent to %s.%s now; write to control@%s `plan`, the answer says why", asked.Party, asked.Case.Lower(), s.DeskDomain)
	}
	return reply, err
}

// mayReach says why a letter cannot be sealed to a participant, or nil.
func (b *Base) mayReach(tx *store.Tx, who cvd.Participant) (*Reply, error) {
	if who.Withdrawn != nil {
		return refuse("%s was withdrawn from %s", who.Party, who.Case), nil
	}
	keys, err := ownerKeys(tx, OwnerOf(who))
	if err != nil {
		return nil, err
	}
	policy, err := policyFor(tx, who)
	if err != nil {
		return nil, err
	}
	need := keyring.Need{Trust: keyring.Confirmed, Confirmers: policy.KeyConfirmers()}
	if who.Party.IsFinder() {
		need.Trust = keyring.Claimed
	}
	choice := keyring.Select(b.Certs, keys, need, tx.Now)
	if len(choice.Certificates) > 0 {
		return nil, nil
	}
	why := "no key is known"
	if len(choice.Why) > 0 {
		why = strings.Join(choice.Why, "; ")
	}
	return refuse("there is no confirmed, usable key of %s (%s), and nothing goes out in clear", who.Party, why), nil
}

// maySee says whether a coordinator may know of a case.
func maySee(c cvd.Case, by string) bool {
	return len(c.Restricted) == 0 || slices.Contains(c.Restricted, by)
}

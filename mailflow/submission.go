package mailflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Submission takes what coordinators write in their mail clients. Everything
// is checked while the client still shows the draft, and every refusal is a
// sentence for a person.
type Submission struct {
	*Base
	Desk *Desk
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
		if d, err = inItsCase(tx, d); err == nil {
			reply, err = s.mayWrite(tx, by, d)
		}
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

// inItsCase follows the address of a report that became part of a case: views
// that were filed before keep the old one.
func inItsCase(tx *store.Tx, d deskAddress) (deskAddress, error) {
	r, ok, err := reportOf(tx, d.Case)
	if errors.Is(err, store.ErrNotFound) {
		return d, nil // mayWrite says that there is none
	}
	if ok && r.Case != "" {
		d.Case = r.Case
	}
	return d, err
}

// mayWrite says why a coordinator cannot write to a place, or nil. A case
// that is restricted to others is answered as one that does not exist (rule
// A2).
func (s *Submission) mayWrite(tx *store.Tx, by string, d deskAddress) (*Reply, error) {
	unknown := refuse("there is no case %s", d.Case)
	if _, inReport := reportNumber(d.Case); inReport {
		if d.Kind != addrParty || d.Party != cvd.Finder {
			return unknown, nil
		}
	} else {
		c, err := CaseByID(tx, d.Case)
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
	who, err := ParticipantByID(tx, d.Case, d.Party)
	if err != nil {
		return refuse("%s takes no part in %s", d.Party, d.Case), nil
	}
	if d.Kind != addrParty {
		return nil, nil
	}
	return s.mayReach(tx, who)
}

// mayReach says why a letter cannot be sealed to a participant, or nil.
func (s *Submission) mayReach(tx *store.Tx, who cvd.Participant) (*Reply, error) {
	if who.Withdrawn != nil {
		return refuse("%s was withdrawn from %s", who.Party, who.Case), nil
	}
	keys, err := ownerKeys(tx, OwnerOf(who))
	if err != nil {
		return nil, err
	}
	need := keyring.Confirmed
	if who.Party == cvd.Finder {
		need = keyring.Claimed
	}
	choice := keyring.Select(s.Certs, keys, need, tx.Now)
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

// Submit takes one mail of a coordinator. nil means that it is kept.
func (s *Submission) Submit(ctx context.Context, env Envelope, r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, s.Limits.Size+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) > s.Limits.Size {
		return replyTooLarge
	}
	root, err := message.Parse(raw, s.Limits)
	if err != nil {
		return &Reply{554, [3]int{5, 6, 0}, "Not sent: the mail cannot be read: " + err.Error()}
	}
	sub, err := s.openSubmission(ctx, env, root)
	if err != nil {
		return err
	}
	for _, rcpt := range env.To {
		if err := s.CheckRcpt(ctx, env.Login, nil, rcpt); err != nil {
			return err
		}
		d, _ := s.parseDeskAddress(rcpt)
		if err := s.take(ctx, sub, d); err != nil {
			return storeReply(err)
		}
	}
	return nil
}

// submitted is a coordinator's mail, opened.
type submitted struct {
	by    Actor
	shown *message.Part
	text  string
	raw   []byte
}

// openSubmission reads a coordinator's mail; signed is true only where the
// whole of it is signed by the coordinator's own key (rule A3).
func (s *Submission) openSubmission(ctx context.Context, env Envelope, root *message.Part) (*submitted, error) {
	var c Coordinator
	var now = root
	err := s.Store.View(func(tx *store.Tx) (err error) {
		c, err = CoordinatorByName(tx, env.Login)
		return err
	})
	if err != nil {
		return nil, refuse("you are not on the desk")
	}
	a := &arrival{raw: root.Raw(), root: root, shown: root}
	certs := ownCertificates(c)
	o := pgpmime.Opener{Secrets: s.Secrets, Limits: pgpmime.DefaultLimits(),
		Certificates: func(uint64) []*keyring.Certificate { return certs },
		Parse: func(b []byte) (*pgpmime.Part, error) {
			p, err := message.Parse(b, s.Limits)
			if err != nil {
				return nil, err
			}
			a.parsed = append(a.parsed, p)
			return treeOf(p), nil
		}}
	at := s.clock()
	opened, err := o.Open(ctx, treeOf(root), at)
	if err != nil {
		return nil, refuse("it cannot be decrypted with the gateway's key")
	}
	if a.opened = opened; opened.Payload != nil {
		now = a.payloadTree()
	}
	a.shown = now
	sub := &submitted{by: Actor{Name: c.Name, Via: "mail"}, shown: now, text: a.text(), raw: root.Raw()}
	var fprs []keyring.Fingerprint
	for _, k := range certs {
		fprs = append(fprs, k.Fingerprint())
	}
	v := pgpmime.Judge(opened, pgpmime.Claim{Pinned: fprs, Addresses: []string{c.Address}, From: a.from()}, at)
	sub.by.Signed = v.Valid() && !stale(v, at)
	return sub, nil
}

func ownCertificates(c Coordinator) []*keyring.Certificate {
	if len(c.Key) == 0 {
		return nil
	}
	certs, err := keyring.ParseCertificates(c.Key)
	if err != nil {
		return nil
	}
	return certs
}

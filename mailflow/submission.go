package mailflow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

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

// inItsCase follows the address of a report that became part of a case: views
// that were filed before keep the old one.
func inItsCase(tx *store.Tx, d deskAddress) (deskAddress, error) {
	id, err := caseOfReport(tx, d.Case)
	d.Case = id
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
		if !known || d.Kind != addrParty || d.Party != cvd.Finder {
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
	who, err := ParticipantByID(tx, d.Case, d.Party)
	if errors.Is(err, ErrNoParticipant) {
		return refuse("%s takes no part in %s", d.Party, d.Case), nil
	}
	if err != nil || d.Kind != addrParty {
		return nil, err
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

// Submit takes one mail of a coordinator. nil means that it is kept. It is
// read to its end before any of it is in memory, so that slow clients hold
// none, and large ones are opened one after the other (see largeMail).
func (s *Submission) Submit(ctx context.Context, env Envelope, r io.Reader) error {
	draft, err := s.Store.Seal(io.LimitReader(r, s.Limits.Size+1))
	if err != nil {
		return storeReply(err)
	}
	defer draft.Drop()
	if draft.Size > s.Limits.Size {
		return replyTooLarge
	}
	if draft.Size > largeMail {
		s.large.Lock()
		defer s.large.Unlock()
	}
	raw, err := draft.Bytes()
	if err != nil {
		return storeReply(err)
	}
	return s.submit(ctx, env, raw)
}

func (s *Submission) submit(ctx context.Context, env Envelope, raw []byte) error {
	root, err := message.Parse(raw, s.Limits)
	if err != nil {
		return unreadable("it cannot be read: " + err.Error())
	}
	sub, err := s.openSubmission(ctx, env, root)
	if err != nil {
		return storeReply(err)
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

// unreadable refuses the text of a mail.
func unreadable(why string) *Reply {
	return &Reply{554, [3]int{5, 6, 0}, "Not sent: " + why}
}

// submitted is a coordinator's mail, opened.
type submitted struct {
	by      Actor
	subject string
	text    string // what a person wrote
	plain   string // the first plain text: commands are read from nothing else
	files   []cvd.File
	once    []byte // digest of what was signed, and when; nil unless by.Signed
}

// openSubmission reads a coordinator's mail. It counts as signed only where
// the whole of it is signed by the coordinator's own key, not long ago, and
// for the desk (rules A3, S1, S2, S6).
func (s *Submission) openSubmission(ctx context.Context, env Envelope, root *message.Part) (*submitted, error) {
	var c Coordinator
	err := s.Store.View(func(tx *store.Tx) (err error) {
		c, err = CoordinatorByName(tx, env.Login)
		return err
	})
	if err != nil {
		return nil, refuse("you are not on the desk")
	}
	certs := ownCertificates(c)
	a, err := s.openOwn(ctx, root, certs)
	if err != nil {
		return nil, err
	}
	m := &submitted{by: Actor{Name: c.Name, Via: ViaMail}, subject: a.subject(), text: writtenText(a.shown), plain: a.text(), files: filesWithout(a.shown, certs)}
	var fprs []keyring.Fingerprint
	for _, k := range certs {
		fprs = append(fprs, k.Fingerprint())
	}
	at := s.clock()
	v := pgpmime.Judge(a.opened, pgpmime.Claim{Pinned: fprs, Addresses: []string{c.Address}, From: a.from()}, at)
	if v.Valid() && !stale(v, at) && s.isForDesk(covered(a.shown)) {
		m.by.Signed, m.once = true, signedOnce(c.Name, v.SignedAt(), covered(a.shown))
	}
	return m, nil
}

// openOwn takes the protection off a coordinator's mail.
func (s *Submission) openOwn(ctx context.Context, root *message.Part, certs []*keyring.Certificate) (*arrival, error) {
	a := &arrival{raw: root.Raw(), root: root, shown: root}
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
	opened, err := o.Open(ctx, treeOf(root), s.clock())
	if errors.Is(err, pgpmime.ErrUndecryptable) {
		return nil, unreadable("it, or a part of it, is encrypted, but not with the gateway's key")
	}
	if err != nil {
		return nil, err
	}
	if a.opened = opened; opened.Payload != nil {
		a.shown = a.payloadTree()
	}
	return a, nil
}

// covered is the part whose bytes a signature over the whole covers: what
// stands around it can be changed without breaking the signature.
func covered(shown *message.Part) *message.Part {
	if shown.MediaType == "multipart/signed" && len(shown.Children) == 2 {
		return shown.Children[0]
	}
	return shown
}

// signedOnce names what somebody signed at an instant, whatever was put around
// it since, so that it counts once (rule S6).
func signedOnce(by string, at time.Time, p *message.Part) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\x00%d\x00", by, at.Unix())                    // never fails (hash.Hash)
	_, _ = h.Write(bytes.ReplaceAll(p.Raw(), []byte("\r\n"), []byte("\n"))) // a signature over text leaves line ends open
	return h.Sum(nil)
}

// isForDesk says whether a signed part was written to the desk: where its
// recipients are signed with it, one is ours. What was signed for a colleague
// must not be handed to us as a command.
func (s *Submission) isForDesk(p *message.Part) bool {
	to, err := p.Header.Addresses("To")
	if err != nil {
		return false
	}
	return len(to) == 0 || slices.ContainsFunc(to, func(a message.Address) bool {
		_, ours := s.parseDeskAddress(a.Addr())
		return ours
	})
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

package mailflow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// Submit takes one mail of a coordinator. nil means that it is kept. It is
// read to its end before any of it is in memory, so that slow clients hold
// none, and large ones are opened one after the other (see largeMail).
func (s *Submission) Submit(ctx context.Context, env Envelope, r io.Reader) error {
	draft, err := s.Store.Seal(io.LimitReader(s.Reserve.watch(r), s.Limits.Size+1))
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
	found   judged // what the guard found in a letter
	parties int    // to how many participants the letter goes
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
	for _, from := range a.from() { // RFC 5322, section 3.6.2: the author, which the login is
		if !keyring.SameAddress(from, c.Address) {
			return nil, refuse("its From names %s, which is not your address here; write as %s", orNone(from), c.Address)
		}
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
	o := pgpmime.Opener{Secrets: s.Own.Secrets(), Limits: pgpmime.DefaultLimits(),
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
	if len(opened.SecretKeys) > 0 {
		return nil, unreadable("a secret key stands in it; take it out, and treat that key as burnt: revoke it and make another")
	}
	a.show(opened)
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

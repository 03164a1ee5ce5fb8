package mailflow

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"parley/keyring"
	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// sealed is a parcel ready to be queued.
type sealed struct {
	messageID string
	bounce    string
	head      string       // the fields that sign wire for our domain, in front of it
	wire      *store.Draft // the bytes that leave, with head
	served    *store.Draft // what the desk sees of them
	agreed    *cvd.Agreed  // what the calendar in it says
	tree      *message.Part
}

func (s *sealed) drop() {
	s.wire.Drop()
	s.served.Drop()
}

// seal renders, composes, signs and encrypts one parcel to its participant
// alone (rules V1, V5: without a key there is an error, never a plain mail).
func (o *Outbox) seal(p *parcel) (*sealed, error) {
	r, err := o.render(p)
	if err != nil {
		return nil, err
	}
	files, err := o.attachments(p)
	if err != nil {
		return nil, err
	}
	s := &sealed{messageID: p.As, bounce: cvd.NewToken(), agreed: agreedDate(p)}
	if s.messageID == "" {
		s.messageID = newMessageID(o.Domain)
	}
	outer := o.outer(p, s.messageID, r.Subject)
	if s.wire, s.head, err = o.wire(p, r, outer, files); err != nil {
		return nil, err
	}
	if err := o.view(s, p, r, outer, files); err != nil {
		s.wire.Drop()
		return nil, err
	}
	return s, nil
}

// view makes what the desk sees.
func (o *Outbox) view(s *sealed, p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) error {
	view, err := o.sentView(p, r, outer, files)
	if err != nil {
		return err
	}
	if s.tree, err = message.Parse(view, ownLimits(o.Limits)); err != nil {
		return fmt.Errorf("read our own mail: %w", err)
	}
	s.served, err = o.Store.SealBytes(view)
	return err
}

// clearKind says that mails of this kind hold nothing of a case.
func clearKind(k cvd.NoticeKind) bool { return k == cvd.KindContact || k == cvd.KindNote }

// outer is the outer header. inner is the Subject inside, which stands there only of
// what is in clear.
func (o *Outbox) outer(p *parcel, id, inner string) pgpmime.Outer {
	from := o.ThreadAddress(p.Participant.Token)
	if p.inClear() {
		from = o.ReportAddress()
	}
	subject := o.Subject
	switch {
	case p.inClear():
		subject = inner
	case p.Party.Manner.Subject != "":
		subject = p.outside(p.Party.Manner.Subject)
	default:
		subject = p.outside(subject)
	}
	cert := p.Ours.signing().Certificate
	outer := pgpmime.Outer{From: from, To: p.to(), ReplyTo: from, Subject: subject, MessageID: id,
		Date: p.Now.UTC(), Autocrypt: autocrypt(from, cert.Minimal())}
	if p.Letter != nil && p.Letter.Automatic {
		outer.Extra = [][2]string{{"Auto-Submitted", "auto-replied"}} // RFC 3834 section 5; another gateway does not answer it
	}
	return outer
}

// attachments are the material's files, our key and, for a vendor, the date as
// a calendar.
func (o *Outbox) attachments(p *parcel) ([]message.Attachment, error) {
	var out []message.Attachment
	for _, f := range p.Files {
		out = append(out, asAttachment(f))
	}
	if agreed := agreedDate(p); agreed != nil {
		ics, err := embargoCalendar(p, *agreed)
		if err != nil {
			return nil, err
		}
		out = append(out, ics)
	}
	key, err := keyring.ArmorCertificates(ourCertificates(p)...)
	if err != nil {
		return nil, err
	}
	return append(out, message.Attachment{Filename: "our-key.asc", MediaType: "application/pgp-keys", Data: key}), nil
}

// ourCertificates are those of our keys that a mail brings along; a letter about
// a change brings both, also after it.
func ourCertificates(p *parcel) []*keyring.Certificate {
	certs := p.Ours.published()
	if before, ok := p.Ours.before(); ok && p.Notice.Kind == cvd.KindKey && len(certs) == 1 {
		certs = append(certs, before.Certificate)
	}
	return certs
}

// newMessageID makes a Message-ID that tells nothing but our domain (RFC 5322
// section 3.6.4), without the brackets.
func newMessageID(domain string) string { return randomHex(16) + "@" + domain }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

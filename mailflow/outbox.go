package mailflow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
	"parley/templates"
)

// Outbox turns due notices into sealed mails in the delivery queue.
type Outbox struct{ *Base }

// errStale says that a parcel changed while it was sealed.
var errStale = errors.New("changed while it was sealed")

// Release asks the gate about one due notice and, where it answers Release,
// renders, seals and queues it. A notice that fails to render or seal is
// held, and the desk told; it never stops the others.
func (o *Outbox) Release(ctx context.Context, row dueNotice, now time.Time, l *looks) error {
	for range 3 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := o.releaseOnce(row, now, l)
		if !errors.Is(err, errStale) {
			return err
		}
	}
	return nil // still due; the next round tries again
}

func (o *Outbox) releaseOnce(row dueNotice, now time.Time, l *looks) error {
	var p *parcel
	err := o.Store.View(func(tx *store.Tx) (err error) {
		p, err = o.gather(tx, row.dueRow, now, l)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrNoParticipant) {
		return o.dropRow(row.key)
	}
	if err != nil {
		return o.fault(row.dueRow, "it could not be read", err)
	}
	if a := MayRelease(p.Question); a.Decision != Release {
		return o.settleNow(row.dueRow, now, l)
	}
	var s *sealed
	err = guarded(func() (err error) {
		s, err = o.seal(p)
		return err
	})
	if err != nil {
		return o.fault(row.dueRow, "it could not be written", err)
	}
	defer s.drop()
	mark := p.mark()
	return o.Store.Update(func(tx *store.Tx) error { return o.enqueue(tx, row.dueRow, now, mark, s, l) })
}

// fault holds a notice that cannot be read or written. Why stands before the
// desk; a log learns the kind only, since the words may be those of the case
// (rule H6). What ails the store itself is tried again.
func (o *Outbox) fault(row dueRow, what string, err error) error {
	for _, store := range []error{store.ErrFull, store.ErrBroken, store.ErrClosed} {
		if errors.Is(err, store) {
			return err
		}
	}
	about := []any{"notice", row.Notice, "kind", fmt.Sprintf("%T", rootOf(err))}
	if p := (*store.PanicError)(nil); errors.As(err, &p) {
		about = append(about, "stack", string(p.Stack))
	}
	o.Log.Error("notice held: "+what, about...)
	return o.hold(row, what+": "+err.Error())
}

// rootOf is the innermost error.
func rootOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// dropRow forgets the row of a notice that is gone.
func (o *Outbox) dropRow(key []byte) error {
	return o.Store.Update(func(tx *store.Tx) error { return dueRows.Delete(tx, key) })
}

// settleNow asks again inside a transaction and writes the answer.
func (o *Outbox) settleNow(row dueRow, now time.Time, l *looks) error {
	return o.Store.Update(func(tx *store.Tx) error {
		p, err := o.gather(tx, row, now, l)
		if err != nil {
			return err
		}
		a := MayRelease(p.Question)
		if a.Decision == Release {
			return nil // became free meanwhile: its row is still due
		}
		return o.settle(tx, p.Notice, a)
	})
}

func (o *Outbox) hold(row dueRow, why string) error {
	return o.Store.Update(func(tx *store.Tx) error {
		n, err := notices.Get(tx, noticeKey(tx, row.Case, row.Party, row.Notice))
		if err != nil {
			return err
		}
		return o.settle(tx, n, Answer{Decision: HoldIt, Why: why})
	})
}

// sealed is a parcel ready to be queued.
type sealed struct {
	messageID string
	bounce    string
	wire      *store.Draft // the bytes that leave
	served    *store.Draft // what the desk sees of them
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
	s := &sealed{messageID: newMessageID(o.Domain), bounce: cvd.NewToken()}
	outer := o.outer(p, s.messageID)
	inner, err := innerOf(p, r, outer, files)
	if err != nil {
		return nil, err
	}
	wire, err := o.wire(p, inner, outer)
	if err != nil {
		return nil, err
	}
	view, err := o.sentView(p, r, outer, files)
	if err != nil {
		return nil, err
	}
	if s.tree, err = message.Parse(view, ownLimits(o.Limits)); err != nil {
		return nil, fmt.Errorf("read our own mail: %w", err)
	}
	if s.wire, err = o.Store.SealBytes(wire); err != nil {
		return nil, err
	}
	if s.served, err = o.Store.SealBytes(view); err != nil {
		s.wire.Drop()
		return nil, err
	}
	return s, nil
}

// wire seals the inner entity; only kinds that are content-free by their
// templates are signed in clear.
func (o *Outbox) wire(p *parcel, inner []byte, outer pgpmime.Outer) ([]byte, error) {
	if clearKind(p.Notice.Kind) {
		return pgpmime.SignClear(inner, outer, o.signer(), p.Now)
	}
	return pgpmime.Seal(inner, outer, p.Keys.Certificates, o.signer(), p.Now)
}

// clearKind says that mails of this kind hold nothing of a case.
func clearKind(k cvd.NoticeKind) bool { return k == cvd.KindContact || k == cvd.KindNote }

func (o *Outbox) outer(p *parcel, id string) pgpmime.Outer {
	from := o.ThreadAddress(p.Participant.Token)
	if clearKind(p.Notice.Kind) {
		from = o.ReportAddress()
	}
	subject := o.Subject
	if clearKind(p.Notice.Kind) && p.Letter != nil {
		subject = p.Letter.Subject
	}
	cert := o.signer().Certificate()
	outer := pgpmime.Outer{From: from, To: p.Participant.Address, ReplyTo: from, Subject: subject, MessageID: id,
		Date: p.Now.UTC(), Autocrypt: autocrypt(from, cert.Minimal())}
	if p.Letter != nil && p.Letter.Automatic {
		outer.Extra = [][2]string{{"Auto-Submitted", "auto-replied"}} // RFC 3834 section 5; another gateway does not answer it
	}
	return outer
}

// innerOf composes the entity that is signed and encrypted, with its protected
// header fields (RFC 9788; the older draft's marking beside it).
func innerOf(p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) ([]byte, error) {
	fields := []message.Field{
		{Name: "From", Value: outer.From},
		{Name: "To", Value: outer.To},
		{Name: "Reply-To", Value: outer.ReplyTo},
		{Name: "Subject", Value: r.Subject},
		{Name: "Date", Value: outer.Date.Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: "<" + outer.MessageID + ">"},
	}
	if clearKind(p.Notice.Kind) {
		fields = nil // the outer fields are the only ones
	} else {
		fields = append(fields,
			message.Field{Name: "HP-Outer", Value: "From: " + outer.From},
			message.Field{Name: "HP-Outer", Value: "To: " + outer.To},
			message.Field{Name: "HP-Outer", Value: "Reply-To: " + outer.ReplyTo},
			message.Field{Name: "HP-Outer", Value: "Subject: " + outer.Subject},
			message.Field{Name: "HP-Outer", Value: "Date: " + outer.Date.Format(time.RFC1123Z)},
			message.Field{Name: "HP-Outer", Value: "Message-ID: <" + outer.MessageID + ">"})
		for _, x := range outer.Extra {
			fields = append(fields, message.Field{Name: x[0], Value: x[1]}, message.Field{Name: "HP-Outer", Value: x[0] + ": " + x[1]})
		}
	}
	e := message.Entity{Fields: fields, Text: r.Text, Attachments: files}
	if !clearKind(p.Notice.Kind) {
		e.ContentTypeParams = map[string]string{"protected-headers": "v1", "hp": "cipher"}
	}
	return e.Bytes(randomHex(16))
}

// attachments are the material's files, our key and, for a vendor, the date as
// a calendar.
func (o *Outbox) attachments(p *parcel) ([]message.Attachment, error) {
	var out []message.Attachment
	for _, f := range p.Files {
		out = append(out, asAttachment(f))
	}
	if p.Case.Started() && p.Participant.Has(cvd.RoleVendor) && !clearKind(p.Notice.Kind) {
		ics, err := embargoCalendar(p)
		if err != nil {
			return nil, err
		}
		out = append(out, message.Attachment{Filename: "embargo.ics", MediaType: "text/calendar",
			Params: map[string]string{"method": "PUBLISH", "charset": "utf-8"}, Data: ics})
	}
	key, err := o.signer().Certificate().Armor()
	if err != nil {
		return nil, err
	}
	return append(out, message.Attachment{Filename: "our-key.asc", MediaType: "application/pgp-keys", Data: key}), nil
}

// enqueue is the transaction in which a notice leaves the desk: the gate is
// asked again, then thread, queue row, notice, participant and journal change
// together.
func (o *Outbox) enqueue(tx *store.Tx, row dueRow, now time.Time, mark string, s *sealed, l *looks) error {
	p, err := o.gather(tx, row, now, l)
	if err != nil {
		return err
	}
	if a := MayRelease(p.Question); a.Decision != Release {
		return o.settle(tx, p.Notice, a)
	}
	if p.mark() != mark {
		return errStale
	}
	body, err := tx.Keep(s.wire)
	if err != nil {
		return err
	}
	n := p.Notice
	item := queue.Item{Case: string(n.Case), Party: string(n.Party), Notice: n.ID, Scope: caseScope(n.Case),
		From: "bounce+" + s.bounce + "@" + o.Domain, To: p.Participant.Address, MessageID: s.messageID, Body: body}
	if n.Delivery, err = o.Queue.Add(tx, item); err != nil {
		return err
	}
	back := tokenRow{Case: n.Case, Party: n.Party}
	if err := bounces.Put(tx, caseScope(n.Case), tx.Name("bounce", s.bounce), bounceRow{tokenRow: back, Notice: n.ID}); err != nil {
		return err
	}
	if err := msgIDs.Put(tx, caseScope(n.Case), msgIDKey(tx, s.messageID), back); err != nil {
		return err
	}
	if n.State == cvd.Held {
		if err := o.heldDone(tx, n); err != nil {
			return err
		}
	}
	n.State, n.Why, n.MessageID, n.Hash = cvd.Queued, "", s.messageID, mark
	if err := putNotice(tx, n, time.Time{}); err != nil {
		return err
	}
	if err := o.reach(tx, p, n); err != nil {
		return err
	}
	if err := o.fileSent(tx, p, s); err != nil {
		return err
	}
	o.moved(tx, n.Case)
	return record(tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Actor: letterAuthor(p), Kind: "notice.queued",
		Ref: noticeRef(n), Detail: string(n.Kind) + " " + string(n.Stage)})
}

func letterAuthor(p *parcel) string {
	if p.Letter != nil {
		return p.Letter.Author
	}
	return ""
}

// reach writes what the participant knows from now on, and wakes its next
// stages.
func (o *Outbox) reach(tx *store.Tx, p *parcel, n cvd.Notice) error {
	who := p.Participant
	if n.Code != "" {
		who.Remember(n.Code, n.ID, tx.Now)
	}
	if n.Kind == cvd.KindStage {
		who.Reached = n.Stage
	}
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	if n.Kind != cvd.KindStage {
		return nil
	}
	return o.wake(tx, n.Case, n.Party, true)
}

// newMessageID makes a Message-ID that tells nothing but our domain (RFC 5322
// section 3.6.4), without the brackets.
func newMessageID(domain string) string { return randomHex(16) + "@" + domain }

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

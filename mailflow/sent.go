package mailflow

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/queue"
	"parley/mailflow/store"
	"parley/templates"
)

// bounceRow says which notice a bounce+TOKEN@ address belongs to.
type bounceRow struct {
	tokenRow
	Notice uint64
}

func refusal(what, state, why, next string) templates.Refusal {
	return templates.Refusal{What: what, State: state, Why: why, Next: closed(next)}
}

// closed ends with a full stop what ends with words. Lines to be copied, which
// are indented, stay as they are.
func closed(text string) string {
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if last == "" || strings.HasPrefix(last, " ") || strings.HasSuffix(last, ".") || strings.HasSuffix(last, "?") {
		return text
	}
	return text + "."
}

// autocrypt is the field of the Autocrypt 1.1 specification; the address is
// the thread's, so that a client encrypts its reply to us.
func autocrypt(addr string, key []byte) string {
	return fmt.Sprintf("addr=%s; prefer-encrypt=mutual; keydata=%s", addr, base64.StdEncoding.EncodeToString(key))
}

// sentView is what the desk sees of a mail that left: its words and files
// under header fields of ours. The one-time code is masked: who reads the
// desk's mail must not answer for a vendor. Where the party has a manner of its
// own, the text is the one that it got.
func (o *Outbox) sentView(p *parcel, r templates.Rendered, outer pgpmime.Outer, files []message.Attachment) ([]byte, error) {
	r.Text = p.words(r, files)
	if p.Notice.Code != "" {
		r.Text = strings.ReplaceAll(r.Text, p.Notice.Code, maskedCode)
	}
	note := fmt.Sprintf("Sent to %s <%s>.", p.Notice.Party, p.to()) + waiting.note()
	for _, c := range p.Keys.Certificates {
		note += "\nEncrypted to " + c.Fingerprint().Spaced() + "."
	}
	if m := p.mannerNote(); m != "" {
		note += "\nIt left " + m + "."
	}
	encryption := "yes"
	if p.inClear() {
		what := "it says nothing of a case"
		if !clearKind(p.Notice.Kind) {
			what = "all that it says is public, and no key of the party is known"
		}
		note, encryption = note+"\nSigned, in clear: "+what+".", "no"
	}
	fields := append(o.viewFields(p, r.Subject, outer.MessageID), message.Field{Name: "Parley-Encryption", Value: encryption},
		waiting.field(), message.Field{Name: "Parley-Via", Value: o.ThreadAddress(p.Participant.Token)})
	return message.Entity{Fields: fields, Text: laidOut(note) + "\n\n" + r.Text, Attachments: files}.Bytes(randomHex(16))
}

// viewFields begin the view of a mail of ours.
func (o *Outbox) viewFields(p *parcel, subject, id string) []message.Field {
	return []message.Field{
		{Name: "From", Value: mailbox("Desk to "+partyTitle(p.Participant, p.Case), o.aliasOf(p))},
		{Name: "To", Value: mailbox(partyTitle(p.Participant, p.Case), o.aliasOf(p))},
		{Name: "Subject", Value: headerText(subject)},
		{Name: "Date", Value: p.Now.UTC().Format(time.RFC1123Z)},
		{Name: "Message-ID", Value: "<" + id + ">"},
		{Name: "Parley-Case", Value: string(p.Notice.Case)},
	}
}

func (o *Outbox) aliasOf(p *parcel) string { return o.DeskAlias(p.Notice.Party, p.Notice.Case) }

// partyTitle names a participant in a view: "Acme (vendor, PAR-2026-0007)".
func partyTitle(p cvd.Participant, c cvd.Case) string {
	name, role := strings.ToUpper(string(p.Party[:1]))+string(p.Party[1:]), strings.ReplaceAll(roleWords(p), " and ", " + ")
	if role == "" {
		role = "vendor"
	}
	if p.Party.IsFinder() {
		name, role = p.Name, "finder"
		if name == "" {
			name = "Finder"
		}
	}
	if c.ID == "" {
		return fmt.Sprintf("%s (%s)", name, role)
	}
	return fmt.Sprintf("%s (%s, %s)", name, role, c.ID)
}

// fileSent puts the view of a mail that leaves into its thread. The thread of
// a report that belongs to no case has no folder yet; its mails move into
// the case's when one is opened.
func (o *Outbox) fileSent(tx *store.Tx, p *parcel, s *sealed) error {
	if p.Notice.Case == deskCase {
		return nil // our key, to somebody who asked for it
	}
	served, err := tx.Keep(s.served)
	if err != nil {
		return err
	}
	home, party := p.Notice.Case, p.Notice.Party
	if _, of := reportNumber(home); of || p.Participant.MovedTo != "" {
		if home, party, err = threadNow(tx, home, party); err != nil {
			return err
		}
	}
	m := store.Message{Scope: caseScope(home), At: tx.Now, Served: served, Size: served.Size, Envelope: s.tree.Envelope(),
		Structure: s.tree.Structure(), MessageID: s.messageID, Case: string(home), Party: string(party),
		Direction: "out", Kind: string(p.Notice.Kind), Ref: noticeRef(p.Notice)}
	if m, err = tx.PutMessage(m); err != nil {
		return err
	}
	r, inReport, err := reportOf(tx, home)
	if err != nil {
		return err
	}
	if inReport {
		r.Messages = append(r.Messages, m.ID)
		return reports.Put(tx, caseScope(reportCase(r.Number)), store.Seq(r.Number), r)
	}
	c := p.Case
	if c.ID != home {
		if c, err = CaseByID(tx, home); err != nil {
			return err
		}
	}
	box, err := o.threadBox(tx, c, party)
	if err != nil {
		return err
	}
	return o.inPlace(tx, p.Notice, box, m)
}

// inPlace files the view of a mail that leaves: of a letter in the place of what
// said that it was waiting.
func (o *Outbox) inPlace(tx *store.Tx, n cvd.Notice, box store.Mailbox, m store.Message) error {
	if n.Kind == cvd.KindLetter {
		row, err := waitingLetter(tx, n)
		if err != nil || row.Notice == 0 {
			return errors.Join(err, fileIn(tx, box, m))
		}
		if err := dropWaiting(tx, row); err != nil {
			return err
		}
		if done, err := takesPlace(tx, row.Message, m.ID); err != nil || done {
			return err
		}
	}
	return fileIn(tx, box, m)
}

func fileIn(tx *store.Tx, box store.Mailbox, m store.Message) error {
	_, err := tx.FileIn(box, m)
	return err
}

// reportOf reads the report that a pseudo case stands for.
func reportOf(tx *store.Tx, c cvd.CaseID) (cvd.Report, bool, error) {
	n, ok := reportNumber(c)
	if !ok {
		return cvd.Report{}, false, nil
	}
	r, err := reports.Get(tx, store.Seq(n))
	return r, err == nil, err
}

// Delivered records, in the queue's own transaction, what became of a
// delivery: accepted by their server, refused, or unknown.
func (b *Base) Delivered(tx *store.Tx, it queue.Item) error {
	n, err := notices.Get(tx, noticeKey(tx, cvd.CaseID(it.Case), cvd.PartyID(it.Party), it.Notice))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	was := cameBack(n)
	n.Bounced, n.Delayed, n.Returned = time.Time{}, time.Time{}, ""
	switch it.State {
	case queue.Sent:
		n.State, n.SentAt = cvd.Sent, tx.Now
	case queue.Unknown:
		n.State = cvd.Unknown
	case queue.Failed:
		n.State = cvd.Failed
	case queue.Dropped:
		n.State = cvd.Cancelled
	default: // tried again by a person's word
		n.State = cvd.Queued
	}
	n.Delivery = it.ID
	if err := putNotice(tx, n, time.Time{}); err != nil {
		return err
	}
	b.moved(tx, n.Case)
	if err := restate(tx, it.ID, n.Case); err != nil {
		return err
	}
	if was || n.State == cvd.Failed {
		if err := b.reachAgain(tx, n); err != nil {
			return err
		}
	}
	if was { // what was held because of it is asked about again
		if err := b.wake(tx, n.Case, n.Party, true); err != nil {
			return err
		}
	}
	if n.Kind == cvd.KindIntroduction { // the other half waits for this one, or goes with it
		if err := wakeOtherHalves(tx, n.Case, n.Party, true); err != nil {
			return err
		}
	}
	if err := b.tellDelivery(tx, n, it); err != nil {
		return err
	}
	if n.Kind == cvd.KindStage && n.State == cvd.Sent {
		if err := b.keepAskingOf(tx, n.Case, n.Party); err != nil {
			return err
		}
	}
	return record(tx, journal.Record{Case: it.Case, Party: it.Party, Kind: "notice." + string(n.State), Ref: noticeRef(n),
		Detail: fmt.Sprintf("delivery D%d, %s", it.ID, it.Reply)})
}

// deliveryKey names the task about a delivery.
func deliveryKey(id uint64) string { return fmt.Sprintf("delivery:D%d", id) }

// tellDelivery makes a task of a delivery that needs a person.
func (b *Base) tellDelivery(tx *store.Tx, n cvd.Notice, it queue.Item) error {
	key := deliveryKey(it.ID)
	id := fmt.Sprintf("D%d", it.ID)
	var subject, state, next string
	switch n.State {
	case cvd.Unknown:
		subject = fmt.Sprintf("Did it arrive? %s to %s in %s (%s)", noticeName(n), n.Party, n.Case, id)
		state = "The whole mail was handed over, and no answer came back. Their server has it, or not; nobody here can know. It is not sent again by itself."
		next = fmt.Sprintf("ask %s whether it arrived, then write to control@%s one of\n    delivery %s sent\n    delivery %s again\n    delivery %s drop", n.Party, b.DeskDomain, id, id, id)
	case cvd.Failed:
		subject = fmt.Sprintf("Refused: %s to %s in %s (%s)", noticeName(n), n.Party, n.Case, id)
		state = "Their mail server refused the mail, or did not take it in time: they do not have it. " + waitsBehind(n) + "; others go on."
		next = fmt.Sprintf("find out what is wrong with their address. Where another one is right, write in a signed mail to control@%s\n    vendor edit %s address ADDRESS\nand then\n    delivery %s again", b.DeskDomain, n.Party, id)
	default:
		return errors.Join(b.taskDone(tx, key), b.taskDone(tx, bounceKey(n)))
	}
	r, err := b.Templates.Refusal(refusal(subject, state, it.Reply, next))
	if err != nil {
		return err
	}
	return b.task(tx, key, Post{Case: n.Case, Subject: subject, Text: r.Text, Kind: "delivery", Ref: id})
}

package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// process files one mail for each of its recipients. Reading and opening
// happen outside any transaction; one transaction files it everywhere and
// forgets its row, so that a kill at any instant leaves it either wholly in
// the spool or wholly filed.
func (in *Intake) process(ctx context.Context, row spoolRow) error {
	if row.Body.Size > largeMail {
		in.large.Lock()
		defer in.large.Unlock()
	}
	a, err := in.read(ctx, row)
	if err != nil {
		return err
	}
	return in.commit(a, func(tx *store.Tx) error { return in.deliverAll(tx, a) })
}

// deliverAll files a mail wherever its recipients say. Bytes that no view
// names are given up: of a duplicate, or of a question for our key.
func (in *Intake) deliverAll(tx *store.Tx, a *arrival) error {
	a.filed = false
	var all []place
	for _, rcpt := range a.row.Envelope.To {
		p, err := in.route(tx, a, rcpt)
		if err != nil {
			return fmt.Errorf("route: %w", err)
		}
		p.Via = strings.ToLower(rcpt)
		all = append(all, p)
	}
	for _, p := range onceEach(all) {
		if err := in.deliver(tx, a, p); err != nil {
			return err
		}
	}
	if a.filed {
		return nil
	}
	return tx.Forget(a.row.Body)
}

// onceEach keeps what several recipients of one mail come to: it is filed once
// in a thread, under the participant's own address where that is among them,
// and it is a report or a riddle only where it belongs to no thread.
func onceEach(all []place) []place {
	slices.SortStableFunc(all, func(x, y place) int { return rankOf(x) - rankOf(y) })
	var out []place
	for _, p := range all {
		same := func(o place) bool {
			switch {
			case o.Via == p.Via:
				return true
			case p.thread():
				return o.Kind != toBounce && p.Kind != toBounce && o.Case == p.Case && o.Party == p.Party
			}
			return (p.Kind == toIntake || p.Kind == toQuarantine) && (o.Kind == toThread || o.Kind == toIntake || o.Kind == toQuarantine)
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, p)
		}
	}
	return out
}

// rankOf puts a participant's own address before what else leads to its
// thread, and all that before the rest.
func rankOf(p place) int {
	switch {
	case p.thread() && strings.HasPrefix(p.Via, prefixCase):
		return 0
	case p.thread():
		return 1
	}
	return 2
}

func (in *Intake) deliver(tx *store.Tx, a *arrival, p place) error {
	again, err := in.again(tx, a, p)
	if err != nil {
		return err
	}
	if again.drop {
		return record(tx, journal.Record{Case: string(p.Case), Party: string(p.Party), Kind: "mail.duplicate", Detail: "sha256 " + a.sha256()})
	}
	if again.why != "" {
		p.Kind, p.Why, p.Asks = toQuarantine, again.why, false
	}
	switch p.Kind {
	case toThread:
		return in.fileThread(tx, a, p, again.replay)
	case toIntake:
		return in.fileReport(tx, a, p)
	case toDesk:
		return in.fileDesk(tx, a, p)
	case toKey:
		return in.answerKey(tx, a)
	case toBounce:
		return in.fileBounce(tx, a, p)
	}
	return in.quarantine(tx, a, p, p.Why)
}

// present makes the view of a mail that the desk reads, frozen from now on,
// and stores it beside the bytes received.
func (in *Intake) present(tx *store.Tx, a *arrival, p place, v view) (store.Message, error) {
	r, err := in.rendering(a, in.viewFields(a, p, v), v.note)
	if err != nil {
		return store.Message{}, err
	}
	body, err := tx.Keep(r.draft)
	if err != nil {
		return store.Message{}, err
	}
	a.filed = true
	raw := a.row.Body
	return tx.PutMessage(store.Message{Scope: v.scope, At: a.row.At, Raw: &raw, Served: body, Size: body.Size,
		Envelope: r.tree.Envelope(), Structure: r.tree.Structure(), MessageID: r.tree.Header.MessageID(), Case: string(v.caseID),
		Party: string(p.Party), Direction: "in", Report: v.report, Sender: a.sender(), Kind: v.kind, Ref: v.ref})
}

// ownLimits lets a view be a little larger than what it shows.
func ownLimits(l message.Limits) message.Limits {
	return message.Limits{Size: 2*l.Size + 1<<20, Depth: l.Depth + 2, Parts: l.Parts + 100, HeaderBytes: 2 * l.HeaderBytes, Received: l.Received}
}

// view is how one mail is shown.
type view struct {
	scope     store.Scope
	caseID    cvd.CaseID
	report    uint64
	name      string // display name of From
	alias     string // local part of the desk address that a Reply goes to
	subject   string
	note      string
	kind, ref string
}

// within seals a view under a case, or under a report that has none, and names
// it.
func (v view) within(id cvd.CaseID) view {
	v.scope = caseScope(id)
	if n, inReport := reportNumber(id); inReport {
		v.report = n
	} else if id != deskCase {
		v.caseID = id
	}
	return v
}

// viewFields are the header fields that the gateway writes; Present drops
// whatever came in under these names (rule S8).
func (in *Intake) viewFields(a *arrival, p place, v view) []message.Field {
	fields := []message.Field{
		{Name: "From", Value: mailbox(v.name, v.alias+"@"+in.DeskDomain)},
		{Name: "To", Value: mailbox("Coordinators", "control@"+in.DeskDomain)},
		{Name: "Subject", Value: headerText(v.subject)},
	}
	if v.caseID != "" {
		fields = append(fields, message.Field{Name: "Parley-Case", Value: string(v.caseID)})
	}
	enc := "no"
	if a.opened != nil {
		enc = string(a.opened.Encryption)
	}
	fields = append(fields,
		message.Field{Name: "Parley-Signature", Value: headerText(signatureWords(a, p))},
		message.Field{Name: "Parley-Encryption", Value: enc},
		message.Field{Name: "Parley-From", Value: headerText(orNone(a.sender()))})
	via := p.Via
	if via == "" {
		via = strings.Join(a.row.Envelope.To, ", ")
	}
	fields = append(fields, message.Field{Name: "Parley-Via", Value: headerText(via)})
	return append(fields, carried(a)...)
}

// carried are the fields by which clients sort and thread, taken from the
// outer header where the encrypted part brought none of its own.
func carried(a *arrival) []message.Field {
	if a.root == nil || a.shown == a.root || a.broken != "" {
		return nil
	}
	var out []message.Field
	add := func(name, value string) {
		if value != "" && !a.shown.Header.Has(name) && message.CheckHeaderValue(value) == nil {
			out = append(out, message.Field{Name: name, Value: value})
		}
	}
	if at, err := a.root.Header.Date(); err == nil {
		add("Date", at.Format(time.RFC1123Z))
	}
	add("Message-ID", inBrackets(a.root.Header.MessageID()))
	add("In-Reply-To", inBrackets(a.root.Header.InReplyTo()...))
	add("References", inBrackets(a.root.Header.References()...))
	return out
}

// maxMessageID is the longest that a view repeats: a header line ends at 998
// octets (RFC 5322 section 2.1.1).
const maxMessageID = 400

func inBrackets(ids ...string) string {
	var out []string
	for _, id := range ids {
		if id != "" && len(id) <= maxMessageID {
			out = append(out, "<"+id+">")
		}
	}
	return strings.Join(out, " ")
}

func orNone(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// signatureWords is the value of Parley-Signature.
func signatureWords(a *arrival, p place) string {
	v := p.Verdict
	switch v.State() {
	case pgpmime.Good:
		return fmt.Sprintf("good; party=%s; key=%s; trust=%s", p.Party, v.Key(), p.Trust)
	case pgpmime.OtherParty:
		return fmt.Sprintf("other-party; party=%s; key=%s", ownerName(v.Owner()), v.Key())
	case pgpmime.UnknownKey:
		return "unknown-key; " + unknownKey(a, v)
	case pgpmime.Bad:
		return "bad; reason=" + v.Reason()
	}
	return "none"
}

// unknownKey names a key that nobody pinned: by its fingerprint where its
// certificate came along, else by what its signature says.
func unknownKey(a *arrival, v pgpmime.Verdict) string {
	if v.Key() != "" {
		return "key=" + string(v.Key())
	}
	for _, s := range a.opened.Signatures {
		if s.Unknown && s.KeyID != 0 {
			return fmt.Sprintf("keyid=%016X", s.KeyID)
		}
	}
	return "key=unknown"
}

// words says the same as the header fields, for readers whose client hides
// them.
func words(a *arrival, p place) string {
	var b strings.Builder
	switch {
	case a.opened == nil:
		b.WriteString("Not opened: " + a.broken + ".")
	case a.opened.Encryption == pgpmime.Encrypted:
		b.WriteString("It came encrypted.")
	case a.opened.Encryption == pgpmime.Partly:
		b.WriteString("Only parts of it came encrypted; each is shown on its own.")
	default:
		b.WriteString("It came in CLEAR.")
	}
	if a.opened != nil && len(a.opened.Unopened) > 0 {
		fmt.Fprintf(&b, " %s could not be opened (%s).", pieces(len(a.opened.Unopened)), strings.Join(a.opened.Unopened, ", "))
	}
	sig := signatureWords(a, p)
	fmt.Fprintf(&b, " Signature: %s.\nReally from %s", sig, orNone(a.sender()))
	if a.opened == nil || !strings.HasPrefix(sig, "good") {
		b.WriteString(", which nothing proves")
	}
	b.WriteString(".")
	if a.root != nil {
		if why := a.automatic(); why != "" {
			b.WriteString("\nNo person wrote it: " + why + ".")
		}
	}
	return b.String()
}

func pieces(n int) string {
	if n == 1 {
		return "1 encrypted piece"
	}
	return fmt.Sprintf("%d encrypted pieces", n)
}

// documents are parts that were opened on their own, each an attachment of
// its own (rule P1).
func documents(o *pgpmime.Opened) []message.Attachment {
	if o == nil {
		return nil
	}
	var out []message.Attachment
	for i, d := range o.Documents {
		name := d.Name
		if name == "" {
			name = fmt.Sprintf("opened-%d.txt", i+1)
		}
		name = shortened(headerText(name), maxName)
		out = append(out, message.Attachment{Filename: name, MediaType: "application/octet-stream", Data: d.Data})
	}
	return out
}

// quarantine shows a mail to the desk with the reason why it counts for
// nothing. Who wrote in clear to a thread is told how to write, once a day,
// at the address that we know, without a quote.
func (in *Intake) quarantine(tx *store.Tx, a *arrival, p place, why string) error {
	v := view{scope: DeskScope, name: orNone(a.sender()), alias: "control", kind: "quarantine",
		subject: "[QUARANTINE] " + orNone(a.subject()), note: "Quarantine: " + why + ".\n" + words(a, p)}
	if p.thread() && tx.HasScope(caseScope(p.Case)) {
		v = v.within(p.Case)
		v.subject = fmt.Sprintf("[QUARANTINE] %s in %s: %s", p.Party, p.Case, orNone(a.subject()))
	}
	m, err := in.present(tx, a, p, v)
	if err != nil {
		return err
	}
	box, err := in.folder(tx, "Quarantine")
	if err != nil {
		return err
	}
	if _, err := tx.File(box.Number, m.ID); err != nil {
		return err
	}
	if err := received(tx, a, p, "mail.quarantined", m); err != nil {
		return err
	}
	if !p.Asks {
		return nil
	}
	return in.askToEncrypt(tx, a, p)
}

// askToEncrypt answers mail in clear to a thread and asks the desk whether it
// was a leak.
func (in *Intake) askToEncrypt(tx *store.Tx, a *arrival, p place) error {
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("mail in clear from %s in %s", p.Party, p.Case),
		"The mail is in Quarantine, sealed, and counts for nothing: no date and no stage changed. They are told how to encrypt, without a quote, at most once a day.",
		"it crossed the network in clear, so that others may have read it",
		"read it. If it quotes what is not public, others may know it now: hold what must wait, and talk to the vendor"))
	if err != nil {
		return err
	}
	err = in.task(tx, fmt.Sprintf("clear:%s:%s", p.Case, p.Party), Post{Case: p.Case, Kind: "clear",
		Subject: fmt.Sprintf("Was it a leak? %s wrote in clear in %s", p.Party, p.Case), Text: r.Text})
	if err != nil {
		return err
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if err != nil {
		return err
	}
	return in.howTo(tx, a, who, "", 1)
}

// fileDesk shows mail to postmaster@ and abuse@ in INBOX.
func (in *Intake) fileDesk(tx *store.Tx, a *arrival, p place) error {
	local, _ := in.localPart(p.Via)
	v := view{scope: DeskScope, name: orNone(a.sender()), alias: "control", kind: "desk",
		subject: fmt.Sprintf("[%s] %s", local, orNone(a.subject())), note: words(a, p)}
	m, err := in.present(tx, a, p, v)
	if err != nil {
		return err
	}
	box, err := in.folder(tx, "INBOX")
	if err != nil {
		return err
	}
	if _, err := tx.File(box.Number, m.ID); err != nil {
		return err
	}
	return received(tx, a, p, "mail.desk", m)
}

// fileBounce records that a mail server gave a delivery back. It changes the
// state of that delivery and nothing else (rule M7).
func (in *Intake) fileBounce(tx *store.Tx, a *arrival, p place) error {
	n, err := notices.Get(tx, noticeKey(tx, p.Case, p.Party, p.Notice))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v := view{name: "Mail server", alias: "control", kind: "bounce",
		subject: fmt.Sprintf("Bounced: %s to %s in %s", noticeName(n), p.Party, p.Case), note: words(a, p)}.within(p.Case)
	m, err := in.present(tx, a, p, v)
	if err != nil {
		return err
	}
	box, err := in.folder(tx, "Status")
	if err != nil {
		return err
	}
	if _, err := tx.File(box.Number, m.ID); err != nil {
		return err
	}
	if n.State == cvd.Sent {
		if err := in.bounced(tx, n); err != nil {
			return err
		}
	}
	return received(tx, a, p, "delivery.bounced", m)
}

func (in *Intake) bounced(tx *store.Tx, n cvd.Notice) error {
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("%s to %s in %s", noticeName(n), n.Party, n.Case),
		"Their mail server took the notice and gave it back later, so nobody may have read it. No date and no stage changed.",
		"the delivery bounced", fmt.Sprintf("find out what is wrong with their address. Where another one is right, write in a signed mail to control@%s\n    vendor edit %s address ADDRESS", in.DeskDomain, n.Party)))
	if err != nil {
		return err
	}
	return in.task(tx, "bounce:"+noticeRef(n), Post{Case: n.Case, Kind: "bounce", Ref: noticeRef(n),
		Subject: fmt.Sprintf("Bounced: %s to %s in %s", noticeName(n), n.Party, n.Case), Text: r.Text})
}

package mailflow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// process files one mail for each of its recipients. Reading and opening
// happen outside any transaction; one transaction files it everywhere and
// forgets its row, so that a kill at any instant leaves it either wholly in
// the spool or wholly filed. A small one waits for its commit outside of its room,
// so that more than are opened at once can share one.
func (in *Intake) process(ctx context.Context, row spoolRow, free rooms) error {
	if row.Body.Size > largeMail {
		in.large.Lock()
		defer in.large.Unlock()
	}
	leave := free.enter()
	defer leave()
	a, err := in.read(ctx, row)
	if err != nil {
		return err
	}
	if a.holds() <= smallMail {
		leave()
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
	spam, err := in.isSpam(tx, p)
	if err != nil {
		return err
	}
	if spam && a.stops() == "" && again.why == "" {
		p.Kind, p.Asks = toThread, false
	}
	if p.Findings, err = in.findings(tx, a, p); err != nil {
		return err
	}
	if spam {
		return in.fileSpam(tx, a, p)
	}
	switch p.Kind {
	case toThread:
		return in.fileThread(tx, a, p, again.replay)
	case toIntake:
		return in.fileReport(tx, a, p, again.replay)
	case toDesk:
		return in.fileDesk(tx, a, p)
	case toKey:
		return in.answerKey(tx, a)
	case toKeys:
		return in.fileKeys(tx, a, p)
	case toBounce:
		return in.fileBounce(tx, a, p)
	}
	return in.quarantine(tx, a, p, p.Why)
}

// present makes the view of a mail that the desk reads, frozen from now on,
// and stores it beside the bytes received.
func (in *Intake) present(tx *store.Tx, a *arrival, p place, v view) (store.Message, error) {
	mask, err := maskCodes(tx, p)
	if err != nil {
		return store.Message{}, err
	}
	r, err := in.rendering(a, in.viewFields(a, p, v), v.note, mask)
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

// quarantineNote is what stands at the top of a mail in Quarantine. Of one that
// could not be opened the words say why by themselves.
func quarantineNote(a *arrival, p place, why string) string {
	if a.opened == nil && why == a.broken {
		return "Quarantine. " + words(a, p)
	}
	if !strings.HasSuffix(why, "?") {
		why += "."
	}
	return "Quarantine: " + why + "\n" + words(a, p)
}

// quarantine shows a mail to the desk with the reason why it counts for
// nothing. Who wrote in clear to a thread is told how to write, once a day,
// at the address that we know, without a quote.
func (in *Intake) quarantine(tx *store.Tx, a *arrival, p place, why string) error {
	idle, err := in.idleRobot(tx, a, p)
	if err != nil {
		return err
	}
	if idle {
		why = "it is not encrypted; a machine wrote it, and it repeats nothing that we sent"
	}
	v := view{scope: DeskScope, name: orNone(a.sender()), alias: "control", kind: "quarantine",
		subject: "[QUARANTINE] " + orNone(a.subject()), note: quarantineNote(a, p, why)}
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
	if p.Asks && tx.HasScope(caseScope(p.Case)) { // in clear, as ticket systems write
		if err := in.proposeRef(tx, a, p); err != nil {
			return err
		}
	}
	if err := in.burntIn(tx, a, p); err != nil || !p.Asks || idle {
		return err
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
	err = in.taskUnlessThere(tx, threadTask("clear", p.Case, p.Party), Post{Case: p.Case, Kind: "clear",
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

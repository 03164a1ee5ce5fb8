package mailflow

import (
	"fmt"

	"parley/keyring/pgpmime"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

const (
	// reportAnswers is how many receipts a day go to one address.
	reportAnswers = 20
	// AnswerWithin is by when a person reads a report, as its receipt says.
	AnswerWithin = 2 * cvd.Day
)

// fileReport takes a mail in as a new report: a number, a thread of its own,
// its mail in Intake, and the finder's receipt. A replay is filed and not answered
// (rule S6).
func (in *Intake) fileReport(tx *store.Tx, a *arrival, at place, replay bool) error {
	n, err := tx.Next("report")
	if err != nil {
		return err
	}
	id := reportCase(n)
	if err := tx.NewScope(caseScope(id)); err != nil {
		return err
	}
	r := cvd.Report{Number: n, At: a.row.At, Clear: a.opened.Encryption == pgpmime.NotEncrypted, Subject: a.subject(), From: a.sender(),
		Name: in.senderName(a), Token: cvd.NewToken(), SHA256: a.sha256()}
	p := at
	p.Case, p.Party, p.Report = id, cvd.Finder, n
	m, err := in.presentReport(tx, a, p, r)
	if err != nil {
		return err
	}
	r.Messages = append(r.Messages, m.ID)
	if err := reports.Put(tx, caseScope(id), store.Seq(n), r); err != nil {
		return err
	}
	finder := cvd.Participant{Case: id, Party: cvd.Finder, Roles: []cvd.Role{cvd.RoleFinder}, Address: r.From, Name: r.Name,
		Token: r.Token, Wave: 1, Joined: tx.Now, LastHeard: tx.Now}
	if err := PutParticipant(tx, finder); err != nil {
		return err
	}
	if err := tokens.Put(tx, caseScope(id), tokenKey(tx, r.Token), tokenRow{Case: id, Party: cvd.Finder, Report: n}); err != nil {
		return err
	}
	if err := in.remindID(tx, a, p); err != nil {
		return err
	}
	if err := received(tx, a, p, "report.received", m); err != nil {
		return err
	}
	if replay {
		return nil
	}
	if err := in.burnt(tx, a, finder, a.secretKeys()); err != nil {
		return err
	}
	return in.receipt(tx, a, r, finder)
}

func (in *Intake) senderName(a *arrival) string {
	if list, err := a.root.Header.Addresses("From"); err == nil && len(list) == 1 {
		return shortened(headerText(list[0].Name), maxName)
	}
	return ""
}

func (in *Intake) presentReport(tx *store.Tx, a *arrival, p place, r cvd.Report) (store.Message, error) {
	mark := ""
	switch {
	case r.Clear:
		mark = "[CLEAR] "
	case !a.encrypted():
		mark = "[PARTLY CLEAR] "
	}
	name := r.Name
	if name == "" {
		name = orNone(r.From)
	}
	v := view{scope: caseScope(p.Case), report: r.Number, kind: "report", ref: fmt.Sprint(r.Number),
		name: fmt.Sprintf("%s (finder, #%d)", name, r.Number), alias: fmt.Sprintf("finder.report-%d", r.Number),
		subject: fmt.Sprintf("#%d %s%s", r.Number, mark, orNone(r.Subject)), note: words(a, p)}
	m, err := in.present(tx, a, p, v)
	if err != nil {
		return m, err
	}
	box, err := in.folder(tx, "Intake")
	if err != nil {
		return m, err
	}
	_, err = tx.File(box.Number, m.ID)
	return m, err
}

// remindID lets later mails of a thread refer to this one. A Message-ID that
// already belongs to somebody stays theirs.
func (in *Intake) remindID(tx *store.Tx, a *arrival, p place) error {
	id := a.root.Header.MessageID()
	if id == "" {
		return nil
	}
	key := msgIDKey(tx, id)
	if _, err := msgIDs.Get(tx, key); err == nil {
		return nil
	}
	return msgIDs.Put(tx, caseScope(p.Case), key, tokenRow{Case: p.Case, Party: p.Party, Report: p.Report})
}

// receipt answers a report. It is encrypted to the key that receiptKey finds;
// otherwise it is content-free and signed, with our key and three steps.
func (in *Intake) receipt(tx *store.Tx, a *arrival, r cvd.Report, finder cvd.Participant) error {
	if a.automatic() != "" || finder.Address == "" || in.ownAddress(finder.Address) {
		return nil
	}
	pin, err := in.receiptKey(tx, a, finder)
	if err != nil {
		return err
	}
	if pin == nil {
		return in.howTo(tx, a, finder, reference(r.Number), reportAnswers)
	}
	if err := in.addKey(tx, FinderOwner(r.Token), *pin); err != nil {
		return err
	}
	ok, err := mayAnswer(tx, "receipt", finder.Address, reportAnswers)
	if err != nil || !ok {
		return err
	}
	v := templates.Receipt{Us: in.us(), To: spoken(finder, cvd.Party{}), Reference: reference(r.Number), Received: r.At, SHA256: r.SHA256,
		Attachments: receivedFiles(a), Encrypted: a.encrypted(), SignedBy: pin.Fingerprint.Spaced(), AnswerBy: r.At.Add(AnswerWithin)}
	text, err := in.Templates.Receipt(v)
	if err != nil {
		return err
	}
	_, err = in.newNotice(tx, cvd.Notice{Case: finder.Case, Party: finder.Party, Kind: cvd.KindReceipt},
		&Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	return err
}

func receivedFiles(a *arrival) []templates.ReceivedFile {
	var out []templates.ReceivedFile
	for _, att := range attachmentsOf(a.shown) {
		out = append(out, templates.ReceivedFile{Name: headerText(att.Name), Size: int64(len(att.Data))})
	}
	return out
}

// howTo sends the content-free answer: signed, in clear, nothing of the mail
// but its digest. It goes to people only, and seldom (rules M3, M4).
func (in *Intake) howTo(tx *store.Tx, a *arrival, to cvd.Participant, reference string, perDay int) error {
	if a.automatic() != "" || to.Address == "" || in.ownAddress(to.Address) || in.ownAddress(a.sender()) {
		return nil
	}
	ok, err := mayAnswer(tx, "howto", to.Address, perDay)
	if err != nil || !ok {
		return err
	}
	speaks, err := spokenTo(tx, to)
	if err != nil {
		return err
	}
	v := templates.HowTo{Us: in.us(), To: speaks, Reference: reference, Received: a.row.At, SHA256: a.sha256(), Plaintext: !a.encrypted()}
	if reference != "" {
		v.AnswerBy = a.row.At.Add(AnswerWithin)
	}
	text, err := in.Templates.HowTo(v)
	if err != nil {
		return err
	}
	_, err = in.newNotice(tx, cvd.Notice{Case: to.Case, Party: to.Party, Kind: cvd.KindNote}, &Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	return err
}

// deskCase is the pseudo case of whoever wrote to report-key@.
const deskCase cvd.CaseID = cvd.CaseID(DeskScope)

// answerKey answers report-key@ with our key and how to use it.
func (in *Intake) answerKey(tx *store.Tx, a *arrival) error {
	if err := record(tx, journal.Record{Kind: "key.asked", Detail: "sha256 " + a.sha256()}); err != nil {
		return err
	}
	addr := a.sender()
	if a.automatic() != "" || addr == "" || in.ownAddress(addr) {
		return nil
	}
	ok, err := mayAnswer(tx, "key", addr, 1)
	if err != nil || !ok {
		return err
	}
	n, err := tx.Next("asker")
	if err != nil {
		return err
	}
	who := cvd.Participant{Case: deskCase, Party: cvd.PartyID(fmt.Sprintf("asker-%d", n)), Address: addr, Token: cvd.NewToken(), Joined: tx.Now}
	if err := PutParticipant(tx, who); err != nil {
		return err
	}
	text, err := in.Templates.KeyAnswer(templates.HowTo{Us: in.us()})
	if err != nil {
		return err
	}
	_, err = in.newNotice(tx, cvd.Notice{Case: who.Case, Party: who.Party, Kind: cvd.KindNote}, &Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	return err
}

// ownAddress says whether an address is one of ours: two gateways, or we and
// ourselves, never answer each other.
func (b *Base) ownAddress(addr string) bool {
	return inDomain(addr, b.Domain) || inDomain(addr, b.DeskDomain)
}

package mailflow

import (
	"errors"
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// fileBounce records what a mail server said about a delivery. It changes the
// state of that delivery and nothing else (rule M7); only that the mail came
// back is a task for a person.
func (in *Intake) fileBounce(tx *store.Tx, a *arrival, p place) error {
	n, err := notices.Get(tx, noticeKey(tx, p.Case, p.Party, p.Notice))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	home, err := caseNow(tx, p.Case)
	if err != nil {
		return err
	}
	said := message.ReadBounce(a.root)
	astray := aboutAnother(said.EnvelopeID, p.Token)
	if astray {
		said.Fate = message.Replied
	}
	what, kind := fateNames(said.Fate)
	note := words(a, p)
	if astray {
		what, note = "Report about another mail", note+"\nIt came to the address of this notice and names another mail ("+envelopeField+"), so it changes nothing."
	}
	v := view{name: "Mail server", alias: "control", kind: "bounce",
		subject: fmt.Sprintf("%s: %s to %s in %s", what, noticeName(n), p.Party, home), note: note}.within(home)
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
	switch {
	case astray && n.State == cvd.Sent:
		err = in.reportedAstray(tx, n)
	case n.State == cvd.Sent:
		err = in.heardOfDelivery(tx, n, said)
	}
	if err := errors.Join(err, in.bouncesFull(tx, p)); err != nil {
		return err
	}
	return received(tx, a, p, kind, m)
}

// fateNames are what a mail server's mail is called, for people and in the journal.
func fateNames(f message.Fate) (what, kind string) {
	switch f {
	case message.Bounced:
		return "Bounced", "delivery.bounced"
	case message.Delayed:
		return "Delayed", "delivery.delayed"
	case message.Delivered:
		return "Delivered", "delivery.delivered"
	}
	return "Answer of a machine", "delivery.answered"
}

// heardOfDelivery notes what a mail server says of a notice that it took. One that
// came back is back for good, whatever another server says.
func (in *Intake) heardOfDelivery(tx *store.Tx, n cvd.Notice, said message.Bounce) error {
	switch {
	case !n.Bounced.IsZero() || said.Fate != message.Bounced && said.Fate != message.Delayed:
		return nil
	case said.Fate == message.Delayed:
		if n.Delayed.IsZero() {
			n.Delayed = tx.Now
		}
		n.Returned = theirWords(said)
		return errors.Join(putNotice(tx, n, n.Row), in.showsAnew(tx, n))
	}
	n.Bounced, n.Returned = tx.Now, theirWords(said)
	for _, step := range []func(*store.Tx, cvd.Notice) error{
		func(tx *store.Tx, n cvd.Notice) error { return putNotice(tx, n, n.Row) }, in.reachAgain, in.showsAnew, in.bounced,
	} {
		if err := step(tx, n); err != nil {
			return err
		}
	}
	return in.keepAskingOf(tx, n.Case, n.Party)
}

// showsAnew has what the desk sees of a notice brought up to date.
func (in *Intake) showsAnew(tx *store.Tx, n cvd.Notice) error {
	in.moved(tx, n.Case)
	return restate(tx, n.Delivery, n.Case)
}

// envelopeField is what a report names a mail by (RFC 3464 section 2.2.1).
const envelopeField = "Original-Envelope-Id"

// reportedAstray has a person look at a report that may be about a notice.
func (in *Intake) reportedAstray(tx *store.Tx, n cvd.Notice) error {
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("The report about %s to %s in %s does not count", noticeName(n), n.Party, n.Case),
		"It stands in Status. The notice counts as it did; no date changed",
		"it came to the address that only this mail was sent from, and names another mail ("+envelopeField+"), as a forged one does",
		"read it; where it is true all the same, call them, and see that they get what the notice says"))
	if err != nil {
		return err
	}
	return in.task(tx, "astray:"+noticeRef(n), Post{Case: n.Case, Kind: "bounce", Ref: noticeRef(n),
		Subject: fmt.Sprintf("Report about another mail: %s to %s in %s", noticeName(n), n.Party, n.Case), Text: r.Text})
}

// theirWords are what a server gave as a reason, its code first.
func theirWords(b message.Bounce) string {
	if b.Status == "" || strings.Contains(b.Said, b.Status) {
		return b.Said
	}
	return strings.TrimSpace(b.Status + " " + b.Said)
}

// bounceKey names the task about a notice that bounced.
func bounceKey(n cvd.Notice) string { return "bounce:" + noticeRef(n) }

func (in *Intake) bounced(tx *store.Tx, n cvd.Notice) error {
	why := "the delivery bounced"
	if n.Returned != "" {
		why += ", and their server says: " + plainWords(n.Returned)
	}
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("%s to %s in %s", noticeName(n), n.Party, n.Case),
		"Their mail server took the notice and gave it back later, so nobody may have read it. "+waitsBehind(n)+"; no date changed.",
		why, fmt.Sprintf("find out what is wrong with their address. Where another one is right, write in a signed mail to control@%s\n    vendor edit %s address ADDRESS\nand then\n    delivery D%d again", in.DeskDomain, n.Party, n.Delivery)))
	if err != nil {
		return err
	}
	return in.task(tx, bounceKey(n), Post{Case: n.Case, Kind: "bounce", Ref: noticeRef(n),
		Subject: fmt.Sprintf("Bounced: %s to %s in %s", noticeName(n), n.Party, n.Case), Text: r.Text})
}

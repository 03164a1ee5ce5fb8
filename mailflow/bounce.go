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
	failed := gaveBack(a.root)
	what, kind := "Answer of a machine", "delivery.answered"
	if failed {
		what, kind = "Bounced", "delivery.bounced"
	}
	v := view{name: "Mail server", alias: "control", kind: "bounce",
		subject: fmt.Sprintf("%s: %s to %s in %s", what, noticeName(n), p.Party, home), note: words(a, p)}.within(home)
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
	if failed && n.State == cvd.Sent {
		n.Bounced = tx.Now
		if err := putNotice(tx, n, n.Row); err != nil {
			return err
		}
		if err := in.reachAgain(tx, n); err != nil {
			return err
		}
		in.moved(tx, n.Case)
		if err := restate(tx, n.Delivery, n.Case); err != nil {
			return err
		}
		if err := in.bounced(tx, n); err != nil {
			return err
		}
		if err := in.keepAskingOf(tx, n.Case, n.Party); err != nil {
			return err
		}
		if err := wakeOtherHalves(tx, n.Case, n.Party, true); err != nil {
			return err
		}
	}
	return received(tx, a, p, kind, m)
}

// gaveBack says whether a mail to the envelope sender of a delivery says that
// it failed. A report says so itself (RFC 3464 section 2.3.3); of the rest all do
// but the automatic replies of people (RFC 3834), since servers that write no
// report write anything.
func gaveBack(root *message.Part) bool {
	if root == nil {
		return true
	}
	reported, failed := false, false
	root.Walk(func(p *message.Part) bool {
		if p.MediaType != "message/delivery-status" && p.MediaType != "message/global-delivery-status" {
			return true
		}
		reported = true
		text, err := p.Body()
		failed = failed || err != nil || saysFailed(string(text))
		return true
	})
	switch {
	case reported:
		return failed
	case root.Header.Has("X-Failed-Recipients"):
		return true
	}
	return !strings.HasPrefix(strings.ToLower(root.Header.Get("Auto-Submitted")), "auto-replied")
}

// saysFailed reads the Action fields of a delivery status.
func saysFailed(status string) bool {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(name), "Action") && strings.EqualFold(strings.TrimSpace(value), "failed") {
			return true
		}
	}
	return false
}

// bounceKey names the task about a notice that bounced.
func bounceKey(n cvd.Notice) string { return "bounce:" + noticeRef(n) }

func (in *Intake) bounced(tx *store.Tx, n cvd.Notice) error {
	r, err := in.Templates.Refusal(refusal(
		fmt.Sprintf("%s to %s in %s", noticeName(n), n.Party, n.Case),
		"Their mail server took the notice and gave it back later, so nobody may have read it. "+waitsBehind(n)+"; no date changed.",
		"the delivery bounced", fmt.Sprintf("find out what is wrong with their address. Where another one is right, write in a signed mail to control@%s\n    vendor edit %s address ADDRESS\nand then\n    delivery D%d again", in.DeskDomain, n.Party, n.Delivery)))
	if err != nil {
		return err
	}
	return in.task(tx, bounceKey(n), Post{Case: n.Case, Kind: "bounce", Ref: noticeRef(n),
		Subject: fmt.Sprintf("Bounced: %s to %s in %s", noticeName(n), n.Party, n.Case), Text: r.Text})
}

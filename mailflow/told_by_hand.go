package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// handedWhy is why a notice is held that a coordinator delivers, after the party.
const handedWhy = " is told by hand: deliver it and record it"

// byHandNow says that nothing keeps a notice but that a person delivers it.
func byHandNow(n cvd.Notice) bool { return n.Why == string(n.Party)+handedWhy }

// handName is what `record PARTY delivered …` calls a notice: "scope", "embargo
// v2", "letter N12".
func handName(n cvd.Notice) string {
	switch {
	case n.Kind == cvd.KindStage || n.Kind == cvd.KindLeak:
		return string(n.Stage)
	case n.Kind == cvd.KindEmbargo:
		return fmt.Sprintf("embargo v%d", n.Version)
	}
	return string(n.Kind) + " " + noticeRef(n)
}

// nextByHand says how what is handed over gets on record.
func (b *Base) nextByHand(n cvd.Notice) string {
	done := "delivered " + handName(n)
	if n.Kind == cvd.KindIntroduction {
		done = "introduced"
	}
	return fmt.Sprintf("deliver what stands below on the way on which they are told. Then write to control@%s\n    case %s\n    record %s %s via \"HOW\"\n"+
		"and file what they answer, too, such as `record %s ack via \"HOW\"`: the one-time code is masked here, since nobody at the desk answers in their place", b.DeskDomain, n.Case, n.Party, done, n.Party)
}

// enclose puts what is to be delivered into the mail that asks a person for it: the
// text as a mail would say it, and its files.
func (b *Base) enclose(tx *store.Tx, n cvd.Notice, p *Post) error {
	g, err := b.gather(tx, dueRow{Case: n.Case, Party: n.Party, Notice: n.ID}, tx.Now, &looks{within: tx})
	if err != nil {
		return err
	}
	r, err := b.render(g)
	if err != nil {
		return err
	}
	if n.Code != "" {
		r.Text = strings.ReplaceAll(r.Text, n.Code, maskedCode)
	}
	room, left := approvalFiles, []string(nil)
	for _, f := range g.Files {
		if room -= len(f.Data); room < 0 {
			left = append(left, f.Name)
			continue
		}
		p.Attachments = append(p.Attachments, asAttachment(f))
	}
	p.Text = strings.TrimRight(p.Text, "\n") + "\n\n---- to be delivered ----\n\nSubject: " + headerText(r.Subject) + "\n\n" + strings.TrimRight(r.Text, "\n") + "\n\n---- end ----\n"
	if len(left) > 0 {
		p.Text += "\nToo large to be attached here: " + strings.Join(left, ", ") + "\n"
	}
	return nil
}

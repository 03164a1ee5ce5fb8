package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// remindsByHand is why a reminder to a party that is told by hand does not leave.
const remindsByHand = "a person reminds them"

func remindTask(c cvd.CaseID, p cvd.PartyID) string { return threadTask("remind", c, p) }

// tellRemind asks a person to remind a party that is told by hand. An answer ends
// it, and so does the call on record; the next reminder takes its place.
func (b *Base) tellRemind(tx *store.Tx, n cvd.Notice) error {
	subject := fmt.Sprintf("Remind %s by hand in %s: %s", n.Party, n.Case, noticeName(n))
	r, err := b.Templates.Refusal(refusal(subject, fmt.Sprintf("%s was told %s by hand and has not answered. The mail does not leave; nothing else changed.", n.Party, n.Stage),
		string(n.Party)+" is told by hand",
		fmt.Sprintf("call them, or write on the way on which they were told, and ask for an answer to %s. Then write to control@%s\n    case %s\n    record %s called \"WHOM, AND WHAT THEY SAID\"\nand, if they answered, that, too:\n    record %s ack via \"phone, WHO\"", n.Stage, b.DeskDomain, n.Case, n.Party, n.Party)))
	if err != nil {
		return err
	}
	err = b.task(tx, remindTask(n.Case, n.Party), Post{Case: n.Case, Subject: subject, Text: r.Text, Kind: "remind", From: string(n.Party), Alias: string(n.Party) + "." + n.Case.Lower()})
	if err != nil {
		return err
	}
	return record(tx, journal.Record{Case: string(n.Case), Party: string(n.Party), Kind: "reminder.by-hand", Ref: noticeRef(n), Detail: string(n.Stage)})
}

package mailflow

import (
	"fmt"
	"slices"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// uncounted says of a command line that nothing vouches for what its participant
// is told: the verb alone, since whoever wrote the rest may be anybody (rule M3);
// not ok for a line that asked for nothing to count, or for another case. The
// words are the same for a code that was used, guessed, dead or somebody else's.
func uncounted(cmd vendorCommand, id cvd.CaseID, v vouched) (line templates.Understood, ok bool) {
	word := templates.ResultNoCode
	switch {
	case cmd.Case != "" && cmd.Case != id:
		return line, false
	case slices.Contains(onlySigned, cmd.Verb):
		word = templates.ResultUnsigned
	case len(cmd.Codes) == 0 && v == signedUnnamed:
		word = templates.ResultUnnamed
	case len(cmd.Codes) == 0:
		return line, false
	}
	return templates.Understood{Line: cmd.Verb + " ...", Result: templates.Result{Word: word, Case: id}}, true
}

// refuse answers a mail none of whose command lines counts, at most once a day,
// with a fresh code that only the participant's keys can read. Nothing else
// changed. The journal has each such mail, and codes that died of it are an alarm.
func (in *Intake) refuse(tx *store.Tx, c cvd.Case, who cvd.Participant, from string, lines []templates.Understood) error {
	if _, inReport := reportNumber(c.ID); len(lines) == 0 || inReport { // no code is good there
		return nil
	}
	err := record(tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Kind: "code.refused", Detail: count(len(lines), "line")})
	if err != nil {
		return err
	}
	if err := in.alarmGuessed(tx, c, who); err != nil || who.Address == "" || in.ownAddress(who.Address) || in.ownAddress(from) {
		return err
	}
	ok, err := mayAnswer(tx, "uncounted", who.Address, 1)
	if err != nil || !ok {
		return err
	}
	return in.answer(tx, c, who, lines, nil)
}

// alarmGuessed tells the desk that wrong codes have killed a participant's live
// ones: five in a row are no slip of the hand.
func (in *Intake) alarmGuessed(tx *store.Tx, c cvd.Case, who cvd.Participant) error {
	if !who.Guessed(tx.Now) {
		return nil
	}
	subject := fmt.Sprintf("ALARM: somebody guesses codes of %s in %s", who.Party, c.ID)
	next := fmt.Sprintf("ask them. If it was a slip of theirs, there is nothing to do: our answer brings them a fresh code. If it was not, their address in this case is known to somebody else; in a mail to control@%s, signed,\n    case %s\n    withdraw %s because \"codes were guessed\"\n    invite %s\ngives them a new one.",
		in.DeskDomain, c.ID, who.Party, who.Party)
	r, err := in.Templates.Refusal(refusal(subject, "None of the wrong codes counted, and no date, stage or status changed. The codes that were good until then are dead; the mails are filed in the thread.",
		"five wrong codes came to the address of "+string(who.Party)+" in this case, and none was signed", next))
	if err != nil {
		return err
	}
	return in.task(tx, threadTask("guess", c.ID, who.Party), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: "alarm", From: string(who.Party), Alias: string(who.Party) + "." + c.ID.Lower()})
}

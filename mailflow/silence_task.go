package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// silenceWords are what each step is called in a Subject and among the dates of
// a case, and what a person does. None says more than that somebody wrote.
var silenceWords = map[cvd.SilenceStep]struct{ name, ask, how string }{
	cvd.StepSecond: {"second contact", "try another contact", ""},
	cvd.StepCall: {"phone call", "call them",
		"call their switchboard or a number of theirs that you trust, and ask for whoever answers for the security of their products. Say who we are, that we wrote to %[2]s, and nothing of what it is about."},
	cvd.StepCERT: {"national CERT", "ask their national CERT",
		"ask the national CERT of their country to bring us together (https://www.first.org/members/teams lists them). Say that %[1]s does not answer us, and nothing of what it is about."},
}

// tellSilence makes the task of a step, in the place of the step before. With the
// first one a second contact that is known gets a note with nothing in it.
func (b *Base) tellSilence(tx *store.Tx, c cvd.Case, p cvd.Participant, party cvd.Party, row silenceRow) error {
	words, days := silenceWords[row.Taken], daysBetween(row.Since, tx.Now)
	how := fmt.Sprintf(words.how, p.Party, p.Address)
	if row.Taken == cvd.StepSecond {
		how = fmt.Sprintf("find somebody else there: their security.txt, their web site, a colleague who knows them. With an address, in a signed mail to control@%s,\n    vendor edit %s second ADDRESS\nSay there that we wrote to %s, and nothing of what it is about.", b.DeskDomain, p.Party, p.Address)
		if party.Second != "" {
			sent, err := b.noteSecond(tx, p, party)
			if err != nil {
				return err
			}
			how = "write to or call their second contact, " + party.Second + ". " + sent + " Say that we wrote to " + p.Address + ", and nothing of what it is about."
		}
	}
	subject := fmt.Sprintf("%s is silent in %s: %d days, %s", p.Party, c.ID, days, words.ask)
	next := how + fmt.Sprintf("\nEvery attempt goes on record, in a mail to control@%s:\n    case %s\n    record %s called \"WHOM, AND WHAT THEY SAID\"\n%s\n    record %s ack via \"phone, WHO\"\n`history %s` lists the attempts.",
		b.DeskDomain, c.ID, p.Party, "and if they answer, so does that:", p.Party, p.Party)
	if after := nextStep(row); after != "" {
		next += " " + after
	}
	if p.Late != nil && p.Late.Word == "" {
		next += fmt.Sprintf("\nTo have it told now, which counts only signed, or with everybody only:\n    late %s now because \"WHY\"\n    late %s never because \"WHY\"", p.Party, p.Party)
	}
	r, err := b.Templates.Refusal(refusal(subject, silenceState(c, p, days), "it did not answer "+string(row.Stage)+", which left "+instant(row.Since), next))
	if err != nil {
		return err
	}
	err = b.task(tx, silenceTask(c.ID, p.Party), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: "silent",
		From: string(p.Party), Alias: string(p.Party) + "." + c.ID.Lower()})
	if err != nil {
		return err
	}
	return record(tx, journal.Record{Case: string(c.ID), Party: string(p.Party), Kind: "silence", Detail: words.name})
}

// silenceState says what follows from the silence of a participant.
func silenceState(c cvd.Case, p cvd.Participant, days int) string {
	said := fmt.Sprintf("%s has not answered for %d days. The task ends by itself when it does.", p.Party, days)
	switch {
	case !p.IsLate():
		return said + " It accepted the embargo, so its stages go on by the plan."
	case p.Late != nil && p.Late.Word != "":
		return said + " It is late, and the desk decided: " + lateLine(c, p) + "."
	}
	return said + fmt.Sprintf(" It is late: %s. An ACCEPT puts it back into the plan at once.", lateLine(c, p))
}

func nextStep(row silenceRow) string {
	if row.Next.IsZero() {
		return ""
	}
	return fmt.Sprintf("The next step, %s, is due %s.", silenceWords[row.Taken+1].name, instant(row.Next))
}

// noteSecond writes to a second contact that we wrote to the first, at most once a
// day whatever the number of cases, and says what it did.
func (b *Base) noteSecond(tx *store.Tx, p cvd.Participant, party cvd.Party) (string, error) {
	if strings.EqualFold(party.Second, p.Address) {
		return "It is the address that does not answer.", nil
	}
	ok, err := mayAnswer(tx, "unanswered", party.Second, 1)
	if err != nil || !ok {
		return "It got a note of ours less than a day ago, and none now.", err
	}
	text, err := b.Templates.Unanswered(templates.Unanswered{Us: b.us(), To: spoken(p, party), Address: p.Address})
	if err != nil {
		return "", err
	}
	_, err = b.newNotice(tx, cvd.Notice{Case: p.Case, Party: p.Party, Kind: cvd.KindNote, To: party.Second}, &Letter{Subject: text.Subject, Text: text.Text, Automatic: true})
	if err != nil {
		return "", err
	}
	err = record(tx, journal.Record{Case: string(p.Case), Party: string(p.Party), Kind: "attempt", Detail: "note to the second contact"})
	return "A note is on its way there that says so, in clear and with nothing in it.", err
}

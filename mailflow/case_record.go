package mailflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// recordVerbs are what can be recorded of a participant.
var recordVerbs = []string{"ack", "accept", "declined", "status", "ready", "called", "delivered", "reported", "statement", "their-ref", "consent", "introduced", "requested"}

// caseRecord is `record PARTY …`: what a participant said, or was handed, on
// another way than by a mail that counts.
func caseRecord(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	who, err := s.partyNext(c, p)
	if err != nil {
		return "", err
	}
	switch { // what is recorded of a finder, too
	case p.word("consent"):
		return s.recordConsent(c, who, p)
	case p.word("introduced"):
		return s.recordIntroduced(c, who, p)
	case p.word("delivered"): // and of an observer
		return s.recordDelivered(c, who, p)
	}
	if err := isVendor(c, who); err != nil {
		return "", err
	}
	verb, err := p.next("what is to be recorded")
	if err != nil {
		return "", err
	}
	switch strings.ToLower(verb) {
	case "ack":
		return s.recordAck(c, who, p)
	case "accept":
		return s.recordAccept(c, who, p)
	case "declined":
		return s.recordDeclined(c, who, p)
	case "status":
		return s.recordStatus(c, who, p)
	case "ready":
		return s.recordReady(c, who, p)
	case "reported":
		return s.recordReported(c, who, p)
	case "called":
		return s.recordCalled(c, who, p)
	case "statement":
		return s.recordStatement(c, who, p)
	case "requested":
		return s.recordRequested(c, who, p)
	case "their-ref":
		return s.recordTheirRef(c, who, p)
	}
	return "", notDone("%q cannot be recorded%s; say one of: %s", verb, nearest(verb, recordVerbs), strings.Join(recordVerbs, ", "))
}

// vendorNext takes the name of a vendor of a case.
func (s *sitting) vendorNext(c cvd.Case, p *phrase) (cvd.Participant, error) {
	who, err := s.partyNext(c, p)
	if err == nil {
		err = isVendor(c, who)
	}
	return who, err
}

// partyNext reads the name of somebody who takes part.
func (s *sitting) partyNext(c cvd.Case, p *phrase) (cvd.Participant, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return cvd.Participant{}, err
	}
	return s.takesPart(c, name)
}

func isVendor(c cvd.Case, who cvd.Participant) error {
	if !who.Has(cvd.RoleVendor) {
		return notDone("%s is no vendor of %s; nothing was changed", who.Party, c.ID)
	}
	return nil
}

// via takes `via HOW` to the end.
func (p *phrase) via() (string, error) {
	how := ""
	if p.word("via") {
		how = p.until()
	} else if err := p.end(); err != nil {
		return "", err
	}
	if how == "" {
		return "", notDone("how it came is missing, such as via phone \"Jo Doe, 3 Dec\"; write: %s", p.usage)
	}
	return how, nil
}

// recorded writes a participant that a coordinator filed something of, ends
// the task that its letter was, and asks the gate again.
func (s *sitting) recorded(who cvd.Participant, what, detail string) (err error) {
	if err := PutParticipant(s.tx, who); err != nil {
		return err
	}
	if u := s.undo; u != nil {
		u.Case, u.Party = who.Case, who.Party
		if u.Message, err = taskMessage(s.tx, threadTask("letter", who.Case, who.Party)); err != nil {
			return err
		}
	}
	err = record(s.tx, journal.Record{Case: string(who.Case), Party: string(who.Party), Actor: s.by.Name, Kind: "record." + what, Detail: detail})
	if err != nil {
		return err
	}
	if err := s.taskDone(s.tx, threadTask("letter", who.Case, who.Party)); err != nil {
		return err
	}
	return s.replan(s.tx, who.Case)
}

func (s *sitting) recordAck(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	how, err := p.via()
	if err != nil {
		return "", err
	}
	return s.fileAck(c, who, how)
}

func (s *sitting) fileAck(c cvd.Case, who cvd.Participant, how string) (string, error) {
	if who.Acknowledged != nil {
		return "", already("%s acknowledged already, %s via %s", who.Party, utc(who.Acknowledged.At), who.Acknowledged.Via)
	}
	if who.Reached == "" {
		return "", notDone("%s was told nothing of %s yet, so it has nothing to acknowledge", who.Party, c.ID)
	}
	s.undo = &undoRow{Verb: "ack"}
	acknowledge(&who, cvd.Acceptance{Version: c.Embargo().Version, At: s.tx.Now, Via: how, By: s.by.Name})
	return fmt.Sprintf("%s acknowledged, via %s", who.Party, how), s.recorded(who, "ack", how)
}

// recordAccept files an acceptance of the embargo. It lets the next stage
// go, so that a second person says yes where that stage needs one.
func (s *sitting) recordAccept(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	version, err := p.version(c)
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	if who.Accepted() >= version {
		return "", notDone("%s accepted v%d already", who.Party, who.Accepted())
	}
	if err := s.mustBeProved("record "+string(who.Party)+" accept", "lets the next stage go"); err != nil {
		return "", err
	}
	filed := filedOrder{Case: c.ID, Party: who.Party, Version: version, Via: how, By: s.by.Name, At: s.tx.Now}
	rule, second, err := s.secondPerson(c, who)
	if err != nil {
		return "", err
	}
	if second {
		return s.fileForSecond(c, rule, filed)
	}
	return s.fileAccept(filed)
}

// version takes vN, one of the versions that the embargo of a case had.
func (p *phrase) version(c cvd.Case) (int, error) {
	word, err := p.next("the version of the embargo, such as v1,")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToLower(word), "v"))
	if err != nil || !slices.ContainsFunc(c.Embargoes, func(e cvd.Embargo) bool { return e.Version == n }) {
		return 0, notDone("%q is no version of the embargo of %s; the newest is v%d", word, c.ID, c.Embargo().Version)
	}
	return n, nil
}

func (s *sitting) fileAccept(f filedOrder) (string, error) {
	c, err := CaseByID(s.tx, f.Case)
	if err != nil {
		return "", err
	}
	who, err := s.takesPart(c, string(f.Party))
	if err != nil {
		return "", err
	}
	if no := who.Declined; no != nil && no.At.After(f.At) {
		return "", s.tooOld(f, no.At, no.Because)
	}
	s.undo = &undoRow{Verb: "accept", Who0: whoOf(who)}
	accept(c, &who, f.Version, cvd.Acceptance{At: s.tx.Now, Via: f.Via, By: f.By})
	said := fmt.Sprintf("%s accepted v%d of the embargo, until %s, via %s", who.Party, f.Version, utc(c.End(who)), f.Via)
	return said, s.recorded(who, "accept", fmt.Sprintf("v%d via %s, filed by %s", f.Version, f.Via, f.By))
}

func (s *sitting) recordDeclined(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	p.word("because")
	why := p.until()
	if why == "" {
		return "", notDone("the reason is missing; write: record %s declined because \"…\"", who.Party)
	}
	if who.Declined != nil {
		return "", notDone("%s declined already, %s: %s", who.Party, utc(who.Declined.At), who.Declined.Because)
	}
	s.undo = &undoRow{Verb: "declined"}
	who.Declined = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	return fmt.Sprintf("%s declined and is late: %s; a later ACCEPT counts", who.Party, lateLine(c, who)), s.recorded(who, "declined", why)
}

func (s *sitting) recordStatus(_ cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	word, err := p.next("the status")
	if err != nil {
		return "", err
	}
	if word = strings.ToLower(word); !slices.Contains(statusWords, word) {
		return "", notDone("%q is not a status%s; say one of: %s", word, nearest(word, statusWords), strings.Join(statusWords, ", "))
	}
	text, how := p.until("via"), "filed by "+s.by.Name
	if p.more() {
		if how, err = p.via(); err != nil {
			return "", err
		}
	}
	s.undo = &undoRow{Verb: "status"}
	who.Statuses = append(who.Statuses, cvd.Status{Word: word, Text: text, At: s.tx.Now, Via: how})
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", who.Party, word, text)), s.recorded(who, "status", word)
}

// recordReady files by when a participant says that it will be ready.
func (s *sitting) recordReady(_ cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	p.word("by")
	on, err := p.instant("via")
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "ready", Who0: whoOf(who)}
	who.Ready = &cvd.Ready{By: dayOf(on.At), At: s.tx.Now, Via: how}
	return fmt.Sprintf("%s will be ready by %s, via %s; `dates` shows who is when", who.Party, day(on.At), how), s.recorded(who, "ready", day(on.At))
}

func (s *sitting) recordCalled(_ cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	what := p.until()
	if what == "" {
		return "", notDone("what was said is missing; write: record %s called \"…\"", who.Party)
	}
	err := record(s.tx, journal.Record{Case: string(who.Case), Party: string(who.Party), Actor: s.by.Name, Kind: "record.called", Detail: what})
	if err != nil {
		return "", err
	}
	if err := s.taskDone(s.tx, remindTask(who.Case, who.Party)); err != nil {
		return "", err
	}
	return fmt.Sprintf("the call to %s is in its history", who.Party), s.taskDone(s.tx, silenceTask(who.Case, who.Party))
}

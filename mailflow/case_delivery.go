package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
	"parley/mailflow/store"
)

// resolutions are the answers to "did it arrive?".
var resolutions = []string{"sent", "again", "drop"}

// deskDelivery is `delivery ID sent | again | drop`: what a person knows of a
// delivery whose answer was lost, or decides about one that was refused (rule
// T3).
func deskDelivery(s *sitting, p *phrase) (string, error) {
	text, err := p.next("the number of the delivery, such as D17,")
	if err != nil {
		return "", err
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "D"), 10, 64)
	if err != nil {
		return "", notDone("%q is not the number of a delivery, such as D17", text)
	}
	how, err := p.next("what became of it: sent, again or drop,")
	if err != nil {
		return "", err
	}
	how = strings.ToLower(how)
	if !slices.Contains(resolutions, how) {
		return "", notDone("%q is no answer%s; say sent (it arrived), again (send the same bytes once more) or drop", how, nearest(how, resolutions))
	}
	if err := p.end(); err != nil {
		return "", err
	}
	return s.resolve(id, how)
}

func (s *sitting) resolve(id uint64, how string) (string, error) {
	unknown := notDone("there is no delivery D%d; `status` names those that need a person", id)
	it, err := s.Queue.Item(s.tx, id)
	if errors.Is(err, queue.ErrNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	home, err := caseNow(s.tx, cvd.CaseID(it.Case))
	if err != nil {
		return "", err
	}
	switch c, err := CaseByID(s.tx, home); {
	case err == nil && !s.by.sees(c):
		return "", unknown
	case err == nil && !s.tells(c):
		return "", errMixed
	}
	if err := s.reopen(it); err != nil {
		return "", err
	}
	said := map[string]string{"sent": "counts as sent", "again": "is sent once more, the same bytes", "drop": "is dropped and will not be sent"}[how]
	if how == "again" {
		moved, err := s.resend(it)
		if err != nil {
			return "", err
		}
		if moved != "" {
			said = "is dropped; the notice is written anew to " + moved
		}
	} else if err := s.Queue.Resolve(s.tx, id, how); err != nil {
		return "", err
	}
	if how == "drop" {
		if err := s.leaveOut(it); err != nil {
			return "", err
		}
	}
	err = record(s.tx, journal.Record{Case: it.Case, Party: it.Party, Actor: s.by.Name, Kind: "delivery." + how, Ref: fmt.Sprintf("D%d", id)})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("D%d to %s %s", id, it.Party, said), nil
}

// reopen lets a person decide about a delivery that bounced.
func (s *sitting) reopen(it queue.Item) error {
	n, err := notices.Get(s.tx, noticeKey(s.tx, cvd.CaseID(it.Case), cvd.PartyID(it.Party), it.Notice))
	if errors.Is(err, store.ErrNotFound) || err == nil && (n.Delivery != it.ID || !cameBack(n)) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.Queue.Reopen(s.tx, it.ID)
}

// leaveOut keeps a notice that somebody dropped out of every later plan, and says
// who that was.
func (s *sitting) leaveOut(it queue.Item) error {
	n, err := notices.Get(s.tx, noticeKey(s.tx, cvd.CaseID(it.Case), cvd.PartyID(it.Party), it.Notice))
	if errors.Is(err, store.ErrNotFound) {
		return nil // a receipt, or an answer to nobody's notice
	}
	if err != nil {
		return err
	}
	n.Dropped, n.Why = true, "dropped by "+s.by.Name
	return putNotice(s.tx, n, n.Row)
}

// resend lets a delivery go once more, as far as nothing was stopped since. To
// a participant whose address or keys changed meanwhile the same bytes are of
// no use: the notice is planned again, passes the gate, and goes to the new
// ones, which are then named.
func (s *sitting) resend(it queue.Item) (moved string, err error) {
	who, err := ParticipantByID(s.tx, cvd.CaseID(it.Case), cvd.PartyID(it.Party))
	if errors.Is(err, ErrNoParticipant) {
		return "", s.Queue.Resolve(s.tx, it.ID, "again")
	}
	if err != nil {
		return "", err
	}
	c, at, err := s.stoppedBy(who)
	if err != nil {
		return "", err
	}
	switch {
	case !c.Closed.IsZero():
		return "", notDone("%s is closed since %s, and nothing of it goes out; `case reopen` first", c.ID, day(c.Closed))
	case c.Hold != nil:
		return "", notDone("%s is on hold since %s: %s; `release case` first", c.ID, utc(c.Hold.At), c.Hold.Because)
	case at.Hold != nil:
		return "", notDone("%s is on hold since %s: %s; `release %s` first", at.Party, utc(at.Hold.At), at.Hold.Because, at.Party)
	case at.Withdrawn != nil:
		return "", notDone("%s was withdrawn from %s: %s", at.Party, at.Case, at.Withdrawn.Because)
	case !strings.EqualFold(who.Address, it.To):
		return who.Address, s.writeAnew(who, it)
	}
	n, err := notices.Get(s.tx, noticeKey(s.tx, who.Case, who.Party, it.Notice))
	if errors.Is(err, store.ErrNotFound) {
		return "", s.Queue.Resolve(s.tx, it.ID, "again")
	}
	if err != nil {
		return "", err
	}
	if ofIntroduction(n) {
		if err := s.stillWaitsFor(n); err != nil {
			return "", err
		}
		if cameBack(n) { // the gate is asked again, of both halves
			return who.Address, s.writeAnew(who, it)
		}
	}
	mislaid, err := s.mislaid(s.tx, who)
	if err != nil {
		return "", err
	}
	if mislaid(n) {
		return "the keys that are in force", s.writeAnew(who, it)
	}
	return "", s.Queue.Resolve(s.tx, it.ID, "again")
}

// stoppedBy is the case and the participant whose end or hold stops a mail: those of
// the case that took in the one that it was written in, where that was merged.
func (s *sitting) stoppedBy(who cvd.Participant) (c cvd.Case, at cvd.Participant, err error) {
	id, party, err := threadNow(s.tx, who.Case, who.Party)
	if err != nil {
		return c, at, err
	}
	if c, err = CaseByID(s.tx, id); err != nil && !errors.Is(err, ErrNoCase) {
		return c, at, err
	}
	if at, err = ParticipantByID(s.tx, id, party); errors.Is(err, ErrNoParticipant) {
		at, err = who, nil
	}
	return c, at, err
}

// writeAnew drops a delivery and plans its notice again.
func (s *sitting) writeAnew(who cvd.Participant, it queue.Item) error {
	if err := s.Queue.Resolve(s.tx, it.ID, "drop"); err != nil {
		return err
	}
	all, err := Notices(s.tx, who.Case, who.Party)
	if err != nil {
		return err
	}
	for i, n := range all {
		if n.ID != it.Notice {
			continue
		}
		if all[i], err = s.planAgain(s.tx, n, s.by.Name); err != nil {
			return err
		}
		if err := wakeOtherHalves(s.tx, n.Case, n.Party, false); err != nil {
			return err
		}
		who.Codes = slices.DeleteFunc(who.Codes, func(c cvd.Code) bool { return c.Notice == n.ID })
	}
	who.Reached = reachedBy(all)
	return PutParticipant(s.tx, who)
}

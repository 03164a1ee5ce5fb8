package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// caseWithdraw is `withdraw PARTY [role ROLE] because "…"`: nothing further goes
// to it, and none of its codes counts any more. Its address stays open, so that
// what it still writes is read. Who has several roles goes on in the others.
func caseWithdraw(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	named := ""
	if p.word("role") {
		if named, err = p.next("the role"); err != nil {
			return "", err
		}
	}
	why, err := p.reason(true)
	if err != nil {
		return "", err
	}
	who, err := s.takesPart(c, name)
	if err != nil {
		return "", err
	}
	if role, err := roleToEnd(who, named); err != nil || role != "" {
		if err != nil {
			return "", err
		}
		return s.endRole(c, who, role, why)
	}
	if who.Party.IsFinder() {
		return "", notDone("the finder cannot be withdrawn from its own report; `hold finder` stops what goes to it")
	}
	recalled, gone, err := s.recall(&who)
	if err != nil {
		return "", err
	}
	unmet, err := s.stopAllOf(&who)
	if err != nil {
		return "", err
	}
	who.Withdrawn = &cvd.Hold{Because: why, By: s.by.Name, At: s.tx.Now}
	who.EndCodes(s.tx.Now)
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	n, err := s.cancelPlanned(c, who.Party, "withdrawn")
	if err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "party.withdrawn", Detail: why})
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s is withdrawn from %s; %s", who.Party, c.ID, willNotGo(n, "notice"))
	return said + unmet + recallLine(recalled, gone) + toldLine(who), s.replan(s.tx, c.ID)
}

// toldLine reminds of what a participant knows already.
func toldLine(who cvd.Participant) string {
	if who.Reached == "" {
		return ""
	}
	return fmt.Sprintf("; it was already told %s", who.Reached)
}

package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// vendorAdd is `vendor add NAME ADDRESS [OPTION VALUE …]`.
func vendorAdd(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	addr, err := p.next("its address")
	if err != nil {
		return "", err
	}
	got, err := p.options(append(partyOptions[1:len(partyOptions):len(partyOptions)], "revoked")...)
	if err != nil {
		return "", err
	}
	party, err := s.newParty(name)
	if err != nil {
		return "", err
	}
	got["address"] = addr
	if err := s.editParty(&party, got); err != nil {
		return "", err
	}
	if party.Revoked, err = s.revokedOn(party.ID, got["revoked"]); err != nil {
		return "", err
	}
	if err := PutParty(s.tx, party); err != nil {
		return "", err
	}
	if err := record(s.tx, journal.Record{Party: string(party.ID), Actor: s.by.Name, Kind: "party.added"}); err != nil {
		return "", err
	}
	keys, err := ownerKeys(s.tx, string(party.ID))
	if err != nil {
		return "", err
	}
	sought, err := s.seekLine(party)
	return fmt.Sprintf("%s <%s>; %s%s", party.ID, party.Address, keysLine(keys), sought), err
}

// vendorEdit is `vendor edit NAME OPTION VALUE …`. A new address is a new
// recipient; it goes for every case in which the party takes part.
func vendorEdit(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	party, err := s.partyNamed(name)
	if err != nil {
		return "", err
	}
	got, err := p.options(partyOptions...)
	if err != nil {
		return "", err
	}
	if len(got) == 0 {
		return "", notDone("nothing is to be changed; write: %s", p.usage)
	}
	if err := s.mayEdit(party, got); err != nil {
		return "", err
	}
	if err := s.editParty(&party, got); err != nil {
		return "", err
	}
	if err := PutParty(s.tx, party); err != nil {
		return "", err
	}
	what := slices.Sorted(maps.Keys(got))
	err = record(s.tx, journal.Record{Party: string(party.ID), Actor: s.by.Name, Kind: "party.changed", Detail: strings.Join(what, " ")})
	if err != nil {
		return "", err
	}
	sought, err := s.seekLine(party)
	if err != nil {
		return "", err
	}
	return partyLine(party) + sought, s.followParty(party)
}

// mayEdit refuses, from a mailbox that may be stolen, what gives a party a new
// recipient or lets something go earlier (rule A3). The manner of its mails does
// neither: they go to the same keys, and their approvals are bound to it.
func (s *sitting) mayEdit(p cvd.Party, got map[string]string) error {
	why := ""
	lead, err := cvd.ParseDuration(got["lead"])
	wave, bad := strconv.Atoi(got["wave"])
	switch { // any one of them is enough, whatever else is changed beside it
	case got["address"] != "" || got["second"] != "":
		why = "adds a recipient"
	case strings.EqualFold(got["channel"], string(cvd.ChannelPGP)) && p.Channel == cvd.ChannelHand:
		why = "lets mail go to a recipient that had none"
	case got["lead"] != "" && err == nil && p.Lead > 0 && (lead == 0 || lead > p.Lead):
		why = "moves dates earlier"
	case bad == nil && wave < cmp.Or(p.Usual.Wave, 1):
		why = "tells it in an earlier wave"
	case got["subject"] != "" && !strings.EqualFold(got["subject"], "default"):
		why = "puts words where everybody on the way reads them" // a stolen mailbox could put a case's there
	case got["senders"] != "" && !strings.EqualFold(got["senders"], "none"):
		why = "lets mail from there count as theirs"
	case strings.EqualFold(got["their-ref"], "outer") && !p.Manner.RefOutside:
		why = "puts words where everybody on the way reads them"
	default:
		return nil
	}
	return s.mustBeProved("vendor edit "+string(p.ID), why)
}

// followParty brings what the cases copied of a party up to date, and plans
// them anew.
func (s *sitting) followParty(party cvd.Party) error {
	all, err := Cases(s.tx)
	if err != nil {
		return err
	}
	for _, c := range all {
		p, err := ParticipantByID(s.tx, c.ID, party.ID)
		if errors.Is(err, ErrNoParticipant) || (err == nil && (p.Withdrawn != nil || !c.Closed.IsZero())) {
			continue
		}
		if err != nil {
			return err
		}
		moved := p.Address != party.Address
		if moved { // what is queued to the old one goes to the new
			if _, _, err := s.recall(&p); err != nil {
				return err
			}
		}
		p.Address, p.Lead = party.Address, party.Lead
		if err := PutParticipant(s.tx, p); err != nil {
			return err
		}
		if err := s.replan(s.tx, c.ID); err != nil {
			return err
		}
		if !moved {
			continue
		}
		if err := s.wakeNotices(s.tx, c.ID, party.ID); err != nil { // letters and answers, too
			return err
		}
	}
	return s.keepKeyAsks(s.tx, string(party.ID))
}

// vendorList is `vendor list`: the directory.
func vendorList(s *sitting, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	all, err := Parties(s.tx)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, party := range all {
		keys, err := ownerKeys(s.tx, string(party.ID))
		if err != nil {
			return "", err
		}
		lines = append(lines, partyLine(party)+"; "+keysLine(keys))
	}
	if len(lines) == 0 {
		return "the directory is empty; `vendor add` adds a party", nil
	}
	return strings.Join(lines, "\n"), nil
}

func partyLine(p cvd.Party) string {
	parts := []string{fmt.Sprintf("%s <%s>", p.ID, p.Address)}
	if p.Revoked != nil {
		parts[0] += ", which it revoked on " + day(p.Revoked.At)
	}
	if p.Second != "" {
		parts = append(parts, "second <"+p.Second+">")
	}
	for _, m := range p.Members {
		parts = append(parts, "member <"+m.Address+">")
	}
	if p.Zone != "" {
		parts = append(parts, "zone "+p.Zone)
	}
	if p.Lead > 0 {
		parts = append(parts, "lead "+cvd.FormatDuration(p.Lead))
	}
	parts = append(parts, "channel "+string(p.Channel))
	return strings.Join(slices.Concat(parts, mannerWords(p.Manner), ticketWords(p), speechWords(p), usualWords(p.Usual), freezeWords(p), provenWords(p)), "; ")
}

// keysLine counts what is known of somebody's keys.
func keysLine(keys []keyring.Pinned) string {
	n := map[keyring.Trust]int{}
	for _, k := range keys {
		n[k.Trust]++
	}
	var parts []string
	for _, t := range []keyring.Trust{keyring.Confirmed, keyring.Found, keyring.Claimed, keyring.Rejected} {
		if n[t] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[t], t))
		}
	}
	if len(parts) == 0 {
		return "no key of it is known yet"
	}
	return "keys: " + strings.Join(parts, ", ")
}

// memberAdd is `member add PARTY ADDRESS`: another address from which the
// party may write. Nothing is sent there before its key is confirmed.
func memberAdd(s *sitting, p *phrase) (string, error) {
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	text, err := p.only("the address of the member")
	if err != nil {
		return "", err
	}
	party, err := s.partyNamed(name)
	if err != nil {
		return "", err
	}
	addr, err := s.freeAddress(text, party.ID)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(party.Addresses(), func(a string) bool { return strings.EqualFold(a, addr) }) {
		return "", notDone("%s has the address %s already", party.ID, addr)
	}
	party.Members = append(party.Members, cvd.Member{Address: addr, Added: s.tx.Now, By: s.by.Name})
	if err := PutParty(s.tx, party); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Party: string(party.ID), Actor: s.by.Name, Kind: "member.added"})
	if err != nil {
		return "", err
	}
	if err := s.taskDone(s.tx, memberTask(s.tx, party.ID, addr)); err != nil {
		return "", err
	}
	sought, err := s.seekLine(party)
	return fmt.Sprintf("%s may write from %s; nothing is sent there before a key of it is confirmed%s", party.ID, addr, sought), err
}

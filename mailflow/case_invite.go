package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// MaxWave is the highest number of a wave.
const MaxWave = 99

// caseInvite is `invite PARTY [wave N] [affects "…"] [footprint N]`: a vendor
// of the case. For one that takes part already it changes these. `invite PARTY
// role ROLE` makes it something else, or something more.
func caseInvite(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	name, err := p.next("the name of the party")
	if err != nil {
		return "", err
	}
	got, err := p.options("wave", "affects", "footprint", "role")
	if err != nil {
		return "", err
	}
	role, err := invitedAs(got)
	if err != nil {
		return "", err
	}
	party, err := s.partyNamed(name)
	if err != nil {
		return "", err
	}
	who, fresh, err := s.invitee(c, party, role, len(got) > 0 && got["role"] == "")
	if err != nil {
		return "", err
	}
	if err := describe(&who, got); err != nil {
		return "", err
	}
	if err := s.join(c, who, fresh); err != nil {
		return "", err
	}
	return s.inviteLine(c, party, who)
}

// invitee is the participant to be: a new one, one that was withdrawn and
// comes back under a new address, or one that is changed.
func (s *sitting) invitee(c cvd.Case, party cvd.Party, role cvd.Role, changes bool) (cvd.Participant, bool, error) {
	who, err := ParticipantByID(s.tx, c.ID, party.ID)
	switch {
	case errors.Is(err, ErrNoParticipant):
		who = cvd.Participant{Case: c.ID, Party: party.ID, Token: cvd.NewToken()}
	case err != nil:
		return who, false, err
	case who.Withdrawn != nil:
		if err := s.revoke(who.Token); err != nil {
			return who, false, err
		}
		who = newIn(who, role)
		who.Withdrawn, who.Token, who.Roles = nil, cvd.NewToken(), nil
	case !who.Has(role):
		return s.inRole(newIn(who, role), party, role), false, nil // one more, in the thread that it has
	case !changes && role != cvd.RoleVendor:
		return who, false, already("%s takes part in %s as %s already", who.Party, c.ID, role)
	case !changes:
		return who, false, notDone("%s takes part in %s already; give what is to be changed: wave, affects or footprint", who.Party, c.ID)
	default:
		return who, false, nil
	}
	return s.inRole(who, party, role), true, nil
}

// newIn is a participant on its way into a role: what it said as something else is
// not its product team's word, on the embargo, its product or its dates.
func newIn(who cvd.Participant, role cvd.Role) cvd.Participant {
	if role == cvd.RoleVendor && !who.Has(role) {
		who.Acknowledged, who.Acceptances, who.Declined, who.Late = nil, nil, nil, nil
		who.Statuses, who.Ready, who.Proposals = nil, nil, nil
	}
	return who
}

// inRole gives a participant a role, from now on.
func (s *sitting) inRole(who cvd.Participant, party cvd.Party, role cvd.Role) cvd.Participant {
	who.Roles = append(slices.Clone(who.Roles), role)
	if role == cvd.RoleVendor {
		who.Wave = cmp.Or(who.Wave, party.Usual.Wave, 1)
		who.Footprint = cmp.Or(who.Footprint, party.Usual.Footprint)
		who.Affects = cmp.Or(who.Affects, party.Usual.Affects)
	}
	who.Address, who.Lead, who.Joined, who.By = party.Address, party.Lead, s.tx.Now, s.by.Name
	return who
}

// describe applies the options of an invitation.
func describe(who *cvd.Participant, got map[string]string) error {
	as := cvd.Usual{Wave: who.Wave, Footprint: who.Footprint, Affects: who.Affects}
	for name, value := range got {
		if err := usual(&as, name, value); err != nil {
			return err
		}
	}
	who.Wave, who.Footprint, who.Affects = as.Wave, as.Footprint, as.Affects
	return nil
}

// usual applies one option of what a vendor is told when, and how far it reaches.
// Others it leaves alone.
func usual(as *cvd.Usual, name, value string) error {
	switch name {
	case "wave":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > MaxWave {
			return notDone("%q is not the number of a wave; say 1 for those told first, up to %d", value, MaxWave)
		}
		as.Wave = n
	case "footprint":
		if _, err := cvd.ParseFootprint(value); err != nil {
			return notDone("%v", err)
		}
		as.Footprint = value
	case "affects":
		if err := message.CheckHeaderValue(value); err != nil {
			return notDone("affects: %v", err)
		}
		as.Affects = value
	}
	return nil
}

// usualWords are what the directory has of that.
func usualWords(as cvd.Usual) []string {
	var out []string
	if as.Wave > 0 {
		out = append(out, fmt.Sprintf("wave %d", as.Wave))
	}
	if as.Affects != "" {
		out = append(out, fmt.Sprintf("affects %q", as.Affects))
	}
	if as.Footprint != "" {
		out = append(out, "footprint "+as.Footprint)
	}
	return out
}

// join writes a participant, with its address, thread folder and plan where
// it is new.
func (s *sitting) join(c cvd.Case, who cvd.Participant, fresh bool) error {
	if err := PutParticipant(s.tx, who); err != nil {
		return err
	}
	kind := "party.changed"
	if fresh {
		kind = "party.invited"
		row := tokenRow{Case: c.ID, Party: who.Party}
		if err := tokens.Put(s.tx, caseScope(c.ID), tokenKey(s.tx, who.Token), row); err != nil {
			return err
		}
	}
	if err := s.asVendor(c, who); err != nil {
		return err
	}
	err := record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: kind,
		Detail: strings.TrimPrefix(fmt.Sprintf("%s, wave %d", roleWords(who), who.Wave), "vendor, ")})
	if err != nil {
		return err
	}
	return s.replan(s.tx, c.ID)
}

// revoke ends an address of a thread: it answers like an unknown one.
func (s *sitting) revoke(token string) error {
	row, err := tokens.Get(s.tx, tokenKey(s.tx, token))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	row.Revoked = true
	return tokens.Put(s.tx, caseScope(row.Case), tokenKey(s.tx, token), row)
}

// inviteLine says how an invitation stands, and what its first stage lacks.
func (s *sitting) inviteLine(c cvd.Case, party cvd.Party, who cvd.Participant) (string, error) {
	if !who.Has(cvd.RoleVendor) {
		return s.guestLine(c, party, who)
	}
	said := fmt.Sprintf("%s <%s> takes part in %s, wave %d", who.Party, who.Address, c.ID, who.Wave)
	if len(who.Roles) > 1 {
		said += ", as " + roleWords(who)
	}
	if who.Wave <= c.Policy.Upstream {
		said += fmt.Sprintf(" (upstream: policy %s tells it without regard to the lead of %s)", c.Policy.Name, cvd.FormatDuration(c.Policy.Lead))
	}
	if party.Channel == cvd.ChannelHand {
		return said + "; told by hand", nil
	}
	if len(c.Policy.Stages) == 0 {
		return said, nil
	}
	first := c.Policy.Stages[0]
	held, err := s.heldFor(c, who, first.Trust)
	if held != "" {
		said += fmt.Sprintf("; %s will be held: %s", first.Stage, held)
	}
	return said, err
}

// guestLine is inviteLine for who is no vendor.
func (s *sitting) guestLine(c cvd.Case, party cvd.Party, who cvd.Participant) (string, error) {
	said := fmt.Sprintf("%s <%s> takes part in %s as %s: it gets what is public, with everybody", who.Party, who.Address, c.ID, roleWords(who))
	if !who.Has(cvd.RoleObserver) || party.Channel == cvd.ChannelHand {
		return said, nil
	}
	said += ", and before that counts and dates, with no name and no material"
	held, err := s.heldFor(c, who, cvd.Confirmed)
	if held != "" {
		said += "; the counts will be held: " + held
	}
	return said, err
}

// heldFor says what the key of a participant lacks for a trust, or "".
func (s *sitting) heldFor(c cvd.Case, who cvd.Participant, trust cvd.Trust) (string, error) {
	keys, err := ownerKeys(s.tx, OwnerOf(who))
	if err != nil {
		return "", err
	}
	need, err := keyring.ParseTrust(string(trust))
	if err != nil {
		return "", err
	}
	choice := keyring.Select(s.Certs, keys, keyring.Need{Trust: need, Confirmers: c.Policy.KeyConfirmers()}, s.tx.Now)
	if len(choice.Certificates) > 0 {
		return "", nil
	}
	why := "none is known"
	if len(choice.Why) > 0 {
		why = strings.Join(choice.Why, "; ")
	}
	return fmt.Sprintf("it needs a %s key, and %s", trust, why), nil
}

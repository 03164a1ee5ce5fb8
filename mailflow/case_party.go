package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// partyOptions are what a party in the directory may be given.
var partyOptions = []string{"address", "second", "zone", "channel", "lead", "form", "legacy-display", "file-names", "subject", "alias", "kind", "language", "freeze", "proved", "on", "senders", "their-ref", "wave", "affects", "footprint"}

// newParty checks a name for the directory: it must be free, and no login.
func (s *sitting) newParty(name string) (cvd.Party, error) {
	id, err := cvd.ParsePartyID(name)
	if err != nil {
		return cvd.Party{}, notDone("%v", err)
	}
	if _, err := PartyByID(s.tx, id); err == nil {
		return cvd.Party{}, notDone("%s is in the directory already; `vendor edit %s ...` changes it", id, id)
	} else if !errors.Is(err, ErrNoParty) {
		return cvd.Party{}, err
	}
	if _, err := CoordinatorByName(s.tx, string(id)); err == nil {
		return cvd.Party{}, notDone("%s is the login of a coordinator; choose another name for the party", id)
	} else if !errors.Is(err, ErrNoCoordinator) {
		return cvd.Party{}, err
	}
	return cvd.Party{ID: id, Channel: cvd.ChannelPGP, Added: s.tx.Now, AddedBy: s.by.Name}, s.unnamed(string(id))
}

// editParty applies options to a party.
func (s *sitting) editParty(p *cvd.Party, got map[string]string) (err error) {
	for name, value := range got {
		switch name {
		case "address":
			if p.Address, err = s.freeAddress(value, p.ID); err == nil {
				p.Revoked = nil
			}
		case "second":
			p.Second, err = s.freeAddress(value, p.ID)
		case "alias":
			if p.Aliases, err = aliases(value); err == nil {
				err = s.unnamed(p.Aliases...)
			}
		case "zone":
			loc, bad := cvd.ParseZone(value)
			if bad != nil {
				return notDone("%v", bad)
			}
			p.Zone = loc.String()
		case "channel":
			p.Channel, err = parseChannel(value)
		case "lead":
			if p.Lead, err = cvd.ParseDuration(value); err != nil {
				return notDone("%v", err)
			}
		case "form":
			p.Manner.Form, err = parseForm(value)
		case "legacy-display":
			p.Manner.LegacyDisplay, err = parseSwitch(value)
		case "file-names":
			p.Manner.FileNames, err = parseSwitch(value)
		case "freeze":
			p.Freezes, err = s.freezes(value)
		case "proved":
			p.Proved, err = s.proven(value, got["on"])
		case "on":
			if got["proved"] == "" {
				return notDone("`on` names the day of `proved`; write: proved \"phone, Jo Doe\" on 2026-12-03")
			}
		case "subject":
			p.Manner.Subject, err = s.outerSubject(value, p.ID)
		case "senders":
			p.Senders, err = s.senders(value, *p)
		case "their-ref":
			p.Manner.RefOutside, err = parseRefPlace(value)
		case "kind":
			p.Kind, err = parseKind(value)
		case "language":
			p.Language, err = s.language(value)
		case "wave", "affects", "footprint":
			err = usual(&p.Usual, name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxAliases is how many other names a party may have.
const maxAliases = 20

// aliases reads the names by which people know a party, with commas between;
// `none` takes them away.
func aliases(value string) ([]string, error) {
	var out []string
	for _, name := range strings.Split(value, ",") {
		name = strings.Join(strings.Fields(name), " ")
		if name == "" || strings.EqualFold(value, "none") {
			continue
		}
		if len([]rune(name)) < shortestName || len(name) > maxName || message.CheckHeaderValue(name) != nil {
			return nil, notDone("%q is no name that a letter could be searched for: it takes %d to %d characters", name, shortestName, maxName)
		}
		out = append(out, name)
	}
	if len(out) > maxAliases {
		return nil, notDone("these are %d names; at most %d are kept of one party", len(out), maxAliases)
	}
	return out, nil
}

func parseChannel(s string) (cvd.Channel, error) {
	known := []string{string(cvd.ChannelPGP), string(cvd.ChannelHand)}
	if !slices.Contains(known, strings.ToLower(s)) {
		return "", notDone("%q is not a channel%s; say pgp, or hand for a party that a coordinator tells by a portal, a call or a list",
			s, nearest(s, known))
	}
	return cvd.Channel(strings.ToLower(s)), nil
}

// freeAddress checks an address for a party: one mailbox, not ours, and not
// somebody else's, since From decides whose a mail is.
func (s *sitting) freeAddress(text string, owner cvd.PartyID) (string, error) {
	list, err := message.ParseAddressList(text)
	if err != nil || len(list) != 1 || list[0].Domain == "" || message.CheckHeaderValue(text) != nil {
		return "", notDone("%q is not one mail address such as psirt@vendor.example", text)
	}
	addr := list[0].Addr()
	return addr, s.takenAddress(s.tx, addr, owner)
}

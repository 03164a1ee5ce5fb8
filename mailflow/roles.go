package mailflow

import (
	"errors"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// onlyObservers are the first words of the commands of who is neither vendor nor
// finder: an observer asks for its counts, and anybody may raise an alarm.
var onlyObservers = []string{"STATE", "HELP", "LEAK", "EXPLOITED", "PUBLISHED"}

// verbsFor are the first words of the commands that a participant may send, by
// what it is in its case. One organisation in two roles may send those of both.
func verbsFor(who cvd.Participant) []string {
	var out []string
	if who.Has(cvd.RoleVendor) {
		out = slices.Concat(out, vendorVerbs, onlyVendors)
	}
	if who.Has(cvd.RoleFinder) {
		out = slices.Concat(out, vendorVerbs, onlyFinders)
	}
	if onlyWatches(who) {
		return onlyObservers
	}
	if who.Has(cvd.RoleObserver) {
		out = slices.Concat(out, onlyObservers)
	}
	return out
}

// onlyWatches says that somebody takes part and is neither vendor nor finder.
func onlyWatches(who cvd.Participant) bool {
	return len(who.Roles) > 0 && !who.Has(cvd.RoleVendor) && !who.Has(cvd.RoleFinder)
}

// verbsAt are those of whoever a mail is from, by its place.
func verbsAt(tx *store.Tx, p place) ([]string, error) {
	if _, inReport := reportNumber(p.Case); inReport {
		return intakeVerbs, nil
	}
	who, err := ParticipantByID(tx, p.Case, p.Party)
	if errors.Is(err, ErrNoParticipant) || err == nil && len(who.Roles) == 0 {
		return verbsOf(p.Party), nil
	}
	return verbsFor(who), err
}

// invitedAs reads the role of an invitation; a vendor where none is named. What
// only a vendor has is refused for any other.
func invitedAs(got map[string]string) (cvd.Role, error) {
	word, ok := got["role"]
	if !ok {
		return cvd.RoleVendor, nil
	}
	role, err := cvd.ParseRole(word)
	if err != nil {
		return "", notDone("%v", err)
	}
	for _, o := range []string{"wave", "affects", "footprint"} {
		if _, has := got[o]; has && role != cvd.RoleVendor {
			return "", notDone("%s is a vendor's, and %s is no role of a vendor; give it with an invitation of its own: invite PARTY %s …", o, role, o)
		}
	}
	return role, nil
}

// roleWords names the roles of a participant, "finder and vendor".
func roleWords(who cvd.Participant) string {
	var out []string
	for _, r := range who.Roles {
		out = append(out, string(r))
	}
	return strings.Join(out, " and ")
}

// roleToEnd says which role `withdraw` takes: the one that is named, else that of
// a vendor. It is "" where the whole participant goes.
func roleToEnd(who cvd.Participant, named string) (cvd.Role, error) {
	role := cvd.RoleVendor
	if named != "" {
		var err error
		if role, err = cvd.ParseRole(named); err != nil {
			return "", notDone("%v", err)
		}
		if !who.Has(role) {
			return "", notDone("%s is no %s of %s, it is %s; nothing was changed", who.Party, role, who.Case, roleWords(who))
		}
	}
	if len(who.Roles) < 2 {
		return "", nil
	}
	if !who.Has(role) {
		role = who.Roles[0]
	}
	return role, nil
}

// endRole takes one of several roles from a participant: it goes on in the others,
// in the same thread. What was to come for that role does not go.
func (s *sitting) endRole(c cvd.Case, who cvd.Participant, role cvd.Role, why string) (string, error) {
	goes := goesWith(role)
	recalled, gone, err := s.Base.recall(s.tx, &who, s.by.Name, goes)
	if err != nil {
		return "", err
	}
	all, err := Notices(s.tx, c.ID, who.Party)
	if err != nil {
		return "", err
	}
	n := 0
	for _, notice := range all {
		if notice.State == cvd.Cancelled || !goes(notice) {
			continue
		}
		who.Spend(notice.ID, s.tx.Now)
		if notice.State.Over() {
			continue
		}
		if err := s.cancel(s.tx, notice, "no "+string(role)+" any more"); err != nil {
			return "", err
		}
		n++
	}
	unmet := ""
	// What it agreed to be named for may be what it was in that role.
	if who = who.Without(role); role == cvd.RoleVendor || role == cvd.RoleFinder {
		if unmet, err = s.stopAllOf(&who); err != nil {
			return "", err
		}
	}
	if err := PutParticipant(s.tx, who); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: string(c.ID), Party: string(who.Party), Actor: s.by.Name, Kind: "party.role-ended", Detail: string(role) + ": " + why})
	if err != nil {
		return "", err
	}
	said := string(who.Party) + " is no " + string(role) + " of " + string(c.ID) + " any more, and stays " + roleWords(who) + "; " + willNotGo(n, "notice")
	return said + unmet + recallLine(recalled, gone) + toldLine(who), s.replan(s.tx, c.ID)
}

// goesWith says which notices go to a participant for one of its roles alone.
// What is public everybody gets, and answers and letters are nobody's role.
func goesWith(role cvd.Role) func(cvd.Notice) bool {
	return func(n cvd.Notice) bool {
		switch n.Kind {
		case cvd.KindStage:
			return role == cvd.RoleVendor && n.Stage != cvd.Public
		case cvd.KindReminder, cvd.KindLeak, cvd.KindEmbargo:
			return role == cvd.RoleVendor
		case cvd.KindCounts:
			return role == cvd.RoleObserver
		}
		return false
	}
}

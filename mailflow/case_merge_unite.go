package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// takeParticipant lets a participant of the other case go on here, at the same
// address. Letters to it that are under way leave as they were written.
func (s *sitting) takeParticipant(c cvd.Case, p cvd.Participant, names renamed) error {
	name := names[p.Party]
	old := p
	old.MovedTo, old.MovedAs = c.ID, name
	if err := PutParticipant(s.tx, old); err != nil {
		return err
	}
	row, err := tokens.Get(s.tx, tokenKey(s.tx, p.Token))
	if err != nil {
		return err
	}
	row.Case, row.Party = c.ID, name
	if err := tokens.Put(s.tx, caseScope(c.ID), tokenKey(s.tx, p.Token), row); err != nil {
		return err
	}
	if err := s.moveTasks(s.tx, p.Case, p.Party, c.ID, name); err != nil {
		return err
	}
	here, err := ParticipantByID(s.tx, c.ID, name)
	switch {
	case errors.Is(err, ErrNoParticipant):
		here = movedIn(p)
		here.Case, here.Party = c.ID, name
	case err != nil:
		return err
	case p.Withdrawn == nil: // else that it was, there, says nothing of here
		here = united(here, p)
	}
	if err := PutParticipant(s.tx, here); err != nil {
		return err
	}
	if err := s.asVendor(c, here); err != nil {
		return err
	}
	return record(s.tx, journal.Record{Case: string(c.ID), Party: string(name), Actor: s.by.Name, Kind: "party.merged",
		Detail: "from " + string(old.Case) + ", as " + roleWords(here)})
}

// united is who takes part in a case and in the one that it takes in: with the roles
// of both, and with what it said in both. What stops something stops it still. Its
// dates, and the versions of the embargo that it accepted, are those of the case that
// goes on: nobody is asked to have agreed to another one.
func united(here, there cvd.Participant) cvd.Participant {
	if there.Has(cvd.RoleVendor) && !here.Has(cvd.RoleVendor) {
		here = newIn(here, cvd.RoleVendor)
		here.Acknowledged, here.Wave, here.Lead = there.Acknowledged, there.Wave, there.Lead
		here.Delays, here.Offsets = maps.Clone(there.Delays), maps.Clone(there.Offsets)
	}
	here.Roles = unitedLists(here.Roles, there.Roles)
	here.Requested = unitedLists(here.Requested, there.Requested)
	unitedStops(&here, there)

	here.Affects, here.Footprint = cmp.Or(here.Affects, there.Affects), cmp.Or(here.Footprint, there.Footprint)
	here.Name, here.Language = cmp.Or(here.Name, there.Name), cmp.Or(here.Language, there.Language)
	here.TheirRef, here.RefOffered = cmp.Or(here.TheirRef, there.TheirRef), cmp.Or(here.RefOffered, there.RefOffered)

	here.Statuses = oldestFirst(here.Statuses, there.Statuses, func(s cvd.Status) time.Time { return s.At })
	here.Statements = oldestFirst(here.Statements, there.Statements, func(s cvd.Statement) time.Time { return s.At })
	here.Proposals = oldestFirst(here.Proposals, there.Proposals, func(p cvd.Proposal) time.Time { return p.At })
	here.Freezes = oldestFirst(here.Freezes, there.Freezes, func(f cvd.Freeze) time.Time { return f.At })
	for _, r := range there.Reveals {
		if !slices.ContainsFunc(here.Reveals, func(o cvd.Reveal) bool { return o.To == r.To }) {
			here.Reveals = append(slices.Clone(here.Reveals), r)
		}
	}
	here.Credit = newer(here.Credit, there.Credit, func(c cvd.Credit) time.Time { return c.At })
	here.Ready = newer(here.Ready, there.Ready, func(r cvd.Ready) time.Time { return r.At })
	here.Deadline = newer(here.Deadline, there.Deadline, func(d cvd.OwnDay) time.Time { return d.At })
	here.Talk = newer(here.Talk, there.Talk, func(d cvd.OwnDay) time.Time { return d.At })
	for what, at := range there.Reported {
		if _, met := here.Reported[what]; !met {
			here = withReported(here, what, at)
		}
	}
	here.LastHeard, here.Wrote = laterOf(here.LastHeard, there.LastHeard), laterOf(here.Wrote, there.Wrote)
	return here
}

// unitedStops keeps what stops something in either. Nobody is late there, where
// nobody was told anything.
func unitedStops(here *cvd.Participant, there cvd.Participant) {
	if here.Hold == nil {
		here.Hold = there.Hold
	}
	if here.Declined == nil && here.Accepted() == 0 {
		here.Declined = there.Declined
	}
}

func unitedLists[T comparable](a, b []T) []T {
	a = slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// oldestFirst puts what was said in two places into one list, oldest first.
func oldestFirst[T any](a, b []T, at func(T) time.Time) []T {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y T) int { return at(x).Compare(at(y)) })
	return all
}

// newer is the later of two words, of which there may be none.
func newer[T any](a, b *T, at func(T) time.Time) *T {
	if a == nil || b != nil && at(*b).After(at(*a)) {
		return b
	}
	return a
}

// movedIn is a participant of a case that is taken in, as it goes on in the other: its
// codes are dead, and what it agreed to was another embargo.
func movedIn(p cvd.Participant) cvd.Participant {
	p.Codes, p.Acceptances, p.TookBack, p.Agreed = nil, nil, nil, nil
	return p
}

// behind names what of a participant is not taken along, for the desk to say anew.
func behind(here *cvd.Participant, there cvd.Participant) []string {
	var out []string
	if v := there.Accepted(); v > 0 {
		out = append(out, fmt.Sprintf("that it accepted v%d", v))
	}
	if here == nil || !here.Has(cvd.RoleVendor) {
		return out
	}
	for _, s := range cvd.Stages() {
		if _, ok := there.Delays[s]; ok || there.Offsets[s] != (cvd.When{}) {
			out = append(out, "its date for "+string(s))
		}
	}
	if there.Wave != 0 && there.Wave != here.Wave {
		out = append(out, fmt.Sprintf("its wave %d", there.Wave))
	}
	if there.TheirRef != "" && here.TheirRef != "" && there.TheirRef != here.TheirRef {
		out = append(out, "its reference "+there.TheirRef)
	}
	return out
}

// behindLine says what of several participants stays behind.
func behindLine(of []string) string {
	if len(of) == 0 {
		return ""
	}
	return "; not taken along: " + strings.Join(of, "; ")
}

// staysBehind names what of the participants of a case is not taken along.
func (s *sitting) staysBehind(c cvd.Case, ps []cvd.Participant, names renamed) ([]string, error) {
	var out []string
	for _, p := range ps {
		here, err := ParticipantByID(s.tx, c.ID, names[p.Party])
		known := &here
		if errors.Is(err, ErrNoParticipant) {
			known, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		if left := behind(known, p); len(left) > 0 && p.Withdrawn == nil {
			out = append(out, "of "+string(names[p.Party])+" "+strings.Join(left, ", "))
		}
	}
	return out, nil
}

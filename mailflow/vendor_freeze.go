package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// maxFreezes is how many freezes are kept of one vendor.
const maxFreezes = 20

// freeze notes when a vendor ships nothing. No date moves by it; the desk is
// asked where the end falls into it.
func (in *Intake) freeze(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	f, err := cvd.ParseFreeze(strings.Join(args, ""))
	switch {
	case err != nil:
		return templates.Result{Word: templates.ResultNoFreeze}, nil
	case tx.Now.After(f.To.Add(2 * cvd.Day)): // over in every zone
		return templates.Result{Word: templates.ResultPastFreeze, Text: f.String()}, nil
	case slices.ContainsFunc(who.Freezes, func(g cvd.Freeze) bool { return g.String() == f.String() }):
		return templates.Result{Word: templates.ResultKnownFreeze, Text: f.String()}, nil
	case len(who.Freezes) >= maxFreezes:
		return templates.Result{Word: templates.ResultManyFreezes, Most: maxFreezes}, nil
	}
	f.At, f.Via = a.At, a.Via
	who.Freezes = append(slices.Clone(who.Freezes), f)
	said := templates.Result{Word: templates.ResultFrozen, Text: f.String()}
	party, err := PartyByID(tx, who.Party)
	if err != nil || len(c.Embargoes) == 0 || !f.Holds(c.Embargo().End, cvd.ZoneOf(party.Zone)) {
		return said, err
	}
	subject := fmt.Sprintf("%s ships nothing in %s, when %s ends", who.Party, f, c.ID)
	return said, in.decisionFor(tx, c, who.Party, "freeze", subject, fmt.Sprintf("the embargo ends %s, within that time", instant(c.Embargo().End)),
		"decide. `dates` shows the ends that there could be. If the date is to change, write to control@"+in.DeskDomain+"\n    case "+
			string(c.ID)+"\n    embargo DATE because \"...\"")
}

// freezes reads the times in which a party ships nothing, with commas between;
// `none` takes them away.
func (s *sitting) freezes(value string) ([]cvd.Freeze, error) {
	var out []cvd.Freeze
	for _, text := range strings.Split(value, ",") {
		if strings.EqualFold(value, "none") {
			break
		}
		f, err := cvd.ParseFreeze(text)
		if err != nil {
			return nil, notDone("%v", err)
		}
		f.At, f.Via = s.tx.Now, s.by.Name
		out = append(out, f)
	}
	if len(out) > maxFreezes {
		return nil, notDone("these are %d times; at most %d are kept of one party", len(out), maxFreezes)
	}
	return out, nil
}

// proven reads how and when somebody proved to speak for a party.
func (s *sitting) proven(words, on string) (*cvd.Proven, error) {
	day := cvd.Instant{At: dayOf(s.tx.Now)}
	if on != "" {
		var err error
		if day, err = cvd.ParseInstant(on); err != nil {
			return nil, notDone("%v", err)
		}
	}
	if day.At.After(s.tx.Now) {
		return nil, notDone("%s has not come yet; name the day on which they proved it", on)
	}
	return &cvd.Proven{Words: words, On: dayOf(day.At), By: s.by.Name}, nil
}

// freezeWords and provenWords tell of a party in the directory.
func freezeWords(p cvd.Party) []string {
	var out []string
	for _, f := range p.Freezes {
		out = append(out, "freeze "+f.String())
	}
	return out
}

func provenWords(p cvd.Party) []string {
	if p.Proved == nil {
		return nil
	}
	return []string{fmt.Sprintf("contact proved %s: %s (filed by %s)", day(p.Proved.On), p.Proved.Words, p.Proved.By)}
}

// provenLines say how a party's contact was last proved, below its keys; nothing of
// who is in no directory.
func (s *sitting) provenLines(id cvd.PartyID) ([]string, error) {
	p, err := PartyByID(s.tx, id)
	if errors.Is(err, ErrNoParty) {
		return nil, nil
	}
	return provenWords(p), err
}

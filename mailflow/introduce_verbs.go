package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// meantForIntroduction says whether CONSENT or REFUSE is a command, and not a
// sentence: a number follows or nothing, or the party that a finder does not want
// to be named to any more.
func (c vendorCommand) meantForIntroduction() bool {
	words := slices.DeleteFunc(slices.Clone(c.Args), func(w string) bool { return slices.Contains(c.Codes, w) })
	if len(words) == 0 {
		return true
	}
	_, err := strconv.Atoi(words[0])
	if err != nil && c.Verb == "REFUSE" {
		_, err = cvd.ParsePartyID(words[0])
	}
	return len(words) == 1 && err == nil
}

// consent is CONSENT and REFUSE: a participant's word on an introduction. The
// answer is the same whatever the other said.
func (in *Intake) consent(tx *store.Tx, c cvd.Case, who *cvd.Participant, cmd vendorCommand, a cvd.Acceptance) (templates.Result, error) {
	number := 0
	if len(cmd.Args) > 0 {
		var err error
		if number, err = strconv.Atoi(cmd.Args[0]); err != nil {
			return in.unreveal(tx, who, cmd.Args[0], a)
		}
	}
	i, lacks, err := questionNumbered(tx, *who, number)
	if lacks != "" || err != nil {
		return templates.Result{Word: lacks}, err
	}
	yes := cmd.Verb == "CONSENT"
	late, err := in.hears(tx, who, i, yes, a, false)
	switch {
	case err != nil:
		return templates.Result{}, err
	case late:
		return templates.Result{Word: templates.ResultIntroduced}, nil
	case yes:
		return templates.Result{Word: templates.ResultConsent}, nil
	}
	other := i.Sides[1-i.side(who.Party)].Party
	err = in.decisionFor(tx, c, who.Party, "refuses-"+strconv.FormatUint(i.Number, 10),
		fmt.Sprintf("%s does not want to be introduced to %s in %s", who.Party, other, c.ID), "",
		fmt.Sprintf("nothing, or in a mail to control@%s\n    case %s\n    introduce %s %s cancel\nIts word can still change; %s learns nothing of it", in.DeskDomain, c.ID, i.Sides[0].Party, i.Sides[1].Party, other))
	return templates.Result{Word: templates.ResultRefuse}, err
}

// questionNumbered is the introduction that a participant speaks of: by the number
// of the question, or the only one that is open.
func questionNumbered(tx *store.Tx, who cvd.Participant, number int) (i intro, lacks string, err error) {
	all, err := questionsTo(tx, who)
	if err != nil {
		return intro{}, "", err
	}
	var found []intro
	for _, i := range all {
		over, err := handedOn(tx, i)
		if err != nil {
			return intro{}, "", err
		}
		if number == i.Sides[i.side(who.Party)].Question || number == 0 && !over {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return intro{}, templates.ResultNoQuestion, nil
	case 1:
		return found[0], "", nil
	}
	return intro{}, templates.ResultWhichQuestion, nil
}

// openQuestions lists the numbers of the questions that a participant can answer.
func openQuestions(tx *store.Tx, who cvd.Participant) ([]int, error) {
	all, err := questionsTo(tx, who)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, i := range all {
		left, err := begun(tx, i)
		if err != nil {
			return nil, err
		}
		if !left {
			out = append(out, i.Sides[i.side(who.Party)].Question)
		}
	}
	return out, nil
}

// revealTo is REVEAL: a finder may be named to a party. That is its half of an
// introduction, which the desk makes; the party is asked like anybody else.
func (in *Intake) revealTo(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	before := len(who.Reveals)
	result := reveal(who, args, a)
	if len(who.Reveals) == before {
		return result, nil
	}
	to := who.Reveals[before].To
	next, err := in.revealNext(tx, c, who, to, a)
	if err != nil {
		return result, err
	}
	subject := fmt.Sprintf("%s may be named to %s in %s", who.Party, to, c.ID)
	return result, in.decisionFor(tx, c, who.Party, "reveals-"+string(to), subject, "it wants to talk with them itself", next)
}

// revealNext says what the desk can do about it. Where the two are being
// introduced, the finder's word stands there from now on.
func (in *Intake) revealNext(tx *store.Tx, c cvd.Case, who *cvd.Participant, to cvd.PartyID, a cvd.Acceptance) (string, error) {
	i, err := openIntro(tx, c.ID, who.Party, to)
	if err == nil {
		a.Via = "REVEAL, " + a.Via
		_, err = in.hears(tx, who, i, true, a, false)
		return fmt.Sprintf("nothing: both are being introduced, and %s agrees", who.Party), err
	}
	if !errors.Is(err, errNoIntro) {
		return "", err
	}
	other, err := ParticipantByID(tx, c.ID, to)
	switch {
	case errors.Is(err, ErrNoParticipant) || err == nil && (other.Withdrawn != nil || !other.Has(cvd.RoleVendor)):
		return fmt.Sprintf("nothing now: %s is no vendor of %s, and is told nothing", to, c.ID), nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("decide. To ask %s as well, write to control@%s, signed,\n    case %s\n    introduce %s %s\nOnly if it agrees do both learn of each other", to, in.DeskDomain, c.ID, who.Party, to), nil
}

// unreveal is REFUSE with the name of a party: a finder takes REVEAL back. The
// answer is the same whether or not that party takes part.
func (in *Intake) unreveal(tx *store.Tx, who *cvd.Participant, name string, a cvd.Acceptance) (templates.Result, error) {
	to, err := cvd.ParsePartyID(name)
	if err != nil || !who.Has(cvd.RoleFinder) {
		return templates.Result{Word: templates.ResultNoQuestion}, nil
	}
	i, err := openIntro(tx, who.Case, who.Party, to)
	if err == nil {
		late, err := in.hears(tx, who, i, false, a, false)
		if late || err != nil {
			return templates.Result{Word: templates.ResultIntroduced}, err
		}
	} else if !errors.Is(err, errNoIntro) {
		return templates.Result{}, err
	}
	who.Reveals = slices.DeleteFunc(slices.Clone(who.Reveals), func(r cvd.Reveal) bool { return r.To == to })
	return templates.Result{Word: templates.ResultUnreveal, Text: string(to)}, nil
}

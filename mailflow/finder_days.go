package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// ownDay reads a day that a finder set for itself, which has not passed in every
// zone.
func ownDay(args []string, a cvd.Acceptance) (d cvd.OwnDay, past, ok bool) {
	if len(args) == 0 || !isDay(args[0]) {
		return d, false, false
	}
	on, err := time.Parse(time.DateOnly, args[0])
	if err != nil {
		return d, false, false
	}
	d = cvd.OwnDay{On: on, Words: defanged(strings.Join(args[1:], " ")), At: a.At, Via: a.Via}
	return d, a.At.After(on.Add(2 * cvd.Day)), true
}

// deadline notes until when a finder keeps silent whatever we do. It starts
// nothing: the desk is asked, at once, with what the plan has on that day and after
// it.
func (in *Intake) deadline(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	d, past, ok := ownDay(args, a)
	switch {
	case !ok:
		return templates.Result{Word: templates.ResultNoDeadline}, nil
	case past:
		return templates.Result{Word: templates.ResultPastDay, Day: args[0]}, nil
	}
	who.Deadline = &d
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return templates.Result{}, err
	}
	subject := fmt.Sprintf("%s publishes on %s, %s (%s)", who.Party, args[0], deadlineWords(c, d), c.ID)
	why := "they write: " + d.Words
	if d.Words == "" {
		why = "they gave no reason"
	}
	next := "decide whether the dates fit." + afterDeadline(c, ps, d.On) +
		"\n`dates` weighs the ends that there could be. If the date is to change, write to control@" + in.DeskDomain + "\n    case " + string(c.ID) +
		"\n    embargo DATE because \"...\"\nand answer the finder in any case"
	return templates.Result{Word: templates.ResultDeadline, Day: args[0]}, in.decisionFor(tx, c, who.Party, "deadline", subject, why, next)
}

// deadlineWords compare a finder's deadline with the end of the embargo.
func deadlineWords(c cvd.Case, d cvd.OwnDay) string {
	end := c.Embargo().End
	switch days := daysBetween(d.On, end); {
	case end.IsZero():
		return "and the embargo has no end yet"
	case days == 0:
		return "the day on which the embargo ends"
	case days < 0:
		return "after the embargo ends on " + day(end)
	default:
		return count(days, "day") + " BEFORE the embargo ends on " + day(end)
	}
}

// maxAfter is how many notices a deadline names that fall after it.
const maxAfter = 20

// afterDeadline lists what the plan has on a finder's last day and after it.
func afterDeadline(c cvd.Case, ps []cvd.Participant, on time.Time) string {
	reached := map[cvd.PartyID]cvd.Stage{}
	for _, p := range ps {
		reached[p.Party] = p.Reached
	}
	var late []string
	for _, due := range cvd.Plan(c, ps) {
		if !due.At.Before(on) && due.Stage.Rank() > reached[due.Party].Rank() {
			late = append(late, fmt.Sprintf("    %s  %s to %s", instant(due.At), due.Stage, due.Party))
		}
	}
	switch {
	case !c.Started():
		return " The plan does not run yet."
	case len(late) == 0:
		return " No notice falls on that day or after it."
	}
	said := fmt.Sprintf(" On that day, or after it, would come %s:\n", count(len(late), "notice"))
	if more := len(late) - maxAfter; more > 0 {
		late = append(late[:maxAfter:maxAfter], fmt.Sprintf("    and %d more, see `plan`", more))
	}
	return said + strings.Join(late, "\n")
}

// talk notes that the finder speaks about it on a day. No date moves by it.
func (in *Intake) talk(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	d, past, ok := ownDay(args, a)
	switch {
	case !ok:
		return templates.Result{Word: templates.ResultNoTalk}, nil
	case past:
		return templates.Result{Word: templates.ResultPastDay, Day: args[0]}, nil
	}
	who.Talk = &d
	where := "they do not say where"
	if d.Words != "" {
		where = "they write: " + d.Words
	}
	subject := fmt.Sprintf("%s speaks about %s on %s (the embargo ends %s)", who.Party, c.ID, args[0], endWords(c))
	err := in.decisionFor(tx, c, who.Party, "talk", subject, where,
		"decide whether the dates fit. If one is to change, write to control@"+in.DeskDomain+"\n    case "+string(c.ID)+"\n    embargo DATE because \"...\"\nand answer the finder in any case")
	return templates.Result{Word: templates.ResultTalk, Day: args[0]}, err
}

func endWords(c cvd.Case) string {
	if e := c.Embargo(); e.Version > 0 {
		return e.End.Format(time.DateOnly)
	}
	return "on no day yet"
}

// finderDay is a day that a finder of a case set.
type finderDay struct {
	cvd.OwnDay
	Party cvd.PartyID
	Ends  bool // a deadline: nothing is secret from then on
}

func (f finderDay) String() string {
	if f.Ends {
		return string(f.Party) + "'s deadline"
	}
	return string(f.Party) + " speaks about it"
}

// finderDays are the days that the finders of a case set, in order.
func finderDays(ps []cvd.Participant) []finderDay {
	var out []finderDay
	for _, p := range ps {
		if p.Deadline != nil {
			out = append(out, finderDay{*p.Deadline, p.Party, true})
		}
		if p.Talk != nil {
			out = append(out, finderDay{*p.Talk, p.Party, false})
		}
	}
	slices.SortStableFunc(out, func(a, b finderDay) int { return a.On.Compare(b.On) })
	return out
}

// ownDayWords say which days a finder set, for the case file and `status`.
func ownDayWords(p cvd.Participant) []string {
	var out []string
	if p.Deadline != nil {
		out = append(out, "publishes on "+day(p.Deadline.On)+" by its own word (DEADLINE)")
	}
	if p.Talk != nil {
		out = append(out, "speaks about it on "+day(p.Talk.On))
	}
	if n := len(p.TookBack); n > 0 && p.Accepted() == 0 {
		out = append(out, fmt.Sprintf("took back its acceptance of v%d on %s", p.TookBack[n-1].Version, day(p.TookBack[n-1].At)))
	}
	return out
}

package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// takeBack is WITHDRAW: a participant takes back what it said. PROPOSE, READY,
// DEADLINE or TALK behind it names one thing; without any of them it takes back
// its acceptance of the embargo, with its proposal and READY. Who accepted nothing
// has nothing to leave: DECLINE says that it takes no part.
func (in *Intake) takeBack(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	if len(args) > 0 {
		reason := strings.Join(args[1:], " ")
		switch strings.ToUpper(args[0]) {
		case "PROPOSE", "READY", "DEADLINE", "TALK":
			return in.takeOneBack(tx, c, who, strings.ToUpper(args[0]), reason)
		case "ACCEPT":
			args = args[1:]
		}
	}
	return in.leaveEmbargo(tx, c, who, strings.Join(args, " "), a)
}

// takeOneBack takes back one thing that moved no date; the desk is told.
func (in *Intake) takeOneBack(tx *store.Tx, c cvd.Case, who *cvd.Participant, what, reason string) (templates.Result, error) {
	had := taken(c, who, what)
	if had == "" {
		return templates.Result{Word: templates.ResultNothingBack}, nil
	}
	if err := in.taskDone(tx, threadTask(takenTasks[what], c.ID, who.Party)); err != nil {
		return templates.Result{}, err
	}
	subject := fmt.Sprintf("%s takes back %s in %s", who.Party, had, c.ID)
	err := in.decisionFor(tx, c, who.Party, "takes-back", subject, defanged(reason), "nothing, unless you counted on it. `dates` shows what there is now")
	return templates.Result{Word: templates.ResultTookBack, Text: had}, err
}

// takenTasks are the tasks that end when something is taken back.
var takenTasks = map[string]string{"PROPOSE": "proposes", "READY": "ready", "DEADLINE": "deadline", "TALK": "talk"}

// taken takes one thing back, and names it; "" where there is none.
func taken(c cvd.Case, who *cvd.Participant, what string) string {
	switch what {
	case "PROPOSE":
		p, open := c.Proposes(*who)
		if !open {
			return ""
		}
		who.Proposals = slices.DeleteFunc(slices.Clone(who.Proposals), func(o cvd.Proposal) bool { return o.At.After(c.Embargo().At) })
		return "PROPOSE " + day(p.Date)
	case "READY":
		if who.Ready == nil {
			return ""
		}
		by := who.Ready.By
		who.Ready = nil
		return "READY BY " + day(by)
	case "DEADLINE", "TALK":
		of := &who.Deadline
		if what == "TALK" {
			of = &who.Talk
		}
		if *of == nil {
			return ""
		}
		on := (*of).On
		*of = nil
		return what + " " + day(on)
	}
	return ""
}

// leaveEmbargo takes an acceptance back, and what was offered with it. Whoever does
// is not counted as bound any more, so that nothing further is told it that needs an
// acceptance; what was told stays told.
func (in *Intake) leaveEmbargo(tx *store.Tx, c cvd.Case, who *cvd.Participant, reason string, a cvd.Acceptance) (templates.Result, error) {
	v := who.TakeBack(defanged(reason), a.At, a.Via)
	var back []string
	for _, what := range []string{"PROPOSE", "READY"} {
		if had := taken(c, who, what); had != "" {
			back = append(back, had)
			if err := in.taskDone(tx, threadTask(takenTasks[what], c.ID, who.Party)); err != nil {
				return templates.Result{}, err
			}
		}
	}
	if v == 0 {
		return in.leftNothing(tx, c, who, back, reason)
	}
	n, gone, err := in.recallUnaccepted(tx, c, who)
	if err != nil {
		return templates.Result{}, err
	}
	answer := templates.Result{Word: templates.ResultLeft, Version: v}
	if who.Party.IsFinder() {
		answer.Word = templates.ResultFinderLeft
	}
	subject := fmt.Sprintf("%s takes back its acceptance of v%d in %s", who.Party, v, c.ID)
	return answer, in.decisionFor(tx, c, who.Party, "left", subject, defanged(reason), leftNext(c, *who, n, gone, in.DeskDomain))
}

// leftNothing answers who has accepted nothing. Of a finder that is a word on its
// report, perhaps, which a person decides about.
func (in *Intake) leftNothing(tx *store.Tx, c cvd.Case, who *cvd.Participant, back []string, reason string) (templates.Result, error) {
	answer := templates.Result{Word: templates.ResultNothingBack}
	if len(back) > 0 {
		answer = templates.Result{Word: templates.ResultTookBack, Text: strings.Join(back, ", ")}
	}
	switch {
	case who.Party.IsFinder():
		answer.Word = templates.ResultAsksBack
		subject := fmt.Sprintf("%s wants to withdraw in %s", who.Party, c.ID)
		return answer, in.decisionFor(tx, c, who.Party, "left", subject, defanged(reason),
			"ask what it means: it had accepted no embargo. Nothing was closed. If it takes the report itself back and there is no flaw, write to control@"+in.DeskDomain+"\n    case "+string(c.ID)+"\n    case close because \"...\"")
	case len(back) > 0:
		subject := fmt.Sprintf("%s takes back %s in %s", who.Party, strings.Join(back, " and "), c.ID)
		return answer, in.decisionFor(tx, c, who.Party, "takes-back", subject, defanged(reason), "nothing, unless you counted on it. `dates` shows what there is now")
	}
	return answer, nil
}

// recallUnaccepted takes back what waits in the queue and needed the acceptance
// (rule T4): a stage, or a reminder of one.
func (in *Intake) recallUnaccepted(tx *store.Tx, c cvd.Case, who *cvd.Participant) (int, []string, error) {
	return in.recall(tx, who, string(who.Party), func(n cvd.Notice) bool {
		rule, ok := c.Policy.Rule(n.Stage)
		return ok && (n.Kind == cvd.KindStage || n.Kind == cvd.KindReminder) && slices.Contains(rule.Needs, cvd.Accepted)
	})
}

// leftNext says what the desk may do about a participant that left the embargo.
func leftNext(c cvd.Case, who cvd.Participant, recalled int, gone []string, desk string) string {
	if who.Party.IsFinder() {
		return "talk to it at once: it does not count as bound, and may publish. `dates` shows the ends that there could be, `leak-kit show` what is ready if it does. If the date is to change, write to control@" + desk +
			"\n    case " + string(c.ID) + "\n    embargo DATE because \"...\""
	}
	next := fmt.Sprintf("decide. It is late from now on: %s. A later ACCEPT counts. What it was told, it knows", lateLine(c, who))
	if recalled > 0 {
		next += "; " + count(recalled, "mail") + " in the queue did not leave"
	}
	if len(gone) > 0 {
		next += "; these had left: " + strings.Join(gone, ", ")
	}
	return next + fmt.Sprintf(". Talk to them. If it is to learn nothing further before the end, write to control@%s\n    case %s\n    late %s never because \"...\"", desk, c.ID, who.Party)
}

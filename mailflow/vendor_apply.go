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

// apply does one command and says in words what was understood. A command
// that cannot be done is answered, and changes nothing.
func (in *Intake) apply(tx *store.Tx, c cvd.Case, who *cvd.Participant, cmd vendorCommand, via string) (templates.Result, error) {
	now := cvd.Acceptance{At: tx.Now, Via: via, Version: c.Embargo().Version}
	rest := strings.Join(cmd.Args, " ")
	switch cmd.Verb {
	case "ACK":
		return acknowledge(who, now), nil
	case "ACCEPT":
		return accept(c, who, cmd.Version, now), nil
	case "DECLINE":
		return in.decline(tx, c, who, rest, via)
	case "STATUS":
		return status(who, cmd.Args, now), nil
	case "PROPOSE":
		return in.propose(tx, c, who, cmd.Args, now)
	case "READY":
		return ready(who, cmd.Args, now), nil
	case "LEAK", "EXPLOITED", "PUBLISHED":
		return in.alarm(tx, c, who, cmd, via)
	case "WITHDRAW":
		return in.takeBack(tx, c, who, cmd.Args, now)
	case verbMember:
		return in.member(tx, c, who, cmd.Args, via)
	case verbRequest:
		return request(c, who, cmd.Args), nil
	case "SUGGEST":
		return in.suggest(tx, c, who, cmd.Args)
	case "TALK":
		return in.talk(tx, c, who, cmd.Args, now)
	case "DEADLINE":
		return in.deadline(tx, c, who, cmd.Args, now)
	case "FREEZE":
		return in.freeze(tx, c, who, cmd.Args, now)
	case "STATE":
		return in.stateFor(tx, c, *who)
	case verbStatement:
		return state(who, cmd.Block, now), nil
	case "CREDIT", "ANONYMOUS":
		return credit(who, cmd.Args, now), nil
	case "REVEAL":
		return in.revealTo(tx, c, who, cmd.Args, now)
	case "CONSENT", "REFUSE":
		return in.consent(tx, c, who, cmd, now)
	}
	return templates.Result{Word: templates.ResultBelow}, nil
}

func acknowledge(who *cvd.Participant, a cvd.Acceptance) templates.Result {
	if who.Acknowledged == nil {
		who.Acknowledged = &a
	}
	return templates.Result{Word: templates.ResultAcknowledged}
}

// accept binds a participant to the version that it names, and to no other
// (product.md section 6). It always counts, even after a refusal.
func accept(c cvd.Case, who *cvd.Participant, version int, a cvd.Acceptance) templates.Result {
	i := slices.IndexFunc(c.Embargoes, func(e cvd.Embargo) bool { return e.Version == version })
	if i < 0 {
		return templates.Result{Word: templates.ResultNoVersion, Case: c.ID, Version: a.Version}
	}
	a.Version = version
	who.Acceptances = append(who.Acceptances, a)
	who.Declined, who.Late = nil, nil
	return templates.Result{Word: templates.ResultAccepted, At: c.Embargoes[i].End, Version: version}
}

func (in *Intake) decline(tx *store.Tx, c cvd.Case, who *cvd.Participant, reason, via string) (templates.Result, error) {
	who.Declined = &cvd.Hold{Because: reason, By: via, At: tx.Now}
	err := in.decisionFor(tx, c, who.Party, "declined", fmt.Sprintf("%s declined in %s", who.Party, c.ID), reason,
		"it is late from now on: "+lateLine(c, *who)+". A later ACCEPT counts, and you can call them")
	return templates.Result{Word: templates.ResultDeclined}, err
}

var statusWords = []string{"affected", "not-affected", "fixed", "investigating"}

func status(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	if len(args) == 0 || !slices.Contains(statusWords, strings.ToLower(args[0])) {
		return templates.Result{Word: templates.ResultNoStatus}
	}
	s := cvd.Status{Word: strings.ToLower(args[0]), Text: strings.Join(args[1:], " "), At: a.At, Via: a.Via}
	who.Statuses = append(who.Statuses, s)
	return templates.Result{Word: templates.ResultStatus, Text: strings.TrimSpace(s.Word + " " + s.Text)}
}

// ready reads BY DATE. It moves no date: `dates` shows the desk who is ready
// when.
func ready(who *cvd.Participant, args []string, a cvd.Acceptance) templates.Result {
	if len(args) != 2 || !strings.EqualFold(args[0], "BY") || !isDay(args[1]) {
		return templates.Result{Word: templates.ResultNotReady}
	}
	day, err := time.Parse(time.DateOnly, args[1])
	if err != nil {
		return templates.Result{Word: templates.ResultNoDay, Day: args[1]}
	}
	who.Ready = &cvd.Ready{By: day, At: a.At, Via: a.Via}
	return templates.Result{Word: templates.ResultReady, Day: args[1]}
}

func (in *Intake) propose(tx *store.Tx, c cvd.Case, who *cvd.Participant, args []string, a cvd.Acceptance) (templates.Result, error) {
	if len(args) == 0 || !isDay(args[0]) {
		return templates.Result{Word: templates.ResultNotProposed}, nil
	}
	day, err := time.Parse(time.DateOnly, args[0])
	if err != nil {
		return templates.Result{}, err
	}
	reason := strings.Join(args[1:], " ")
	who.Proposals = append(who.Proposals, cvd.Proposal{Date: day, Reason: reason, At: a.At})
	err = in.decisionFor(tx, c, who.Party, "proposes", fmt.Sprintf("%s proposes %s in %s (now %s)", who.Party, args[0], c.ID,
		c.Embargo().End.Format(time.DateOnly)), reason,
		"decide. If the date is to change, write to control@"+in.DeskDomain+"\n    case "+string(c.ID)+"\n    embargo DATE because \"...\"\nand answer the vendor in any case")
	return templates.Result{Word: templates.ResultProposed, Day: args[0]}, err
}

// decisionFor puts an answer that needs a decision before the desk.
func (in *Intake) decisionFor(tx *store.Tx, c cvd.Case, p cvd.PartyID, what, subject, why, next string) error {
	if why == "" {
		why = "they gave no reason"
	}
	r, err := in.Templates.Refusal(refusal(subject, subject+". It is filed in the thread, and it counts.", why, next))
	if err != nil {
		return err
	}
	return in.task(tx, threadTask(what, c.ID, p), Post{Case: c.ID, Subject: subject, Text: r.Text, Kind: what,
		From: string(p), Alias: string(p) + "." + c.ID.Lower()})
}

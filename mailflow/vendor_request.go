package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/templates"
)

// verbRequest asks for a stage that goes only to who wants it.
const verbRequest = "REQUEST"

// meantForStage says whether REQUEST is a command: alone, or with the name of a
// stage, and no sentence such as "Request a call".
func (c vendorCommand) meantForStage() bool {
	words := slices.DeleteFunc(slices.Clone(c.Args), func(w string) bool { return slices.Contains(c.Codes, w) })
	if len(words) == 0 {
		return true
	}
	st, err := cvd.ParseStage(words[0])
	return len(words) == 1 && err == nil && st.Rank() > 0
}

// nextOnRequest is the first stage that a participant could still ask for, or none.
func nextOnRequest(c cvd.Case, who cvd.Participant) cvd.Stage {
	for _, rule := range c.Policy.Stages {
		if who.Has(cvd.RoleVendor) && c.NotAsked(who, rule.Stage) {
			return rule.Stage
		}
	}
	return ""
}

// request is REQUEST [STAGE]: without a stage it is the first that waits for that.
func request(c cvd.Case, who *cvd.Participant, args []string) templates.Result {
	stage := nextOnRequest(c, *who)
	if len(args) > 0 {
		named, err := cvd.ParseStage(args[0])
		if err != nil {
			return templates.Result{Word: templates.ResultNoRequest}
		}
		stage = named
	}
	switch {
	case !c.Policy.OnRequest(stage):
		return templates.Result{Word: templates.ResultNoRequest}
	case stage.Rank() <= who.Reached.Rank():
		return templates.Result{Word: templates.ResultHasStage, Text: string(stage)}
	case c.NotAsked(*who, stage):
		who.Requested = append(slices.Clone(who.Requested), stage)
	}
	return templates.Result{Word: templates.ResultRequested, Text: string(stage)}
}

// recordRequested is `record PARTY requested STAGE via HOW`. It lets that stage go,
// with whatever else this needs.
func (s *sitting) recordRequested(c cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	stage, err := p.stage()
	if err != nil {
		return "", err
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	switch {
	case !c.Policy.OnRequest(stage):
		return "", notDone("%s needs no request by policy %s; `plan %s` shows what it needs", stage, c.Policy.Name, who.Party)
	case stage.Rank() <= who.Reached.Rank():
		return "", already("%s was told %s already", who.Party, who.Reached)
	case !c.NotAsked(who, stage):
		return "", already("%s asked for %s already", who.Party, stage)
	}
	if err := s.mustBeProved("record "+string(who.Party)+" requested", "lets a stage go"); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "requested", Stage: stage}
	who.Requested = append(slices.Clone(who.Requested), stage)
	return fmt.Sprintf("%s asks for %s, via %s", who.Party, stage, how), s.recorded(who, "requested", string(stage)+" via "+how)
}

func unrequest(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	i := slices.Index(who.Requested, u.Stage)
	if i < 0 {
		return "", changedSince("what "+string(who.Party)+" asked for", "`status` says what it said")
	}
	who.Requested = slices.Delete(slices.Clone(who.Requested), i, i+1)
	return s.unrecorded(who, u)
}

// requestedWords say which stages a participant asked for.
func requestedWords(who cvd.Participant) string {
	var names []string
	for _, st := range who.Requested {
		names = append(names, string(st))
	}
	return strings.Join(names, ", ")
}

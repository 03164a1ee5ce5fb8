package main

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/templates"
)

// stageSays is what a vendor learns with each stage (product.md section 1), in
// words for everybody.
var stageSays = map[cvd.Stage]string{
	cvd.HeadsUp:  "That there is a flaw in a product line of yours, roughly how severe it is, and the date.",
	cvd.Scope:    "Which component and versions, and how to tell whether you ship it.",
	cvd.Details:  "The technical description, how to find the flaw and how to fix it.",
	cvd.Proof:    "A proof of concept, to test the fix with.",
	cvd.Advisory: "The text that will be published, with credits, for corrections.",
	cvd.Public:   "All that is published.",
}

var needSays = map[cvd.Need]string{
	cvd.Acknowledged: "word that you got our mail",
	cvd.Accepted:     "your word to keep it secret",
	cvd.Requested:    "that you ask for it",
}

// sitePolicy puts the default policy into words.
func sitePolicy(s *templates.Site, p cvd.Policy) {
	s.Embargo = inWords(p.Embargo)
	for _, r := range p.Stages {
		s.Stages = append(s.Stages, templates.SiteStage{Name: r.Stage.Title(), When: whenSays(r.At), What: stageSays[r.Stage], Needs: stageNeeds(r)})
	}
	var after []string
	for _, d := range p.Remind {
		after = append(after, inWords(d))
	}
	s.Reminders = enumerated(after)
}

func stageNeeds(r cvd.StageRule) string {
	var all []string
	for _, n := range r.Needs {
		all = append(all, needSays[n])
	}
	switch {
	case r.Stage == cvd.Public:
	case r.Trust == cvd.Confirmed:
		all = append(all, "a key checked with you")
	default:
		all = append(all, "a key of yours")
	}
	if len(all) == 0 {
		return "Nothing."
	}
	text := enumerated(all)
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func whenSays(w cvd.When) string {
	switch {
	case w.Offset == 0 && w.FromEnd:
		return "On the date"
	case w.Offset == 0:
		return "At the start"
	case w.FromEnd:
		return inWords(w.Offset) + " before the date"
	}
	return inWords(w.Offset) + " after the start"
}

// inWords writes a duration in days, or in hours.
func inWords(d time.Duration) string {
	switch {
	case d >= cvd.Day && d%cvd.Day == 0:
		return count(int(d/cvd.Day), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	}
	return fmt.Sprint(d)
}

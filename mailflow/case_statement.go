package mailflow

import (
	"parley/mailflow/cvd"
	"parley/templates"
)

// recordStatement is `record PARTY statement "TEXT" via HOW`: what a vendor gave
// for publication by phone or by hand. It is published word for word, and names the
// vendor, as a STATEMENT of its own does; what was approved without it is asked for
// again.
func (s *sitting) recordStatement(_ cvd.Case, who cvd.Participant, p *phrase) (string, error) {
	text := p.until("via")
	if text == "" {
		return "", notDone("the statement is missing, in quotes, as they gave it; write: record %s statement \"...\" via HOW", who.Party)
	}
	how, err := p.via()
	if err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "statement"}
	switch got := state(&who, &block{Text: text, Ended: true}, cvd.Acceptance{At: s.tx.Now, Via: how, By: s.by.Name}); got.Word {
	case templates.ResultStatement:
		return string(who.Party) + "'s statement is on record, and names it where it is published; `advisory show` says how all of that stands", s.recorded(who, "statement", how)
	case templates.ResultLongStatement:
		return "", notDone("a statement has at most %d characters; nothing was recorded", got.Most)
	}
	return "", notDone("the statement is empty; nothing was recorded")
}

func unstatement(s *sitting, u undoRow) (string, error) {
	who, err := s.recordOf(u)
	if err != nil {
		return "", err
	}
	if n := len(who.Statements); n == 0 || !who.Statements[n-1].At.Equal(u.At) {
		return "", changedSince("the statement of "+string(who.Party), "`advisory show` says what it said")
	}
	who.Statements = who.Statements[:len(who.Statements)-1]
	return s.unrecorded(who, u)
}

package mailflow

import (
	"errors"
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// writeToFinder sends a coordinator's words to whoever sent a report, in its
// thread: encrypted, or not at all. A finder of whom no usable key is known
// gets a content-free note that an answer waits, and how to get it (product.md
// section 3). It says what it did.
func (s *sitting) writeToFinder(r cvd.Report, about templates.Occasion, text string) (string, error) {
	id, party, err := threadNow(s.tx, reportCase(r.Number), cvd.Finder)
	if err != nil {
		return "", err
	}
	c, err := CaseByID(s.tx, id)
	if err != nil && !errors.Is(err, ErrNoCase) {
		return "", err
	}
	who, err := ParticipantByID(s.tx, id, party)
	switch {
	case errors.Is(err, ErrNoParticipant): // a coordinator wrote the report down
	case err != nil:
		return "", err
	default:
		if err := s.mustNotCross(id, c, text, who); err != nil {
			return "", err
		}
	}
	v := templates.Letter{Us: s.us(), To: spoken(who, cvd.Party{}), Case: c.ID, About: about, Text: text}
	words, err := s.Templates.Letter(v)
	if err != nil {
		return "", err
	}
	return s.sendFinder(id, party, r.Number, words)
}

// tellKnown tells a finder that others reported the same flaw before: no
// names, no dates, nothing of what they wrote.
func (s *sitting) tellKnown(c cvd.Case, report uint64, who cvd.PartyID) (string, error) {
	finder, err := ParticipantByID(s.tx, c.ID, who)
	if err != nil && !errors.Is(err, ErrNoParticipant) {
		return "", err
	}
	words, err := s.Templates.Known(templates.Known{Us: s.us(), To: spoken(finder, cvd.Party{}), Case: c.ID})
	if err != nil {
		return "", err
	}
	return s.sendFinder(c.ID, who, report, words)
}

// sendFinder plans a letter to a finder, or the note in its place.
func (s *sitting) sendFinder(id cvd.CaseID, party cvd.PartyID, report uint64, words templates.Rendered) (string, error) {
	who, err := ParticipantByID(s.tx, id, party)
	if errors.Is(err, ErrNoParticipant) {
		return "nobody is told, since a coordinator wrote it down", nil
	}
	if err != nil {
		return "", err
	}
	if who.Address == "" || s.ownAddress(who.Address) {
		return "nobody is told, since its mail names no sender who could be answered", nil
	}
	no, err := s.mayReach(s.tx, who)
	if err != nil {
		return "", err
	}
	n := cvd.Notice{Case: id, Party: party, Kind: cvd.KindLetter, LastAct: s.tx.Now}
	said := fmt.Sprintf("a letter goes to %s, encrypted, once it cannot be undone any more", who.Address)
	if no != nil {
		n.Kind = cvd.KindNote
		said = fmt.Sprintf("there is no usable key of %s, so your words do not leave: a note in clear, which says nothing of them, asks for one", who.Address)
		if words, err = s.Templates.Waits(templates.Waits{Us: s.us(), To: spoken(who, cvd.Party{}), Reference: reference(report)}); err != nil {
			return "", err
		}
	}
	l := Letter{Subject: words.Subject, Text: words.Text, Author: s.by.Name}
	if _, err := s.newNotice(s.tx, n, &l); err != nil {
		return "", err
	}
	return said, s.taskDone(s.tx, threadTask("letter", id, party))
}

// reportKnown reads a report whatever became of it, for somebody who may know
// of the case that it belongs to (rule A2).
func (s *sitting) reportKnown(n uint64) (cvd.Report, error) {
	r, err := reports.Get(s.tx, store.Seq(n))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrShredded) {
		return r, noReport(n)
	}
	if err != nil || r.Case == "" {
		return r, err
	}
	c, err := CaseByID(s.tx, r.Case)
	switch {
	case errors.Is(err, ErrNoCase) || err == nil && !s.by.sees(c):
		return cvd.Report{}, noReport(n)
	case err == nil && !s.tells(c):
		return cvd.Report{}, errMixed
	}
	return r, err
}

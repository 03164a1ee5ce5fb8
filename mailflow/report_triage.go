package mailflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// reportVerbs are what can be done with a report.
var reportVerbs = []string{"decline", "ask", "join", "duplicate-of", "spam", "reopen", "language"}

// reportTriage is `report N …`: what becomes of a report, or a question to
// its finder.
func reportTriage(s *sitting, p *phrase) (string, error) {
	n, err := p.reportNumber()
	if err != nil {
		return "", err
	}
	verb, err := p.next("what is to become of the report: " + strings.Join(reportVerbs, ", ") + ";")
	if err != nil {
		return "", err
	}
	switch strings.ToLower(verb) {
	case "decline":
		return s.declineReport(n, p)
	case "ask":
		return s.askFinder(n, p)
	case "join":
		return s.joinNamed(n, p, false)
	case "duplicate-of":
		return s.joinNamed(n, p, true)
	case "spam":
		return s.spamNumbered(n, p)
	case "reopen":
		return s.reopenNumbered(n, p)
	case "language":
		return s.finderLanguage(n, p)
	}
	return "", notDone("%q cannot be done with a report%s; say one of: %s", verb, nearest(verb, reportVerbs), strings.Join(reportVerbs, ", "))
}

// reportNumber takes the number of a report.
func (p *phrase) reportNumber() (uint64, error) {
	word, err := p.next("the number of the report, such as 17,")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(word, "#"), 10, 64)
	if err != nil || n == 0 {
		return 0, notDone("%q is not the number of a report, such as 17", word)
	}
	return n, nil
}

// words takes what is to be written to somebody, to the end.
func (p *phrase) words(what string) (string, error) {
	text := p.until()
	if text == "" {
		return "", notDone("%s is missing; write: %s", what, p.usage)
	}
	return text, nil
}

// declineReport closes a report that becomes no case, with a letter to its
// finder that says why.
func (s *sitting) declineReport(n uint64, p *phrase) (string, error) {
	r, err := s.reportSeen(n)
	if err != nil {
		return "", err
	}
	p.word("because")
	why, err := p.words("what is to be answered")
	if err != nil {
		return "", err
	}
	letter, err := s.writeToFinder(r, templates.AboutReport, why)
	if err != nil {
		return "", err
	}
	r.Ended = "declined by " + s.by.Name
	if err := s.endReport(r, "report.declined", why); err != nil {
		return "", err
	}
	return fmt.Sprintf("report #%d is declined, its mails are in %s; %s", n, endedReports(s.tx.Now), letter), s.fileEnded(r)
}

// askFinder writes a question to the finder of a report, also of one that is
// in a case by now.
func (s *sitting) askFinder(n uint64, p *phrase) (string, error) {
	r, err := s.reportKnown(n)
	if err != nil {
		return "", err
	}
	if r.Ended != "" {
		return "", ended(r)
	}
	text, err := p.words("the question")
	if err != nil {
		return "", err
	}
	said, err := s.writeToFinder(r, templates.AboutQuestion, text)
	if err != nil {
		return "", err
	}
	return "report #" + strconv.FormatUint(n, 10) + ": " + said, nil
}

// joinNamed is `join TAG` and `duplicate-of TAG`: the report becomes one of an
// open case, and its finder takes part in that. Only duplicate-of tells the
// finder so.
func (s *sitting) joinNamed(n uint64, p *phrase, tell bool) (string, error) {
	tag, err := p.only("the tag of the case")
	if err != nil {
		return "", err
	}
	c, err := s.caseNamed(tag)
	if err != nil {
		return "", err
	}
	r, err := s.reportSeen(n)
	if err != nil {
		return "", err
	}
	who, err := s.joinReport(c, r)
	if err != nil {
		return "", err
	}
	s.this = c.ID
	said := fmt.Sprintf("report #%d is one of %s; its finder takes part as %s, folder %s", n, c.ID, who, threadFolder(who))
	if !tell {
		return said, nil
	}
	letter, err := s.tellKnown(c, n, who)
	return said + "; " + letter, err
}

// joinReport makes a report one of a case that is open. A finder who takes part
// already goes on in its thread; any other gets one of its own.
func (s *sitting) joinReport(c cvd.Case, r cvd.Report) (cvd.PartyID, error) {
	if !c.Closed.IsZero() {
		return "", notDone("%s is closed since %s and stays as it is; `case reopen` first", c.ID, day(c.Closed))
	}
	same, err := s.sameFinder(c, r)
	if err != nil {
		return "", err
	}
	who := same.Party
	if who != "" {
		err = s.reportAsLetter(c, same, r)
	} else {
		who, err = s.takeReport(s.tx, c, r.Number)
	}
	if err != nil {
		return "", err
	}
	c.Reports = append(slices.Clone(c.Reports), r.Number)
	if err := s.changeCase(c, "case.joined", fmt.Sprintf("#%d as %s", r.Number, who)); err != nil {
		return "", err
	}
	return who, s.replan(s.tx, c.ID) // it gets what is public, as everybody does
}

// sameFinder is the finder of a case whom a report is from, by its address; the
// zero Participant if there is none. What was signed by another key than this
// finder's stays marked so.
func (s *sitting) sameFinder(c cvd.Case, r cvd.Report) (cvd.Participant, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return cvd.Participant{}, err
	}
	for _, p := range ps {
		theirs, err := s.isFrom(r.From, p)
		if err != nil {
			return p, err
		}
		if theirs && p.Party.IsFinder() {
			return p, nil
		}
	}
	return cvd.Participant{}, nil
}

// endReport writes that a report waits for nobody any more, and takes the
// tasks about it away.
func (s *sitting) endReport(r cvd.Report, kind, detail string) error {
	id := reportCase(r.Number)
	if err := reports.Put(s.tx, caseScope(id), store.Seq(r.Number), r); err != nil {
		return err
	}
	for _, what := range threadTasks {
		if err := s.taskDone(s.tx, threadTask(what, id, cvd.Finder)); err != nil {
			return err
		}
	}
	return s.reportRecord(r, kind, detail)
}

func (s *sitting) reportRecord(r cvd.Report, kind, detail string) error {
	return record(s.tx, journal.Record{Case: string(reportCase(r.Number)), Party: string(cvd.Finder), Actor: s.by.Name, Kind: kind,
		Ref: fmt.Sprintf("#%d", r.Number), Detail: detail})
}

func (s *sitting) reopenNumbered(n uint64, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	r, err := s.reportKnown(n)
	if err != nil {
		return "", err
	}
	if err := s.reopenReport(r); err != nil {
		return "", err
	}
	return fmt.Sprintf("report #%d is in Intake again", n), nil
}

// reopenReport brings a report back that was declined or thrown away.
func (s *sitting) reopenReport(r cvd.Report) error {
	switch {
	case r.Case != "":
		return already("report #%d belongs to case %s", r.Number, r.Case)
	case r.Ended == "":
		return already("report #%d is in Intake", r.Number)
	}
	if !r.Removed.IsZero() {
		return notDone("mail of report #%d was thrown away and removed for good on %s; nothing was changed. Ask whoever sent it to send it again", r.Number, day(r.Removed))
	}
	wasSpam := r.Spam
	r.Ended, r.Spam = "", false
	if err := s.endReport(r, "report.reopened", ""); err != nil {
		return err
	}
	if err := s.fileAgain(r); err != nil || !wasSpam {
		return err
	}
	return s.reviveAnswers(r)
}

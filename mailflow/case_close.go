package mailflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// caseClose is `case close [because "…"]`: nothing further goes out, and no code of
// what did counts any more.
func caseClose(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	c.Closed = s.tx.Now
	if err := s.changeCase(c, "case.closed", why); err != nil {
		return "", err
	}
	if err := s.taskDone(s.tx, exploitedTask(c.ID)); err != nil {
		return "", err
	}
	_, gone, err := s.recallAll(c)
	if err != nil {
		return "", err
	}
	if err := s.endCodesOf(c); err != nil {
		return "", err
	}
	if err := s.voidKit(s.tx, c.ID, "the case is closed"); err != nil {
		return "", err
	}
	n, err := s.cancelPlanned(c, "", "the case is closed")
	if err != nil {
		return "", err
	}
	if err := s.endIdleReviews(s.tx, c.ID); err != nil {
		return "", err
	}
	if err := s.moveFolders(c, casesFolder+delimiter, closedFolder(c.Closed)); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "close", Case: c.ID}
	return fmt.Sprintf("%s is closed; %s", c.ID, willNotGo(n, "planned notice")) + recallLine(0, gone), nil
}

// endCodesOf kills the unused codes of everybody in a case. Where it is opened again,
// the next mail to each brings a fresh one.
func (s *sitting) endCodesOf(c cvd.Case) error {
	ps, err := Participants(s.tx, c.ID)
	for _, p := range ps {
		p.EndCodes(s.tx.Now)
		err = errors.Join(err, PutParticipant(s.tx, p))
	}
	return err
}

// caseReopen is `case reopen`. A plan that ran runs again, so that it counts
// as a start.
func caseReopen(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	if c.Closed.IsZero() {
		return "", notDone("%s is not closed", c.ID)
	}
	if c.Merged != "" {
		return "", notDone("%s was merged into %s, which has all of it; nothing was changed", c.ID, c.Merged)
	}
	if c.Started() {
		if err := s.mustBeProved("case reopen", "lets a plan run again"); err != nil {
			return "", err
		}
	}
	was := closedFolder(c.Closed)
	c.Closed = time.Time{}
	if err := s.changeCase(c, "case.reopened", ""); err != nil {
		return "", err
	}
	if err := s.moveFolders(c, was, casesFolder+delimiter); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "reopen", Case: c.ID}
	stopped, err := s.stopShred(s.tx, c.ID, s.by.Name, "the case is open again")
	if err != nil {
		return "", err
	}
	if err := s.resumeIntros(s.tx, c.ID); err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	reviewed, err := s.reviewAgain(c.ID)
	return caseLine(c) + stopped + reviewed, err
}

func closedFolder(at time.Time) string {
	return closedFolders + delimiter + strconv.Itoa(at.Year()) + delimiter
}

// moveFolders renames the folders of a case from under one folder to under
// another.
func (s *sitting) moveFolders(c cvd.Case, from, to string) error {
	all, err := s.tx.Mailboxes()
	if err != nil {
		return err
	}
	for _, m := range all {
		rest, ok := strings.CutPrefix(m.Name, from)
		if m.Case != string(c.ID) || m.Owner != "" || !ok {
			continue
		}
		if _, err := s.tx.RenameMailbox(m.Number, to+rest); err != nil {
			return err
		}
	}
	return nil
}

// cancelPlanned ends the stage notices of a case that have not left, for one
// participant or all, and counts them.
func (s *sitting) cancelPlanned(c cvd.Case, party cvd.PartyID, why string) (int, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range ps {
		if party != "" && p.Party != party {
			continue
		}
		all, err := Notices(s.tx, c.ID, p.Party)
		if err != nil {
			return n, err
		}
		for _, notice := range all {
			if notice.State.Over() || notice.Kind == cvd.KindAnswer || notice.Kind == cvd.KindReceipt {
				continue
			}
			if err := s.cancel(s.tx, notice, why); err != nil {
				return n, err
			}
			n++
		}
		if err := s.keepAskingOf(s.tx, p.Case, p.Party); err != nil {
			return n, err
		}
	}
	return n, nil
}

// count writes a number with its noun, "1 notice", "2 notices".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// willNotGo says how many notices were to come and do not go any more.
func willNotGo(n int, what string) string {
	if n == 0 {
		return "no notice was to come"
	}
	return count(n, what) + " will not go"
}

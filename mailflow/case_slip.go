package mailflow

import (
	"fmt"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
)

// longestSlip is the most that `slip` moves an end by; more is a new date, which
// a coordinator writes out.
const longestSlip = 24 * time.Hour

// saidGo is who said that an embargo ends as planned.
type saidGo struct {
	By string
	At time.Time
}

// caseGo is `go`: the embargo ends as planned. It stops nobody from another
// date later, and nothing waits for it.
func caseGo(s *sitting, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	c, err := s.runningHere()
	if err != nil {
		return "", err
	}
	end := c.Embargo()
	if first := end.End.Add(-asksBefore[0]); s.tx.Now.Before(first) {
		return "", notDone("the embargo of %s ends %s, and the desk is asked 24 hours before; there is nothing to answer yet. `embargo DATE` moves the end", c.ID, utc(end.End))
	}
	r, err := readAhead(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	if said := r.Ask.Go; said != nil && r.Ask.Version == end.Version {
		return "", already("%s said %s that the embargo of %s ends as planned, %s", said.By, utc(said.At), c.ID, utc(end.End))
	}
	mail, err := taskMessage(s.tx, endTask(c.ID))
	if err != nil {
		return "", err
	}
	r.Ask = askedEnd{Version: end.Version, Asked: r.Ask.Asked, Go: &saidGo{s.by.Name, s.tx.Now}}
	if err := s.taskDone(s.tx, endTask(c.ID)); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "go", Case: c.ID, Message: mail}
	if err := s.changeAsk(r, "embargo.go"); err != nil {
		return "", err
	}
	return fmt.Sprintf("the embargo of %s ends %s (v%d) as planned; nobody is asked again", c.ID, utc(end.End), end.Version), nil
}

// changeAsk writes what a coordinator answered.
func (s *sitting) changeAsk(r aheadRow, kind string) error {
	if err := putAhead(s.tx, r, r.Next); err != nil {
		return err
	}
	s.moved(s.tx, r.Case)
	return record(s.tx, journal.Record{Case: string(r.Case), Actor: s.by.Name, Kind: kind, Detail: fmt.Sprintf("v%d", r.Ask.Version)})
}

// ungo takes a `go` back: the desk is asked again.
func ungo(s *sitting, u undoRow) (string, error) {
	c, err := s.runningHere()
	if err != nil {
		return "", err
	}
	r, err := readAhead(s.tx, c.ID)
	if err != nil {
		return "", err
	}
	if said := r.Ask.Go; said == nil || !said.At.Equal(u.At) || r.Ask.Version != c.Embargo().Version {
		return "", changedSince("the end", "`plan` says when it is")
	}
	r.Ask.Go, r.Ask.Open = nil, u.Message != 0
	if err := s.reopenTask(endTask(c.ID), "INBOX", u.Message); err != nil {
		return "", err
	}
	return fmt.Sprintf("your `go` for %s is taken back; without another answer it ends %s all the same", c.ID, utc(c.Embargo().End)),
		s.changeAsk(r, "embargo.go-undone")
}

// caseSlip is `slip DURATION [force] [because "…"]`.
func caseSlip(s *sitting, p *phrase) (string, error) {
	c, err := s.runningHere()
	if err != nil {
		return "", err
	}
	by, err := slipBy(p)
	if err != nil {
		return "", err
	}
	was := c.Embargo()
	forced := p.word("force") || !c.Policy.Days.Publishes(was.End, cvd.ZoneOf(was.Zone)) // as the day before it was
	why, err := p.reason(false)
	if err != nil {
		return "", err
	}
	if why == "" {
		why = "slipped by " + cvd.FormatDuration(by)
	}
	said, err := s.moveEnd(c, cvd.Instant{At: was.End.Add(by), Zone: was.Zone}, forced, why)
	if err != nil {
		return "", err
	}
	return said + "; a yes that was given to what goes then is asked for again", nil
}

func slipBy(p *phrase) (time.Duration, error) {
	text := p.until("force", "because")
	if text == "" {
		return 0, notDone("how much later, such as 4h, is missing; write: %s", p.usage)
	}
	by, err := cvd.ParseDuration(text)
	switch {
	case err != nil:
		return 0, notDone("%q is not a duration such as 4h or 90m; write: %s", text, p.usage)
	case by <= 0:
		return 0, notDone("slip moves the end later; `embargo DATE` sets an earlier one, which counts only signed")
	case by > longestSlip:
		return 0, notDone("slip moves the end by at most 24h, not %s; say the new end with `embargo DATE because \"...\"`", cvd.FormatDuration(by))
	}
	return by, nil
}

// runningHere is the case at hand, whose embargo has begun and not ended.
func (s *sitting) runningHere() (cvd.Case, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return c, err
	}
	switch end := c.Embargo().End; {
	case !c.Started():
		return c, notDone("%s has not started, so its embargo does not run; `embargo DATE` names the end that it will have", c.ID)
	case !s.tx.Now.Before(end):
		return c, notDone("the embargo of %s ended %s, and what is public stays so", c.ID, utc(end))
	}
	return c, nil
}

package mailflow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// defaultPolicy is the policy of a case for which nobody named one.
const defaultPolicy = "default"

// openCase makes a case with a key of its own, its folders and, from a
// report, its finder with the thread so far. The case keeps a copy of the
// policy. A coordinator who opens it answers for it.
func openCase(b *Base, tx *store.Tx, by Actor, title, policy string, report uint64) (cvd.Case, error) {
	p, err := b.policyNamed(policy)
	if err != nil {
		return cvd.Case{}, err
	}
	c := cvd.Case{Title: message.Title(title), Opened: tx.Now, Policy: p}
	if by.Via != ViaOperator {
		c.Responsible = by.Name
	}
	if err := b.numberCase(tx, &c); err != nil {
		return c, err
	}
	if err := tx.NewScope(caseScope(c.ID)); err != nil {
		return c, err
	}
	if report != 0 {
		c.Reports = []uint64{report}
	}
	if err := PutCase(tx, c); err != nil {
		return c, err
	}
	for _, sub := range []string{"Case file", "Finder", "Notes"} {
		if _, err := b.caseFolder(tx, c, sub); err != nil {
			return c, err
		}
	}
	if report != 0 {
		if _, err := b.takeReport(tx, c, report); err != nil {
			return c, err
		}
	}
	ref := ""
	if report != 0 {
		ref = fmt.Sprintf("#%d", report)
	}
	b.touch(tx, c.ID)
	return c, record(tx, journal.Record{Case: string(c.ID), Actor: by.Name, Kind: "case.opened", Ref: ref, Detail: "policy " + p.Name})
}

// policyNamed finds a policy of the configuration.
func (b *Base) policyNamed(name string) (cvd.Policy, error) {
	if name == "" {
		name = defaultPolicy
	}
	all := b.policies()
	known := slices.Sorted(maps.Keys(all))
	for _, k := range known {
		if strings.EqualFold(k, name) {
			p := all[k]
			p.Name, p.Stages, p.Remind = k, slices.Clone(p.Stages), slices.Clone(p.Remind)
			return p, nil
		}
	}
	return cvd.Policy{}, notDone("there is no policy %q%s; the configuration has %s", name, nearest(name, known), strings.Join(known, ", "))
}

// numberCase gives a case its tag: numbers begin anew each year.
func (b *Base) numberCase(tx *store.Tx, c *cvd.Case) error {
	number, err := tx.Next("case")
	if err != nil {
		return err
	}
	year := tx.Now.Year()
	n, err := tx.Next("case-" + strconv.Itoa(year))
	if err != nil {
		return err
	}
	c.Number, c.ID = number, cvd.NewCaseID(b.CasePrefix, year, n)
	return nil
}

// caseOpen is `case open "TITLE" [policy NAME] [report N] [severity BAND]`.
func caseOpen(s *sitting, p *phrase) (string, error) {
	title := p.title("policy", "report", "severity")
	got, err := p.options("policy", "report", "severity")
	if err != nil {
		return "", err
	}
	var n uint64
	if got["report"] != "" {
		if n, err = strconv.ParseUint(strings.TrimPrefix(got["report"], "#"), 10, 64); err != nil || n == 0 {
			return "", notDone("%q is not the number of a report, such as 17", got["report"])
		}
		r, err := s.reportSeen(n)
		if err != nil {
			return "", err
		}
		if title == "" {
			title = r.Subject
		}
	}
	if title == "" {
		return "", notDone("the title is missing; write: %s", p.usage)
	}
	if err := s.mayOpenWith(got["policy"]); err != nil {
		return "", err
	}
	c, err := openCase(s.Base, s.tx, s.by, title, got["policy"], n)
	if err != nil {
		return "", err
	}
	s.this = c.ID
	s.tells(c)
	if got["severity"] != "" {
		if _, err := s.setSeverity(got["severity"]); err != nil {
			return "", err
		}
	}
	s.undo = &undoRow{Verb: "open", Case: c.ID}
	return caseLine(c), nil
}

// title takes a title: what stands in quotes, or all words up to an option.
func (p *phrase) title(options ...string) string {
	if !p.more() || !p.rest[0].quoted {
		return p.until(options...)
	}
	t := p.rest[0].text
	p.rest = p.rest[1:]
	return t
}

// mayOpenWith refuses a first policy that is laxer than the default one,
// where a stolen password could have asked for it (rule A3).
func (s *sitting) mayOpenWith(name string) error {
	p, err := s.policyNamed(name)
	if err != nil {
		return err
	}
	usual, err := s.policyNamed(defaultPolicy)
	if err != nil || p.Name == usual.Name {
		return nil
	}
	if why := laxer(usual, p); why != "" {
		return s.mustBeProved("policy "+p.Name, why)
	}
	return nil
}

// caseLine is a case in one line.
func caseLine(c cvd.Case) string {
	state := "not started"
	switch {
	case !c.Closed.IsZero():
		state = "closed " + day(c.Closed)
	case c.Hold != nil:
		state = heldLine(*c.Hold)
	case c.Started():
		state = fmt.Sprintf("started %s, ends %s (v%d)", day(c.Start), utc(c.Embargo().End), c.Embargo().Version)
	}
	return fmt.Sprintf("%s %s; policy %s; %s", c.ID, c.Title, c.Policy.Name, state)
}

// utc writes an instant as commands read it, to the minute where that is
// exact.
func utc(t time.Time) string {
	if t.Truncate(time.Minute).Equal(t) {
		return t.UTC().Format("2006-01-02T15:04Z")
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

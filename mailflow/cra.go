package mailflow

import (
	"errors"
	"maps"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/templates"
)

// craDuty is what a manufacturer owes its CSIRT and ENISA once it knows that a
// flaw of its product is exploited: Regulation (EU) 2024/2847 (Cyber
// Resilience Act), Article 14(2)(a) to (c).
type craDuty struct {
	Name, Title, Within string
	After               time.Duration
	OfFix               bool // counted from the fix, else from when it knew
}

var craDuties = []craDuty{
	{"early-warning", "early warning", "24 h", 24 * time.Hour, false},
	{"notification", "notification", "72 h", 72 * time.Hour, false},
	{"final-report", "final report", "14 d of a fix", 14 * cvd.Day, true},
}

func dutyNames() []string {
	var out []string
	for _, d := range craDuties {
		out = append(out, d.Name)
	}
	return out
}

// craRow remembers what the desk was shown last of one vendor's clock.
type craRow struct {
	Case  cvd.CaseID
	Party cvd.PartyID
	Shown string // digest of the steps and their states
}

var craRows = store.Versioned[craRow]("cra")

func craKey(tx *store.Tx, c cvd.CaseID, p cvd.PartyID) []byte {
	return tx.Name("cra", string(c), string(p))
}

func withReported(p cvd.Participant, what string, at time.Time) cvd.Participant {
	p.Reported = maps.Clone(p.Reported)
	if p.Reported == nil {
		p.Reported = map[string]time.Time{}
	}
	p.Reported[what] = at
	return p
}

// craClock is how far a vendor is with what it owes, at an instant. It runs
// from when both the attacks were known and the vendor had been told; before
// that it has no view.
type craClock struct {
	view   templates.Duties
	digest string
	next   time.Time // when it reads differently by itself
	runs   bool
}

func (b *Base) clockOf(c cvd.Case, p cvd.Participant, told, now time.Time) (k craClock, err error) {
	if c.Exploited == nil || !c.Closed.IsZero() || !p.Has(cvd.RoleVendor) || p.Withdrawn != nil || neverAffected(p) || told.IsZero() {
		return k, nil
	}
	v := templates.Duties{Case: c.ID, Party: string(p.Party), Product: p.Affects, Known: c.Exploited.At, Source: c.Exploited.Source, Told: told,
		Control: "control@" + b.DeskDomain, Alias: b.DeskAlias(p.Party, c.ID)}
	if fixed, ok := readyOn(p, time.Time{}); ok && p.Status().Word == "fixed" {
		v.Fixed = fixed
	}
	for _, d := range craDuties {
		from := laterOf(c.Exploited.At, told)
		if d.OfFix {
			from = v.Fixed
		}
		step := d.step(from, p.Reported[d.Name], now)
		if step.State == dutyOpen {
			k.next = sooner(k.next, step.By)
		}
		if open := step.State == dutyOverdue || step.State == dutyOpen; open && v.Next == "" {
			v.Next, v.NextTitle, v.By, v.Overdue = d.Name, d.Title, step.By, step.State == dutyOverdue
		}
		v.Steps = append(v.Steps, step)
	}
	k.view, k.runs = v, v.Next != ""
	if k.runs {
		k.digest, err = digestOf(v)
	}
	return k, err
}

// States of a duty that is not met.
const (
	dutyOpen    = "open"
	dutyOverdue = "OVERDUE"
)

// step is how a duty stands that is counted from an instant, where that is known,
// and was met at another, if it was.
func (d craDuty) step(from, met, now time.Time) templates.DutyStep {
	step := templates.DutyStep{Title: d.Title, Within: d.Within}
	if !from.IsZero() {
		step.By = from.Add(d.After)
	}
	switch {
	case !met.IsZero():
		step.State = "met " + met.UTC().Format("2 Jan")
	case from.IsZero():
		step.State = "once there is a fix"
	case !now.Before(step.By):
		step.State = dutyOverdue
	default:
		step.State = dutyOpen
	}
	return step
}

// firstTold is when the first stage left for a participant, zero where none did.
func firstTold(all []cvd.Notice) time.Time {
	var first time.Time
	for _, n := range all {
		if disclosing(n) && n.State == cvd.Sent && !n.SentAt.IsZero() {
			first = sooner(first, n.SentAt)
		}
	}
	return first
}

// clocks reads the clock of every vendor of a case that is shown otherwise by
// now than it should be, and when the next one changes by itself.
func (b *Base) clocks(tx *store.Tx, c cvd.Case, now time.Time) (stale []craClock, gone []cvd.PartyID, running int, next time.Time, err error) {
	ps, err := Participants(tx, c.ID)
	if err != nil {
		return nil, nil, 0, next, err
	}
	for _, p := range ps {
		all, err := Notices(tx, c.ID, p.Party)
		if err != nil {
			return nil, nil, 0, next, err
		}
		k, err := b.clockOf(c, p, firstTold(all), now)
		if err != nil {
			return nil, nil, 0, next, err
		}
		if k.runs && c.Exploited != nil {
			running++
			next = sooner(next, k.next)
		}
		row, err := craRows.Get(tx, craKey(tx, c.ID, p.Party))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, 0, next, err
		}
		switch {
		case row.Shown == k.digest:
		case k.runs:
			stale = append(stale, k)
		default:
			gone = append(gone, p.Party)
		}
	}
	return stale, gone, running, next, nil
}

// showClocks puts the task of every clock that reads differently before the
// desk, and takes away those that are over. It counts those that run.
func (b *Base) showClocks(tx *store.Tx, c cvd.Case) (int, error) {
	stale, gone, running, _, err := b.clocks(tx, c, tx.Now)
	if err != nil {
		return 0, err
	}
	for _, k := range stale {
		r, err := b.Templates.Duties(k.view)
		if err != nil {
			return 0, err
		}
		party := cvd.PartyID(k.view.Party)
		if err := b.task(tx, threadTask("cra", c.ID, party), Post{Case: c.ID, Subject: r.Subject, Text: r.Text, Kind: "cra"}); err != nil {
			return 0, err
		}
		if err := craRows.Put(tx, caseScope(c.ID), craKey(tx, c.ID, party), craRow{c.ID, party, k.digest}); err != nil {
			return 0, err
		}
	}
	for _, party := range gone {
		if err := b.taskDone(tx, threadTask("cra", c.ID, party)); err != nil {
			return 0, err
		}
		if err := craRows.Delete(tx, craKey(tx, c.ID, party)); err != nil {
			return 0, err
		}
	}
	return running, nil
}

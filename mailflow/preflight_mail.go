package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

func preflightTask(id cvd.CaseID) string { return "preflight:" + string(id) }

// afterPreflight tells the desk what came of it. Where nothing was tried, a list
// goes whose day, or case, is over.
func (b *Base) afterPreflight(tx *store.Tx, l caseLook, r *aheadRow, tried []*flight, why whyTried) error {
	if why != notTried {
		return b.tellPreflight(tx, l, r, tried, why)
	}
	if r.Red.IsZero() || r.Red.After(tx.Now) && l.Started() && l.Closed.IsZero() {
		return nil
	}
	return b.endList(tx, l.ID, r)
}

// endList takes the list in INBOX away.
func (b *Base) endList(tx *store.Tx, id cvd.CaseID, r *aheadRow) error {
	r.Red, r.Stands, r.Broken = time.Time{}, "", false
	return b.taskDone(tx, preflightTask(id))
}

// tellPreflight puts the list before the desk: a task where something would be
// held, else in Status, and the task of the one before is gone. What is tried
// again later today is part of it, and what is tried again because it changed
// takes its place: a day has one list. Where nothing would be held any more there is
// nothing to tell before the next is due.
func (b *Base) tellPreflight(tx *store.Tx, l caseLook, r *aheadRow, tried []*flight, why whyTried) error {
	taken := why == itChanged && !tasks.Has(tx, tx.Name("task", preflightTask(l.ID))) // somebody called it done
	if err := b.endList(tx, l.ID, r); err != nil {
		return err
	}
	if date(r.Told).Equal(date(tx.Now)) {
		if err := r.Listed.take(tx); err != nil {
			return err
		}
	}
	if r.Told, r.Listed = tx.Now, (statusMail{}); why == itsTime {
		r.Tried = endOfDay(tx.Now)
	}
	list := newPreflightList(tried, tx.Now)
	if len(tried) == 0 || taken || why == itChanged && list.of[flightRed] == 0 {
		return nil
	}
	post := Post{Folder: "Status", Case: l.ID, Kind: "preflight", Subject: list.subject(l.ID), Text: b.preflightText(l, list)}
	err := record(tx, journal.Record{Case: string(l.ID), Kind: "preflight", Detail: list.verdict()})
	if err != nil {
		return err
	}
	if list.of[flightRed] == 0 {
		r.Listed, err = b.postStatus(tx, post)
		return err
	}
	r.Stands = listed(tried, tx.Now)
	for _, f := range tried {
		if f.class(tx.Now) == flightRed {
			r.Red = laterOf(r.Red, f.Notice.Due)
		}
		r.Broken = r.Broken || f.broken != ""
	}
	post.Folder = "INBOX"
	return b.task(tx, preflightTask(l.ID), post)
}

// statusMail is where a mail in Status is that a newer one takes the place of.
type statusMail struct {
	Mailbox, UID uint32
	Message      uint64
}

func (b *Base) postStatus(tx *store.Tx, p Post) (statusMail, error) {
	m, box, uid, err := b.post(tx, p)
	return statusMail{box, uid, m.ID}, err
}

// take takes it away; nothing is lost, the records stay.
func (s statusMail) take(tx *store.Tx) error {
	if s.Message == 0 {
		return nil
	}
	if err := tx.Unfile(s.Mailbox, s.UID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return dropReplaced(tx, s.Message)
}

// preflightLine is one stage to those vendors for which the same is true.
type preflightLine struct {
	class   string
	stage   cvd.Stage
	at      time.Time
	why     []string
	parties []cvd.PartyID
}

type preflightList struct {
	now   time.Time
	lines []*preflightLine // red first, then by instant
	of    map[string]int   // notices by class
	all   int
}

func newPreflightList(tried []*flight, now time.Time) preflightList {
	p := preflightList{now: now, of: map[string]int{}, all: len(tried)}
	for _, f := range tried {
		n := f.Notice
		line := &preflightLine{class: f.class(now), stage: n.Stage, at: n.Due, why: f.lacks()}
		p.of[line.class]++
		i := slices.IndexFunc(p.lines, func(o *preflightLine) bool {
			return o.class == line.class && o.stage == line.stage && o.at.Equal(line.at) && slices.Equal(o.why, line.why)
		})
		if i < 0 {
			i, p.lines = len(p.lines), append(p.lines, line)
		}
		p.lines[i].parties = append(p.lines[i].parties, n.Party)
	}
	order := []string{flightRed, flightWaits, flightHand, flightGoes}
	slices.SortStableFunc(p.lines, func(x, y *preflightLine) int {
		if d := slices.Index(order, x.class) - slices.Index(order, y.class); d != 0 {
			return d
		}
		return x.at.Compare(y.at)
	})
	return p
}

// subject names the stages that would be held, or else all of them, with how
// far off they are: "Preflight PAR-2026-0007 details in 7 days: 1 of 3 would be
// held".
func (p preflightList) subject(id cvd.CaseID) string {
	var names []string
	var seen []cvd.Stage
	for _, l := range p.lines {
		if p.of[flightRed] > 0 && l.class != flightRed || slices.Contains(seen, l.stage) {
			continue
		}
		if seen = append(seen, l.stage); len(seen) < 3 {
			names = append(names, fmt.Sprintf("%s in %s", l.stage, daysTo(l.at, p.now)))
		}
	}
	if n := len(seen); n > 2 {
		names = append(names, fmt.Sprintf("%d more", n-2))
	}
	return fmt.Sprintf("Preflight %s %s: %s", id, strings.Join(names, ", "), p.verdict())
}

// verdict counts what is worst.
func (p preflightList) verdict() string {
	switch {
	case p.of[flightRed] > 0:
		return fmt.Sprintf("%d of %d would be held", p.of[flightRed], p.all)
	case p.of[flightWaits] > 0:
		return fmt.Sprintf("%d of %d would wait", p.of[flightWaits], p.all)
	}
	return fmt.Sprintf("all can go (%d)", p.all)
}

// daysTo is how many days there are to an instant, begun ones counted.
func daysTo(at, now time.Time) string {
	return count(int((at.Sub(now)+cvd.Day-1)/cvd.Day), "day")
}

func (b *Base) preflightText(l caseLook, p preflightList) string {
	out := []string{templates.Fill("", headerText(fmt.Sprintf("%s %s", l.ID, l.Title))), "",
		templates.Fill("", fmt.Sprintf("Every stage of the next %s, tried as it will be on its day: written and sealed with the texts, keys, yeses and holds as they are now. Nothing was sent.",
			count(int(preflights[0]/cvd.Day), "day")))}
	class := ""
	for _, line := range p.lines {
		if line.class != class {
			class = line.class
			out = append(out, "", fmt.Sprintf("%s (%d)", class, p.of[class]))
		}
		out = append(out, templates.Fill("    ", fmt.Sprintf("%s to %s, %s", line.stage, partyList(line.parties), instant(line.at))))
		for _, why := range line.why {
			out = append(out, templates.Fill("        ", why))
		}
	}
	out = append(out, "", templates.Fill("", "What stands in the plan, and with which keys, says a mail to control@"+b.DeskDomain), "    case "+string(l.ID), "    plan")
	if p.of[flightRed] > 0 {
		out = append(out, "", templates.Fill("", "What is mended by its day goes as planned; what is not is held, sealed, and you are told. This mail is replaced when that changes, and goes when nothing would be held any more, or when the day has passed."))
	}
	return strings.Join(out, "\n") + "\n"
}

// stageNames lists stages.
func stageNames(stages []cvd.Stage) string {
	var out []string
	for _, s := range stages {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

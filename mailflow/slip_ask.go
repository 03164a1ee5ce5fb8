package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// asksBefore are how long before the end of an embargo the desk is asked
// whether it stays (product.md section 6), the first one first.
var asksBefore = []time.Duration{24 * time.Hour, time.Hour}

// askedEnd is what the desk was asked about the end of an embargo.
type askedEnd struct {
	Version int       // of the embargo that Open and Go are about
	Asked   time.Time // what was to be asked up to this instant is over
	Open    bool      // a task stands before the desk
	Go      *saidGo   // the answer that all stays as planned
}

func endTask(id cvd.CaseID) string { return "end:" + string(id) }

// next is when the desk is to be asked next, or the question ends.
func (a askedEnd) next(c cvd.Case, now time.Time) time.Time {
	e := c.Embargo()
	over := !runs(c, now)
	if over || a.Version != e.Version {
		if a.Open {
			return now
		}
		a = askedEnd{Asked: a.Asked}
	}
	if over || a.Go != nil {
		return time.Time{}
	}
	since := laterOf(laterOf(a.Asked, c.Start), e.At)
	for _, before := range asksBefore {
		if at := e.End.Add(-before); at.After(since) {
			return at
		}
	}
	if a.Open {
		return e.End
	}
	return time.Time{}
}

// runs says whether the embargo of a case has begun and not ended.
func runs(c cvd.Case, now time.Time) bool {
	return c.Started() && c.Closed.IsZero() && now.Before(c.Embargo().End)
}

// askEnd asks the desk, where it is to be asked by now, and takes away what was
// asked about an end that has come or is another one.
func (b *Base) askEnd(tx *store.Tx, l caseLook, r *aheadRow) error {
	a, e := &r.Ask, l.Embargo()
	at := a.next(l.Case, tx.Now)
	if a.Open && (!runs(l.Case, tx.Now) || a.Version != e.Version) {
		a.Open = false
		if err := b.taskDone(tx, endTask(l.ID)); err != nil {
			return err
		}
		at = a.next(l.Case, tx.Now)
	}
	if a.Version != e.Version {
		a.Version, a.Go = e.Version, nil
	}
	if at.IsZero() || at.After(tx.Now) {
		return nil
	}
	a.Open, a.Asked = true, tx.Now
	left := e.End.Sub(tx.Now).Round(time.Minute)
	if err := record(tx, journal.Record{Case: string(l.ID), Kind: "embargo.asked", Detail: fmt.Sprintf("v%d, %s left", e.Version, left)}); err != nil {
		return err
	}
	return b.task(tx, endTask(l.ID), Post{Case: l.ID, Kind: "go", Text: b.endText(l, left),
		Subject: fmt.Sprintf("Go or slip? The embargo of %s ends in %s, %s", l.ID, hoursLeft(left), instant(e.End))})
}

// hoursLeft is "24 hours", or minutes below one.
func hoursLeft(d time.Duration) string {
	if d < time.Hour {
		return count(int(d/time.Minute), "minute")
	}
	return count(int(d/time.Hour), "hour")
}

// goesAtEnd says to whom what is public goes by itself, and who is on hold.
func goesAtEnd(l caseLook) string {
	var to, held []cvd.PartyID
	for _, v := range l.vendors {
		for _, n := range v.notices {
			switch {
			case n.Stage != cvd.Public || !ahead(n, l.now) || v.Withdrawn != nil:
			case v.Hold != nil:
				held = append(held, n.Party)
			default:
				to = append(to, n.Party)
			}
		}
	}
	switch {
	case l.Hold != nil:
		return "Then nothing goes out: the case is on hold, and what is public waits for `release case`."
	case len(held) > 0 && len(to) == 0:
		return fmt.Sprintf("Then nothing goes out: whom it would go to is on hold (%s), and waits for `release PARTY`.", partyList(held))
	case len(to) == 0:
		return "Then nothing goes out by itself."
	}
	said := fmt.Sprintf("Then what is public goes to %s: %s.", count(len(to), "vendor"), partyList(to))
	if len(held) > 0 {
		said += fmt.Sprintf(" It does not go to %s, until `release PARTY`.", partyList(held))
	}
	return said
}

func (b *Base) endText(l caseLook, left time.Duration) string {
	e, going := l.Embargo(), goesAtEnd(l)
	again := " Without an answer it ends as planned"
	if left > asksBefore[1] {
		again += ", and you are asked once more an hour before"
	}
	lines := []string{
		templates.Fill("", fmt.Sprintf("The embargo of %s (v%d) ends %s, in %s. %s%s.", l.ID, e.Version, instant(e.End), hoursLeft(left), going, again)),
		"", "One of you answers, in a mail to control@" + b.DeskDomain, "    case " + string(l.ID), "    go",
		templates.Fill("", "if everything stays: then nobody is asked again. Or"),
		"    case " + string(l.ID), `    slip 4h because "..."`,
		templates.Fill("", "if it is to end later, by 24 hours at most. Everybody who was told something learns the new date, and never why. "+
			"Each is asked for a new ACCEPT; what is public waits for the new date whether they give it or not. A yes that was given for the old date is asked for again."),
	}
	return strings.Join(lines, "\n") + "\n"
}

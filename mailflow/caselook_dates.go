package mailflow

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"parley/mailflow/calendar"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
	"parley/mailflow/timeline"
)

// event is something to come in a case.
type event struct {
	at      time.Time
	what    string
	parties []cvd.PartyID
}

func (e event) String() string {
	what := e.what
	switch n := len(e.parties); {
	case n > 3:
		what += fmt.Sprintf(" to %s and %d more", partyList(e.parties[:2]), n-2)
	case n > 0:
		what += " to " + partyList(e.parties)
	}
	return instant(e.at) + "  " + what
}

// coming lists what goes out by itself, and the end of the embargo, in order.
// What goes to several vendors at one instant is one event.
func (l caseLook) coming() []event {
	if !l.Closed.IsZero() {
		return nil
	}
	var out []event
	add := func(at time.Time, what string, party cvd.PartyID) {
		i := slices.IndexFunc(out, func(e event) bool { return e.at.Equal(at) && e.what == what })
		if i < 0 {
			i, out = len(out), append(out, event{at: at, what: what})
		}
		out[i].parties = append(out[i].parties, party)
	}
	for _, p := range l.vendors {
		if s := p.silence; s.Next.After(l.now) {
			add(s.Next, silenceWords[s.Taken+1].name, p.Party)
		}
		for _, n := range p.notices {
			if n.Row.IsZero() || n.Kind != cvd.KindStage && n.Kind != cvd.KindReminder {
				continue
			}
			what := string(n.Stage)
			if n.Kind == cvd.KindReminder {
				what = fmt.Sprintf("reminder %d", n.Nth)
			}
			add(n.Due, what, n.Party)
		}
	}
	if end := l.Embargo().End; l.Started() && end.After(l.now) {
		out = append(out, event{at: end, what: "the embargo ends"})
	}
	for _, d := range l.days {
		if d.On.After(l.now) {
			out = append(out, event{at: d.On, what: d.String()})
		}
	}
	if at, stages := nextPreflight(l, l.ahead); l.Started() && at.After(l.now) {
		out = append(out, event{at: at, what: "preflight for " + stageNames(stages)})
	}
	slices.SortStableFunc(out, func(a, b event) int { return a.at.Compare(b.at) })
	return out
}

// next are the first lines of what is to come, each "when  what".
func (l caseLook) next(most int) []string {
	var out []string
	all := l.coming()
	for _, e := range all[:min(len(all), most)] {
		out = append(out, e.String())
	}
	return out
}

// stageDates are the instants at which the stages of a case begin: when the
// first vendor was told or will be, else what the policy says.
func (l caseLook) stageDates() []timeline.Step {
	var out []timeline.Step
	for i, r := range l.Policy.Stages {
		s := timeline.Step{At: r.At.In(l.Start, l.Embargo().End), Number: i + 1, Name: string(r.Stage)}
		var first time.Time
		for _, p := range l.vendors {
			if n, ok := p.stage(r.Stage); ok && (first.IsZero() || noticeDate(n).Before(first)) {
				first = noticeDate(n)
				if n.State == cvd.Sent {
					s.State = timeline.Done
				}
			}
		}
		if !first.IsZero() {
			s.At = first
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b timeline.Step) int { return a.At.Compare(b.At) })
	return out
}

func noticeDate(n cvd.Notice) time.Time {
	if n.State == cvd.Sent {
		return n.SentAt
	}
	return n.Due
}

// picture is the time line of a case that has started.
func (l caseLook) picture() timeline.Picture {
	p := timeline.Picture{Start: l.Start, End: l.Embargo().End, Now: l.today(), Stages: l.stageDates()}
	switch after := date(p.End).AddDate(0, 0, 1); { // outside of it nothing in the picture tells one day from another
	case p.Now.After(after):
		p.Now = after
	case p.Now.Before(p.Start):
		p.Now = date(p.Start).AddDate(0, 0, -1)
	}
	for _, v := range l.vendors {
		if v.Withdrawn == nil {
			p.Lanes = append(p.Lanes, l.lane(v))
		}
	}
	return p
}

func (l caseLook) lane(v vendorLook) timeline.Lane {
	lane := timeline.Lane{Name: string(v.Party)}
	for i, r := range l.Policy.Stages {
		n, ok := v.stage(r.Stage)
		if !ok {
			continue
		}
		s := timeline.Step{At: noticeDate(n), Number: i + 1, Name: string(r.Stage)}
		switch n.State {
		case cvd.Sent:
			if s.State = timeline.Done; cameBack(n) {
				s.State = timeline.Stopped
			}
		case cvd.Held, cvd.Failed, cvd.Unknown:
			s.State = timeline.Stopped
		}
		lane.Steps = append(lane.Steps, s)
		if s.State == timeline.Stopped {
			break // what comes after it waits for it
		}
	}
	return lane
}

// alt says in words what the picture shows.
func (l caseLook) alt() string {
	day := l.dayWords()
	if day == "" {
		day = "not begun"
	}
	words := fmt.Sprintf("Timeline of %s: %s, %s", l.ID, day, l.told())
	if all := l.coming(); len(all) > 0 {
		words += "; next " + all[0].String()
	}
	return headerText(words)
}

// calendar are the dates of a case that runs, for the coordinators' own
// calendars; of a closed one those that do not come any more. They may be kept by others, so that they name stages but neither
// what the case is about nor a vendor.
func (l caseLook) calendar(tx *store.Tx, domain string) []calendar.Entry {
	if !l.Started() {
		return nil
	}
	name := func(what string) string {
		n := tx.Name("calendar", string(l.ID), what) // begins as those of all dates of the case do
		return hex.EncodeToString(n[len(n)-12:]) + "@" + domain
	}
	var out []calendar.Entry
	for _, s := range l.stageDates() {
		out = append(out, calendar.Entry{UID: name(s.Name), Summary: fmt.Sprintf("%s: %s", l.ID, s.Name), When: s.At})
	}
	out = append(out, calendar.Entry{UID: name("end"), Summary: fmt.Sprintf("%s: end of the embargo", l.ID), When: l.Embargo().End})
	if !l.Closed.IsZero() {
		out = slices.DeleteFunc(out, func(e calendar.Entry) bool { return !e.When.After(l.Closed) })
	}
	slices.SortStableFunc(out, func(a, b calendar.Entry) int {
		return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.Summary, b.Summary))
	})
	return out
}

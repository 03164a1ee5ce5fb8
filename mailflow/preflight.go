package mailflow

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// preflights are how long before a stage falls due it is tried (product.md
// section 6), the first of them how far a preflight looks.
var preflights = []time.Duration{14 * cvd.Day, 7 * cvd.Day, 2 * cvd.Day, cvd.Day}

// decideBy is how long before it falls due a stage that nobody approved is no
// longer just waiting.
const decideBy = 2 * cvd.Day

// ahead says whether a notice is a stage that is still to come.
func ahead(n cvd.Notice, now time.Time) bool {
	return n.Kind == cvd.KindStage && !n.State.Over() && n.Due.After(now)
}

// nextPreflight is when stages of a case are tried next, zero for never, and
// which. Those up to tried are over; none is before the case started or the
// vendor joined it.
func nextPreflight(l caseLook, tried time.Time) (first time.Time, stages []cvd.Stage) {
	for _, v := range l.everybody() {
		if v.Withdrawn != nil {
			continue
		}
		since := laterOf(laterOf(tried, l.Start), v.Joined)
		for _, n := range v.notices {
			if !ahead(n, l.now) {
				continue
			}
			for _, before := range preflights {
				at := n.Due.Add(-before)
				if !at.After(since) || !first.IsZero() && at.After(first) {
					continue
				}
				if !at.Equal(first) {
					first, stages = at, nil
				}
				if !slices.Contains(stages, n.Stage) {
					stages = append(stages, n.Stage)
				}
			}
		}
	}
	slices.SortFunc(stages, func(x, y cvd.Stage) int { return x.Rank() - y.Rank() })
	return first, stages
}

// flight is one stage to one vendor, tried as it will be on its day.
type flight struct {
	*parcel
	Answer
	broken string // why it could not be written
}

// preflight tries every stage of a case that falls due within the longest of
// preflights, if one of them is to be tried by now.
func (s *Scheduler) preflight(id cvd.CaseID, now time.Time) (tried []*flight, due bool, err error) {
	err = s.Store.View(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil || !c.Started() || !c.Closed.IsZero() {
			return err
		}
		l, err := s.look(tx, c)
		if err != nil {
			return err
		}
		r, err := readAhead(tx, id)
		if err != nil {
			return err
		}
		at, _ := nextPreflight(l, r.Tried)
		if due = !at.IsZero() && !at.After(now); !due {
			return nil
		}
		tried, err = s.flights(tx, l, endOfDay(now).Add(preflights[0]))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	var large sync.Mutex // one after the other, since each takes some times its size in memory
	doEach(tried, runtime.GOMAXPROCS(0), func(f *flight) error {
		if f.size() > largeMail {
			large.Lock()
			defer large.Unlock()
		}
		s.write(f)
		return nil
	})
	return tried, due, nil
}

// endOfDay is the last instant of a day in UTC.
func endOfDay(t time.Time) time.Time { return date(t).AddDate(0, 0, 1).Add(-1) }

// flights asks the gate about every stage that falls due up to an instant, as
// if it were its day.
func (b *Base) flights(tx *store.Tx, l caseLook, until time.Time) ([]*flight, error) {
	var out []*flight
	kept := &looks{}
	for _, v := range l.everybody() {
		if v.Withdrawn != nil {
			continue
		}
		h, err := homeOf(tx, l.Case, v.Participant)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(h.All, func(x, y cvd.Notice) int { return x.Due.Compare(y.Due) })
		for _, n := range slices.Clone(h.All) {
			if !ahead(n, l.now) || n.Due.After(until) {
				continue
			}
			out = append(out, b.tryOne(tx, asIfGone(h, n), n, kept))
		}
	}
	return out, nil
}

// tryOne asks the gate about one stage. What cannot be read is held on its day,
// too, and keeps no other from being tried.
func (b *Base) tryOne(tx *store.Tx, h home, n cvd.Notice, kept *looks) *flight {
	p, err := b.parcelOf(tx, h, n, n.Due, kept)
	if err != nil {
		p = &parcel{Question: Question{Case: h.Case, Participant: h.Participant, Party: h.Party, Notice: n}}
		return &flight{parcel: p, Answer: *unless(false, HoldIt, "it cannot be read: %v", err)}
	}
	return &flight{parcel: p, Answer: MayRelease(p.Question)}
}

// asIfGone is what a vendor has by the day of a notice where all goes well: what
// stands before it, which is tried by itself, has left.
func asIfGone(h home, n cvd.Notice) home {
	h.All = slices.Clone(h.All)
	for i, before := range h.All {
		if before.Kind != cvd.KindStage || before.State.Over() || before.Stage.Rank() >= n.Stage.Rank() {
			continue
		}
		h.All[i].State = cvd.Queued
		if before.Stage.Rank() > h.Participant.Reached.Rank() {
			h.Participant.Reached = before.Stage
		}
	}
	return h
}

// write renders and seals what would leave, and gives it up. Without a key
// there is nothing to seal to, and the words alone are tried.
func (s *Scheduler) write(f *flight) {
	if f.View == nil {
		return // it could not be read
	}
	err := guarded(func() error {
		if f.byHand() || !f.inClear() && len(f.Keys.Certificates) == 0 {
			_, err := s.Outbox.render(f.parcel)
			return err
		}
		mail, err := s.Outbox.seal(f.parcel)
		if err == nil {
			mail.drop()
		}
		return err
	})
	if err != nil && f.CannotSign == "" {
		f.broken = "it cannot be written: " + err.Error()
	}
}

func (f *flight) byHand() bool { return f.Party.Channel == cvd.ChannelHand }

// class is what stands over a flight in the list.
func (f *flight) class(now time.Time) string {
	switch {
	case f.broken != "":
		return flightRed
	case f.Decision == HoldIt && f.byHand() && f.Why == handed(f.Question):
		return flightHand
	case f.Decision == HoldIt, f.Decision == Never, f.Decision == Ask && !f.Notice.Due.After(now.Add(decideBy)):
		return flightRed
	case f.Decision == Release:
		return flightGoes
	}
	return flightWaits
}

// The classes of flights, in the order of the list.
const (
	flightRed   = "WOULD BE HELD"
	flightWaits = "WAITS"
	flightHand  = "TO BE DELIVERED BY HAND"
	flightGoes  = "CAN GO"
)

// lacks says why a flight does not go: what the gate says first, then all that
// is missing, in the words of `plan`.
func (f *flight) lacks() []string {
	var out []string
	if f.broken != "" {
		out = append(out, f.broken)
	}
	switch f.Decision {
	case Release:
		return out
	case Ask:
		out = append(out, "it waits for approval "+f.Why)
	case NotYet:
		out = append(out, f.Why+", until "+instant(f.At))
	default:
		out = append(out, f.Why)
	}
	if f.View == nil {
		return out
	}
	if missing := planMissing(planRow{Question: f.Question, known: f.Pinned}); len(missing) > 1 {
		out = append(out, "missing: "+strings.Join(missing, ", "))
	}
	return out
}

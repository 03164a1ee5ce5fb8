package mailflow

import (
	"slices"
	"strings"
	"sync"
	"time"

	"parley/mailflow/cores"
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
// which. None is before the case started or the vendor joined it. What was tried
// is over, but not for a notice that got its date since.
func nextPreflight(l caseLook, r aheadRow) (first time.Time, stages []cvd.Stage) {
	if r.Tried.After(endOfDay(l.now.Add(clockJump))) {
		r.Tried, r.Told = time.Time{}, time.Time{} // by a clock that was wrong
	}
	for _, v := range l.everybody() {
		if v.Withdrawn != nil {
			continue
		}
		for _, n := range v.notices {
			if !ahead(n, l.now) {
				continue
			}
			since := laterOf(l.Start, v.Joined)
			if !n.Dated.After(r.Told) {
				since = laterOf(since, r.Tried)
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

// whyTried says why the stages of a case are tried.
type whyTried int

const (
	notTried  whyTried = iota
	itsTime            // one of preflights has come
	itChanged          // the list in INBOX says what is not so any more
)

// preflight tries every stage of a case that falls due within the longest of
// preflights, if there is a reason to.
func (s *Scheduler) preflight(id cvd.CaseID, now time.Time) (tried []*flight, why whyTried, err error) {
	var stands string
	err = s.Store.View(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil || !c.Started() || !c.Closed.IsZero() {
			return err
		}
		l, err := s.look(tx, c)
		if err != nil {
			return err
		}
		at, _ := nextPreflight(l, l.ahead)
		due := !at.IsZero() && !at.After(now)
		if !due && l.ahead.Red.IsZero() {
			return nil
		}
		if tried, err = s.flights(tx, l); err != nil {
			return err
		}
		if why, stands = itChanged, l.ahead.Stands; due {
			why = itsTime
		} else if !l.ahead.Broken && listed(tried, now) == stands {
			why = notTried
		}
		return nil
	})
	if err != nil || why == notTried {
		return nil, notTried, err
	}
	var large sync.Mutex // one after the other, since each takes some times its size in memory
	doEach(tried, cores.Count(), func(f *flight) error {
		if f.size() > largeMail {
			large.Lock()
			defer large.Unlock()
		}
		s.write(f)
		return nil
	})
	if why == itChanged && listed(tried, now) == stands {
		return nil, notTried, nil
	}
	return tried, why, nil
}

// listBehind says whether the list in INBOX says what is not so any more, as far
// as the gate knows.
func (b *Base) listBehind(tx *store.Tx, l caseLook) (bool, error) {
	if l.ahead.Red.IsZero() || !l.Started() || !l.Closed.IsZero() || l.ahead.Broken {
		return !l.ahead.Red.IsZero(), nil
	}
	tried, err := b.flights(tx, l)
	return listed(tried, l.now) != l.ahead.Stands, err
}

// listed tells what one list says from what another does.
func listed(tried []*flight, now time.Time) string {
	var all []any
	for _, f := range tried {
		all = append(all, f.Notice.Party, f.Notice.Stage, utc(f.Notice.Due), f.class(now), f.lacks())
	}
	return digestAll(all...)
}

// endOfDay is the last instant of a day in UTC.
func endOfDay(t time.Time) time.Time { return date(t).AddDate(0, 0, 1).Add(-1) }

// flights asks the gate about every stage that falls due within the longest of
// preflights, counted from the end of the day, as if it were its day.
func (b *Base) flights(tx *store.Tx, l caseLook) ([]*flight, error) {
	var out []*flight
	kept, until := &looks{}, endOfDay(l.now).Add(preflights[0])
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
	case f.Decision == HoldIt, f.Decision == Never, f.Decision == Ask && !f.Notice.Due.After(endOfDay(now).Add(decideBy)):
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

package main

import (
	"time"

	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Time stands still in the story while anybody has something to do, so that what
// a mail may hold is asked at the instant at which it came, however slow the
// machine is.

// storyClock is a clock that only the story moves. It notes how often the scheduler
// takes breath before it waits, which is for no time where time stands still.
func (s *story) storyClock() mailflow.Clock {
	return mailflow.Clock{Now: s.time.Now, Read: s.time.Read, After: func(d time.Duration) <-chan time.Time {
		if d == 0 {
			s.breaths.Add(1)
		}
		return s.time.After(d)
	}}
}

// storyBegins is the next Monday, 09:00 UTC: weekdays, on which reminders and
// dates depend, are the same in every run.
func storyBegins() time.Time {
	day := time.Now().UTC().Truncate(cvd.Day).Add(cvd.Day)
	for day.Weekday() != time.Monday {
		day = day.Add(cvd.Day)
	}
	return day.Add(9 * time.Hour)
}

// until lets time pass to an instant in steps, with everything that happens
// meanwhile. It stops at each whole step since the start, when most falls due.
func (s *story) until(at time.Time, step time.Duration) {
	s.Helper()
	for left := at.Sub(s.time.Now()); left > 0; left = at.Sub(s.time.Now()) {
		s.seenRest.breaths = s.breaths.Load()
		s.time.Advance(min(left, step-s.time.Now().Sub(s.cast.start)%step))
		s.settles()
	}
}

// storyStep is how far time goes at once where nothing hurries: vendors answer so
// long after they were asked.
const storyStep = 3 * time.Hour

// upTo lets time pass to an hour of a day of the story.
func (s *story) upTo(day int, hour time.Duration) {
	s.Helper()
	s.until(s.cast.start.Add(time.Duration(day)*cvd.Day+hour), storyStep)
}

// settles lets everybody do what there is to do at this instant.
func (s *story) settles() {
	s.Helper()
	for acted := true; acted; {
		s.rests()
		acted = false
		for _, v := range s.vendors {
			acted = v.reads() || acted
		}
		acted = s.approves() || acted
	}
}

const (
	restFor   = 3 * time.Millisecond   // without a commit or a mail, once the scheduler rests
	restsSure = 150 * time.Millisecond // where nothing woke it
	restMost  = time.Minute            // within which a gateway comes to rest, on any machine

	viewsWork = "views to be made"

	// A scheduler that the clock overtook while it made views takes breath before it
	// makes the next: by its own clock, which has to go on for that. It does not while
	// mail leaves, or what hangs on the way would count as late.
	breathSure = 500 * time.Millisecond
	breathMost = 5 * time.Second
)

// rest is how far a gateway was when something happened last.
type rest struct {
	serial  uint64
	mails   int
	breaths int64
}

// rests waits until the gateway has done all that it has to do now.
func (s *story) rests() {
	s.Helper()
	since := time.Now()
	for end := since.Add(restMost); time.Now().Before(end); time.Sleep(time.Millisecond) {
		serial, work := s.work()
		if mails := len(s.sink.Mails()); serial != s.seenRest.serial || mails != s.seenRest.mails {
			s.seenRest, since = rest{serial, mails, s.breaths.Load()}, time.Now()
		}
		quiet := restsSure
		if s.breaths.Load() > s.seenRest.breaths {
			quiet = restFor
		}
		switch still := time.Since(since); {
		case work == "" && still >= quiet && s.underWay() == 0:
			return
		case work == viewsWork && still >= breathSure && s.underWay() == 0:
			s.time.Advance(breathMost)
			since = time.Now()
		}
	}
	_, work := s.work()
	s.Fatalf("%s: the gateway does not come to rest: %s, %d under way", s.when(), work, s.underWay())
}

// The tables in which the gateway keeps what it still has to do. Rows of the last
// two begin with the instant at which they are due.
var (
	storySpool = store.WriteOnce[any]("spool")
	storyDirty = store.Versioned[any]("dirty")
	storyDue   = []store.Table[any]{store.WriteOnce[any]("due"), store.WriteOnce[any]("deliveries-due")}
)

// work names what the gateway still has to do now, "" for nothing.
func (s *story) work() (serial uint64, work string) {
	s.Helper()
	s.must(s.app.store.View(func(tx *store.Tx) error {
		serial = tx.Serial()
		switch {
		case storySpool.Count(tx, nil) > 0:
			work = "mail in the spool"
		case storyDirty.Count(tx, nil) > 0:
			work = viewsWork
		}
		for _, t := range storyDue {
			for row := range t.All(tx, nil) {
				if !store.ParseInstant(row.Key[:8]).After(s.time.Now()) {
					work = "something is due"
				}
				break
			}
		}
		return nil
	}))
	return serial, work
}

// underWay counts the notices that are being handed over.
func (s *story) underWay() (n int) {
	for _, all := range s.notices() {
		for _, notice := range all {
			if notice.State == cvd.Queued {
				n++
			}
		}
	}
	return n
}

// notices reads all notices of the case, as the gateway keeps them.
func (s *story) notices() map[cvd.PartyID][]cvd.Notice {
	s.Helper()
	out := map[cvd.PartyID][]cvd.Notice{}
	if s.cast.tag == "" {
		return out
	}
	s.must(s.app.store.View(func(tx *store.Tx) error {
		ps, err := mailflow.Participants(tx, cvd.CaseID(s.cast.tag))
		if err != nil {
			return err
		}
		for _, p := range ps {
			if out[p.Party], err = mailflow.Notices(tx, cvd.CaseID(s.cast.tag), p.Party); err != nil {
				return err
			}
		}
		return nil
	}))
	return out
}

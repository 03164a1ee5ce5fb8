package mailflow

import (
	"time"

	"parley/mailflow/store"
)

// resumed: a person let everything go again, also what waited for a review.
func (o *oracle) resumed() {
	o.paused = ""
	for _, c := range o.cases {
		o.heardOfPairs(c, "release all")
		o.reviewed(c, "")
		o.acts(c, "")
	}
}

func (o *oracle) reviewed(c *caseKnown, v string) {
	for name, s := range c.seats {
		if v == "" || v == name {
			clear(s.review)
		}
	}
}

// mayHaveResumed is asked after people looked at something overdue: the last review
// may have ended a pause.
func (o *oracle) mayHaveResumed() {
	if o.paused != "the clock jumped" {
		return
	}
	o.h.view(func(tx *store.Tx) error {
		s, err := sendingNow(tx)
		if !s.Stops() {
			o.paused = ""
		}
		return err
	})
}

func (o *oracle) jumped(by time.Duration) {
	if by.Abs() > 5*time.Minute {
		if o.paused == "" {
			o.paused = "the clock jumped"
		}
		o.flagOverdue(time.Time{})
		o.actsAreNow()
	}
}

// actsAreNow: what people did by a clock that was wrong, as everybody was told, they
// did no later than now.
func (o *oracle) actsAreNow() {
	for _, c := range o.cases {
		for _, s := range c.seats {
			for stage, a := range s.acts {
				if a.at.After(o.now()) {
					s.acts[stage] = act{a.seq, o.now()}
				}
			}
		}
	}
}

// wasAway: what came due meanwhile waits for a person, where that was long.
func (o *oracle) wasAway(since time.Time, away time.Duration) {
	if away > 15*time.Minute && o.paused == "" {
		o.flagOverdue(since)
	}
}

// flagOverdue marks what should have left by now: nobody blasts it out.
func (o *oracle) flagOverdue(since time.Time) {
	for _, c := range o.cases {
		for v, s := range c.seats {
			for _, r := range o.policy(c).Stages {
				if at := o.due(c, s, r); at.After(since) && at.Before(o.now()) && o.mayGo(c, v, s, r.Stage) == "" {
					s.review[r.Stage] = true
				}
			}
		}
	}
}

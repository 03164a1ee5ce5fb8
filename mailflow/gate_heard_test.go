package mailflow

import (
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// heard is a command of the desk that was done.
func (o *oracle) heard(id cvd.CaseID, line string) {
	c, w := o.cases[id], strings.Fields(line)
	var s *seatKnown
	v := ""
	if len(w) > 1 {
		v = w[1]
		s = c.seats[v]
	}
	if o.heardOfPairs(c, line) || o.heardOfObservers(c, line) {
		return
	}
	switch verb := w[0]; {
	case line == "hold case":
		c.held = true
	case line == "hold all" || line == "sending pause":
		o.paused = "by a person"
	case verb == "hold":
		s.held = true
	case line == "release case":
		c.held = false
		o.acts(c, "")
	case line == "release all" || line == "sending resume":
		o.resumed()
	case verb == "release":
		s.held = false
		o.reviewed(c, v)
		o.acts(c, v)
		o.mayHaveResumed()
	case verb == "start":
		c.started = o.now()
		if w[1] != "now" {
			c.started = o.instant(w[1])
		}
		c.ends = []time.Time{c.started.Add(o.policy(c).Embargo)}
		o.acts(c, "")
	case verb == "embargo":
		o.newEnd(c, o.instant(w[1]))
	case verb == "slip":
		by, _ := cvd.ParseDuration(w[1])
		o.newEnd(c, c.ends[len(c.ends)-1].Add(by))
	case strings.HasPrefix(line, "case policy "):
		c.policy = w[2]
		o.actsOnStages(c, "")
	case verb == "stage":
		s.delays[cvd.Stage(w[2])] = o.instant(w[4])
		o.acts(c, v)
	case verb == "invite":
		o.invited(c, v, w)
	case verb == "withdraw" && s.finder && !s.finderOnly:
		s.finderOnly = true
		o.acts(c, v)
	case verb == "withdraw":
		s.gone = true
	case verb == "late":
		s.late = o.h.participant(id, cvd.PartyID(v)).Late
		o.acts(c, v)
	case verb == "leak":
		level, _ := cvd.ParseLevel(w[3])
		c.leaks = append(c.leaks, level)
		if end := o.now().Add(cvd.DefaultLeak); level == cvd.DetailsOut && end.Before(c.ends[len(c.ends)-1]) {
			o.newEnd(c, end)
		}
	case verb == "answer-all":
		c.faqs[strings.Fields(line)[3]] = cvd.Stage(w[1])
		o.acts(c, "", cvd.Stage(w[1]))
	case line == "case close":
		c.closed = true
	case line == "case reopen":
		c.closed = false
		o.acts(c, "")
	case verb == "vendor":
		if w[3] == "channel" {
			o.hand[w[2]] = w[4] == "hand"
		}
		if w[3] == "address" {
			delete(o.revokedAt, w[4])
		}
		o.actsOf(w[2])
	case verb == "member":
		o.actsOf(w[2])
	case verb == "undo":
		o.takenBack(c)
	case verb == "delivery":
		o.h.about.answered(o, w[2])
	case strings.HasPrefix(line, "key "):
		o.keyCommand(line)
	}
}

func (o *oracle) newEnd(c *caseKnown, end time.Time) {
	c.ends = append(c.ends, end)
	for _, s := range c.seats {
		s.countsOwed++
		for stage, at := range s.delays { // what a new end overtakes follows the policy again
			if stage == cvd.Public && at.Before(end) || stage != cvd.Public && at.After(o.bound(c, s)) {
				delete(s.delays, stage)
			}
		}
	}
	o.acts(c, "")
}

// invited: a vendor takes part, in a wave, or as a finder of the case as well.
func (o *oracle) invited(c *caseKnown, v string, w []string) {
	s := c.seats[v]
	fresh := s == nil || s.gone
	if fresh {
		old := s
		s = newSeat(o.now())
		if old != nil {
			*s = *old
			s.gone, s.joined, s.finder, s.finderOnly = false, o.now(), false, false
		}
		c.seats[v] = s
	}
	if w[2] == "role" {
		s.finder, s.finderOnly = true, s.finderOnly || fresh
	} else {
		if s.finderOnly { // what it said as a finder is not its product team's word
			s.acked, s.accepted, s.declined, s.joined = false, 0, false, o.now()
		}
		s.finderOnly, s.wave = false, int(w[3][0]-'0')
	}
	o.acts(c, v)
}

// instant reads one of a command.
func (o *oracle) instant(text string) time.Time {
	at, err := time.Parse("2006-01-02T15:04Z", text)
	if err != nil {
		o.h.t.Fatal(err)
	}
	return at
}

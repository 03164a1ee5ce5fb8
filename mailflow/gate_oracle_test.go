package mailflow

import (
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// oracle knows what people did, as they did it, and product.md. Of the program it
// knows the transcripts, and of a vendor's answers what counted; it asks neither
// MayRelease nor Plan.
type oracle struct {
	h         *history
	seq       int // of what people do, in order
	paused    string
	cases     map[cvd.CaseID]*caseKnown
	keys      map[string][]*keyKnown
	hand      map[string]bool
	pausedKey map[string]time.Time // until when what is secret waits after a change of keys
	said      string               // the word of a letter about an introduction, while it is read
	counts    []historyMail        // to observers, whose numbers were not compared yet
}

type caseKnown struct {
	policy  string
	started time.Time
	ends    []time.Time // of each version of the embargo
	held    bool
	closed  bool
	leaks   []cvd.Level
	seats   map[string]*seatKnown
	texts   map[cvd.Stage]string
	authors map[cvd.Stage]string
	faqs    map[string]cvd.Stage
	pairs   []*pairKnown
}

type seatKnown struct {
	wave         int
	joined       time.Time
	held, gone   bool
	acked        bool
	accepted     int
	declined     bool
	late         *cvd.Late
	delays       map[cvd.Stage]time.Time
	annex        map[cvd.Stage]string
	told         map[cvd.Stage]time.Time
	leaked       map[cvd.Level]bool
	reached      cvd.Stage
	acts         map[cvd.Stage]act // the last of people that concerns a stage
	need         act               // the last answer
	yes          map[cvd.Stage][]yesKnown
	review       map[cvd.Stage]bool
	statement    bool
	firstUnheard time.Time
	reminded     time.Time
	observes     bool // it gets counts, and what is public
	countsOwed   int  // how often it may get counts
}

type act struct {
	seq int
	at  time.Time
}

type yesKnown struct {
	by     string
	signed bool
	to     string // what exactly it was given to
}

type keyKnown struct {
	name       string
	trust      keyring.Trust
	replacedBy string
	revoked    bool
}

func (o *oracle) now() time.Time { return o.h.clock.Now() }

func (o *oracle) policy(c *caseKnown) cvd.Policy {
	all := historyPolicies(o.h.t)
	return all[slices.IndexFunc(all, func(p cvd.Policy) bool { return p.Name == c.policy })]
}

// acts says that somebody did something that stages of a vendor depend on; of all
// vendors where v is empty, of all stages where there are none.
func (o *oracle) acts(c *caseKnown, v string, ss ...cvd.Stage) {
	o.seq++
	if len(ss) == 0 {
		ss = cvd.Stages()
	}
	for name, s := range c.seats {
		for _, stage := range ss {
			if v == "" || v == name {
				s.acts[stage] = act{o.seq, o.lastOf(s.acts[stage].at)}
			}
		}
	}
}

// lastOf is the later of two acts, the last of which is now: where the clock was put
// back, by no more than stops everything, the one before it can be undone for longer.
func (o *oracle) lastOf(before time.Time) time.Time {
	if ahead := before.Sub(o.now()); ahead > 0 && ahead <= 5*time.Minute {
		return before
	}
	return o.now()
}

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
	case line == "start now":
		c.started, c.ends = o.now(), []time.Time{o.now().Add(o.policy(c).Embargo)}
		o.acts(c, "")
	case verb == "embargo":
		end, err := time.Parse("2006-01-02T15:04Z", w[1])
		if err != nil {
			o.h.t.Fatal(err)
		}
		o.newEnd(c, end)
	case verb == "slip":
		by, _ := cvd.ParseDuration(w[1])
		o.newEnd(c, c.ends[len(c.ends)-1].Add(by))
	case strings.HasPrefix(line, "case policy "):
		c.policy = w[2]
		o.acts(c, "")
	case verb == "stage":
		at, _ := time.Parse("2006-01-02T15:04Z", w[4])
		s.delays[cvd.Stage(w[2])] = at
		o.acts(c, v)
	case verb == "invite":
		if s == nil || s.gone {
			old := s
			s = newSeat(o.now())
			if old != nil {
				*s = *old
				s.gone, s.joined = false, o.now()
			}
			c.seats[v] = s
		}
		s.wave = int(w[3][0] - '0')
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
		o.hand[w[2]] = w[4] == "hand"
		o.actsOf(w[2])
	case strings.HasPrefix(line, "key "):
		o.keyCommand(line)
	}
	o.mayHaveResumed()
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

// mayHaveResumed is asked after people did something: the last review may have
// ended a pause.
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

func (o *oracle) wrote(id cvd.CaseID, stage cvd.Stage, party, author, text string) {
	c := o.cases[id]
	if party != "" {
		c.seats[party].annex[stage] = text
		o.acts(c, party, stage)
		return
	}
	c.texts[stage], c.authors[stage] = text, author
	o.acts(c, "", stage)
}

// answered takes over what counted of a vendor's letter; of no other vendor, and
// in no other case.
func (o *oracle) answered(id cvd.CaseID, v string) {
	c := o.cases[id]
	s, p := c.seats[v], o.h.participant(id, cvd.PartyID(v))
	o.seq++
	s.need = act{o.seq, o.now()}
	s.acked, s.accepted, s.declined, s.late = p.Acknowledged != nil || p.Accepted() > 0, p.Accepted(), p.Declined != nil, p.Late
	s.statement = len(p.Statements) > 0
	s.countsOwed++
	o.saidOfPairs(id, v)
	if p.AnsweredTo(s.reached, s.told[s.reached]) {
		s.firstUnheard = time.Time{}
	}
	for stage, at := range s.delays { // of a longer embargo that it accepts, or a shorter one
		if stage != cvd.Public && at.After(o.bound(c, s)) {
			delete(s.delays, stage)
		}
	}
}

func (o *oracle) saidYes(a cvd.ApprovalRequest, by string, signed bool) {
	if o.filedSaidYes(a, by, signed) {
		return
	}
	for _, c := range o.cases {
		for name, s := range c.seats {
			if c != o.cases[a.Case] || !slices.Contains(a.Parties, cvd.PartyID(name)) {
				continue
			}
			if isReview(a) {
				clear(s.review)
				continue
			}
			s.yes[a.Stage] = append(s.yes[a.Stage], yesKnown{by, signed, o.exactly(c, name, s, a.Stage)})
			o.acts(c, name, a.Stage)
		}
	}
	o.mayHaveResumed()
}

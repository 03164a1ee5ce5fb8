package mailflow

import (
	"slices"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
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
	revokedAt map[string]bool           // addresses that a vendor took from itself
	before    map[cvd.CaseID]*caseKnown // the cases, before what may be taken back
	pauses    bool                      // it was to pause or resume all sending
	pausedKey map[string]time.Time      // until when what is secret waits after a change of keys
	said      string                    // the word of a letter about an introduction, while it is read
	counts    []historyMail             // to observers, whose numbers were not compared yet
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
	finder       bool // as well as a vendor
	finderOnly   bool // it is a vendor no more
	acked        bool
	accepted     int
	declined     bool
	late         *cvd.Late
	delays       map[cvd.Stage]time.Time
	annex        map[cvd.Stage]string
	told         map[cvd.Stage]time.Time
	twice        map[cvd.Stage]bool // what came back once, and will not again
	resent       map[cvd.Stage]bool // a person has the same bytes go once more
	back         map[cvd.Stage]bool // what its server gave back, until a person says what becomes of it
	leaked       map[cvd.Level]bool
	reached      cvd.Stage
	acts         map[cvd.Stage]act // the last of people that concerns a stage
	need         act               // the last answer
	yes          map[cvd.Stage][]yesKnown
	review       map[cvd.Stage]bool
	statement    bool
	firstUnheard time.Time
	reminded     time.Time
	observes     bool      // it gets counts, and what is public
	countsOwed   int       // how often it may get counts
	asked        int       // of these for its own question, which nobody here has to undo
	acted        time.Time // the last act of people that gives it new ones, or lets them go, by the clock of then
}

type act struct {
	seq int
	at  time.Time
}

type yesKnown struct {
	by     string
	signed bool
	to     string // what exactly it was given to
	at     time.Time
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

// acts says that somebody did something that stages of a vendor depend on, and the
// counts of an observer; of all of them where v is empty, of all stages where there
// are none.
func (o *oracle) acts(c *caseKnown, v string, ss ...cvd.Stage) {
	o.actsOnStages(c, v, ss...)
	for name, s := range c.seats {
		if v == "" || v == name {
			s.acted = o.now()
		}
	}
}

// actsOnStages is acts for what no counts depend on.
func (o *oracle) actsOnStages(c *caseKnown, v string, ss ...cvd.Stage) {
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
	if s.observes {
		s.asked++
	}
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
			s.yes[a.Stage] = append(s.yes[a.Stage], yesKnown{by, signed, o.exactly(c, name, s, a.Stage), o.now()})
			o.acts(c, name, a.Stage)
		}
	}
	if isReview(a) {
		o.mayHaveResumed()
	}
}

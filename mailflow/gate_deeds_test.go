package mailflow

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// history is one random life of a desk, with what an oracle knows of it.
type history struct {
	*world
	o        *oracle
	did      map[string]int
	quiet    bool // what people do is not looked at one by one
	hasty    bool // its ends are brought forward once all is mended
	opens    int  // how many mails were opened
	seen     int  // how many mails of the sink were judged
	mails    []historyMail
	ids      []cvd.CaseID
	words    int // counts the versions of texts, so that each has words of its own
	keyPause time.Duration
	tokens   map[string]string // of who takes part, by "acme in PAR-2026-0001"
	people   []string          // the coordinators
	undo     string            // what the last command offers
	about    cameBackTo        // what a command about a delivery concerns
}

// Everything that people do counts signed; whether it has to be is other tests'
// business.
func desk(name string) Actor { return Actor{Name: name, Via: ViaMail, Signed: true} }

// deedTable is what may happen, and how often.
type deedKind struct {
	what   string
	weight int
	do     func(h *history, d deed)
}

var deedTable = slices.Concat(deskDeeds, pairDeeds, observerDeeds)

var deskDeeds = []deedKind{
	{"minutes", 5, func(h *history, d deed) {
		h.pass([]time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}[d.a%4])
	}},
	{"days", 14, func(h *history, d deed) { h.pass(time.Duration(6+d.a%90) * time.Hour) }},
	{"answer", 14, (*history).answer},
	{"hold", 3, func(h *history, d deed) {
		h.command(d, []string{"hold " + h.vendorOf(d), "hold case", "hold all"}[d.c%3])
	}},
	{"release", 4, func(h *history, d deed) {
		h.command(d, []string{"release " + h.vendorOf(d), "release case", "release all"}[d.c%3])
	}},
	{"pause", 1, func(h *history, d deed) { h.command(d, "sending pause") }},
	{"resume", 3, func(h *history, d deed) { h.command(d, "sending resume") }},
	{"embargo", 4, func(h *history, d deed) {
		end := h.theCase(h.caseOf(d)).Embargo().End
		h.command(d, fmt.Sprintf(`embargo %s because "agreed"`, instantOf(end.Add(time.Duration(d.c%240-120)*time.Hour))))
	}},
	{"slip", 1, func(h *history, d deed) { h.command(d, fmt.Sprintf("slip %dh", 1+d.c%24)) }},
	{"go", 1, func(h *history, d deed) { h.command(d, "go") }},
	{"policy", 2, func(h *history, d deed) { h.command(d, "case policy "+[]string{"open", "strict", "brief"}[d.c%3]) }},
	{"stage", 3, func(h *history, d deed) {
		s := cvd.Stages()[d.c%6]
		h.command(d, fmt.Sprintf("stage %s %s at %s", h.vendorOf(d), s, instantOf(h.clock.Now().Add(time.Duration(d.c%200)*time.Hour))))
	}},
	{"material", 5, func(h *history, d deed) {
		h.write(h.caseOf(d), cvd.Stages()[1+d.c%5], "", h.people[d.b%min(2, len(h.people))])
	}},
	{"annex", 2, func(h *history, d deed) { h.write(h.caseOf(d), cvd.Stages()[1+d.c%5], h.vendorOf(d), "ana") }},
	{"approve", 9, (*history).approve},
	{"reject", 1, (*history).reject},
	{"key", 6, (*history).keys},
	{"invite", 3, func(h *history, d deed) { h.command(d, h.invitation(h.anyVendor(d), 1+d.c%3)) }},
	{"withdraw", 1, func(h *history, d deed) { h.command(d, "withdraw "+h.vendorOf(d)+` because "not affected"`) }},
	{"late", 2, func(h *history, d deed) {
		h.command(d, "late "+h.vendorOf(d)+" "+[]string{`now because "hospitals"`, `never because "no"`, "as planned"}[d.c%3])
	}},
	{"leak", 1, func(h *history, d deed) {
		h.command(d, "leak "+leakAddress+" stage "+[]string{"rumour", "details"}[d.c%2]+" within 30m")
	}},
	{"answer-all", 2, func(h *history, d deed) {
		h.words++
		h.command(d, fmt.Sprintf(`answer-all %s "Only shared%dfaq is affected."`, cvd.Stages()[1+d.c%2], h.words))
	}},
	{"merge", 1, (*history).merge},
	{"close", 1, func(h *history, d deed) {
		if d.c%3 == 0 {
			h.command(d, "case close")
		} else {
			h.command(d, "case reopen")
		}
	}},
	{"hand", 1, func(h *history, d deed) {
		h.command(d, "vendor edit "+h.vendorOf(d)+" channel "+[]string{"hand", "pgp", "pgp"}[d.c%3])
	}},
	{"bounce", 4, (*history).bounce},
	{"delivery", 3, (*history).delivery},
	{"member", 4, (*history).member},
	{"undo", 6, (*history).undone},
	{"role", 2, (*history).role},
	{"jump", 2, func(h *history, d deed) {
		by := []time.Duration{-2 * time.Hour, -6 * time.Minute, -time.Minute, 4 * time.Minute, 20 * time.Minute, 40 * time.Hour}[d.a%6]
		h.clock.Jump(by)
		h.o.jumped(by)
		h.settleAndJudge()
	}},
	{"restart", 2, func(h *history, d deed) {
		away := []time.Duration{0, 10 * time.Minute, 3 * time.Hour, 30 * time.Hour}[d.a%4]
		before := h.clock.Now()
		h.clock.Advance(away)
		h.restart()
		h.settings()
		h.o.wasAway(before, away)
		h.settleAndJudge()
	}},
}

var deedWeights = func() (sum int) {
	for _, d := range deedTable {
		sum += d.weight
	}
	return sum
}()

func instantOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

// castOf are the vendors of each case of a history: one case or two, which share a
// vendor, and two or three vendors in the first.
func castOf(seed int) [][]string {
	first := []string{"acme", "globex", "initech"}
	if seed%3 != 0 {
		first = first[:2]
	}
	if seed%2 != 0 {
		return [][]string{first}
	}
	return [][]string{first, {"globex", "umbrella"}}
}

// begin opens the cases of a history, and starts them.
func (h *history) begin(j *historyJudge, dir string, seed int) {
	h.world = newWorldIn(j, dir, gatewaySecret(), true)
	h.hasty, h.quiet = seed%5 != 0, true
	if seed%3 == 0 {
		h.keyPause = 6 * time.Hour
	}
	h.settings()
	h.o = &oracle{h: h, cases: map[cvd.CaseID]*caseKnown{}, keys: map[string][]*keyKnown{}, hand: map[string]bool{}, revokedAt: map[string]bool{}, pausedKey: map[string]time.Time{}}
	if h.people = []string{"ana", "ben", "cho"}; seed/8%8 == 3 {
		h.people = h.people[:1]
	}
	for _, name := range h.people {
		h.update(func(tx *store.Tx) error {
			return PutCoordinator(tx, Coordinator{Name: name, Address: name + "@" + h.DeskDomain, Added: tx.Now})
		})
	}
	for _, v := range historyParties {
		if !h.as(desk("ana"), "vendor add "+v+" psirt@"+v+".example").Done() {
			h.t.Fatalf("cannot add %s", v)
		}
		h.pin(v, goodKey, keyring.Confirmed)
	}
	policy := []string{"open", "strict", "brief", "open"}
	for i, vs := range castOf(seed) {
		id := cvd.FindCaseIDs(h.as(desk("ana"), fmt.Sprintf(`case open "Case number%d" policy %s`, i, policy[(seed/2+i)%4])).String())[0]
		h.ids = append(h.ids, id)
		h.o.cases[id] = &caseKnown{policy: policy[(seed/2+i)%4], seats: map[string]*seatKnown{}, texts: map[cvd.Stage]string{}, authors: map[cvd.Stage]string{}, faqs: map[string]cvd.Stage{}}
		for _, s := range append(cvd.Stages()[1:], cvd.Holding) {
			if s != cvd.Advisory || i == 0 {
				h.write(id, s, "", "ana")
			}
		}
		if seed/7%7 == 2 {
			h.say(id, "invite "+vs[0]+" role finder")
		}
		for n, v := range vs {
			h.say(id, h.invitation(v, 1+n%2))
		}
		start := "now"
		if seed/6%6 == 5 {
			start = instantOf(h.clock.Now().Add(time.Duration(1+seed%72) * time.Hour))
			h.did["later start"]++
		}
		h.say(id, "start "+start)
	}
	h.quiet = false
	h.settleAndJudge()
}

// settings are those that differ from a world's; whoever opens its store again
// needs them again.
func (h *history) settings() {
	for _, p := range historyPolicies(h.t) {
		h.Policies[p.Name] = p
	}
	h.KeyPause = h.keyPause
}

func (h *history) invitation(v string, wave int) string {
	return fmt.Sprintf(`invite %s wave %d affects "%sproduct" footprint %dM`, v, wave, vendorWords[v], 10+wave)
}

// does is one step, and what follows from it.
func (h *history) does(d deed) {
	for _, known := range deedTable {
		if known.what == d.what {
			known.do(h, d)
		}
	}
}

func (h *history) caseOf(d deed) cvd.CaseID { return h.ids[d.a%len(h.ids)] }

func (h *history) anyVendor(d deed) string { return historyVendors[d.b%len(historyVendors)] }

// vendorOf is one of the vendors that takes part in the case of a deed.
func (h *history) vendorOf(d deed) string {
	var in []string
	for _, v := range historyVendors {
		if h.o.cases[h.caseOf(d)].seats[v] != nil {
			in = append(in, v)
		}
	}
	return in[d.b%len(in)]
}

// command gives a command about a case, whether it is refused or not.
func (h *history) command(d deed, line string) { h.say(h.caseOf(d), line) }

func (h *history) say(id cvd.CaseID, line string) bool {
	h.t.Helper()
	h.undo = ""
	t, err := h.desk.Do(context.Background(), desk("ana"), []string{"case " + string(id), line})
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	h.traces(line, t.Done())
	if t.Done() {
		h.did[strings.Fields(line)[0]]++
		h.offersUndo(t)
		h.o.heard(id, line)
	} else {
		h.did["refused"]++
	}
	h.settleAndJudge()
	return t.Done()
}

// traces tells of each command, where GATE_TRACE says so.
func (h *history) traces(line string, done bool) {
	if os.Getenv("GATE_TRACE") != "" {
		h.t.Logf("%s %s: %v", h.clock.Now().UTC().Format(time.DateTime), line, done)
	}
}

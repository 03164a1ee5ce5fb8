package mailflow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// smallCase is a random case with one vendor, whose notices are carried by the
// plan and the gate alone, without store and mail.
type smallCase struct {
	r      *rand.Rand
	now    time.Time
	c      cvd.Case
	p      cvd.Participant
	party  cvd.Party
	keys   keyring.Choice
	paused Sending
	have   map[cvd.Stage]bool // material
	all    []cvd.Notice
	yes    map[uint64]*cvd.ApprovalRequest
	log    []string
}

func newSmallCase(seed uint64) *smallCase {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &smallCase{r: r, now: storyStart, have: map[cvd.Stage]bool{}, yes: map[uint64]*cvd.ApprovalRequest{}}
	s.keys.Certificates = []*keyring.Certificate{{}}
	policy := cvd.Policy{Name: "random", Embargo: time.Duration(5+r.IntN(60)) * cvd.Day, Wave: time.Duration(r.IntN(48)) * time.Hour}
	if r.IntN(2) == 0 {
		policy.Lead = policy.Embargo - time.Duration(r.IntN(3))*cvd.Day
	}
	at, end := time.Duration(0), policy.Embargo
	for _, stage := range cvd.Stages() {
		rule := cvd.StageRule{Stage: stage, At: cvd.When{Offset: at}, Trust: cvd.Found, Approvals: r.IntN(2), Signed: r.IntN(2) == 0}
		switch {
		case stage == cvd.Public:
			rule.At = cvd.When{FromEnd: true}
		case stage == cvd.HeadsUp:
		case r.IntN(4) == 0:
			continue
		default:
			for _, need := range []cvd.Need{cvd.Acknowledged, cvd.Accepted, cvd.Requested} {
				if r.IntN(3) == 0 {
					rule.Needs = append(rule.Needs, need)
				}
			}
		}
		policy.Stages = append(policy.Stages, rule)
		at = min(at+time.Duration(r.IntN(72))*time.Hour, end)
	}
	s.c = cvd.Case{ID: "PAR-2026-0001", Policy: policy, Start: s.now, Embargoes: []cvd.Embargo{{Version: 1, End: s.now.Add(policy.Embargo)}}}
	s.p = cvd.Participant{Case: s.c.ID, Party: "acme", Roles: []cvd.Role{cvd.RoleVendor}, Address: "psirt@acme.example", Wave: 1 + r.IntN(3), Joined: s.now}
	if r.IntN(4) == 0 {
		s.p.Lead = time.Duration(1+r.IntN(30)) * cvd.Day
	}
	return s
}

// replan does what the store's does.
func (s *smallCase) replan(byNeed bool) {
	for _, d := range cvd.Plan(s.c, []cvd.Participant{s.p}) {
		if d.Stage.Rank() <= s.p.Reached.Rank() {
			continue
		}
		n := cvd.Notice{ID: uint64(len(s.all) + 1), Case: s.c.ID, Party: s.p.Party, Kind: cvd.KindStage, Stage: d.Stage, State: cvd.Planned, LastAct: s.now, ByNeed: byNeed}
		i := slices.IndexFunc(s.all, func(n cvd.Notice) bool { return n.Stage == d.Stage && !n.State.Over() })
		if i < 0 {
			n.Due = d.At
			s.all = append(s.all, n)
			continue
		}
		s.all[i].Due = d.At
	}
	for i := range s.all {
		n := &s.all[i]
		switch {
		case n.State.Over():
		case byNeed && n.State == cvd.Waiting:
			n.State, n.ByNeed = cvd.Planned, true
		case !byNeed:
			n.State, n.LastAct, n.ByNeed = cvd.Planned, s.now, false
		}
	}
}

// happens lets something happen to the case; what stops it is rarer than what
// lets it go on.
func (s *smallCase) happens() {
	stops := []func(){
		func() { s.p.Declined = &cvd.Hold{}; s.replan(true) },
		func() { s.p.Hold = &cvd.Hold{Because: "x"}; s.replan(false) },
		func() { s.c.Hold = &cvd.Hold{Because: "x"}; s.replan(false) },
		func() { s.paused = Sending{Paused: true, At: s.now}; s.replan(false) },
		func() { s.keys = keyring.Choice{}; s.replan(false) },
		func() { s.p.Withdrawn = &cvd.Hold{Because: "x"}; s.replan(false) },
		s.moveEnd,
	}
	goes := []func(){
		func() { s.p.Acknowledged = &cvd.Acceptance{At: s.now}; s.replan(true) },
		func() {
			v := 1 + s.r.IntN(s.c.Embargo().Version)
			s.p.Acceptances, s.p.Declined = append(s.p.Acceptances, cvd.Acceptance{Version: v, At: s.now}), nil
			s.replan(true)
		},
		func() { s.p.Requested = cvd.Stages()[:1+s.r.IntN(6)]; s.replan(true) },
		func() { s.have[cvd.Stages()[s.r.IntN(6)]] = true; s.replan(false) },
		func() { s.p.Hold, s.c.Hold, s.p.Withdrawn = nil, nil, nil; s.replan(false) },
		func() { s.paused = Sending{At: s.now}; s.replan(false) },
		func() { s.keys.Certificates = []*keyring.Certificate{{}}; s.replan(false) },
		s.approve,
	}
	if s.r.IntN(8) == 0 {
		stops[s.r.IntN(len(stops))]()
		return
	}
	goes[s.r.IntN(len(goes))]()
}

func (s *smallCase) moveEnd() {
	if !s.now.Before(s.c.Embargo().End) {
		return
	}
	e := cvd.Embargo{Version: s.c.Embargo().Version + 1, End: s.now.Add(time.Duration(1+s.r.IntN(60*24)) * time.Hour)}
	s.c.Embargoes = append(s.c.Embargoes, e)
	s.replan(false)
}

// approve grants whatever waits for a yes.
func (s *smallCase) approve() {
	for _, n := range s.all {
		if !n.State.Over() {
			s.yes[n.ID] = &cvd.ApprovalRequest{ID: "9f3a-27c1", How: "approved", Ended: s.now, Hashes: map[uint64]string{n.ID: "h"}}
		}
	}
	s.replan(false)
}

func (s *smallCase) question(n cvd.Notice) Question {
	return Question{Now: s.now, Undo: 2 * time.Minute, Sending: s.paused, Case: s.c, Participant: s.p, Party: s.party, Notice: n, Prior: s.all,
		Keys: s.keys, HasMaterial: s.have[n.Stage] || n.Stage == cvd.Public && s.have[cvd.Advisory], Approval: s.yes[n.ID], Hash: "h"}
}

// step asks about everything that is not over, as the scheduler does, and
// checks each that leaves against what the rules say, in words of its own.
func (s *smallCase) step() error {
	for again := true; again; {
		again = false
		for i := range s.all {
			n := s.all[i]
			if n.State.Over() || n.State == cvd.Waiting {
				continue
			}
			a := MayRelease(s.question(n))
			switch a.Decision {
			case Release:
				if err := s.leaves(n); err != nil {
					return err
				}
				s.all[i].State, s.p.Reached, again = cvd.Queued, n.Stage, true
				s.log = append(s.log, fmt.Sprintf("%s %s", s.now.Format(time.RFC3339), n.Stage))
				s.replan(true)
			case Wait:
				s.all[i].State = cvd.Waiting
			case Never:
				s.all[i].State = cvd.Cancelled
			case NotYet:
				if !a.At.After(s.now) {
					return fmt.Errorf("%s is to be asked again at %s, which is not after %s", n.Stage, a.At, s.now)
				}
			}
		}
	}
	return nil
}

// leaves says why a notice must not have been let go.
func (s *smallCase) leaves(n cvd.Notice) error {
	rule, _ := s.c.Policy.Rule(n.Stage)
	i, _ := s.c.Policy.Number(n.Stage)
	end, late := s.c.Embargo().End, s.p.Declined != nil && n.Stage != cvd.Public
	before := cvd.Stage("")
	for _, r := range s.c.Policy.Stages[:max(i-1, 0)] {
		unasked := slices.Contains(r.Needs, cvd.Requested) && !slices.Contains(s.p.Requested, r.Stage)
		if r.Stage != cvd.Proof || !late && !unasked {
			before = r.Stage
		}
	}
	bad := func(cond bool, why string) error {
		if cond {
			return fmt.Errorf("%s left at %s: %s", n.Stage, s.now, why)
		}
		return nil
	}
	for _, err := range []error{
		bad(s.now.Before(n.Due), "early"),
		bad(s.now.Before(s.c.Start), "before the start"),
		bad(!n.ByNeed && s.now.Before(n.LastAct.Add(2*time.Minute)), "within the undo window"),
		bad(n.Stage.Rank() <= s.p.Reached.Rank(), "twice, or after a later one"),
		bad(n.Stage == cvd.Public && s.now.Before(end), "public before the end"),
		bad(n.Stage != cvd.Public && !s.now.Before(end), "after the end"),
		bad(late && (n.Stage == cvd.HeadsUp || n.Stage == cvd.Proof), "to who declined"),
		bad(late && s.now.Before(end.Add(-min(5*cvd.Day, s.c.Policy.Embargo/3))), "to who declined, early"),
		bad(late && s.yes[n.ID] == nil, "to who declined, without a yes"),
		bad(n.Stage != cvd.Public && !late && s.c.End(s.p).Before(end), "without consent to the longer embargo"),
		bad(n.Stage != cvd.Public && s.c.Lead(s.p) > 0 && s.now.Before(end.Add(-s.c.Lead(s.p))), "earlier than the lead"),
		bad(s.paused.Paused || s.c.Hold != nil || s.p.Hold != nil || s.p.Withdrawn != nil, "though it was stopped"),
		bad(len(s.keys.Certificates) == 0, "without a key"),
		bad(n.Stage != cvd.HeadsUp && !s.question(n).HasMaterial, "without material"),
		bad(rule.Approvals > 0 && s.yes[n.ID] == nil, "without a yes"),
		bad(!late && slices.Contains(rule.Needs, cvd.Acknowledged) && s.p.Acknowledged == nil && s.p.Accepted() == 0, "unacknowledged"),
		bad(!late && slices.Contains(rule.Needs, cvd.Accepted) && s.p.Accepted() == 0, "unaccepted"),
		bad(!late && slices.Contains(rule.Needs, cvd.Requested) && !slices.Contains(s.p.Requested, n.Stage), "not asked for"),
		bad(n.Stage != cvd.Public && i > 1 && s.p.Reached != before, "above the next stage"),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// Whatever happens, in whatever order: never early, never above the next
// stage, never twice; and once every obstacle is gone, public arrives.
func TestT5_NeverEarlyNeverAboveNeverTwice(t *testing.T) {
	t.Parallel()
	left := 0
	for seed := range uint64(3000) {
		s := newSmallCase(seed)
		s.replan(false)
		for range 60 {
			if s.r.IntN(2) == 0 {
				s.happens()
			}
			s.now = s.now.Add(time.Duration(s.r.IntN(40)) * time.Hour / 2)
			if err := s.step(); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(s.log, "\n"))
			}
		}
		s.untangle()
		if err := s.step(); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(s.log, "\n"))
		}
		if s.p.Reached != cvd.Public {
			t.Fatalf("seed %d: nothing stands in the way and acme reached %q: %+v\n%s", seed, s.p.Reached, s.all, strings.Join(s.log, "\n"))
		}
		left += len(s.log)
	}
	if left < 6000 {
		t.Errorf("only %d notices left in 3000 cases: the cases are too dull", left)
	}
}

// untangle takes every obstacle away, and lets the embargo end.
func (s *smallCase) untangle() {
	s.p.Hold, s.p.Withdrawn, s.c.Hold, s.paused = nil, nil, nil, Sending{}
	s.keys.Certificates = []*keyring.Certificate{{}}
	for _, stage := range cvd.Stages() {
		s.have[stage] = true
	}
	s.replan(false)
	s.approve()
	if end := s.c.Embargo().End.Add(cvd.Day); s.now.Before(end) {
		s.now = end
	}
	s.now = s.now.Add(cvd.Day)
	for i := range s.all {
		if s.all[i].State == cvd.Waiting {
			s.all[i].State = cvd.Planned
		}
	}
}

// The same through store, queue and mail: random commands and answers in
// short steps; what arrives never does early, above its stage, or twice, and
// nothing is lost.
func TestT5_NeverInTheWorld(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			randomWorld(t, seed)
		})
	}
}

func randomWorld(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	w := newWorld(t)
	names := []string{"acme", "globex"}
	id := w.caseWith(names...)
	tag := string(id)
	w.in(id, "invite globex wave 2", "start now")
	began := w.clock.Now()
	for range 40 {
		name := names[r.IntN(2)]
		heard := len(w.sink.To(w.people[name].Address)) > 0
		switch r.IntN(12) {
		case 0:
			w.as(theOperator, "case "+tag, "hold "+name+" because x")
		case 1:
			w.as(theOperator, "case "+tag, "release "+name)
		case 2:
			w.as(theOperator, "case "+tag, "hold case because x")
		case 3, 4:
			w.as(theOperator, "case "+tag, "release case")
		case 5:
			if heard {
				w.answers(name, id, true, "ACK\n")
			}
		case 6:
			if heard {
				w.answers(name, id, true, fmt.Sprintf("ACCEPT %s v%d\n", tag, 1+r.IntN(w.theCase(id).Embargo().Version)))
			}
		case 7:
			end := w.theCase(id).Embargo().End.Add(time.Duration(r.IntN(10)-5) * cvd.Day)
			w.as(theOperator, "case "+tag, "embargo "+end.Format(time.RFC3339)+" because x")
		case 8:
			w.as(theOperator, "sending pause")
			w.as(theOperator, "sending resume")
		case 9:
			w.sink.Fail("RCPT", 451, 2)
		case 10:
			w.restart()
		}
		w.clock.Advance(time.Duration(r.IntN(28)) * time.Hour)
		w.settle()
		if w.sending().Paused { // away for long with notices overdue
			w.as(theOperator, "sending resume")
		}
		w.checkStages(id, began, names)
	}
	w.as(theOperator, "case "+tag, "release case")
	for _, name := range names {
		w.as(theOperator, "case "+tag, "release "+name)
	}
	if left := w.theCase(id).Embargo().End.Sub(w.clock.Now()); left > 0 {
		w.steps(12*time.Hour, left)
	}
	w.steps(time.Hour, 3*time.Hour)
	w.checkStages(id, began, names)
	for _, name := range names {
		if got := w.stages(name); len(got) == 0 || got[len(got)-1] != "Public" {
			t.Errorf("%s was told %q and never what is public", name, got)
		}
	}
	w.view(func(tx *store.Tx) error {
		rep, err := w.Store.Verify(t.Context())
		if len(rep.Problems) > 0 {
			t.Errorf("the store: %q", rep.Problems)
		}
		return err
	})
}

// checkStages compares what arrived with what may have.
func (w *world) checkStages(id cvd.CaseID, began time.Time, names []string) {
	w.t.Helper()
	order := []string{"Heads-up", "Scope", "Details", "Public"}
	for i, name := range names {
		earliest := map[string]time.Time{
			"Heads-up": began.Add(time.Duration(i) * cvd.Day), "Scope": began.Add(time.Duration(1+i) * cvd.Day),
			"Details": began.Add(time.Duration(2+i) * cvd.Day),
		}
		last := -1
		for _, l := range w.mails(w.people[name]) {
			m := stageMark.FindStringSubmatch(l.Subject)
			if m == nil {
				continue
			}
			date, err := l.Outer.Date()
			rank := slices.Index(order, m[1])
			if err != nil || rank <= last || (m[1] != "Public" && rank != last+1) {
				w.t.Fatalf("%s was told %q, out of order or twice", name, w.stages(name))
			}
			if date.Before(earliest[m[1]]) {
				w.t.Fatalf("%s was told %s at %s", name, m[1], date)
			}
			last = rank
		}
	}
}

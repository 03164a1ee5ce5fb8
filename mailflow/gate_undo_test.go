package mailflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// offersUndo keeps the number under which what was just done can be taken back.
func (h *history) offersUndo(t Transcript) {
	if m := undoID.FindStringSubmatch(t.String()); m != nil {
		h.undo = m[1]
	}
}

// undone does something at the desk, and takes it back while that can be done.
func (h *history) undone(d deed) {
	h.o.remembers()
	by, what := "ana", ""
	if all := h.openRequests(); d.b%4 == 0 && len(all) > 0 {
		by, what = h.approver(d), "approve"
		h.saysYes(all[d.c%len(all)], by, true)
	} else {
		line := h.undoable(d)
		what = strings.Fields(line)[0]
		h.o.pauses = strings.HasSuffix(line, " all")
		h.say(h.caseOf(d), line)
	}
	if h.undo == "" {
		return
	}
	undo := "undo " + h.undo
	h.pass([]time.Duration{0, 30 * time.Second, 110 * time.Second}[d.a%3])
	t, err := h.desk.Do(context.Background(), desk(by), []string{"case " + string(h.caseOf(d)), undo})
	if err != nil {
		h.t.Fatalf("%s: %v", undo, err)
	}
	h.traces(undo, t.Done())
	if t.Done() {
		h.did["took back "+what]++
		h.o.heard(h.caseOf(d), undo)
	}
	h.settleAndJudge()
}

// undoable is something that can be taken back.
func (h *history) undoable(d deed) string {
	c, v := h.o.cases[h.caseOf(d)], h.vendorOf(d)
	later := func(end time.Time, most int) string {
		return instantOf(end.Add(time.Duration(d.a%most) * time.Hour))
	}
	other := func(stopped bool, what string) string {
		if stopped {
			return "release " + what
		}
		return "hold " + what
	}
	h.words++
	return []string{
		other(c.seats[v].held, v), other(c.held, "case"), other(h.o.paused != "", "all"),
		fmt.Sprintf("stage %s %s at %s", v, cvd.Stages()[d.a%6], later(h.clock.Now(), 200)),
		`embargo ` + later(h.clock.Now().Add(3*cvd.Day), 300) + ` because "agreed"`,
		fmt.Sprintf("slip %dh", 1+d.a%24),
		"late " + v + ` now because "hospitals"`, "late " + v + ` never because "no"`,
		map[bool]string{false: "case close", true: "case reopen"}[c.closed],
		fmt.Sprintf(`answer-all %s "Only shared%dfaq is affected."`, cvd.Stages()[1+d.a%2], h.words),
	}[d.c%10]
}

// remembers what people may take back of what they do next.
func (o *oracle) remembers() {
	o.before, o.pauses = map[cvd.CaseID]*caseKnown{}, false
	for id, c := range o.cases {
		was := *c
		was.ends, was.faqs, was.seats = slices.Clone(c.ends), maps.Clone(c.faqs), map[string]*seatKnown{}
		for v, s := range c.seats {
			seat := *s
			seat.delays, seat.yes = maps.Clone(s.delays), maps.Clone(s.yes)
			was.seats[v] = &seat
		}
		o.before[id] = &was
	}
}

// takenBack: what the last command of somebody did is as if it had not been, but for
// what left meanwhile. To take it back is an act like any other.
func (o *oracle) takenBack(*caseKnown) {
	if o.pauses {
		o.paused = map[bool]string{true: "by a person"}[o.paused == ""]
	}
	for id, c := range o.cases {
		was := o.before[id]
		if was == nil {
			continue
		}
		for v, s := range c.seats {
			if seat := was.seats[v]; seat != nil {
				changed := s.held != seat.held || s.late != seat.late || !maps.Equal(s.delays, seat.delays)
				s.held, s.late, s.delays, s.yes = seat.held, seat.late, seat.delays, seat.yes
				if changed {
					o.acts(c, v)
				}
			}
		}
		changed := c.held != was.held || c.closed != was.closed || len(c.ends) != len(was.ends)
		c.ends, c.held, c.closed, c.faqs = was.ends, was.held, was.closed, was.faqs
		if changed {
			o.acts(c, "")
		}
	}
}

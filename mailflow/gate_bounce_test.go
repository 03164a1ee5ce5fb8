package mailflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"parley/mailflow/cvd"
)

// cameBackTo is a stage that the server of a vendor gave back.
type cameBackTo struct {
	seat  *seatKnown
	stage cvd.Stage
}

// bounce lets the server of a vendor give back the newest stage that it was told. In
// half of them a person says at once what becomes of it.
func (h *history) bounce(d deed) {
	all := h.newest()
	if len(all) == 0 {
		return
	}
	m := all[d.a%len(all)]
	h.arrives("", m.From, []byte("From: MAILER-DAEMON@"+m.party+".example\r\nTo: "+m.From+"\r\nX-Failed-Recipients: "+m.To+"\r\n\r\nno such mailbox\r\n"))
	h.did["came back"]++
	h.o.cases[m.id].seats[m.party].cameBack(m.stage)
	h.settleAndJudge()
	if how := []string{"again", "sent", "drop", "", "", ""}[d.c%6]; how != "" {
		h.decides(m.id, m.party, m.stage, how)
	}
}

// newest are the mails with the last stage that somebody was told, and that can come
// back.
func (h *history) newest() (out []historyMail) {
	for _, m := range h.mails {
		c := h.o.cases[m.id]
		if c == nil || m.stage == "" || m.repeat || c.seats[m.party] == nil {
			continue
		}
		s, from := c.seats[m.party], Envelope{To: []string{m.From}, Remote: "192.0.2.1"}
		if !s.gone && s.reached == m.stage && !s.told[m.stage].IsZero() && !s.twice[m.stage] && h.intake.CheckRcpt(context.Background(), from, m.From) == nil {
			out = append(out, m)
		}
	}
	return out
}

// cameBack: nobody read it, and what comes after it waits for a person.
func (s *seatKnown) cameBack(stage cvd.Stage) {
	since := s.told[stage]
	s.back[stage], s.twice[stage] = true, true
	delete(s.told, stage)
	s.reached = ""
	alone := true // or another that left with it has no answer either
	for told, at := range s.told {
		s.reached, alone = higher(s.reached, told), alone && !at.Equal(since)
	}
	if alone && s.firstUnheard.Equal(since) {
		s.firstUnheard = time.Time{}
	}
	for level := range s.leaked {
		s.reached = higher(s.reached, level.Stage())
	}
}

func higher(a, b cvd.Stage) cvd.Stage {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// delivery is what a person says about a stage that came back.
func (h *history) delivery(d deed) {
	id, v := h.caseOf(d), h.vendorOf(d)
	back := slices.Sorted(maps.Keys(h.o.cases[id].seats[v].back))
	if len(back) > 0 {
		h.decides(id, v, back[0], []string{"again", "again", "sent", "drop"}[d.c%4])
	}
}

func (h *history) decides(id cvd.CaseID, v string, stage cvd.Stage, how string) {
	h.about = cameBackTo{h.o.cases[id].seats[v], stage}
	if n := h.notice(id, cvd.PartyID(v), stage); n.Delivery != 0 && h.say(id, fmt.Sprintf("delivery D%d %s", n.Delivery, how)) {
		h.did["delivery "+how]++
	}
}

// answered: a person said that it arrived, or has it go again. What was dropped
// stays where it is, and what stands behind it waits.
func (b cameBackTo) answered(o *oracle, how string) {
	s := b.seat
	switch how {
	case "sent":
		delete(s.back, b.stage)
		s.arrived(b.stage, o.now())
	case "again":
		delete(s.back, b.stage)
		s.resent[b.stage] = true
	}
}

// sentBefore says that a mail left before, byte for byte.
func (h *history) sentBefore(m historyMail) bool {
	return slices.ContainsFunc(h.mails, func(o historyMail) bool { return o.Outer.Get("Message-Id") == m.Outer.Get("Message-Id") })
}

// judgeAgain judges a mail that left before: once more where a person said so, and
// nothing is stopped.
func (o *oracle) judgeAgain(m historyMail) string {
	c := o.cases[m.id]
	if c == nil || c.seats[m.party] == nil || !c.seats[m.party].resent[m.stage] {
		return "twice: it left before, and nobody sent it again"
	}
	s := c.seats[m.party]
	if why := o.stopped(c, s); why != "" || o.revokedAt[m.To] {
		return "stopped: " + why
	}
	o.h.did["mail once more"]++
	delete(s.resent, m.stage)
	s.arrived(m.stage, o.now())
	return ""
}

// arrived: a stage came back, and then got there.
func (s *seatKnown) arrived(stage cvd.Stage, at time.Time) {
	s.told[stage], s.reached = at, higher(s.reached, stage)
	if s.firstUnheard.IsZero() && stage.Rank() < cvd.Advisory.Rank() {
		s.firstUnheard = at
	}
}

package mailflow

import (
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
)

// kitShow is `leak-kit show`: what each level of the leak kit holds, who said yes
// to it, and what would go to each vendor right now.
func kitShow(s *sitting, p *phrase) (string, error) {
	c, err := s.theCase()
	if err != nil {
		return "", err
	}
	if err := p.end(); err != nil {
		return "", err
	}
	if !c.Started() {
		return "", notDone("%s has not started; the leak kit is approved at `start`", c.ID)
	}
	lines, err := s.kitLines(s.tx, c)
	if err != nil {
		return "", err
	}
	lines = append(leakLines(c), lines...)
	ps, err := s.leakTo(c)
	if err != nil {
		return "", err
	}
	l := &looks{within: s.tx}
	for _, level := range cvd.Levels() {
		more, err := s.showLevel(c, level, ps, l)
		if err != nil {
			return "", err
		}
		lines = append(lines, more...)
	}
	return inColumns(lines), nil
}

// showLevel is one level with what would go to whom, in the order in which it
// would go.
func (s *sitting) showLevel(c cvd.Case, level cvd.Level, ps []cvd.Participant, l *looks) ([]string, error) {
	k, err := s.kitOf(s.tx, c, level, l)
	if err != nil {
		return nil, err
	}
	if err := s.withFound(s.tx, &k, ps, l); err != nil {
		return nil, err
	}
	if k.Lacks != "" {
		return []string{fmt.Sprintf("%s: %s", level, k.Lacks)}, nil
	}
	lines := []string{fmt.Sprintf("%s: %s", level, k.holds()), "    " + k.approvedBy(s.tx.Now), "    SHA-256", "    " + k.Hash}
	found, err := kitFoundWords(s.tx, c, []kitLevel{k})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		lines = append(lines, "    ! "+f)
	}
	for i, p := range ps {
		line, err := s.wouldGo(c, k, p, l)
		if err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprintf("    %d. %s", i+1, line))
	}
	return lines, nil
}

// approvedBy says who said yes to a level, or why it cannot be fired.
func (k *kitLevel) approvedBy(now time.Time) string {
	state := k.state(now)
	if state != kitIsReady {
		return state
	}
	if k.Need == 0 {
		return state + ": the policy asks for nobody's yes"
	}
	var by []string
	for _, y := range k.Request.Yes {
		by = append(by, fmt.Sprintf("%s on %s", y.By, utc(y.At)))
	}
	return fmt.Sprintf("%s: %s, by %s", state, k.Request.ID, strings.Join(by, ", "))
}

// wouldGo asks the gate about a level for one vendor as if it were fired now.
func (s *sitting) wouldGo(c cvd.Case, k kitLevel, who cvd.Participant, l *looks) (string, error) {
	h, err := homeOf(s.tx, asLeaked(c, cvd.Leak{At: s.tx.Now, Level: k.Level}), who)
	if err != nil {
		return "", err
	}
	n := cvd.Notice{ID: 1, Case: c.ID, Party: who.Party, Kind: cvd.KindLeak, Level: k.Level, Stage: k.Level.Stage(), State: cvd.Planned, Due: s.tx.Now}
	p, err := s.parcelOf(s.tx, h, n, s.tx.Now, l)
	if err != nil {
		return "", err
	}
	parts := []string{string(who.Party)}
	if who.Footprint != "" {
		parts = append(parts, who.Footprint)
	}
	parts = append(parts, "told "+orNobody(string(who.Reached)), s.planKey(planRow{Question: p.Question, known: p.Pinned}))
	if a := MayRelease(p.Question); a.Decision != Release {
		parts = append(parts, "HELD: "+handWhy(a))
	}
	return strings.Join(parts, "  "), nil
}

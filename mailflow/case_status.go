package mailflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"parley/mailflow/cvd"
)

// deskStatus is `status`: of the case at hand, or of the desk.
func deskStatus(s *sitting, p *phrase) (string, error) {
	if err := p.end(); err != nil {
		return "", err
	}
	sending, err := s.sendingLine()
	if err != nil {
		return "", err
	}
	lines := append([]string{sending}, s.ownKeyLines()...)
	lines = append(lines, s.guardLines()...)
	if s.this != "" {
		c, err := s.theCase()
		if err != nil {
			return "", err
		}
		more, err := s.caseStatus(c)
		return inColumns(append(lines, more...)), err
	}
	all, err := s.seenCases()
	if err != nil {
		return "", err
	}
	var tasks []string
	for _, c := range all {
		open, err := s.openThings(c)
		if err != nil {
			return "", err
		}
		lines = append(lines, caseLine(c)+open)
	}
	if tasks, err = s.taskLines(all); err != nil {
		return "", err
	}
	if s.by.Via != ViaOperator && len(s.told.Restricted) > 0 {
		lines = append(lines, "Cases that not every reader of this may see are left out; ask for each by its tag.")
	}
	waiting, err := s.reportsWaiting()
	return inColumns(append(append(lines, waiting), tasks...)), err
}

func (s *sitting) sendingLine() (string, error) {
	now, err := sendingNow(s.tx)
	if err != nil {
		return "", err
	}
	if now.Overdue {
		return fmt.Sprintf("sending is PAUSED for what was overdue, since %s by %s: %s; the rest leaves, see Approvals", utc(now.At), now.By, now.Because), nil
	}
	if now.Paused {
		return fmt.Sprintf("sending is PAUSED since %s by %s: %s", utc(now.At), now.By, now.Because), nil
	}
	return "sending is on", nil
}

// reportsWaiting counts the reports that belong to no case.
func (s *sitting) reportsWaiting() (string, error) {
	n, err := intakeWaits(s.tx)
	return fmt.Sprintf("Intake: %s in no case yet", count(n, "report")), err
}

// openThings counts what of a case needs a person, as the end of its line.
func (s *sitting) openThings(c cvd.Case) (string, error) {
	l, err := s.look(s.tx, c)
	if err != nil || len(l.needs) == 0 {
		return "", err
	}
	return fmt.Sprintf("; %s a person", plural(len(l.needs), "thing needs", "things need")), nil
}

// taskLines lists the open tasks of some cases, and those of none.
func (s *sitting) taskLines(of []cvd.Case) ([]string, error) {
	open, err := openTasks(s.tx, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range open {
		free := caseTag(r.Case) == "" || r.Case == deskCase
		if free || slices.ContainsFunc(of, func(c cvd.Case) bool { return c.ID == r.Case }) {
			out = append(out, "    "+r.id()+" "+r.shown())
		}
	}
	if len(out) > 0 {
		out = append([]string{plural(len(out), "open task", "open tasks") + "; `claim` takes one, `done` ends it"}, out...)
	}
	return out, nil
}

// statusColumns is the width of what `status` answers.
const statusColumns = 72

// oneLine is what is copied and so stays on one line: a fingerprint in groups of
// four, and a command in backquotes.
var oneLine = regexp.MustCompile("([0-9A-F]{4} ){9}[0-9A-F]{4}|`[^`]{1,60}`")

// inColumns fills lines that are too long; what follows stands further in.
func inColumns(lines []string) string {
	const tied = "\x00" // in the place of a space
	var out []string
	for _, line := range lines {
		line = oneLine.ReplaceAllStringFunc(line, func(s string) string { return strings.ReplaceAll(s, " ", tied) })
		in := line[:len(line)-len(strings.TrimLeft(line, " "))]
		for len([]rune(line)) > statusColumns {
			cut := strings.LastIndexByte(string([]rune(line)[:statusColumns+1]), ' ')
			if cut <= len(in)+4 {
				break // one long word
			}
			out = append(out, strings.TrimRight(line[:cut], " "))
			line = in + "    " + strings.TrimLeft(line[cut:], " ")
		}
		out = append(out, line)
	}
	return strings.ReplaceAll(strings.Join(out, "\n"), tied, " ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// caseStatus is a case in full: its facts, then each participant with what it
// knows, said, and what is held.
func (s *sitting) caseStatus(c cvd.Case) ([]string, error) {
	lines := []string{caseLine(c), "responsible: " + orNobody(c.Responsible) + "; severity: " + orNobody(c.Severity)}
	lines = append(append(lines, leakLines(c)...), exploitedLines(c)...)
	kit, err := s.kitLines(s.tx, c)
	if err != nil {
		return nil, err
	}
	lines = append(lines, kit...)
	if h := c.LegalHold; h != nil {
		lines = append(lines, fmt.Sprintf("under LEGAL HOLD since %s: %s", utc(h.At), h.Because))
	}
	if c.KeptAt(s.tx.Now) {
		lines = append(lines, "KEPT until "+utc(c.Kept.Until)+", said "+c.Kept.By+": "+c.Kept.Because)
	}
	if len(c.Restricted) > 0 {
		lines = append(lines, "seen only by: "+strings.Join(c.Restricted, ", "))
	}
	l, err := s.look(s.tx, c)
	if err != nil {
		return nil, err
	}
	for _, need := range l.needs {
		if !slices.Contains(lines, need) { // what leaked, or is exploited, stands above
			lines = append(lines, "needs a person: "+need)
		}
	}
	for _, i := range l.intros {
		lines = append(lines, "introduction: "+i)
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		all, err := Notices(s.tx, c.ID, p.Party)
		if err != nil {
			return nil, err
		}
		ref, err := s.refLine(s.tx, p)
		if err != nil {
			return nil, err
		}
		lines = append(lines, participantLine(c, p, ref))
		for _, n := range all {
			if why := openNotice(n); why != "" {
				lines = append(lines, "    "+why)
			}
		}
	}
	return lines, nil
}

func orNobody(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func participantLine(c cvd.Case, p cvd.Participant, ref string) string {
	var roles []string
	for _, r := range p.Roles {
		roles = append(roles, string(r))
	}
	parts := []string{string(p.Party), strings.Join(roles, "+")}
	if p.Has(cvd.RoleVendor) {
		parts = append(parts, fmt.Sprintf("wave %d", p.Wave), "told "+orNobody(string(p.Reached)))
	}
	if p.Footprint != "" {
		parts = append(parts, "footprint "+p.Footprint)
	}
	if a := p.Acknowledged; a != nil {
		parts = append(parts, "acknowledged via "+a.Via)
	}
	if v := p.Accepted(); v > 0 {
		parts = append(parts, fmt.Sprintf("accepted v%d until %s", v, utc(c.End(p))))
	}
	if len(p.Requested) > 0 {
		parts = append(parts, "asked for "+requestedWords(p))
	}
	if p.Declined != nil {
		parts = append(parts, "declined: "+p.Declined.Because)
	}
	if st := p.Status(); st.Word != "" {
		parts = append(parts, strings.TrimSpace(st.Word+" "+st.Text))
	}
	if r := p.Ready; r != nil {
		parts = append(parts, "ready by "+day(r.By))
	}
	parts = append(parts, ownDayWords(p)...)
	if p.TheirRef != "" {
		parts = append(parts, ref)
	}
	if p.Hold != nil {
		parts = append(parts, heldLine(*p.Hold))
	}
	if p.Withdrawn != nil {
		parts = append(parts, "withdrawn: "+p.Withdrawn.Because)
	}
	return strings.Join(parts, "  ")
}

// openNotice says why a notice needs somebody, or "".
func openNotice(n cvd.Notice) string {
	if cameBack(n) {
		return noticeName(n) + " " + planState(n)
	}
	switch n.State {
	case cvd.Held, cvd.Approval, cvd.Waiting, cvd.Unknown, cvd.Failed:
		return noticeName(n) + " " + planState(n)
	}
	return ""
}

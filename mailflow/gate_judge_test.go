package mailflow

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// historyMail is a mail that left, opened by the vendor that it went to.
type historyMail struct {
	letterGot
	party  string
	id     cvd.CaseID // of the case; none in what is content-free
	stage  cvd.Stage  // of stages and reminders
	repeat bool       // it is a reminder
	level  cvd.Level  // of a notice about a leak
	asks   int        // of a question about an introduction: its number
	of     string     // of an introduction: whom it names
	counts bool       // it is for an observer
}

// judgeNew judges what left since it was last asked, in the order of the stages.
func (h *history) judgeNew() {
	h.t.Helper()
	all := h.sink.Mails()
	var fresh []historyMail
	for _, m := range all[h.seen:] {
		fresh = append(fresh, h.openMail(m))
	}
	h.seen = len(all)
	before := h.o.countsNow()
	slices.SortStableFunc(fresh, func(a, b historyMail) int { return a.order() - b.order() })
	for _, m := range fresh {
		if h.sentBefore(m) {
			if why := h.o.judgeAgain(m); why != "" {
				h.t.Fatalf("%s\n%q to %s once more, at %s", why, m.Subject, m.party, utc(h.clock.Now()))
			}
			continue
		}
		if why := h.o.judge(m); why != "" {
			h.t.Fatalf("%s\n%q to %s at %s, from scope on %s:\n%s", why, m.Subject, m.party, utc(h.clock.Now()), h.o.told(m), m.Text)
		}
		h.mails = append(h.mails, m)
	}
	if why := h.o.countsFit(before); why != "" {
		h.t.Fatalf("%s", why)
	}
}

// order is in which order mails of one instant are judged: those of stages as these
// follow each other, a leak at the stage that it tells, and then what answers for one
// of them, and names, which no pause after a change of keys keeps from who just learned
// what is public.
func (m historyMail) order() int {
	if m.level != "" {
		return m.level.Stage().Rank()
	}
	if m.of != "" || m.stage == "" && faqMark.MatchString(m.everything()) {
		return len(cvd.Stages()) + 1
	}
	return m.stage.Rank()
}

func (o *oracle) told(m historyMail) string {
	if c := o.cases[m.id]; c != nil && c.seats[m.party] != nil {
		return fmt.Sprintf("%+v, ends %v", *c.seats[m.party], c.ends)
	}
	return "no case"
}

// keysFor are the keys that a mail may be encrypted to: of a stage those that this
// needs, of a letter those that the last stage needed, or confirmed ones.
func (o *oracle) keysFor(m historyMail) [][]string {
	trusts := []keyring.Trust{keyring.Confirmed}
	if c := o.cases[m.id]; c != nil && c.seats[m.party] != nil {
		stage := c.seats[m.party].reached
		if m.stage != "" {
			stage = m.stage
		}
		if rule, ok := o.policy(c).Rule(stage); ok {
			trusts = append(trusts, keyring.Trust(rank(rule.Trust)))
		}
		if m.stage != "" || m.level != "" {
			trusts = trusts[len(trusts)-1:]
		}
		switch {
		case m.counts:
			trusts = trusts[:1]
		case m.of != "":
			trusts = []keyring.Trust{o.introTrust(c, c.seats[m.party])}
		}
	}
	var out [][]string
	for _, t := range trusts {
		out = append(out, o.usable(m.party, t))
	}
	return out
}

// read tells what a mail is by its inner Subject.
func (h *history) read(m historyMail) historyMail {
	if ids := cvd.FindCaseIDs(m.Subject); len(ids) == 1 {
		m.id = ids[0]
	}
	if mark := stageMark.FindStringSubmatch(m.Subject); mark != nil {
		m.stage, m.repeat = cvd.Stage(strings.ToLower(mark[1])), strings.Contains(m.Subject, "(reminder)")
	}
	if strings.Contains(m.Subject, "LEAK: ") {
		m.stage = ""
		m.level = cvd.Rumour
		if h.o.cases[m.id] != nil && len(h.o.cases[m.id].leaks) > 0 {
			m.level = h.o.cases[m.id].leaks[len(h.o.cases[m.id].leaks)-1]
		}
	}
	m.readPair()
	return m
}

// judge says what is wrong with a mail that left, and remembers it.
func (o *oracle) judge(m historyMail) string {
	if date, err := m.Outer.Date(); err != nil || !date.Equal(o.now().Truncate(time.Second)) {
		return fmt.Sprintf("misdated: %s", date)
	}
	if o.revokedAt[m.To] {
		return "stopped: " + m.To + " was taken back"
	}
	if m.Clear {
		o.h.did["mail clear"]++
		if m.stage != "" || m.id != "" || len(textMark.FindAllString(m.everything(), -1)) > 0 || o.paused != "" {
			return "in clear: it tells of a case, or sending is paused " + o.paused
		}
		return ""
	}
	c := o.cases[m.id]
	if c == nil || c.seats[m.party] == nil {
		return "misled: no such case, or no such vendor in it"
	}
	s := c.seats[m.party]
	if why := o.stopped(c, s); why != "" {
		return "stopped: " + why
	}
	if why := o.wrongTexts(c, s, m); why != "" {
		return "wrong texts: " + why
	}
	if s.observes && m.stage != cvd.Public {
		return o.judgeObserver(c, s, m)
	}
	switch {
	case m.asks > 0 || m.of != "":
		return o.judgePair(c, s, m)
	case m.level != "":
		return o.judgeLeak(c, s, m)
	case m.stage == "":
		o.h.did["mail other"]++
		return ""
	case m.repeat:
		o.h.did["mail reminder"]++
		if m.stage != s.reached || c.closed || s.firstUnheard.IsZero() || len(c.leaks) > 0 {
			return "reminded: of what it was not told last, or answered"
		}
		if day := o.now().Weekday(); day == time.Saturday || day == time.Sunday {
			return "reminded: nobody works there on a " + day.String()
		}
		if s.reminded.Equal(o.now()) {
			return "reminded: twice at once"
		}
		s.reminded = o.now()
		return ""
	}
	o.h.did["mail stage"]++
	if s.finder {
		o.h.did["mail stage to a finder"]++
	}
	if rule, _ := o.policy(c).Rule(m.stage); len(o.h.people) == 1 && rule.Approvals > 0 {
		o.h.did["mail stage of a desk of one"]++
	}
	if why := o.mayGo(c, m.party, s, m.stage); why != "" {
		return why
	}
	s.told[m.stage], s.reached = o.now(), m.stage
	if s.firstUnheard.IsZero() && m.stage.Rank() < cvd.Advisory.Rank() {
		s.firstUnheard = o.now()
	}
	return ""
}

func (o *oracle) judgeLeak(c *caseKnown, s *seatKnown, m historyMail) string {
	o.h.did["mail leak"]++
	if !slices.Contains(c.leaks, m.level) || c.closed || s.leaked[m.level] {
		return "leak: nobody fired it, or it was told before"
	}
	s.leaked[m.level] = true
	if stage := m.level.Stage(); stage.Rank() > s.reached.Rank() {
		s.reached = stage
	}
	return ""
}

var (
	textMark = regexp.MustCompile(`text\d+of[a-z0-9]+`)
	faqMark  = regexp.MustCompile(`shared\d+faq`)
)

// everything is all that a mail says, as its vendor reads it.
func (m historyMail) everything() string {
	out := []string{m.Subject, m.Text}
	for name, data := range m.Files {
		if name != "our-key.asc" {
			out = append(out, name, data)
		}
	}
	return strings.Join(out, "\n")
}

// wrongTexts says what a mail holds above its stage, of another vendor, of before
// an edit, or what it lacks.
func (o *oracle) wrongTexts(c *caseKnown, s *seatKnown, m historyMail) string {
	var want []string
	for _, stage := range m.pieces() {
		want = append(want, c.texts[stage], s.annexFor(stage))
	}
	want = slices.DeleteFunc(want, func(t string) bool { return t == "" })
	got := slices.Compact(slices.Sorted(slices.Values(textMark.FindAllString(m.everything(), -1))))
	if slices.Sort(want); !slices.Equal(got, want) {
		return fmt.Sprintf("it holds %q, want %q", got, want)
	}
	for _, faq := range faqMark.FindAllString(m.everything(), -1) {
		if stage, ok := c.faqs[faq]; !ok || stage.Rank() > max(s.reached.Rank(), m.stage.Rank(), m.level.Stage().Rank()) {
			return fmt.Sprintf("it holds %s, an answer for %s", faq, stage)
		}
	}
	return ""
}

// pieces are the materials that a mail is made of.
func (m historyMail) pieces() []cvd.Stage {
	switch {
	case m.level == cvd.Rumour:
		return []cvd.Stage{cvd.Holding}
	case m.level != "":
		return []cvd.Stage{cvd.Holding, cvd.Details}
	case m.stage == "" || m.stage == cvd.HeadsUp:
		return nil
	}
	return []cvd.Stage{m.stage}
}

package mailflow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Bounds on how long the desk gives itself to hand a leak to everybody.
const (
	leastWithin = time.Minute
	mostWithin  = 24 * time.Hour
)

// caseLeak is `leak URL stage LEVEL within DURATION`: something of the case is
// public, and every vendor of it is told what that level of the leak kit holds,
// now. One coordinator fires it; the kit was approved before.
func caseLeak(s *sitting, p *phrase) (string, error) {
	if s.by.Via == ViaOperator {
		return "", notDone("leak counts only in a mail signed by a coordinator; the operator cannot give it, and nothing was sent")
	}
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	leak, err := s.leakFrom(p)
	if err != nil {
		return "", err
	}
	if err := s.mayFire(c, leak.Level); err != nil {
		return "", err
	}
	return s.fire(c, leak)
}

// leakFrom reads what leaked, where, and by when everybody is to know.
func (s *sitting) leakFrom(p *phrase) (l cvd.Leak, err error) {
	l = cvd.Leak{At: s.tx.Now, By: s.by.Name}
	where, err := p.next("where it leaked, an address,")
	if err != nil {
		return l, err
	}
	if l.URL, err = leakURL(where); err != nil {
		return l, err
	}
	if !p.word("stage") {
		return l, notDone("how much leaked is missing (rumour, details, exploit); write: %s", p.usage)
	}
	word, err := p.next("how much leaked (rumour, details, exploit)")
	if err != nil {
		return l, err
	}
	if l.Level, err = cvd.ParseLevel(word); err != nil {
		return l, notDone("%v%s; write: %s", err, nearest(strings.ToLower(word), levelWords()), p.usage)
	}
	if !p.word("within") {
		return l, notDone("by when everybody is to have it is missing, such as within 30m; write: %s", p.usage)
	}
	if word, err = p.next("a time such as 30m after within"); err != nil {
		return l, err
	}
	if l.Within, err = cvd.ParseDuration(strings.ToLower(word)); err != nil {
		return l, notDone("%v; nothing was sent", err)
	}
	if l.Within < leastWithin || l.Within > mostWithin {
		return l, notDone("within %s: it is between 1m and 24h; nothing was sent", word)
	}
	return l, p.end()
}

func levelWords() []string {
	var out []string
	for _, l := range cvd.Levels() {
		out = append(out, string(l))
	}
	return out
}

// mayFire refuses what cannot be fired now, with what to do about it.
func (s *sitting) mayFire(c cvd.Case, level cvd.Level) error {
	last := c.Leak()
	switch {
	case !c.Started():
		return notDone("%s has not started, and nobody was told anything of it; the leak kit is approved at `start`", c.ID)
	case !s.tx.Now.Before(c.Embargo().End):
		return notDone("the embargo of %s ended %s, and all of it is public", c.ID, utc(c.Embargo().End))
	case last.Level.Rank() >= level.Rank():
		return already("a leak of %s is on record since %s, at %s; whom it did not reach yet says `plan`", last.Level, utc(last.At), defangedWord(last.URL))
	}
	k, err := s.kitOf(s.tx, c, level, &looks{within: s.tx})
	if err != nil {
		return err
	}
	return s.kitReady(c, &k)
}

// kitReady refuses a level that nobody said yes to.
func (s *sitting) kitReady(c cvd.Case, k *kitLevel) error {
	state := k.state(s.tx.Now)
	if state == kitIsReady {
		return nil
	}
	ready, err := s.kitLine(s.tx, c)
	if err != nil {
		return err
	}
	next, err := s.kitNext(c, k)
	if err != nil {
		return err
	}
	return notDone("nothing was sent, and no date moved: of the %s, %s is not ready. %s; `hold case` stops what has not left", ready, k.Level, next)
}

// kitNext says what has to come before a level can be fired.
func (s *sitting) kitNext(c cvd.Case, k *kitLevel) (string, error) {
	asked := k.Request != nil && k.bound()
	switch {
	case k.Rule.Stage == "":
		return "What is ready can be fired; a stage that the policy does not have never is", nil
	case k.Lacks != "":
		return fmt.Sprintf("Write it in a mail to %s.%s@%s, have it approved, and give it again", k.Level.Stage(), c.ID.Lower(), s.DeskDomain), nil
	case asked && k.Request.Granted():
		return "Give it again then", nil
	case !asked || !k.Request.Open():
		return "Once it is approved, give it again", nil
	}
	desk, err := Coordinators(s.tx)
	if len(desk) == 1 {
		return fmt.Sprintf("Nobody else is on the desk: say yes yourself with `approve %s`, wait %s, and give it again", k.Request.ID, cvd.FormatDuration(s.CoolOff)), err
	}
	if shared, failed := allWrote(s.tx, *k.Request); shared || failed != nil {
		return fmt.Sprintf("Two of you say yes with `approve %s`, since each of you wrote part of it; then give it again", k.Request.ID), errors.Join(err, failed)
	}
	return fmt.Sprintf("Another coordinator says yes with `approve %s`; then give it again", k.Request.ID), err
}

// kitIsReady is the state of a level that can be fired.
const kitIsReady = "ready"

// state says how a level stands, in the words of `status`.
func (k *kitLevel) state(now time.Time) string {
	a := k.Request
	switch {
	case k.Lacks != "":
		return k.Lacks
	case k.Need == 0:
		return kitIsReady
	case a == nil || !k.bound():
		return "not asked for yet"
	case a.Open():
		return "waits " + a.ID
	case !a.Granted():
		return "not approved: " + a.ID + " " + a.How
	case now.Before(a.Cool):
		return "ready after " + utc(a.Cool)
	}
	return kitIsReady
}

// kitLine says in one line how the leak kit of a case stands: "leak kit: rumour
// ready, details waits 9f3a-27c1, exploit: no material".
func (b *Base) kitLine(tx *store.Tx, c cvd.Case) (string, error) {
	var parts []string
	l := &looks{sums: true}
	for _, level := range cvd.Levels() {
		k, err := b.kitOf(tx, c, level, l)
		if err != nil {
			return "", err
		}
		sep := " "
		if k.Lacks != "" || strings.HasPrefix(k.state(tx.Now), "not") {
			sep = ": "
		}
		parts = append(parts, string(level)+sep+k.state(tx.Now))
	}
	return "leak kit: " + strings.Join(parts, ", "), nil
}

// kitLines is kitLine while it matters: from the start to the end of a case.
func (b *Base) kitLines(tx *store.Tx, c cvd.Case) ([]string, error) {
	if !c.Started() || !c.Closed.IsZero() || !tx.Now.Before(c.Embargo().End) {
		return nil, nil
	}
	line, err := b.kitLine(tx, c)
	return []string{line}, err
}

// leakLines say in a status and a case file what of it is public.
func leakLines(c cvd.Case) []string {
	var out []string
	for _, l := range c.Leaks {
		out = append(out, fmt.Sprintf("LEAKED: %s, since %s, at %s, filed by %s", l.Level, utc(l.At), defangedWord(l.URL), l.By))
	}
	return out
}

// kitNeeds is kitLine where a level waits for somebody.
func (b *Base) kitNeeds(tx *store.Tx, c cvd.Case) ([]string, error) {
	lines, err := b.kitLines(tx, c)
	if err != nil || len(lines) == 0 || !strings.Contains(lines[0], "waits ") && !strings.Contains(lines[0], "not approved") {
		return nil, err
	}
	return lines, nil
}

// leakOrders are the lines that fire each level of the leak kit that is ready,
// with what a party wrote where that is an address, defanged as `leak` takes it.
func (b *Base) leakOrders(tx *store.Tx, c cvd.Case, wrote string) (string, error) {
	lines, err := b.kitLines(tx, c)
	if err != nil || len(lines) == 0 {
		return "", err
	}
	where := "URL"
	if u, err := leakURL(wrote); err == nil && len(u) <= maxAlarm {
		where = defangedWord(u)
	}
	out := ""
	for _, level := range cvd.Levels() {
		k, err := b.kitOf(tx, c, level, &looks{sums: true})
		if err != nil {
			return "", err
		}
		if level.Rank() > c.Leak().Level.Rank() && k.state(tx.Now) == kitIsReady {
			out += fmt.Sprintf("    case %s\n    leak %s stage %s within 30m\n", c.ID, where, level)
		}
	}
	said := "(" + lines[0] + "); it cannot be undone\n"
	if out == "" {
		return "nothing of the leak kit can be fired now " + said + "so that what is left is\n", nil
	}
	return out + "to tell every vendor, one of these " + said + "or\n", nil
}

package mailflow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
	"parley/templates"
)

// fire does all that a leak means in one transaction: it is on record, dates
// move, what it tells anyway is not told again, and one notice for each vendor
// is due now. It cannot be undone; hold stops what has not left.
func (s *sitting) fire(c cvd.Case, leak cvd.Leak) (string, error) {
	was := c.Embargo()
	c.Leaks = append(slices.Clone(c.Leaks), leak)
	if end := c.LeakEnd(leak); end.Before(was.End) {
		c.Embargoes = append(slices.Clone(c.Embargoes), cvd.Embargo{Version: was.Version + 1, End: end, Because: leakBecause(leak), By: s.by.Name, At: s.tx.Now})
	}
	detail := fmt.Sprintf("%s, within %s", leak.Level, cvd.FormatDuration(leak.Within))
	if err := s.changeCase(c, "leak", detail); err != nil {
		return "", err
	}
	if err := s.dropDelays(c); err != nil {
		return "", err
	}
	to, err := s.leakTo(c)
	if err != nil {
		return "", err
	}
	var ids []cvd.Notice
	for _, p := range to {
		if err := s.overtaken(p, leak); err != nil {
			return "", err
		}
		n, err := s.newNotice(s.tx, cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindLeak, Level: leak.Level, Stage: leak.Level.Stage(),
			Code: cvd.NewCode(), Version: c.Embargo().Version, LastAct: s.tx.Now, ByNeed: true}, nil)
		if err != nil {
			return "", err
		}
		ids = append(ids, n)
	}
	if err := s.tellFinders(c, leak, was); err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	if err := errors.Join(s.watchLeak(s.tx, c), watch(s.tx, c.ID)); err != nil {
		return "", err
	}
	return s.fired(c, leak, was, ids)
}

// leakTo are the vendors of a case, the largest footprint first; those of which
// nobody knows it come last, by wave and name.
func (s *sitting) leakTo(c cvd.Case) ([]cvd.Participant, error) {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, err
	}
	ps = slices.DeleteFunc(ps, func(p cvd.Participant) bool { return !inKit(p) })
	byFootprint(ps)
	return ps, nil
}

func byFootprint(ps []cvd.Participant) {
	size := func(p cvd.Participant) float64 {
		f, err := cvd.ParseFootprint(p.Footprint)
		if err != nil {
			return -1
		}
		return f.N
	}
	slices.SortStableFunc(ps, func(x, y cvd.Participant) int {
		return cmp.Or(cmp.Compare(size(y), size(x)), cmp.Compare(x.Wave, y.Wave), cmp.Compare(x.Party, y.Party))
	})
}

// overtaken ends what a leak tells anyway or makes pointless: stages up to its
// own, reminders, an earlier leak that has not left, and notices of dates.
func (s *sitting) overtaken(p cvd.Participant, leak cvd.Leak) error {
	all, err := Notices(s.tx, p.Case, p.Party)
	if err != nil {
		return err
	}
	for _, n := range all {
		stage := n.Kind == cvd.KindStage && n.Stage.Rank() <= leak.Level.Stage().Rank()
		if n.State.Over() || !stage && n.Kind != cvd.KindReminder && n.Kind != cvd.KindLeak && n.Kind != cvd.KindEmbargo {
			continue
		}
		if err := s.cancel(s.tx, n, "the leak of "+string(leak.Level)+" tells it"); err != nil {
			return err
		}
	}
	return nil
}

// tellFinders writes to everybody who reported it. What it says is a template's:
// nothing of a vendor stands in it.
func (s *sitting) tellFinders(c cvd.Case, leak cvd.Leak, was cvd.Embargo) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if !p.Has(cvd.RoleFinder) || p.Has(cvd.RoleVendor) || p.Withdrawn != nil {
			continue // who is a vendor as well is told as one
		}
		to, err := spokenTo(s.tx, p)
		if err != nil {
			return err
		}
		v := templates.LeakFinder{Us: s.us(), To: to, Case: c.ID, Level: leak.Level, Leaked: leak.At, End: c.Embargo().End}
		if rule, ok := c.Policy.Rule(leak.Level.Stage()); ok {
			v.TLP = rule.TLP
		}
		if !was.End.Equal(v.End) {
			v.Old = was.End
		}
		names, err := s.urlNames(s.tx, c.ID, leak.URL, p.Party)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			v.URL = defangedWord(leak.URL)
		}
		text, err := s.Templates.LeakFinder(v)
		if err != nil {
			return err
		}
		n := cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindLetter, LastAct: s.tx.Now, ByNeed: true}
		if _, err := s.newNotice(s.tx, n, &Letter{Subject: text.Subject, Text: text.Text, Author: s.by.Name}); err != nil {
			return err
		}
		if err := record(s.tx, journal.Record{Case: string(c.ID), Party: string(p.Party), Actor: s.by.Name, Kind: "letter", Detail: "leak"}); err != nil {
			return err
		}
	}
	return nil
}

// fired says what happens now.
func (s *sitting) fired(c cvd.Case, leak cvd.Leak, was cvd.Embargo, all []cvd.Notice) (string, error) {
	var going, held []string
	l := &looks{within: s.tx}
	for _, n := range all {
		p, err := s.gather(s.tx, dueRow{Case: n.Case, Party: n.Party, Notice: n.ID}, s.tx.Now, l)
		if err != nil {
			return "", err
		}
		if a := MayRelease(p.Question); a.Decision == Release {
			going = append(going, string(n.Party))
		} else {
			held = append(held, fmt.Sprintf("%s: %s", n.Party, handWhy(a)))
		}
	}
	said := []string{fmt.Sprintf("a leak of %s is on record, at %s (not opened)", leak.Level, defangedWord(leak.URL)),
		fmt.Sprintf("now, in this order, to %s: %s", count(len(going), "vendor"), orNobody(strings.Join(going, ", ")))}
	if len(held) > 0 {
		said = append(said, "NOT to "+strings.Join(held, "; "))
	}
	if now := c.Embargo(); now.Version != was.Version {
		said = append(said, fmt.Sprintf("the embargo ends %s (v%d), not %s", utc(now.End), now.Version, utc(was.End)))
	} else {
		said = append(said, "the embargo stays, until "+utc(now.End))
	}
	hidden, err := s.urlHidden(c, leak, all)
	if err != nil {
		return "", err
	}
	if hidden != "" {
		said = append(said, "the address is left out of what goes to "+hidden+", since it names somebody else")
	}
	said = append(said, fmt.Sprintf("who does not have it by %s is in an alarm then", utc(leak.At.Add(leak.Within))),
		"this cannot be undone; `hold all` stops what has not left")
	return inColumns(said), nil
}

// urlHidden names those whom the address is not told.
func (s *sitting) urlHidden(c cvd.Case, leak cvd.Leak, all []cvd.Notice) (string, error) {
	var to []cvd.PartyID
	for _, n := range all {
		names, err := s.urlNames(s.tx, c.ID, leak.URL, n.Party)
		if err != nil {
			return "", err
		}
		if len(names) > 0 {
			to = append(to, n.Party)
		}
	}
	return partyList(to), nil
}

// wakeLeaks asks the gate again about what of a leak has not left: its kit has
// an answer.
func (b *Base) wakeLeaks(tx *store.Tx, id cvd.CaseID) error {
	ps, err := Participants(tx, id)
	if err != nil {
		return err
	}
	for _, p := range ps {
		all, err := Notices(tx, id, p.Party)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		for _, n := range all {
			if n.Kind != cvd.KindLeak {
				continue
			}
			if err := wakeOne(tx, n, false); err != nil {
				return err
			}
		}
	}
	b.touch(tx, id)
	return nil
}

// lateForLeak says that a vendor came, or came back, after a leak was fired, and
// was not sent it. One that a person dropped from the queue is not sent again.
func lateForLeak(c cvd.Case, p cvd.Participant, all []cvd.Notice) bool {
	level := c.Leak().Level
	return level != "" && inKit(p) && !slices.ContainsFunc(all, func(n cvd.Notice) bool {
		return n.Kind == cvd.KindLeak && n.Level == level && (n.State != cvd.Cancelled || n.Delivery != 0)
	})
}

// tellNewcomer sends the leak to a vendor that comes after it. Who was invited by
// mistake can be withdrawn until then.
func (b *Base) tellNewcomer(tx *store.Tx, c cvd.Case, p cvd.Participant, all []cvd.Notice) error {
	if !lateForLeak(c, p, all) || !tx.Now.Before(c.Embargo().End) {
		return nil
	}
	level := c.Leak().Level
	_, err := b.newNotice(tx, cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindLeak, Level: level, Stage: level.Stage(), Code: cvd.NewCode(),
		Version: c.Embargo().Version, Due: tx.Now.Add(b.Undo), LastAct: tx.Now}, nil)
	return err
}

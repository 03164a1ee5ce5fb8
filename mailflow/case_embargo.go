package mailflow

import (
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/templates"
)

// caseEmbargo is `embargo DATE [force] because "…"`. Before the start it names
// the end that the case will have; after it, it is a new version, and everybody
// who was told learns it.
func caseEmbargo(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	end, err := p.instant("force", "because")
	if err != nil {
		return "", err
	}
	forced := p.word("force")
	why, err := p.reason(true)
	if err != nil {
		return "", err
	}
	return s.moveEnd(c, end, forced, why)
}

// moveEnd gives a case another end.
func (s *sitting) moveEnd(c cvd.Case, end cvd.Instant, forced bool, why string) (string, error) {
	was := c.Embargo()
	if err := s.mayEnd(c, end.At); err != nil {
		return "", err
	}
	if err := s.mayPublish(c, end, forced); err != nil {
		return "", err
	}
	s.undo = &undoRow{Verb: "embargo", Case: c.ID, Is: end.At, Case0: copyOf(c)}
	fresh := cvd.Embargo{Version: was.Version + 1, End: end.At, Zone: end.Zone, Because: why, By: s.by.Name, At: s.tx.Now}
	if !c.Started() {
		fresh.Version, c.Embargoes = 1, nil
	}
	c.Embargoes = append(slices.Clone(c.Embargoes), fresh)
	if err := s.changeCase(c, "embargo", fmt.Sprintf("v%d %s: %s", fresh.Version, utc(fresh.End), why)); err != nil {
		return "", err
	}
	if err := s.dropDelays(c); err != nil {
		return "", err
	}
	if err := s.taskDone(s.tx, exploitedTask(c.ID)); err != nil { // the date was what it asked for
		return "", err
	}
	told, err := s.tellEmbargo(c)
	if err != nil {
		return "", err
	}
	if err := s.replan(s.tx, c.ID); err != nil {
		return "", err
	}
	said := fmt.Sprintf("the embargo of %s ends %s (v%d)", c.ID, utc(fresh.End), fresh.Version)
	if c.Started() {
		said += fmt.Sprintf(", not %s; %s of it", utc(was.End), count(told, "participant")+" will be told")
	}
	frozen, err := s.frozenLine(c)
	return said + frozen, err
}

// mayEnd checks the new end of an embargo.
func (s *sitting) mayEnd(c cvd.Case, end time.Time) error {
	was := c.Embargo()
	switch {
	case !end.After(s.tx.Now):
		return notDone("%s has passed; name an instant to come", utc(end))
	case c.Started() && !s.tx.Now.Before(was.End):
		return notDone("the embargo of %s ended %s, and what is public stays so", c.ID, utc(was.End))
	case c.Started() && !end.After(c.Start):
		return notDone("%s starts only %s", c.ID, utc(c.Start))
	case end.Equal(was.End):
		return notDone("the embargo of %s ends %s already (v%d)", c.ID, utc(end), was.Version)
	}
	if gone, err := s.publicLeft(c); err != nil || gone != "" {
		if err != nil {
			return err
		}
		return notDone("what is public went to %s already, and cannot be taken back; no date was moved. If the clock was put back since, see first that it is right", gone)
	}
	usual := was.End
	if len(c.Embargoes) == 0 {
		usual = s.tx.Now.Add(c.Policy.Embargo)
		if end, ok := c.Policy.FirstEnd(s.tx.Now, time.UTC); ok {
			usual = end
		}
	}
	if end.Before(usual) {
		return s.mustBeProved("embargo", "moves the end earlier")
	}
	return nil
}

// publicLeft names a vendor of a running case that was told what is public, or
// none: an end that lies ahead all the same is that of a clock that was put back.
func (s *sitting) publicLeft(c cvd.Case) (cvd.PartyID, error) {
	if !c.Started() {
		return "", nil
	}
	ps, err := Participants(s.tx, c.ID)
	i := slices.IndexFunc(ps, func(p cvd.Participant) bool { return p.Reached == cvd.Public })
	if err != nil || i < 0 {
		return "", err
	}
	return ps[i].Party, nil
}

// dropDelays forgets dates that a coordinator set for single stages and that
// the new end has overtaken; these stages follow the policy again.
func (s *sitting) dropDelays(c cvd.Case) error {
	ps, err := Participants(s.tx, c.ID)
	if err != nil || !c.Started() {
		return err
	}
	for _, p := range ps {
		end, kept := c.End(p), map[cvd.Stage]time.Time{}
		for stage, at := range p.Delays {
			if overtaken := stage == cvd.Public && at.Before(c.Embargo().End) || stage != cvd.Public && at.After(end); !overtaken {
				kept[stage] = at
			}
		}
		if len(kept) == len(p.Delays) {
			continue
		}
		p.Delays = kept
		if err := PutParticipant(s.tx, p); err != nil {
			return err
		}
	}
	return nil
}

// tellEmbargo writes the new date to every vendor that was told something. A
// shorter one informs; a longer one asks for a new ACCEPT.
func (s *sitting) tellEmbargo(c cvd.Case) (int, error) {
	if !c.Started() {
		return 0, nil
	}
	ps, err := Participants(s.tx, c.ID)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range ps {
		if p.Withdrawn != nil || p.Reached == "" || !p.Has(cvd.RoleVendor) {
			continue
		}
		known, err := s.datesKnown(c, p)
		if err != nil {
			return n, err
		}
		if known.End(p).Equal(c.Embargo().End) {
			continue
		}
		if err := s.embargoNotice(c, p, known.End(p)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// datesKnown is the case before its newest date, as a participant knows it: a
// version of which the notice has not left yet is not told any more.
func (s *sitting) datesKnown(c cvd.Case, p cvd.Participant) (cvd.Case, error) {
	all, err := Notices(s.tx, c.ID, p.Party)
	if err != nil {
		return c, err
	}
	first := c.Embargo().Version
	for _, n := range all {
		if n.Kind != cvd.KindEmbargo || n.State.Over() {
			continue
		}
		first = min(first, n.Version)
		if err := s.cancel(s.tx, n, "replaced by a later version"); err != nil {
			return c, err
		}
	}
	c.Embargoes = c.Embargoes[:first-1]
	return c, nil
}

// embargoNotice tells one participant the new date; old is the one that bound
// it so far, which is not the last one where it never agreed to that.
func (s *sitting) embargoNotice(c cvd.Case, p cvd.Participant, old time.Time) error {
	party, err := PartyByID(s.tx, p.Party)
	if err != nil {
		return err
	}
	fresh := c.Embargo()
	v := templates.Embargo{Us: s.us(), To: spoken(p, party), Case: c.ID, Version: fresh.Version, Old: old, New: fresh.End, Zone: party.Zone,
		Code: cvd.NewCode(), Asks: fresh.End.After(old)}
	if rule, ok := c.Policy.Rule(p.Reached); ok {
		v.TLP = rule.TLP
	}
	text, err := s.Templates.Embargo(v)
	if err != nil {
		return err
	}
	_, err = s.newNotice(s.tx, cvd.Notice{Case: c.ID, Party: p.Party, Kind: cvd.KindEmbargo, Code: v.Code, Version: fresh.Version, LastAct: s.tx.Now},
		&Letter{Subject: text.Subject, Text: text.Text, Author: s.by.Name})
	return err
}

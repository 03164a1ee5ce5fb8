package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// caseMerge is `case merge TAG`: the case at hand takes in another one, about
// the same flaw. Policy, dates, texts and approvals of the case at hand stay as
// they are; what the other had written for its stages is taken in as notes. The
// other is closed, and whatever still comes for it, at its addresses or about
// its mails, arrives here.
//
// Only a case that was not started is taken in: whose vendors agreed to another
// embargo under another number cannot be asked to have agreed to this one.
func caseMerge(s *sitting, p *phrase) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	tag, err := p.only("the tag of the case to be taken in")
	if err != nil {
		return "", err
	}
	other, err := s.caseNamed(tag)
	if err != nil {
		return "", err
	}
	ps, err := Participants(s.tx, other.ID)
	if err != nil {
		return "", err
	}
	if err := s.mayMerge(c, other, ps); err != nil {
		return "", err
	}
	names, fresh, err := s.mergedNames(c, ps)
	if err != nil {
		return "", err
	}
	if len(fresh) > 0 {
		if err := s.mustBeProved("case merge "+string(other.ID), "adds a recipient ("+partyList(fresh)+")"); err != nil {
			return "", err
		}
	}
	left, err := s.staysBehind(c, ps, names)
	if err != nil {
		return "", err
	}
	if err := s.takeIn(&c, other, ps, names); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s is merged into %s: %s, %s; policy, dates and texts of %s stay, and what %s had for its stages is in Notes",
		other.ID, c.ID, count(len(other.Reports), "report"), count(len(ps), "participant"), c.ID, other.ID) + behindLine(left)
	if err := threadsRenamed(s.tx); err != nil {
		return "", err
	}
	return said, s.replan(s.tx, c.ID)
}

// mayMerge says why a case cannot be taken in.
func (s *sitting) mayMerge(c, other cvd.Case, ps []cvd.Participant) error {
	switch {
	case c.ID == other.ID:
		return notDone("%s cannot be merged into itself", c.ID)
	case !other.Closed.IsZero():
		return notDone("%s is closed since %s; `case reopen` it first", other.ID, day(other.Closed))
	case !readersWithin(c, other):
		return notDone("%s is seen by fewer people than %s, and all who see %s would read it; `case restrict` %s to the same first", other.ID, c.ID, c.ID, c.ID)
	case other.Started() && c.Started():
		return notDone("both were started, and their vendors agreed to dates of their own under numbers of their own; nothing was changed. `invite` the vendors of one into the other, tell them, and `case close` the one")
	case other.Started():
		return notDone("%s was started, and its vendors keep what they agreed to; merge the other way round: case %s, then case merge %s", other.ID, other.ID, c.ID)
	case other.Hold != nil && c.Hold == nil:
		return notDone("%s is on hold (%s), and %s is not; `release case` there, or `hold case` here, first", other.ID, other.Hold.Because, c.ID)
	}
	for _, p := range ps {
		if p.Has(cvd.RoleVendor) && p.Reached != "" {
			return notDone("%s was told %s of %s, so that %s cannot be taken in; merge the other way round", p.Party, p.Reached, other.ID, other.ID)
		}
	}
	return nil
}

// mergedNames says under which name each participant goes on, and who is new here,
// or gets a role that it did not have.
func (s *sitting) mergedNames(c cvd.Case, ps []cvd.Participant) (renamed, []cvd.PartyID, error) {
	names, next := renamed{}, 1
	var fresh []cvd.PartyID
	have, err := Participants(s.tx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	place := func(id cvd.PartyID) int {
		return slices.IndexFunc(have, func(p cvd.Participant) bool { return p.Party == id })
	}
	for _, p := range ps {
		names[p.Party] = p.Party
		switch {
		case p.Party.IsFinder():
			for place(cvd.FinderID(next)) >= 0 {
				next++
			}
			names[p.Party] = cvd.FinderID(next)
			next++
		case p.Withdrawn != nil:
		case place(p.Party) < 0:
			fresh = append(fresh, p.Party)
		case have[place(p.Party)].Withdrawn != nil:
			return nil, nil, notDone("%s was withdrawn from %s and takes part in the other; `invite` it here, or `withdraw` it there, first", p.Party, c.ID)
		case len(unitedLists(have[place(p.Party)].Roles, p.Roles)) > len(have[place(p.Party)].Roles):
			fresh = append(fresh, p.Party)
		}
	}
	return names, fresh, nil
}

// takeIn moves all that a case has into the case at hand, and closes it.
func (s *sitting) takeIn(c *cvd.Case, other cvd.Case, ps []cvd.Participant, names renamed) error {
	for _, p := range ps {
		if err := s.takeParticipant(*c, p, names); err != nil {
			return fmt.Errorf("take %s in: %w", p.Party, err)
		}
	}
	for _, n := range other.Reports {
		if err := s.takeReportOf(*c, n, names); err != nil {
			return err
		}
	}
	if err := s.takeMails(*c, other, names); err != nil {
		return err
	}
	c.Reports = append(slices.Clone(c.Reports), other.Reports...)
	for _, id := range other.CVEs {
		if !slices.Contains(c.CVEs, id) {
			c.CVEs = append(slices.Clone(c.CVEs), id)
		}
	}
	if c.Severity == "" {
		c.Severity = other.Severity
	}
	if err := s.takeExploited(c, other); err != nil {
		return err
	}
	if err := s.changeCase(*c, "case.merged", "took in "+string(other.ID)); err != nil {
		return err
	}
	if _, err := s.showClocks(s.tx, *c); err != nil {
		return err
	}
	if err := s.taskDone(s.tx, caseFileKey(other.ID)); err != nil {
		return err
	}
	other.Closed, other.Merged = s.tx.Now, c.ID
	if err := s.changeCase(other, "case.closed", "merged into "+string(c.ID)); err != nil {
		return err
	}
	if err := s.narrowMerged(*c); err != nil {
		return err
	}
	return s.moveFolders(other, casesFolder+delimiter, closedFolder(other.Closed))
}

// takeExploited puts the awareness of attacks with the flaw on record here: it is the
// same flaw, and the first awareness counts.
func (s *sitting) takeExploited(c *cvd.Case, other cvd.Case) error {
	if other.Exploited == nil || c.Exploited != nil && !other.Exploited.At.Before(c.Exploited.At) {
		return nil
	}
	if c.Exploited == nil {
		if err := s.renameTask(s.tx, exploitedTask(other.ID), exploitedTask(c.ID), c.ID); err != nil {
			return err
		}
	}
	c.Exploited = other.Exploited
	return watch(s.tx, c.ID)
}

// narrowMerged lets the cases that became part of another be seen by those who
// may see that one, and by nobody else: what is left of them names it (rule A2).
func (s *sitting) narrowMerged(c cvd.Case) error {
	all, err := Cases(s.tx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Merged != c.ID {
			continue
		}
		m.Restricted = c.Restricted
		if err := PutCase(s.tx, m); err != nil {
			return err
		}
		if err := recallDigests(s.tx, m); err != nil {
			return err
		}
		if err := s.narrowMerged(m); err != nil {
			return err
		}
	}
	return nil
}

// takeReportOf lets a report of the other case be one of this.
func (s *sitting) takeReportOf(c cvd.Case, n uint64, names renamed) error {
	r, err := reports.Get(s.tx, store.Seq(n))
	if err != nil {
		return err
	}
	r.Case, r.Party = c.ID, cvd.PartyID(names.name(string(r.Finder())))
	return reports.Put(s.tx, caseScope(c.ID), store.Seq(n), r)
}

// takeMails moves the mails of the other case into the folders here, sealed
// anew with this one's key, and what stands before the desk about it.
func (s *sitting) takeMails(c, other cvd.Case, names renamed) error {
	top, err := caseTop(s.tx, other)
	if err != nil {
		return err
	}
	boxes, err := s.tx.Mailboxes()
	if err != nil {
		return err
	}
	for _, box := range boxes {
		if box.Case != string(other.ID) {
			continue
		}
		sub := strings.TrimPrefix(strings.TrimPrefix(box.Name, top.Name), delimiter)
		if sub == "" || sub == "Case file" {
			continue
		}
		to := func() (store.Mailbox, error) { return s.caseFolder(s.tx, c, sub) }
		if box.Party != "" {
			to = func() (store.Mailbox, error) { return s.threadBox(s.tx, c, cvd.PartyID(names.name(box.Party))) }
		}
		if err := s.takeFolder(c, box, to, names); err != nil {
			return err
		}
	}
	return moveRest(s.tx, other.ID, c.ID, everything, names)
}

func (s *sitting) takeFolder(c cvd.Case, box store.Mailbox, into func() (store.Mailbox, error), names renamed) error {
	uids, err := s.tx.UIDs(box.Number, nil)
	if err != nil || len(uids) == 0 {
		return err
	}
	to, err := into()
	if err != nil {
		return err
	}
	for _, uid := range uids {
		e, err := s.tx.Entry(box.Number, uid)
		if err != nil {
			return err
		}
		id := e.Message
		err = s.tx.MoveMessage(id, caseScope(c.ID), func(m *store.Message) { m.Case, m.Party = string(c.ID), names.name(m.Party) })
		if err != nil {
			return err
		}
		if err := s.tx.Unfile(box.Number, uid); err != nil {
			return err
		}
		if _, err := s.tx.File(to.Number, id); err != nil {
			return err
		}
	}
	return nil
}

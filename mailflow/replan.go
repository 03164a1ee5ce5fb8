package mailflow

import (
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// replan computes the plan of a case anew and replaces its future rows: after
// a coordinator changed the case, its participants, policy, dates or
// material. What has left is never repeated, and no stage is lowered.
func (b *Base) replan(tx *store.Tx, id cvd.CaseID) error {
	c, err := CaseByID(tx, id)
	if err != nil {
		return err
	}
	ps, err := Participants(tx, id)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if err := b.replanOne(tx, c, p, false); err != nil {
			return err
		}
	}
	b.touch(tx, id)
	return b.endIdleReviews(tx, id)
}

// replanParty plans for one participant anew after an answer of its own: an
// ACCEPT may move its dates. What waited for the answer goes at once.
func (b *Base) replanParty(tx *store.Tx, id cvd.CaseID, party cvd.PartyID) error {
	c, err := CaseByID(tx, id)
	if err != nil {
		return err
	}
	p, err := ParticipantByID(tx, id, party)
	if err != nil {
		return err
	}
	b.touch(tx, id)
	if err := b.replanOne(tx, c, p, true); err != nil {
		return err
	}
	return b.endIdleReviews(tx, id)
}

// replanOne replaces the future stage notices of one participant. byNeed says
// that no coordinator did it, so that no undo window applies.
func (b *Base) replanOne(tx *store.Tx, c cvd.Case, p cvd.Participant, byNeed bool) error {
	if !c.Closed.IsZero() {
		return nil // what was planned is cancelled, and nothing is added
	}
	all, err := Notices(tx, c.ID, p.Party)
	if err != nil {
		return err
	}
	future, known := map[cvd.Stage]cvd.Notice{}, p.Reached.Rank()
	back := map[cvd.Stage]bool{} // these go again by a person's word, or not at all
	for _, n := range all {
		if n.Kind == cvd.KindLeak && n.State != cvd.Cancelled {
			known = max(known, n.Stage.Rank()) // it tells what these stages do
		}
		if n.Kind == cvd.KindStage && !n.State.Over() {
			future[n.Stage] = n
		}
		back[n.Stage] = back[n.Stage] || n.Kind == cvd.KindStage && (cameBack(n) || n.Dropped)
	}
	if lateForLeak(c, p, all) {
		known = max(known, c.Leak().Level.Stage().Rank())
	}
	informed := p
	if known > 0 {
		informed.Reached = cvd.Stages()[known-1]
	}
	for _, d := range cvd.Plan(c, []cvd.Participant{informed}) {
		n, planned := future[d.Stage]
		delete(future, d.Stage)
		if d.Stage.Rank() <= known || back[d.Stage] {
			continue
		}
		if !planned {
			n = cvd.Notice{Case: c.ID, Party: d.Party, Kind: cvd.KindStage, Stage: d.Stage, Code: cvd.NewCode(), LastAct: tx.Now, ByNeed: byNeed}
		}
		if planned && freed(c, p, n, d.At) {
			if err := b.voidRequest(tx, n, "it goes by the plan again, and needs no yes"); err != nil {
				return err
			}
		}
		if err := b.place(tx, c, n, d.At, byNeed); err != nil {
			return err
		}
	}
	if err := b.tellNewcomer(tx, c, p, all); err != nil {
		return err
	}
	if err := b.keepObserving(tx, c, p, all); err != nil {
		return err
	}
	for _, n := range future { // no longer in the plan
		if err := b.cancel(tx, n, unplanned(c, p, n.Stage)); err != nil {
			return err
		}
	}
	_, err = b.keepAsking(tx, c, p, all)
	return err
}

// unplanned says why a stage is not in the plan any more.
func unplanned(c cvd.Case, p cvd.Participant, s cvd.Stage) string {
	_, inPolicy := c.Policy.Rule(s)
	if _, _, never := c.ToldLate(p, s); never || !inPolicy || s != cvd.Proof || p.Withdrawn != nil {
		return "no longer planned"
	}
	return "skipped: the embargo ends before it falls due"
}

// freed says that a stage was asked about because its participant was late, and
// is not any more.
func freed(c cvd.Case, p cvd.Participant, n cvd.Notice, due time.Time) bool {
	rule, _ := c.Policy.Rule(n.Stage)
	return n.ApprovalID != "" && !due.Equal(n.Due) && rule.Approvals == 0 && !lateFor(c, p, n)
}

// place makes a stage notice, or moves one that is there already.
func (b *Base) place(tx *store.Tx, c cvd.Case, n cvd.Notice, due time.Time, byNeed bool) error {
	moved := n
	moved.Due, moved.Version = due, c.Embargo().Version
	if n.ID == 0 || !moved.Due.Equal(n.Due) {
		moved.Dated = tx.Now
	}
	if n.ID == 0 {
		_, err := b.newNotice(tx, moved, nil)
		return err
	}
	if moved.Due.After(tx.Now) && n.State == cvd.Held && n.Review == "" {
		if err := b.heldDone(tx, n); err != nil { // why it was held is asked on its day
			return err
		}
		moved.State, moved.Why = cvd.Planned, ""
	}
	if !moved.Due.Equal(n.Due) || moved.Version != n.Version {
		if err := putNotice(tx, moved, n.Row); err != nil {
			return err
		}
	}
	return wakeOne(tx, moved, byNeed)
}

// putMaterial keeps a new version of the material of a stage (or of one
// party's annex to it); older ones stay.
func (b *Base) putMaterial(tx *store.Tx, m cvd.Material) error {
	m.Version, m.At = lastVersion(tx, m.Case, m.Stage, m.Party)+1, tx.Now
	if err := materials.Put(tx, caseScope(m.Case), materialKey(tx, m.Case, m.Stage, m.Party, m.Version), m); err != nil {
		return err
	}
	sum, err := digestOf(m.Text, m.Files)
	if err == nil {
		err = materialSums.Put(tx, caseScope(m.Case), materialKey(tx, m.Case, m.Stage, m.Party, m.Version), sum)
	}
	if err != nil {
		return err
	}
	return b.wakeNotices(tx, m.Case, m.Party)
}

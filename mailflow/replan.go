package mailflow

import (
	"errors"
	"slices"
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
	due := map[cvd.PartyID][]cvd.Due{}
	for _, d := range cvd.Plan(c, ps) {
		due[d.Party] = append(due[d.Party], d)
	}
	for _, p := range ps {
		if err := b.replanOne(tx, c, p, due[p.Party]); err != nil {
			return err
		}
	}
	b.touch(tx, id)
	return nil
}

func (b *Base) replanOne(tx *store.Tx, c cvd.Case, p cvd.Participant, due []cvd.Due) error {
	all, err := Notices(tx, c.ID, p.Party)
	if err != nil {
		return err
	}
	future := map[cvd.Stage]cvd.Notice{}
	for _, n := range all {
		if n.Kind == cvd.KindStage && !n.State.Over() {
			future[n.Stage] = n
		}
	}
	for _, d := range due {
		n, planned := future[d.Stage]
		delete(future, d.Stage)
		if d.Stage.Rank() <= p.Reached.Rank() {
			continue
		}
		if err := b.place(tx, c, n, planned, d); err != nil {
			return err
		}
	}
	for _, n := range future { // no longer in the plan
		n.State, n.Why = cvd.Cancelled, "no longer planned"
		if err := putNotice(tx, n, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// place makes or moves one planned stage notice.
func (b *Base) place(tx *store.Tx, c cvd.Case, n cvd.Notice, planned bool, d cvd.Due) error {
	version := c.Embargo().Version
	if !planned {
		_, err := b.newNotice(tx, cvd.Notice{Case: c.ID, Party: d.Party, Kind: cvd.KindStage, Stage: d.Stage,
			Due: d.At, LastAct: tx.Now, Version: version, Code: cvd.NewCode()}, nil)
		return err
	}
	if n.Due.Equal(d.At) && n.Version == version {
		return wakeOne(tx, n, false)
	}
	n.Due, n.Version = d.At, version
	return wakeOne(tx, n, false)
}

// putMaterial keeps a new version of the material of a stage (or of one
// party's annex to it); older ones stay.
func (b *Base) putMaterial(tx *store.Tx, m cvd.Material) error {
	last, err := latestMaterial(tx, m.Case, m.Stage, m.Party)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	m.Version, m.At = last.Version+1, tx.Now
	if err := materials.Put(tx, caseScope(m.Case), materialKey(tx, m.Case, m.Stage, m.Party, m.Version), m); err != nil {
		return err
	}
	return b.wakeNotices(tx, m.Case, m.Party)
}

// latestMaterial reads the newest version; store.ErrNotFound when none was
// written.
func latestMaterial(tx *store.Tx, c cvd.CaseID, s cvd.Stage, p cvd.PartyID) (cvd.Material, error) {
	all, err := collect(materials.All(tx, materialPrefix(tx, c, s, p)), nil)
	if err != nil {
		return cvd.Material{}, err
	}
	if len(all) == 0 {
		return cvd.Material{}, store.ErrNotFound
	}
	return slices.MaxFunc(all, func(a, b cvd.Material) int { return a.Version - b.Version }), nil
}

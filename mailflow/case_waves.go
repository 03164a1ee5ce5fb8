package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
)

// applyWaves is `reach waves PERCENT ... apply`: what the proposal shows, done. It
// may tell somebody earlier, and so counts only signed.
func (s *sitting) applyWaves(c cvd.Case, r cvd.Reach, percents []float64) (string, error) {
	if !c.Closed.IsZero() {
		return "", notDone("%s is closed; `case reopen` first", c.ID)
	}
	waves := r.Waves(c.Policy.Upstream+1, percents)
	var moved []cvd.Participant
	s.undo = &undoRow{Verb: "waves", Case: c.ID}
	for _, row := range r.Rows {
		if w, ok := waves[row.Party]; ok && w != row.Wave {
			who := row.Participant
			s.undo.Moved = append(s.undo.Moved, movedWave{Party: who.Party, Was: who.Wave, Is: w})
			who.Wave = w
			moved = append(moved, who)
		}
	}
	if len(moved) == 0 {
		return "", already("the waves are so, as far as footprints are known and nobody was told anything")
	}
	if err := s.mustBeProved("reach waves apply", "moves dates"); err != nil {
		return "", err
	}
	var lines []string
	for _, who := range moved {
		if err := s.join(c, who, false); err != nil {
			return "", err
		}
		lines = append(lines, fmt.Sprintf("%s is in wave %d", who.Party, who.Wave))
	}
	return strings.Join(lines, "\n"), nil
}

// movedWave is a vendor that was put into another wave.
type movedWave struct {
	Party   cvd.PartyID
	Was, Is int
}

// unwave puts vendors back into the waves that they were in, all or none: nobody
// was told anything since.
func unwave(s *sitting, u undoRow) (string, error) {
	c, err := s.openCaseHere()
	if err != nil {
		return "", err
	}
	if err := s.mustBeProved("this undo", "moves dates"); err != nil {
		return "", err
	}
	var names []string
	for _, m := range u.Moved {
		who, err := s.takesPart(c, string(m.Party))
		switch {
		case err != nil:
			return "", err
		case who.Wave != m.Is || who.Withdrawn != nil:
			return "", changedSince("the wave of "+string(who.Party), "`invite PARTY wave N` says which it is")
		case who.Reached != "":
			return "", notDone("%s was told %s since; the waves stay. `hold PARTY` stops what has not left", who.Party, who.Reached)
		}
		who.Wave = m.Was
		if err := s.join(c, who, false); err != nil {
			return "", err
		}
		names = append(names, fmt.Sprintf("%s is in wave %d again", who.Party, who.Wave))
	}
	return strings.Join(names, "\n"), nil
}

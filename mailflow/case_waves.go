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
	for _, row := range r.Rows {
		if w, ok := waves[row.Party]; ok && w != row.Wave {
			who := row.Participant
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

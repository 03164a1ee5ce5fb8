package mailflow

import (
	"testing"
	"time"
)

// The machine's clock is compared with the time that passed. An instant that
// carries a monotonic reading would make both the same, so that the clock could
// be set to anything and CheckClock would see nothing.
func TestT5_WallClockCanBeSeenToJump(t *testing.T) {
	t.Parallel()
	c := WallClock()
	read, _ := c.Read()
	for name, at := range map[string]time.Time{"Read": read, "Now": c.Now()} {
		if at != at.Round(0) { // Round strips the reading (package time)
			t.Errorf("%s gives an instant with a monotonic reading: %v", name, at)
		}
		if off := time.Since(at); off.Abs() > time.Minute {
			t.Errorf("%s is %v away from now", name, off)
		}
	}
}

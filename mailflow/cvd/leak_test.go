package cvd

import (
	"slices"
	"testing"
	"time"
)

func TestParseLevel(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]Level{"rumour": Rumour, "Heads-up": Rumour, "scope": Rumour, "DETAILS": DetailsOut, "proof": ExploitOut, "exploit": ExploitOut} {
		if got, err := ParseLevel(word); err != nil || got != want {
			t.Errorf("%s: %s, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "advisory", "public", "mitigation", "holding", "all"} {
		if got, err := ParseLevel(word); err == nil {
			t.Errorf("%q is taken as %s", word, got)
		}
	}
}

// Each level holds what the one before it does, and none reaches the stages that
// stand above its own.
func TestLevelPieces(t *testing.T) {
	t.Parallel()
	var before []Stage
	for _, l := range Levels() {
		now := l.Pieces()
		for _, s := range before {
			if !slices.Contains(now, s) {
				t.Errorf("%s lacks %s", l, s)
			}
		}
		for _, s := range now {
			if s.Rank() > l.Stage().Rank() {
				t.Errorf("%s, which stands for %s, holds %s", l, l.Stage(), s)
			}
		}
		before = now
	}
	if Level("all").Pieces() != nil || Level("all").Rank() != 0 {
		t.Error("what is no level holds something")
	}
}

func TestLeakEnd(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	c := Case{Policy: Policy{Embargo: 90 * Day, Leak: 2 * Day}, Start: start, Embargoes: []Embargo{{Version: 1, End: start.Add(90 * Day)}}}
	for _, row := range []struct {
		after  time.Duration
		level  Level
		within time.Duration
		want   time.Duration
	}{
		{Day, Rumour, time.Hour, 90 * Day},
		{Day, DetailsOut, time.Hour, 3 * Day},
		{Day, ExploitOut, time.Hour, Day + time.Hour},
		{89 * Day, DetailsOut, time.Hour, 90 * Day}, // never later than it was
	} {
		got := c.LeakEnd(Leak{At: start.Add(row.after), Level: row.level, Within: row.within})
		if !got.Equal(start.Add(row.want)) {
			t.Errorf("%s after %s: %s", row.level, row.after, got.Sub(start))
		}
	}
	if c.Policy.Leak = 0; c.Policy.LeakEmbargo() != Day {
		t.Error("a policy that says nothing gives no day")
	}
}

func TestHoldingIsAWord(t *testing.T) {
	t.Parallel()
	if _, err := ParsePartyID("holding"); err == nil {
		t.Error("a party may be called holding")
	}
	if s, err := ParseStage("holding"); err != nil || s != Holding || s.Rank() != 0 {
		t.Errorf("holding: %s, %v", s, err)
	}
}

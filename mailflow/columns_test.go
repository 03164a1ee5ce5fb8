package mailflow

import (
	"strings"
	"testing"
)

// What people read in an answer goes on below its beginning after 72 columns; the
// lines of a plan, which programs read, do not.
func TestAnswersFitIntoColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	long := strings.Repeat("they were reached on the phone and agreed ", 4)
	w.do(`vendor edit acme proved "`+long+`" on 2026-11-20`, `vendor edit globex freeze "2026-12-15..2027-01-05"`)
	w.in(id, "invite acme footprint 5M", `record acme called "`+long+`"`, `record acme ready by 2026-12-20 via "`+long+`"`)
	for _, command := range []string{"key list acme", "dates", "history acme", "status", "reach"} {
		wrapped := false
		for line := range strings.Lines(w.in(id, command)) {
			line = strings.TrimRight(line, "\n")
			wrapped = wrapped || strings.HasPrefix(line, "    ")
			if len([]rune(line)) > 72 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s: %d columns: %s", command, len([]rune(line)), line)
			}
		}
		if !wrapped && command != "reach" {
			t.Errorf("%s: nothing was long enough to try it", command)
		}
	}
	longest := 0
	for line := range strings.Lines(w.in(id, "plan acme")) {
		longest = max(longest, len(line))
	}
	if longest <= 72 {
		t.Error("the lines of a plan are cut")
	}
}

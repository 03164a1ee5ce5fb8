package mailflow

import (
	"slices"
	"testing"

	"parley/mailflow/cvd"
)

// Scheduled shows what nothing but time holds back, and forgets what left.
func TestScheduledFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.do("case "+string(id), "start now")
	want := []string{
		"Tue 1 Dec 2026, 09:00 UTC: heads-up to acme, globex in " + string(id),
		"Wed 2 Dec 2026, 09:00 UTC: scope to acme, globex in " + string(id),
		"Thu 3 Dec 2026, 09:00 UTC: details to acme, globex in " + string(id),
		"Thu 31 Dec 2026, 09:00 UTC: public to acme, globex in " + string(id),
	}
	if got := w.subjects("Scheduled"); !slices.Equal(got, want) {
		t.Fatalf("after start: %q", got)
	}
	w.after(cvd.Day / 4)
	if got := w.subjects("Scheduled"); !slices.Equal(got, want[1:]) {
		t.Fatalf("after the heads-up: %q", got)
	}
	w.do("case "+string(id), `withdraw globex because "wrong party"`)
	if got := w.subjects("Scheduled"); len(got) != 3 || !slices.Contains(got, "Wed 2 Dec 2026, 09:00 UTC: scope to acme in "+string(id)) {
		t.Fatalf("after globex was withdrawn: %q", got)
	}
}

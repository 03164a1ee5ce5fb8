package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
)

func TestReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuses(theOperator, "no vendor takes part", "case open x", "reach")
	id := w.started("acme", "globex", "initech", "umbrella", "initrode")
	w.in(id, "invite acme footprint 60M", "invite globex wave 2 footprint 30M", "invite initech footprint 10,000,000",
		"invite umbrella footprint 4%")
	w.answers("acme", id, true, "ACCEPT PAR-2026-0001 v1\n")
	w.answers("initech", id, true, "ACK PAR-2026-0001\n")
	got := w.in(id, "reach")
	got = got[strings.Index(got, "> reach"):]
	want := `> reach
OK
1 vendor = 60 %  acme, wave 1, 60M: told heads-up, accepted
2 vendors = 70 %  initech, wave 1, 10,000,000: told heads-up, acknowledged
3 vendors = 100 %  globex, wave 2, 30M: told heads-up
wave 1: 2 vendors = 70 %; told 70 %, acknowledged 70 %, accepted 60 %
wave 2: 1 vendor = 30 %; told 30 %, acknowledged 0 %, accepted 0 %
all: 3 vendors = 100 %; told 100 %, acknowledged 70 %, accepted 60 %
not counted, footprint not known: initrode
not counted, cannot be added to the others: umbrella (4%)
`
	if unwrapped(got) != unwrapped(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	w.answers("globex", id, true, "STATUS PAR-2026-0001 not-affected old code\n")
	if got := w.in(id, "reach"); !strings.Contains(got, "2 vendors = 100 %  initech") || !strings.Contains(got, "not counted, not affected: globex") {
		t.Errorf("got\n%s", got)
	}
}

// Waves are proposed, and nobody is invited or moved by that.
func TestReach_ProposesWaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex", "initech", "umbrella")
	w.in(id, "invite acme footprint 60M", "invite globex footprint 25M", "invite initech footprint 12M", "invite umbrella footprint 3M")
	tag := "case " + string(id)
	got := w.in(id, "reach waves 80 95%")
	want := "nothing was changed. These lines would, in a signed mail, after `case PAR-2026-0001`:\ninvite initech wave 2\ninvite umbrella wave 3\n"
	if !strings.HasSuffix(unwrapped(got), unwrapped(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p := w.participant(id, "initech"); p.Wave != 1 {
		t.Errorf("initech is in wave %d", p.Wave)
	}
	w.in(id, "invite initech wave 2", "invite umbrella wave 3")
	if got := w.in(id, "reach waves 80 95"); !strings.Contains(got, "the waves are so already") {
		t.Error(got)
	}
	w.in(id, "case policy distros") // wave 1 is upstream, and stays so
	if got := w.in(id, "reach waves 90"); !strings.Contains(got, "so already") {
		t.Error(got)
	}
	if got := w.in(id, "reach waves 99"); !strings.HasSuffix(got, "`case PAR-2026-0001`:\ninvite umbrella wave 2\n") {
		t.Error(got)
	}
	for line, why := range map[string]string{
		"reach waves":        "as in `reach waves 80 95`",
		"reach waves 95 80":  "the percentages rise",
		"reach waves 120":    "is not a percentage",
		"reach waves broad":  "is not a percentage",
		"reach waves NaN":    "is not a percentage",
		"reach by footprint": "is not understood here",
	} {
		w.refuses(theOperator, why, tag, line)
	}
}

// Whoever is invited as upstream is told so: the lead does not hold it.
func TestInvite_Upstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith()
	w.vendor("acme")
	w.vendor("globex")
	w.in(id, "case policy distros")
	if got := w.in(id, "invite acme"); !strings.Contains(unwrapped(got), "wave 1 (upstream: policy distros tells it without regard to the lead of 14d)") {
		t.Error(got)
	}
	if got := w.in(id, "invite globex wave 2"); strings.Contains(got, "upstream") {
		t.Error(got)
	}
	w.in(id, "start now") // ends on Tuesday, 22 December
	if a, g := w.notice(id, "acme", cvd.HeadsUp), w.notice(id, "globex", cvd.HeadsUp); !a.Due.Equal(storyStart) || utc(g.Due) != "2026-12-08T09:00Z" {
		t.Errorf("upstream is told %s, the others %s", utc(a.Due), utc(g.Due))
	}
}

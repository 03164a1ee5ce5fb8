package mailflow

import (
	"strings"
	"testing"
)

// `status` keeps to 72 columns, lists the open tasks with who does them, and
// none of a case that somebody may not see.
func TestA2_StatusListsTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.coordinator("ben")
	id := w.wroteTo("acme", "globex")
	w.do(`sending pause because "` + strings.Repeat("a long reason ", 12) + `"`)
	w.by("ana", "claim T1")
	got := w.by("ben", "status").String()
	for _, want := range []string{"; 2 things need", "3 open tasks; `claim` takes one", "    T1 acme wrote in " + string(id) + ": Re: [" + string(id) + "] [ana]\n", "    T3 Sending is paused"} {
		wants(t, got, want)
	}
	wants(t, w.by("ben", "case "+string(id), "status").String(), "needs a person: T2 globex wrote: Re: ["+string(id)+"]\n")
	for line := range strings.Lines(got) {
		if len(line) > 73 {
			t.Errorf("line of %d columns: %s", len(line)-1, line)
		}
	}
	w.do("case "+string(id), "case restrict ana")
	if got := w.by("ben", "status").String(); strings.Contains(got, string(id)) || strings.Contains(got, "acme") || !strings.Contains(got, "1 open task;") {
		t.Errorf("ben reads\n%s", got)
	}
	long := strings.Repeat("x", 90)
	if got := inColumns([]string{long, "    a " + long + " b", strings.Repeat("é ", 60)}); !strings.HasPrefix(got, long+"\n    a") || strings.Contains(got, "\xc3\n") {
		t.Errorf("got\n%s", got)
	}
}

// Who stopped something without a word on why is named once.
func TestStatus_HoldWithoutAReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme")
	for _, line := range []string{"hold acme", "hold case", "hold all"} {
		w.by("ana", "case "+string(id), line)
	}
	status := unwrapped(w.in(id, "status"))
	wants(t, status, "policy fast; ON HOLD by ana: no reason was given")
	wants(t, status, "told heads-up ON HOLD by ana: no reason was given")
	wants(t, status, "sending is PAUSED since 2026-12-01T09:10Z by ana: no reason was given")
	w.message("INBOX", "Sending is paused by ana: no reason was given")
}

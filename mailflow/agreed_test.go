package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

const calendarScript = "../testdata/ical/read.py"

// elsewhere reads a calendar with libraries that are not ours, which agree.
func elsewhere(t *testing.T, ics string) mailtest.ReadCalendar {
	t.Helper()
	var read []mailtest.ReadCalendar
	for module, in := range mailtest.CalendarReaders {
		if !mailtest.HasCalendarReader(module) {
			t.Skipf("/usr/bin/python3 has no module %s (Debian: %s)", module, in)
		}
		c, err := mailtest.CalendarBy(module, calendarScript, []byte(ics))
		if err != nil {
			t.Fatalf("%v\n%s", err, ics)
		}
		read = append(read, c)
	}
	for _, c := range read[1:] {
		if fmt.Sprint(c) != fmt.Sprint(read[0]) {
			t.Errorf("two libraries read\n%+v\nand\n%+v", read[0], c)
		}
	}
	return read[0]
}

// The date in a vendor's calendar keeps its UID, and each change of it has the next
// sequence: a shorter end, a longer one once it was accepted, CANCEL when the case
// is closed before it, and the date again when it is opened again. Nobody else
// stands in it.
func TestAgreedDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	steps := []struct {
		lines   []string // of a coordinator
		answer  string   // of the vendor, who gets one
		want    string
		changes bool
	}{
		{nil, "", "PUBLISH 2026-12-31", false},
		{nil, "ACCEPT " + string(id) + " v1\n", "PUBLISH 2026-12-31", false},
		{[]string{`embargo 2026-12-16T16:00Z because "sooner"`}, "", "PUBLISH 2026-12-16", true},
		{[]string{`embargo 2027-02-17T16:00Z because "later"`}, "", "PUBLISH 2026-12-16", false},
		{nil, "ACCEPT " + string(id) + " v3\n", "PUBLISH 2027-02-17", true},
		{[]string{`case close because "a duplicate"`}, "HELP\n", "CANCEL 2027-02-17", true},
		{nil, "HELP\n", "CANCEL 2027-02-17", false},
		{[]string{"case reopen"}, "HELP\n", "PUBLISH 2027-02-17", true},
	}
	sequence, uid := 0, w.participant(id, "acme").Token+"-embargo"
	for _, step := range steps {
		if step.lines != nil {
			w.in(id, step.lines...)
			w.after(5 * time.Minute)
		}
		if step.answer != "" {
			w.answers("acme", id, true, step.answer)
		}
		if step.changes {
			sequence++
		}
		all := w.mails(w.people["acme"])
		ics := all[len(all)-1].Files["embargo.ics"]
		c := elsewhere(t, ics)
		if len(c.Events) != 1 || c.Method+" "+c.Events[0].Start.Format("2006-01-02") != step.want ||
			c.Events[0].UID != uid || c.Events[0].Sequence != sequence {
			t.Errorf("after %q and %q: %+v, want %s in sequence %d", step.lines, step.answer, c, step.want, sequence)
		}
		if slices.Contains(c.Events[0].Properties, "ATTENDEE") || slices.Contains(c.Events[0].Properties, "ORGANIZER") || strings.Contains(strings.ToLower(ics), "globex") {
			t.Errorf("it names somebody:\n%s", ics)
		}
	}
}

// The case file brings the dates of the case; closed, it takes back those that do
// not come any more.
func TestCaseFileCalendarElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	running := elsewhere(t, w.caseCalendar(id))
	uids := map[string]bool{}
	for _, e := range running.Events {
		uids[e.UID] = true
	}
	if running.Method != "PUBLISH" || len(uids) != len(storyPolicy(t).Stages)+1 {
		t.Fatalf("while it runs: %+v", running)
	}
	w.in(id, "case close")
	closed := elsewhere(t, w.caseCalendar(id))
	if closed.Method != "CANCEL" || len(closed.Events) == 0 || len(closed.Events) >= len(running.Events) {
		t.Fatalf("when it is closed: %+v", closed)
	}
	for _, e := range closed.Events {
		if !uids[e.UID] || e.Sequence <= running.Events[0].Sequence || !e.Start.After(w.clock.Now()) || strings.Contains(e.Summary, "acme") {
			t.Errorf("%+v", e)
		}
	}
}

// caseCalendar is the calendar of the newest case file.
func (w *world) caseCalendar(id cvd.CaseID) string {
	w.t.Helper()
	data, err := w.partOf(w.caseFile(id), "text/calendar").Body()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

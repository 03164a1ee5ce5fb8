package calendar_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/calendar"
	"parley/mailflow/mailtest"
)

const readScript = "../../testdata/ical/read.py"

// Libraries that are not ours understand what is written as it was meant: in UTC,
// folded, in any alphabet, and with nobody's name.
func TestCalendarElsewhere(t *testing.T) {
	t.Parallel()
	for module, in := range mailtest.CalendarReaders {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			if !mailtest.HasCalendarReader(module) {
				t.Skipf("/usr/bin/python3 has no module %s (Debian: %s)", module, in)
			}
			methods := []string{calendar.Publish, calendar.Publish, calendar.Cancel}
			for i, summary := range []string{"Agreed date", strings.Repeat("word ", 60) + "end", strings.Repeat("日本語", 40), "a" + strings.Repeat("é", 100),
				"b" + strings.Repeat("😀", 50), `commas, semicolons; a \ back:slash` + "\nand a second line\nATTENDEE:mailto:globex@example.com"} {
				readsAlike(t, module, summary, i, methods[i%3])
			}
		})
	}
}

func readsAlike(t *testing.T, module, summary string, sequence int, method string) {
	t.Helper()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2027, 3, 14, 3, 30, 0, 0, newYork) // the hour after the clocks went forward
	stamp := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	entries := []calendar.Entry{{UID: "2f9a-embargo", Summary: summary, When: at}, {UID: "77c1@vdp.example.org", Summary: "second", When: at.Add(time.Hour)}}
	ics, err := calendar.All(entries, sequence, method, stamp)
	if err != nil {
		t.Fatal(err)
	}
	got, err := mailtest.CalendarBy(module, readScript, ics)
	if err != nil || got.Method != method || len(got.Events) != len(entries) {
		t.Fatalf("%q, sequence %d: %+v, %v", summary, sequence, got, err)
	}
	want := []string{"DTSTAMP", "DTSTART", "SEQUENCE", "SUMMARY", "TRANSP", "UID"}
	status := ""
	if method == calendar.Cancel {
		want, status = slices.Insert(want, 3, "STATUS"), "CANCELLED"
	}
	for i, e := range got.Events {
		w := entries[i]
		if e.UID != w.UID || e.Summary != w.Summary || e.Sequence != sequence || !e.Start.Equal(w.When) || !e.Stamp.Equal(stamp) || e.Status != status {
			t.Errorf("%s %d: read as %+v, want %+v", method, sequence, e, w)
		}
		if !slices.Equal(e.Properties, want) {
			t.Errorf("%s: properties %q, want %q", method, e.Properties, want)
		}
	}
}

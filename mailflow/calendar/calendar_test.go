package calendar

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"
)

func berlin() *time.Location { return time.FixedZone("", 3600) }

func write(t *testing.T, summary string) []byte {
	t.Helper()
	b, err := Calendar("v1-2f9a@vdp.example.org", summary, time.Date(2027, 3, 1, 17, 0, 0, 0, berlin()), 3, Publish,
		time.Date(2026, 12, 1, 8, 3, 11, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCalendarEntry(t *testing.T) {
	t.Parallel()
	got := string(write(t, "End of a confidentiality period"))
	want := []string{"BEGIN:VCALENDAR", "METHOD:PUBLISH", "VERSION:2.0", "BEGIN:VEVENT", "DTSTART:20270301T160000Z",
		"DTSTAMP:20261201T080311Z", "UID:v1-2f9a@vdp.example.org", "SEQUENCE:3",
		"SUMMARY:End of a confidentiality period", "TRANSP:TRANSPARENT", "END:VEVENT", "END:VCALENDAR"}
	for _, line := range want {
		if !strings.Contains("\r\n"+got, "\r\n"+line+"\r\n") {
			t.Errorf("line %q is missing in\n%s", line, got)
		}
	}
	for _, trace := range []string{"ORGANIZER", "ATTENDEE", "TZID", "+01", "Berlin", "parley", "Parley"} {
		if strings.Contains(got, trace) {
			t.Errorf("%q must not be in a calendar entry:\n%s", trace, got)
		}
	}
}

// go-ical writes lines of any length (RFC 5545 section 3.1 allows 75 octets).
func TestCalendarFoldsAt75Octets(t *testing.T) {
	t.Parallel()
	for _, summary := range []string{
		strings.Repeat("x", 67), strings.Repeat("x", 68), strings.Repeat("word ", 60), strings.Repeat("日本語", 40),
		"a" + strings.Repeat("é", 100), "b" + strings.Repeat("😀", 50), `commas, semicolons; and \ back` + "\nsecond line",
	} {
		b := write(t, summary)
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if len(line) > 75 {
				t.Errorf("line of %d octets: %q", len(line), line)
			}
			if !utf8.ValidString(line) {
				t.Errorf("a character is cut: %q", line)
			}
		}
		if !bytes.HasSuffix(b, []byte("END:VCALENDAR\r\n")) || bytes.Contains(b, []byte("\n\r\n")) {
			t.Errorf("line ends: %q", b)
		}
		cal, err := ical.NewDecoder(bytes.NewReader(b)).Decode()
		if err != nil {
			t.Fatalf("decode %q: %v", b, err)
		}
		if got, err := cal.Events()[0].Props.Text(ical.PropSummary); err != nil || got != summary {
			t.Errorf("summary came back as %q (%v), want %q", got, err, summary)
		}
	}
}

func TestCalendarRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, uid, summary, method string
		sequence                   int
	}{
		{"no uid", "", "s", Publish, 0},
		{"line break in uid", "a\nb", "s", Publish, 0},
		{"carriage return", "u", "a\rATTENDEE:x", Publish, 0},
		{"NUL", "u", "a\x00", Publish, 0},
		{"not UTF-8", "u", "a\xff", Publish, 0},
		{"negative sequence", "u", "s", Publish, -1},
		{"no method", "u", "s", "", 0},
		{"method with more", "u", "s", "PUBLISH\r\nX:y", 0},
	}
	for _, tt := range tests {
		if b, err := Calendar(tt.uid, tt.summary, time.Unix(0, 0), tt.sequence, tt.method, time.Unix(0, 0)); err == nil {
			t.Errorf("%s: wrote %q", tt.name, b)
		}
	}
}

func TestV4_CalendarValueIsNoTemplate(t *testing.T) {
	t.Parallel()
	b := write(t, "one\nATTENDEE:mailto:globex@example.com")
	if strings.Contains(string(b), "\r\nATTENDEE") {
		t.Errorf("a value became a property:\n%s", b)
	}
}

// Several entries stand in one calendar, each with its own name and all with
// the same sequence.
func TestAll(t *testing.T) {
	t.Parallel()
	at := time.Date(2027, 3, 1, 16, 0, 0, 0, time.UTC)
	b, err := All([]Entry{{"scope@x", "PAR-2026-0007 scope", at}, {"end@x", "PAR-2026-0007 " + strings.Repeat("end ", 40), at.Add(time.Hour)}}, 4, Publish, at)
	if err != nil {
		t.Fatal(err)
	}
	cal, err := ical.NewDecoder(bytes.NewReader(b)).Decode()
	if err != nil {
		t.Fatalf("decode %q: %v", b, err)
	}
	events := cal.Events()
	if len(events) != 2 || events[0].Props.Get(ical.PropUID).Value != "scope@x" || events[1].Props.Get(ical.PropUID).Value != "end@x" ||
		events[1].Props.Get(ical.PropDateTimeStart).Value != "20270301T170000Z" || strings.Count(string(b), "SEQUENCE:4\r\n") != 2 {
		t.Errorf("wrote\n%s", b)
	}
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if len(line) > 75 {
			t.Errorf("line of %d octets: %q", len(line), line)
		}
	}
	if b, err := All(nil, 0, Publish, at); err == nil {
		t.Errorf("no entries gave %q", b)
	}
	if b, err := All([]Entry{{"a", "s", at}, {"", "s", at}}, 0, Publish, at); err == nil {
		t.Errorf("an entry without a name gave %q", b)
	}
}

package cvd

import (
	"strings"
	"testing"
)

func TestT6_Instants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, zone string }{
		{"2026-12-01T09:00Z", "2026-12-01T09:00:00Z", ""},
		{"2026-12-01T09:00:30Z", "2026-12-01T09:00:30Z", ""},
		{"2026-12-01t09:00z", "2026-12-01T09:00:00Z", ""},
		{"2026-12-01T09:00+01:00", "2026-12-01T08:00:00Z", ""},
		{"2026-12-01T00:30-0530", "2026-12-01T06:00:00Z", ""},
		{"2026-12-01", "2026-12-01T00:00:00Z", ""},
		{"2026-12-01 Asia/Tokyo", "2026-11-30T15:00:00Z", "Asia/Tokyo"},
		{"2026-12-01 09:00 UTC", "2026-12-01T09:00:00Z", ""},
		{"2026-12-01 9:00  Europe/Berlin", "2026-12-01T08:00:00Z", "Europe/Berlin"},
		{"2026-07-01T09:00 Europe/Berlin", "2026-07-01T07:00:00Z", "Europe/Berlin"},
		{"2026-12-01 09:00 America/Argentina/Buenos_Aires", "2026-12-01T12:00:00Z", "America/Argentina/Buenos_Aires"},
		// the minute before and the minute after the gap and the fold
		{"2027-03-28 01:59 Europe/Berlin", "2027-03-28T00:59:00Z", "Europe/Berlin"},
		{"2027-03-28 03:00 Europe/Berlin", "2027-03-28T01:00:00Z", "Europe/Berlin"},
		{"2026-10-25 01:59 Europe/Berlin", "2026-10-24T23:59:00Z", "Europe/Berlin"},
		{"2026-10-25 03:00 Europe/Berlin", "2026-10-25T02:00:00Z", "Europe/Berlin"},
	} {
		got, err := ParseInstant(c.in)
		if err != nil || got.At.Format("2006-01-02T15:04:05Z07:00") != c.want || got.Zone != c.zone {
			t.Errorf("ParseInstant(%q) = %v, %v; want %s in %q", c.in, got, err, c.want, c.zone)
		}
	}
}

func TestT6_InstantsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, why string }{
		{"", "not an instant"},
		{"tomorrow", "not an instant"},
		{"12/01/2026", "not an instant"},
		{"2026-12-01T09:00Z and more", "not an instant"},
		{"2026-02-30", "no such day"},
		{"2026-12-01T25:00Z", "no such day or time"},
		{"2026-12-01 09:00", "names no zone"},
		{"2026-12-01T09:00", "names no zone"},
		{"2026-12-01 09:00 CET", "not a time zone"},
		{"2026-12-01 09:00 Local", "not a time zone"},
		{"2026-12-01 09:00 Europe/Atlantis", "not a time zone"},
		{"2026-12-01 09:00 +25:99", "not an offset"},
		{"2027-03-28 02:30 Europe/Berlin", "does not exist"},
		{"2026-10-25 02:30 Europe/Berlin", "say 2026-10-25T00:30Z or 2026-10-25T01:30Z"},
		{"2011-12-30 12:00 Pacific/Apia", "does not exist"}, // a whole day was skipped
	} {
		got, err := ParseInstant(c.in)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("ParseInstant(%q) = %v, %v; want an error with %q", c.in, got, err, c.why)
		}
	}
}

func TestParseZone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"UTC", "utc", "Asia/Tokyo"} {
		if _, err := ParseZone(s); err != nil {
			t.Errorf("ParseZone(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "Local", "EST", "../etc/passwd", "Mars/Olympus"} {
		if _, err := ParseZone(s); err == nil {
			t.Errorf("ParseZone(%q) was taken", s)
		}
	}
}

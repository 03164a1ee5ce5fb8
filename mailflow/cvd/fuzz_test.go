package cvd

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"
)

// FuzzWords reads the words that people write in commands, Subjects, addresses and
// files. What is read is written back and read as the same, holds no character that
// the word cannot have, and is read in time linear to the text.
func FuzzWords(f *testing.F) {
	for _, s := range []string{
		"PAR-2026-0007", "[par-2026-0007]", "CVE-2026-12345 and PAR-2026-0001 PAR-2026-0001", "A\u212a-2026-0001", "A\u017f-2026-0001", "PAR-2026-000", "xPAR-2026-00011x", "acme", "FINDER", "finder-2",
		"thread-7", strings.Repeat("a", 41), "heads-up", "90d", "1w", "1d12h", "1.5d", "-1d", "+1d", "99999999d", "1e9d", "30m", "106751d23h", "0", "40M", "1.2k", "3,000", "40,5M", "12%", "101%", "1k%", "9e99",
		"2026-12-01T09:00Z", "2026-12-01", "2026-12-01 10:00 Europe/Berlin", "2026-03-29 02:30 Europe/Berlin", "2026-10-25 02:30 Europe/Berlin", "2026-12-01T10:00:00+01:00", "2026-12-01 Europe/../../etc/passwd", "2026-02-30",
		"0000-01-01T00:00+23:59", "9999-12-31T23:59-12:00", "10:00", "12-24", "monday", "tlp:amber", "TLP:AMBER+STRICT", strings.Repeat("A-2026-0001 ", 200), "\xff\xfe",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		begun := time.Now()
		checkTags(t, s)
		if p, err := ParsePartyID(s); err == nil {
			if again, err := ParsePartyID(string(p)); err != nil || again != p || len(p) == 0 || len(p) > 40 || !plainWord.MatchString(string(p)) {
				t.Errorf("party %q of %q: %q, %v", p, s, again, err)
			}
		}
		if d, err := ParseDuration(s); err == nil {
			if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d || d < 0 {
				t.Errorf("%q is %v, written %q, read as %v, %v", s, d, FormatDuration(d), again, err)
			}
		}
		if p, err := ParseFootprint(s); err == nil && (p.N < 0 || p.N >= 1e15 || math.IsNaN(p.N) || p.Share && p.N > 100) {
			t.Errorf("%q is the footprint %+v", s, p)
		}
		if at, err := ParseInstant(s); err == nil {
			checkInstant(t, s, at)
		}
		if stage, err := ParseStage(s); err == nil && !strings.EqualFold(string(stage), strings.TrimSpace(s)) {
			t.Errorf("%q is the stage %q", s, stage)
		}
		if tlp, err := ParseTLP(s); err == nil {
			if again, err := ParseTLP(string(tlp)); err != nil || again != tlp {
				t.Errorf("%q is %q, and that is %q, %v", s, tlp, again, err)
			}
		}
		_, _ = ParseHoliday(s)
		_, _ = ParseWeekday(s)
		_, _ = ParseFreeze(s)
		_, _ = ParseWhen(s)
		if took := time.Since(begun); took > 20*time.Second+time.Duration(len(s))*time.Microsecond {
			t.Errorf("%d bytes took %v", len(s), took)
		}
	})
}

var plainWord = regexp.MustCompile(`^[a-z0-9-]+$`)

// checkTags: a tag that is found is one that can be given, once, and stands there.
func checkTags(t *testing.T, s string) {
	t.Helper()
	seen, upper := map[CaseID]bool{}, strings.ToUpper(s)
	for _, id := range FindCaseIDs(s) {
		if again, err := ParseCaseID(string(id)); err != nil || again != id || seen[id] {
			t.Errorf("%q in %q is read as %q, %v", id, s, again, err)
		}
		if seen[id] = true; !strings.Contains(upper, string(id)) {
			t.Errorf("%q does not stand in %q", id, s)
		}
	}
	if id, err := ParseCaseID(s); err == nil {
		if again, err := ParseCaseID("[" + id.Lower() + "]"); err != nil || again != id || strings.ToUpper(id.Lower()) != string(id) {
			t.Errorf("%q is the tag %q, and that is %q, %v", s, id, again, err)
		}
	}
}

func checkInstant(t *testing.T, s string, at Instant) {
	t.Helper()
	again, err := ParseInstant(at.At.UTC().Format("2006-01-02T15:04:05Z"))
	if year := at.At.UTC().Year(); year < 0 || year > 9999 {
		return // a day before the first or behind the last, in UTC
	}
	if err != nil || !again.At.Equal(at.At) {
		t.Errorf("%q is %v, read back as %v, %v", s, at.At, again.At, err)
	}
	if at.Zone != "" {
		if _, err := ParseZone(at.Zone); err != nil {
			t.Errorf("%q names the zone %q: %v", s, at.Zone, err)
		}
	}
}

// What only looks like a letter makes no tag of a case.
func TestFindCaseIDs_OnlyASCII(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"A\u212a-2026-0001", "A\u017f-2026-0001"} {
		if ids := FindCaseIDs(s); len(ids) != 0 {
			t.Errorf("%q holds %q", s, ids)
		}
	}
}

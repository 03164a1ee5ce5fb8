package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// digestsOf lists the digests that a coordinator sees in Status.
func (w *world) digestsOf(name string) []store.Message {
	w.t.Helper()
	seats := &Seats{Base: w.Base, Desk: w.desk}
	seat, err := seats.Sit(name)
	if err != nil {
		w.t.Fatal(err)
	}
	defer seat.Close()
	var out []store.Message
	window, err := seat.Open("Status")
	if err != nil {
		w.t.Fatal(err)
	}
	w.view(func(tx *store.Tx) error {
		for i := range window.Len() {
			e, err := tx.Entry(window.Number, window.UID(i))
			if err != nil {
				return err
			}
			m, err := tx.Message(e.Message)
			if err != nil {
				return err
			}
			if m.Kind == "digest" {
				out = append(out, m)
			}
		}
		return nil
	})
	return out
}

// digesting is a world with digests at eight, and two coordinators.
func digesting(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Digest = DigestTime{true, 8, 0}
	w.coordinator("ana")
	w.coordinator("ben")
	w.do("zone Europe/Berlin for ana", "zone America/New_York for ben")
	return w
}

func TestDigestTime_OnceOnEveryDate(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Tokyo"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"00:00", "01:30", "02:30", "08:00", "23:59"} {
			d, err := ParseDigestTime(at)
			if err != nil {
				t.Fatal(err)
			}
			last := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
			for range 365 {
				next := d.after(last, loc)
				if gap := next.Sub(last); gap > 25*time.Hour+time.Second || gap < 22*time.Hour && last.Day() != 1 {
					t.Fatalf("%s %s: %s after %s", zone, at, next, last)
				}
				if next.Format(time.DateOnly) == last.Format(time.DateOnly) && last.Hour() != 0 {
					t.Fatalf("%s %s: twice on %s", zone, at, last)
				}
				last = next
			}
		}
	}
	for _, bad := range []string{"", "8", "8:00", "24:00", "08:60", "08:00:00", "On"} {
		if d, err := ParseDigestTime(bad); err == nil {
			t.Errorf("%q is %v", bad, d)
		}
	}
}

// Nine o'clock where somebody is, on the days on which its clocks change, a year
// ends, and as far from UTC as anywhere.
func TestDigestTime_InEveryZone(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ at, zone, after, want string }{
		{"09:00", "Europe/Berlin", "2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z"},
		{"09:00", "Europe/Berlin", "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"},
		{"09:00", "America/New_York", "2027-03-13T14:00:00Z", "2027-03-14T13:00:00Z"},
		{"09:00", "America/New_York", "2026-10-31T13:00:00Z", "2026-11-01T14:00:00Z"},
		{"09:00", "Australia/Lord_Howe", "2026-10-02T22:30:00Z", "2026-10-03T22:00:00Z"},
		{"09:00", "Australia/Lord_Howe", "2027-04-02T22:00:00Z", "2027-04-03T22:30:00Z"},
		{"09:00", "Pacific/Kiritimati", "2026-12-30T19:00:00Z", "2026-12-31T19:00:00Z"},
		{"09:00", "Pacific/Kiritimati", "2028-02-27T19:00:00Z", "2028-02-28T19:00:00Z"}, // a leap day there
		{"09:00", "Etc/GMT+12", "2026-12-31T21:00:00Z", "2027-01-01T21:00:00Z"},
		{"09:00", "Etc/GMT+12", "2027-01-01T20:59:59Z", "2027-01-01T21:00:00Z"},
		{"02:15", "Australia/Lord_Howe", "2026-10-02T15:45:00Z", "2026-10-03T15:45:00Z"}, // skipped: they show 02:45
	} {
		d, err := ParseDigestTime(row.at)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocation(row.zone)
		if err != nil {
			t.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, row.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.after(after, loc).UTC().Format(time.RFC3339); got != row.want {
			t.Errorf("%s in %s after %s: %s, want %s", row.at, row.zone, row.after, got, row.want)
		}
	}
}

// Each coordinator has its digest at eight where it is, once, whatever happens
// to the process; one summer day is an hour shorter.
func TestDigest_ComesAtEight(t *testing.T) {
	t.Parallel()
	w := digesting(t)
	n := func(name string, want int, at string) {
		t.Helper()
		if got := len(w.digestsOf(name)); got != want {
			t.Errorf("%s at %s (%s): %d digests, want %d", name, at, w.clock.Now().UTC(), got, want)
		}
	}
	n("ana", 0, "the start, after eight")
	w.clock.Advance(4*time.Hour - time.Second) // 12:59:59 UTC, 07:59:59 in New York
	w.settle()
	n("ben", 0, "before eight")
	w.clock.Advance(time.Second)
	w.settle()
	w.settle()
	w.restart()
	w.Digest = DigestTime{true, 8, 0}
	w.settle()
	n("ben", 1, "eight")
	n("ana", 0, "13:00 UTC")
	w.clock.Advance(18 * time.Hour) // Wed 2 Dec, 07:00 UTC, 08:00 in Berlin
	w.settle()
	n("ana", 1, "eight in Berlin")
	n("ben", 1, "the same instant")
	w.clock.Advance(8*24*time.Hour + time.Hour) // away until Thu 10 Dec
	w.settle()
	n("ana", 2, "after eight days away")
	n("ben", 2, "after eight days away")
	if next, err := w.DigestsDue(w.clock.Now()); err != nil || next.UTC().Format(time.RFC3339) != "2026-12-10T13:00:00Z" {
		t.Errorf("it wants to be called at %v, %v", next, err)
	}
	for range 4 { // Fri 11 to Mon 14 Dec: nothing needs anybody
		w.clock.Advance(24 * time.Hour)
		w.settle()
	}
	n("ana", 4, "after a quiet weekend")
	m := w.digestsOf("ana")[3]
	wants(t, m.Envelope.Subject, "Digest Mon 14 Dec 2026 - nothing needs you")
	if lines := strings.Count(w.words(m), "\n"); lines > 8 {
		t.Errorf("a digest of nothing has %d lines:\n%s", lines, w.words(m))
	}
}

// A digest tells what needs somebody, what falls due, who is silent, what
// happened, and ends with the head of the journal, which verify takes.
func TestH1_DigestTells(t *testing.T) {
	t.Parallel()
	w := digesting(t)
	id := w.started("acme", "globex")
	w.answers("acme", id, true, "PROPOSE "+string(id)+" 2027-02-15 no\n")
	task := w.openTasks()[0]
	w.by("ana", "claim "+task.id())
	w.clock.Advance(4*24*time.Hour - w.clock.Now().Sub(storyStart)) // Sat 5 Dec
	w.settle()
	all := w.digestsOf("ana")
	if len(all) != 1 {
		t.Fatalf("%d digests", len(all))
	}
	text := w.words(all[0])
	for _, want := range []string{
		"NEEDS YOU, 1 of it yours\n  " + string(id) + " Heap overflow - day 5 of 30\n    " + task.id() + " acme proposes 2027-02-15",
		"globex for 4 days", "DONE since the beginning", "notices delivered", "1 proposal of a date",
		"Thu 31 December 2026, 09:00 UTC",
	} {
		if want == "Thu 31 December 2026, 09:00 UTC" {
			if strings.Contains(text, want) {
				t.Errorf("it tells of what is far away:\n%s", text)
			}
			continue
		}
		wants(t, text, want)
	}
	wants(t, all[0].Envelope.Subject, "Digest Sat 5 Dec 2026 - 1 thing needs you")
	head := strings.TrimSpace(text[strings.LastIndex(text, "    "):])
	w.view(func(tx *store.Tx) error {
		if err := journal.Verify(tx, head); err != nil || len(head) != 64 {
			t.Errorf("head %q: %v", head, err)
		}
		return nil
	})
	for line := range strings.Lines(text) {
		if len(line) > 73 {
			t.Errorf("line of %d columns: %s", len(line)-1, line)
		}
	}
	w.clock.Advance(25 * 24 * time.Hour) // Wed 30 Dec
	w.settle()
	w.settle()
	all = w.digestsOf("ana")
	text = w.words(all[len(all)-1])
	wants(t, text, "DUE in the next 7 days\n")
	wants(t, text, "\n  Thu 31 December 2026, 09:00 UTC (10:00 Berlin)\n    "+string(id)+": ")
	if strings.Contains(text, "1 proposal of a date") {
		t.Errorf("what was told is told again:\n%s", text)
	}
}

// A digest is seen by its coordinator alone and tells nothing of a case that
// it may not see; what was told before a case was restricted is taken back.
func TestA2_DigestIsPrivate(t *testing.T) {
	t.Parallel()
	w := digesting(t)
	id, other := w.wroteTo("acme"), w.wroteTo("globex")
	w.in(other, "case restrict ana")
	w.clock.Advance(24 * time.Hour)
	w.settle()
	ana, ben := w.digestsOf("ana"), w.digestsOf("ben")
	if len(ana) != 1 || len(ben) != 1 || ana[0].ID == ben[0].ID {
		t.Fatalf("%d and %d digests", len(ana), len(ben))
	}
	for _, tag := range []cvd.CaseID{id, other} {
		wants(t, w.words(ana[0]), string(tag))
	}
	wants(t, w.words(ben[0]), string(id))
	if text := w.words(ben[0]) + ben[0].Envelope.Subject; strings.Contains(text, string(other)) || strings.Contains(text, "globex") || !strings.Contains(text, "1 thing needs") {
		t.Errorf("ben reads\n%s", text)
	}
	if ana[0].Scope == ben[0].Scope || ana[0].Scope == DeskScope {
		t.Errorf("they are sealed with %q and %q", ana[0].Scope, ben[0].Scope)
	}
	w.in(id, "case restrict ana")
	if got := w.digestsOf("ben"); len(got) != 0 {
		t.Errorf("ben still has %d digests", len(got))
	}
	if got := w.digestsOf("ana"); len(got) != 1 {
		t.Errorf("ana has %d digests", len(got))
	}
	w.view(func(tx *store.Tx) error {
		if _, err := tx.Message(ben[0].ID); err == nil {
			t.Error("its bytes are kept")
		}
		return nil
	})
}

// Status keeps the digests of thirty days.
func TestDigest_OldOnesGo(t *testing.T) {
	t.Parallel()
	w := digesting(t)
	w.do(`sending pause because "a look first"`) // so that weekends count
	var last []uint64
	for range keptDigests + 5 {
		w.clock.Advance(24 * time.Hour)
		w.settle()
	}
	for _, m := range w.digestsOf("ana") {
		last = append(last, m.ID)
	}
	if len(last) != keptDigests || !slices.IsSorted(last) {
		t.Errorf("%d digests: %d", len(last), last)
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	w := digesting(t)
	wants(t, unwrapped(w.by("ana", "zone Asia/Tokyo").String()), "ana is in Asia/Tokyo, where it is Tue 18:00 now; the next digest comes at Tue 1 Dec 2026, 23:00 UTC")
	for line, want := range map[string]string{
		"zone Mars/Olympus":         `NOT DONE: "Mars/Olympus" is not a time zone`,
		"zone":                      "NOT DONE: a time zone, such as Europe/Berlin, is missing",
		"zone UTC for nobody":       `NOT DONE: no coordinator is named "nobody"`,
		"zone Europe/Berlin please": `NOT DONE: "please" is not understood here`,
	} {
		wants(t, w.by("ana", line).String(), want)
	}
	wants(t, w.as(Actor{Name: Operator, Via: ViaOperator}, "zone UTC").String(), "NOT DONE: whose zone is it?")
	if w.Zone = "Europe/Paris"; fmt.Sprint(w.zoneOf(Coordinator{})) != "Europe/Paris" || fmt.Sprint(w.zoneOf(Coordinator{Zone: "Asia/Tokyo"})) != "Asia/Tokyo" {
		t.Error("the zone of the desk is not that of who has none")
	}
}

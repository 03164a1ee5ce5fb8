package mailflow

import (
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// silentFor8 is a case in which initech has been silent for eight days.
func silentFor8(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w, id := lateCase(t, trio, "acme", "initech")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(12*time.Hour, 8*cvd.Day)
	if p := w.participant(id, "initech"); !p.IsLate() {
		t.Fatalf("%+v", p)
	}
	return w, id
}

// The end moves so close that five days before it is over: who is late learns what it
// may at once, in order and after two yes to the new dates, and the proof never.
func TestLate_EndComesCloser(t *testing.T) {
	t.Parallel()
	w, id := silentFor8(t)
	w.approveAll("ben", "cho") // to the old dates
	w.in(id, `embargo 2026-12-12T09:00Z because "it leaks"`)
	w.after(30 * time.Minute)
	w.told("initech", "Heads-up")
	w.approveAll("ben", "cho")
	w.steps(10*time.Minute, time.Hour)
	w.told("initech", "Heads-up", "Scope", "Details", "Advisory")
	w.steps(6*time.Hour, 4*cvd.Day)
	w.told("initech", "Heads-up", "Scope", "Details", "Advisory", "Public")
}

// Without a yes nothing leaves of it before the end, and nothing after it but what is
// public.
func TestLate_EndComesCloserAndNobodySaysYes(t *testing.T) {
	t.Parallel()
	w, id := silentFor8(t)
	w.in(id, `embargo 2026-12-12T09:00Z because "it leaks"`)
	w.steps(6*time.Hour, 5*cvd.Day)
	w.told("initech", "Heads-up", "Public")
	for _, n := range w.noticesOf(id, "initech", cvd.KindStage) {
		if n.Stage != cvd.HeadsUp && n.Stage != cvd.Public {
			t.Errorf("%s is %s: %s", n.Stage, n.State, n.Why)
		}
	}
}

// The end moves away before anything of it has left: it waits for five days before
// the new one, and what was approved for the old dates is asked for again.
func TestLate_EndMovesAway(t *testing.T) {
	t.Parallel()
	w, id := silentFor8(t)
	w.in(id, `embargo 2026-12-12T09:00Z because "it leaks"`)
	w.in(id, `embargo 2027-01-20T09:00Z because "it does not"`)
	w.approveAll("ben", "cho")
	w.steps(12*time.Hour, 30*cvd.Day)
	w.told("initech", "Heads-up")
	w.steps(12*time.Hour, 7*cvd.Day) // 15 January
	w.told("initech", "Heads-up", "Scope", "Details", "Advisory")
}

// A reminder that a pause kept back goes when somebody works at its reader's: on
// Monday there, which is Sunday in UTC, or at once where it is still Friday.
func TestReminder_InTheReadersZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Remind = []time.Duration{3 * cvd.Day}
	w.Policies["fast"] = p
	w.clock.Advance(90 * time.Minute) // 10:30 UTC
	id := w.caseWith("kiri", "tokyo", "baker")
	for name, zone := range map[string]string{"kiri": "Pacific/Kiritimati", "tokyo": "Asia/Tokyo", "baker": "Etc/GMT+12"} {
		w.do("vendor edit " + name + " zone " + zone)
	}
	w.in(id, "start now")
	w.steps(time.Hour, 70*time.Hour) // Friday, 08:30 UTC
	w.do("sending pause because x")
	w.steps(time.Hour, 8*time.Hour)
	w.do("sending resume") // Friday, 16:30 UTC; Saturday, 01:30 in Tokyo and 06:30 on Kiritimati
	w.steps(30*time.Minute, 4*cvd.Day)
	for name, row := range map[string]struct {
		zone, day string
		until     time.Time
	}{
		"baker": {"Etc/GMT+12", "Fri 4 Dec", time.Date(2026, 12, 4, 17, 35, 0, 0, time.UTC)},
		"tokyo": {"Asia/Tokyo", "Mon 7 Dec", time.Date(2026, 12, 6, 17, 35, 0, 0, time.UTC)},
		"kiri":  {"Pacific/Kiritimati", "Mon 7 Dec", time.Date(2026, 12, 6, 17, 35, 0, 0, time.UTC)},
	} {
		all := w.noticesOf(id, cvd.PartyID(name), cvd.KindReminder)
		if len(all) != 1 || all[0].State != cvd.Sent {
			t.Errorf("%s: %+v", name, all)
			continue
		}
		at := all[0].SentAt
		if got := at.In(cvd.ZoneOf(row.zone)).Format("Mon 2 Jan"); got != row.day || at.After(row.until) {
			t.Errorf("%s was reminded on %s there, %s", name, got, at)
		}
	}
}

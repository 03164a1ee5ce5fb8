package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// detailsLater is the fast policy with ten days before the details.
func (w *world) detailsLater() {
	w.t.Helper()
	p := storyPolicy(w.t)
	p.Stages[2].At.Offset = 10 * cvd.Day
	w.Policies["fast"] = p
}

// preflightMails lists what the desk was told by preflights, in a folder.
func (w *world) preflightMails(folder string) []string {
	w.t.Helper()
	return slices.DeleteFunc(w.subjects(folder), func(s string) bool { return !strings.HasPrefix(s, "Preflight ") })
}

// A key that ends before the details go is red a week ahead, while all else that
// is to go then is tried for real and nothing leaves; once a new key is there the
// next preflight is green and the task is gone.
func TestPreflight_RedThenGreen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.detailsLater()
	old := w.person("globex", "psirt@globex.example")
	w.do("vendor add globex " + old.Address)
	expires(t, old, 6*cvd.Day)
	w.pins("globex", old, keyring.Confirmed)
	id := w.caseWith("acme", "globex", "initech")
	w.do("vendor edit initech channel hand")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, name := range []string{"acme", "globex"} {
		w.answers(name, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.in(id, "record initech accept v1 via phone") // or it would wait for that
	if got := w.text(w.folderOf(id, "Case file")); !strings.Contains(got, "preflight for details") {
		t.Errorf("NEXT does not show it:\n%s", got)
	}
	w.steps(6*time.Hour, 60*time.Hour)
	sent := len(w.sink.Mails())
	w.steps(time.Hour, 14*time.Hour)
	want := "Preflight " + string(id) + " details in 7 days: 1 of 3 would be held"
	if got := w.preflightMails("INBOX"); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
		t.Fatalf("INBOX holds %q, want %q; Status %q", got, want, w.subjects("Status"))
	}
	text := unwrapped(w.text("INBOX"))
	wants(t, text, "WOULD BE HELD (1)")
	wants(t, text, "no usable key of globex: ")
	wants(t, text, "TO BE DELIVERED BY HAND (1)")
	wants(t, text, "CAN GO (1) details to acme")
	if red, goes := strings.Index(text, "WOULD BE HELD"), strings.Index(text, "CAN GO"); red > goes {
		t.Errorf("red does not stand first:\n%s", text)
	}
	if got := len(w.sink.Mails()); got != sent {
		t.Errorf("%d mails left by trying", got-sent)
	}
	for line := range strings.Lines(w.text("INBOX")) {
		if len([]rune(strings.TrimRight(line, "\r\n"))) > 72 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	fresh := w.person("globex", old.Address)
	w.confirm("globex", fresh)
	w.steps(6*time.Hour, 5*cvd.Day)
	if got := w.preflightMails("INBOX"); len(got) != 0 {
		t.Errorf("INBOX still holds %q", got)
	}
	if got := w.preflightMails("Status"); len(got) != 1 || got[0] != "Preflight "+string(id)+" details in 2 days: all can go (3)" {
		t.Errorf("Status holds %q", got)
	}
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	if n := w.notice(id, "globex", cvd.Details); n.State != cvd.Sent {
		t.Errorf("details to globex, who has a new key: %s, %s", n.State, n.Why)
	}
}

// What would stop a stage on its day is in the list the day before, in the words
// that stop it then; what waits for a vendor or a person is not red.
func TestPreflight_Causes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(w *world, id cvd.CaseID)
		class  string
		why    string
	}{
		"nothing":     {func(*world, cvd.CaseID) {}, flightGoes, ""},
		"hold":        {func(w *world, id cvd.CaseID) { w.in(id, "hold acme because lawyers") }, flightRed, "acme is on hold: lawyers"},
		"hold case":   {func(w *world, id cvd.CaseID) { w.in(id, "hold case because x") }, flightRed, "the case is on hold: x"},
		"no accept":   {func(w *world, id cvd.CaseID) { w.in(id, "embargo 2027-01-30T12:00Z because x") }, flightWaits, "needs accepted version 2"},
		"key refused": {func(w *world, id cvd.CaseID) { w.in(id, "key reject acme "+w.people["acme"].Fingerprint()) }, flightRed, "no usable key of acme"},
		"no material": {func(w *world, id cvd.CaseID) {
			w.update(func(tx *store.Tx) error {
				return materials.Delete(tx, materialKey(tx, id, cvd.Details, "", 1))
			})
		}, flightRed, "there is no material for details"},
		"address": {func(w *world, id cvd.CaseID) {
			w.update(func(tx *store.Tx) error {
				p, err := ParticipantByID(tx, id, "acme")
				if err != nil {
					return err
				}
				p.Address = "psirt@acme.example\r\nBcc: all@evil.example"
				return PutParticipant(tx, p)
			})
		}, flightRed, "it cannot be written"},
		"nobody approved": {func(w *world, id cvd.CaseID) {
			w.update(func(tx *store.Tx) error {
				c, err := CaseByID(tx, id)
				if err != nil {
					return err
				}
				c.Policy.Stages = slices.Clone(c.Policy.Stages)
				c.Policy.Stages[2].Approvals = 1
				w.touch(tx, id)
				return cases.Put(tx, caseScope(id), caseKey(tx, id), c)
			})
		}, flightRed, "it waits for approval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.detailsLater()
			id := w.caseWith("acme")
			w.in(id, "start now")
			w.after(5 * time.Minute)
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			w.steps(6*time.Hour, 9*cvd.Day-12*time.Hour)
			row.change(w, id)
			w.steps(time.Hour, 13*time.Hour)
			folder := "Status"
			if row.class == flightRed {
				folder = "INBOX"
			}
			if got := w.preflightMails(folder); len(got) == 0 || !strings.Contains(got[len(got)-1], "details in 1 day: ") {
				t.Fatalf("%s holds %q", folder, w.subjects(folder))
			}
			m := w.message(folder, "Preflight "+string(id)+" details in 1 day")
			body, err := w.served(m).Body()
			if err != nil {
				t.Fatal(err)
			}
			wants(t, unwrapped(string(body)), row.class+" (1) details to acme")
			wants(t, unwrapped(string(body)), row.why)
		})
	}
}

// Our own key that has ended by then is told of every stage, and no signature is
// tried with it.
func TestPreflight_OurKeyEnds(t *testing.T) {
	t.Parallel()
	w := newWorldUntil(t, storyStart.Add(5*cvd.Day))
	w.detailsLater()
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 3*cvd.Day)
	if got := w.preflightMails("INBOX"); len(got) != 1 {
		t.Fatalf("INBOX holds %q", w.subjects("INBOX"))
	}
	m := w.message("INBOX", "Preflight ")
	body, _ := w.served(m).Body()
	wants(t, unwrapped(string(body)), ownKeyWhy)
}

// A task ends when the day of what was red has passed, and with its case.
func TestPreflight_TaskEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, id cvd.CaseID){
		"the day":  func(w *world, id cvd.CaseID) { w.steps(6*time.Hour, 25*time.Hour) },
		"the case": func(w *world, id cvd.CaseID) { w.in(id, `case close because "no flaw"`) },
		"a person": func(w *world, id cvd.CaseID) {
			for _, r := range w.openTasks() {
				if r.Kind == "preflight" {
					w.do("done " + r.id())
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.detailsLater()
			id := w.caseWith("acme")
			w.in(id, "start now")
			w.after(5 * time.Minute)
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			w.steps(6*time.Hour, 8*cvd.Day)
			w.in(id, "hold acme because x")
			w.steps(6*time.Hour, 24*time.Hour)
			if got := w.preflightMails("INBOX"); len(got) != 1 {
				t.Fatalf("INBOX holds %q", w.subjects("INBOX"))
			}
			if end(w, id); len(w.preflightMails("INBOX")) != 0 {
				t.Errorf("INBOX still holds %q", w.subjects("INBOX"))
			}
		})
	}
}

// While sending is paused nothing is tried, and it is made up for after that.
func TestPreflight_WaitsForAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.do("sending pause because x")
	w.steps(6*time.Hour, 25*time.Hour)
	if got := w.preflightMails("Status"); len(got) != 0 {
		t.Fatalf("Status holds %q", got)
	}
	w.do("sending resume")
	if got := w.preflightMails("Status"); len(got) != 1 || !strings.HasPrefix(got[0], "Preflight "+string(id)+" details in 1 day: ") {
		t.Errorf("Status holds %q", w.subjects("Status"))
	}
}

// When a stage is tried next: two weeks, a week, two days and a day before; not
// before the start, nor before a vendor joined, nor twice.
func TestNextPreflight(t *testing.T) {
	t.Parallel()
	days := func(n int) time.Time { return storyStart.Add(time.Duration(n) * cvd.Day) }
	vendor := func(party cvd.PartyID, joined int, all ...cvd.Notice) vendorLook {
		return vendorLook{Participant: cvd.Participant{Party: party, Joined: days(joined)}, notices: all}
	}
	stage := func(s cvd.Stage, due int) cvd.Notice {
		return cvd.Notice{Kind: cvd.KindStage, Stage: s, State: cvd.Planned, Due: days(due)}
	}
	sent := stage(cvd.Details, 20)
	sent.State = cvd.Sent
	for _, row := range []struct {
		name      string
		now, done int
		vendors   []vendorLook
		want      int // day; -1 for never
		stages    string
	}{
		{"two weeks", 1, 0, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, 6, "[details]"},
		{"a week", 6, 6, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, 13, "[details]"},
		{"two days", 14, 13, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, 18, "[details]"},
		{"one day", 18, 18, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, 19, "[details]"},
		{"over", 19, 19, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, -1, "[]"},
		{"missed by downtime", 15, 6, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, 13, "[details]"},
		{"a short policy", 0, 0, []vendorLook{vendor("acme", 0, stage(cvd.Details, 5))}, 3, "[details]"},
		{"too short", 0, 0, []vendorLook{vendor("acme", 0, stage(cvd.Details, 1))}, -1, "[]"},
		{"joined late", 12, 6, []vendorLook{vendor("acme", 12, stage(cvd.Details, 20))}, 13, "[details]"},
		{"sent", 1, 0, []vendorLook{vendor("acme", 0, sent)}, -1, "[]"},
		{"due by now", 20, 0, []vendorLook{vendor("acme", 0, stage(cvd.Details, 20))}, -1, "[]"},
		{"two at once", 1, 0, []vendorLook{vendor("acme", 0, stage(cvd.Proof, 20)), vendor("globex", 0, stage(cvd.Scope, 20))}, 6, "[scope proof]"},
		{"the sooner", 1, 0, []vendorLook{vendor("acme", 0, stage(cvd.Proof, 22)), vendor("globex", 0, stage(cvd.Details, 17))}, 3, "[details]"},
	} {
		l := caseLook{Case: cvd.Case{Start: storyStart}, vendors: row.vendors, now: days(row.now)}
		tried := days(row.done)
		if row.done == 0 {
			tried = time.Time{}
		}
		want := time.Time{}
		if row.want >= 0 {
			want = days(row.want)
		}
		at, stages := nextPreflight(l, aheadRow{Tried: tried})
		if !at.Equal(want) || fmt.Sprint(stages) != row.stages {
			t.Errorf("%s: %s %v, want day %d %s", row.name, at, stages, row.want, row.stages)
		}
	}
}

package mailflow

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// plan is one line for every notice, past and to come, and `plan HASH`.
func TestPlan_Lines(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	key := r.giveKey("acme", "psirt@acme.example", keyring.Confirmed)
	claimed := r.giveKey("globex", "security@globex.example", keyring.Claimed)
	r.writes("PAR-2026-0001", cvd.Scope, "the scope")
	r.say(asOperator, "case PAR-2026-0001", "invite globex wave 2", "start now")
	r.haveLeft("PAR-2026-0001", "acme", cvd.HeadsUp)
	r.settles("acme", cvd.Scope, Answer{Decision: Wait, Why: "needs acknowledged"})
	r.settles("globex", cvd.HeadsUp, Answer{Decision: HoldIt, Why: "no route to them"})
	got := r.say(asAna, "case PAR-2026-0001", "plan")
	want := []string{
		"acme  1/4 heads-up  2026-12-01T09:00Z  sent  key " + string(key) + " confirmed never expires",
		"globex  1/4 heads-up  2026-12-01T09:00:01Z  held: no route to them  key " + string(claimed) + " claimed never expires",
		"acme  2/4 scope  2026-12-01T09:00:02Z  waiting: needs acknowledged  key " + string(key) + " confirmed never expires  missing: acknowledged",
		"globex  2/4 scope  2026-12-01T09:00:03Z  planned  key " + string(claimed) + " claimed never expires  missing: confirmed key (key " +
			claimed.Spaced() + ": only claimed, confirmed is needed), acknowledged",
		"acme  3/4 details  2026-12-01T09:00:04Z  planned  key " + string(key) + " confirmed never expires  missing: material, accepted",
		"globex  3/4 details  2026-12-01T09:00:05Z  planned  key " + string(claimed) + " claimed never expires  missing: material, confirmed key (key " +
			claimed.Spaced() + ": only claimed, confirmed is needed), accepted",
		"acme  4/4 public  2026-12-01T09:10Z  planned  key " + string(key) + " confirmed never expires  missing: material",
		"globex  4/4 public  2026-12-01T09:10Z  planned  key " + string(claimed) + " claimed never expires  missing: material",
	}
	sum := sha256.Sum256([]byte(strings.Join(want, "\n") + "\n"))
	want = append(want, fmt.Sprintf("plan %x", sum))
	if got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	one := r.say(asAna, "case PAR-2026-0001", "plan acme")
	if strings.Contains(one, "globex") || strings.Count(one, "\n") != 4 {
		t.Errorf("plan acme:\n%s", one)
	}
}

// settles writes what the gate said of a stage.
func (r *deskRig) settles(p cvd.PartyID, s cvd.Stage, a Answer) {
	r.t.Helper()
	n := r.stageNotice("PAR-2026-0001", p, s)
	r.update(func(tx *store.Tx) error { return r.settle(tx, n, a) })
}

// A request that people were asked ahead of its day stands in the plan by its ID, so
// that who reads it can decide; so it does where something else is missing as well.
func TestPlan_RequestAheadOfItsDay(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "ana ben")
	p := w.Policies["fast"]
	p.Stages = slices.Clone(p.Stages)
	p.Stages[1].Approvals, p.Stages[2].Approvals = 1, 1
	w.Policies["fast"] = p
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(10 * time.Minute)
	waits := func(stage, why string) string {
		t.Helper()
		m := regexp.MustCompile(stage + `  \S+  waiting ([0-9a-f]{4}-[0-9a-f]{4})` + why + `  key .*approval`).FindStringSubmatch(w.in(id, "plan acme"))
		if m == nil {
			t.Fatalf("%s does not wait:\n%s", stage, w.in(id, "plan acme"))
		}
		return m[1]
	}
	details := waits("3/4 details", "")
	if details != w.request(cvd.Details).ID {
		t.Errorf("details wait for %s", details)
	}
	w.as(benSigned, "approve "+waits("2/4 scope", ""))
	if out := w.in(id, "plan acme"); !regexp.MustCompile(`2/4 scope  \S+  planned  key`).MatchString(out) {
		t.Errorf("with a yes:\n%s", out)
	}
	w.steps(6*time.Hour, 3*cvd.Day) // nobody answers, and both fall due
	if waits("3/4 details", ": scope has not gone yet") != details {
		t.Errorf("once due:\n%s", w.in(id, "plan acme"))
	}
}

// A plan tells of a pause of everything from the line that ordered it to the one that
// ends it.
func TestPlan_PausedAtOnce(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.say(asOperator, "case PAR-2026-0001", "start now")
	out := r.say(asOperator, "case PAR-2026-0001", `hold all because "a call"`, "plan acme")
	r.settles("acme", cvd.HeadsUp, Answer{Decision: HoldIt, Why: pausedWhy + "a call"}) // as the clockwork does
	for _, got := range []string{out, r.say(asOperator, "case PAR-2026-0001", "plan acme")} {
		if n := strings.Count(got, "held: sending is paused: a call"); n != 4 {
			t.Errorf("%d of 4 notices are held:\n%s", n, got)
		}
	}
	if got := r.say(asOperator, "case PAR-2026-0001", "release all", "plan acme"); strings.Contains(got, "held") {
		t.Errorf("after it:\n%s", got)
	}
}

func TestPlan_States(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		n    cvd.Notice
		want string
	}{
		{cvd.Notice{State: cvd.Planned}, "planned"},
		{cvd.Notice{State: cvd.Held, Why: "no key"}, "held: no key"},
		{cvd.Notice{State: cvd.Waiting, Why: "needs accepted"}, "waiting: needs accepted"},
		{cvd.Notice{State: cvd.Approval, ApprovalID: "9f3a-27c1"}, "waiting 9f3a-27c1"},
		{cvd.Notice{State: cvd.Approval, Why: "nobody was asked for approval yet"}, "waiting: nobody was asked for approval yet"},
		{cvd.Notice{State: cvd.Queued, Delivery: 17}, "queued"},
		{cvd.Notice{State: cvd.Sent, Delivery: 17}, "sent"},
		{cvd.Notice{State: cvd.Sent, Why: "by hand, via portal"}, "sent by hand, via portal"},
		{cvd.Notice{State: cvd.Unknown, Delivery: 17}, "unknown delivery D17"},
		{cvd.Notice{State: cvd.Failed, Delivery: 17}, "failed delivery D17"},
	} {
		if got := planState(row.n); got != row.want {
			t.Errorf("%s: %q, want %q", row.n.State, got, row.want)
		}
	}
}

// A plan tells of a hold from the very line that ordered it, of what is to come as
// of what is due, until the line that ends it.
func TestPlan_HoldsAtOnce(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.say(asOperator, "case PAR-2026-0001", "start now")
	for _, row := range []struct{ hold, release, why string }{
		{`hold acme because "a call"`, "release acme", "held: acme is on hold: a call"},
		{`hold case because "a call"`, "release case", "held: the case is on hold: a call"},
	} {
		out := r.say(asOperator, "case PAR-2026-0001", row.hold, "plan acme")
		r.settles("acme", cvd.HeadsUp, Answer{Decision: HoldIt, Why: strings.TrimPrefix(row.why, "held: ")}) // as the clockwork does
		for _, got := range []string{out, r.say(asOperator, "case PAR-2026-0001", "plan acme")} {
			if n := strings.Count(got, row.why); n != 4 {
				t.Errorf("%s: %d of 4 notices are held:\n%s", row.hold, n, got)
			}
		}
		if got := r.say(asOperator, "case PAR-2026-0001", row.release, "plan acme"); strings.Contains(got, "held") {
			t.Errorf("%s:\n%s", row.release, got)
		}
	}
}

// The key is judged on the day that the notice goes, not today.
func TestPlan_KeyOnThatDay(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	r.say(asOperator, "vendor add initech psirt@initech.example channel hand", "case PAR-2026-0001", "invite initech", "start now")
	out := r.say(asAna, "case PAR-2026-0001", "plan")
	for _, want := range []string{
		"acme  1/4 heads-up  2026-12-01T09:00Z  planned  no key  missing: claimed key\n",
		"initech  2/4 scope  2026-12-01T09:00:02Z  planned  by hand  missing: material, acknowledged\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
}

// Before the start a plan shows what would go, and changes nothing.
func TestPlan_BeforeStart(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	out := r.say(asAna, "case PAR-2026-0001", "plan")
	if !strings.HasPrefix(out, "PAR-2026-0001 has not started; with `start now` this would go:\nacme  1/4 heads-up  2026-12-01T09:00Z  planned") {
		t.Errorf("plan:\n%s", out)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.HeadsUp); n.ID != 0 {
		t.Error("a notice was planned")
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("needs a vendor", func(t *testing.T) {
		t.Parallel()
		r := newDeskRig(t)
		r.refused(asOperator, "no vendor takes part", "case open x", "start now")
	})
	t.Run("not in the past", func(t *testing.T) {
		t.Parallel()
		r := newDeskRig(t)
		r.refused(asOperator, "has passed", r.openedCase(), "start 2026-11-30")
	})
	t.Run("to come, and moved", func(t *testing.T) {
		t.Parallel()
		r := newDeskRig(t)
		tag := r.openedCase()
		r.say(asOperator, tag, "start 2026-12-02T10:00 Europe/Berlin")
		c := r.theCaseIs("PAR-2026-0001")
		if want := rigNow.Add(24 * time.Hour); !c.Start.Equal(want) || c.Embargo().Zone != "Europe/Berlin" || !c.Embargo().End.Equal(want.Add(10*time.Minute)) {
			t.Errorf("start %s, embargo %+v", c.Start, c.Embargo())
		}
		r.say(asOperator, tag, "start 2026-12-03T09:00Z")
		if n := r.stageNotice("PAR-2026-0001", "acme", cvd.HeadsUp); !n.Due.Equal(rigNow.Add(48 * time.Hour)) {
			t.Errorf("heads-up is due %s", n.Due)
		}
		if c := r.theCaseIs("PAR-2026-0001"); len(c.Embargoes) != 1 || !c.Embargo().End.Equal(rigNow.Add(48*time.Hour+10*time.Minute)) {
			t.Errorf("embargoes %+v", c.Embargoes)
		}
	})
	t.Run("end named before", func(t *testing.T) {
		t.Parallel()
		r := newDeskRig(t)
		tag := r.openedCase()
		r.say(asOperator, tag, `embargo 2027-01-12T16:00Z because "patch day"`)
		r.say(asOperator, tag, `embargo 2027-01-13T16:00Z because "patch day"`)
		r.say(asOperator, tag, "start now")
		c := r.theCaseIs("PAR-2026-0001")
		if len(c.Embargoes) != 1 || c.Embargo().Version != 1 || c.Embargo().Because != "patch day" || utc(c.Embargo().End) != "2027-01-13T16:00Z" {
			t.Errorf("embargoes %+v", c.Embargoes)
		}
		if told := r.embargoNotices("acme"); len(told) != 0 {
			t.Errorf("acme was told %+v", told)
		}
	})
	t.Run("end before start", func(t *testing.T) {
		t.Parallel()
		r := newDeskRig(t)
		r.refused(asOperator, "would end 2026-12-01T10:00Z, before it starts", r.openedCase(), "embargo 2026-12-01T10:00Z because x", "start 2026-12-02")
	})
}

func (r *deskRig) embargoNotices(p cvd.PartyID) []cvd.Notice {
	var out []cvd.Notice
	r.view(func(tx *store.Tx) error {
		all, err := Notices(tx, "PAR-2026-0001", p)
		for _, n := range all {
			if n.Kind == cvd.KindEmbargo {
				out = append(out, n)
			}
		}
		return err
	})
	return out
}

// A wall time that does not exist or exists twice is refused at entry,
// whatever the command.
func TestT6_WallTimes(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tag := r.openedCase()
	for _, line := range []string{"start %s", "embargo %s because x", "stage acme details at %s"} {
		for when, why := range map[string]string{
			"2027-03-28 02:30 Europe/Berlin": "does not exist",
			"2027-10-31 02:30 Europe/Berlin": "comes twice",
			"2027-10-31 02:30":               "names no zone",
			"2027-10-31 02:30 CET":           "not a time zone",
		} {
			r.refused(asOperator, why, tag, fmt.Sprintf(line, when))
		}
	}
	r.say(asOperator, tag, "embargo 2027-03-28 03:30 Europe/Berlin because x")
	if e := r.theCaseIs("PAR-2026-0001").Embargo(); utc(e.End) != "2027-03-28T01:30Z" || e.Zone != "Europe/Berlin" {
		t.Errorf("embargo %+v", e)
	}
}

// A new date is a new version; who was told learns it, a longer one asks for
// a new ACCEPT, and single dates that it overtakes are forgotten.
func TestEmbargo_Versions(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	tag := "case PAR-2026-0001"
	r.say(asOperator, tag, "stage acme details at 2026-12-01T09:09Z", `embargo 2026-12-01T09:08Z because "it leaks"`)
	told := r.embargoNotices("acme")
	if len(told) != 1 || told[0].Version != 2 || told[0].Code == "" || len(r.embargoNotices("globex")) != 0 {
		t.Fatalf("acme was told %+v, globex %+v", told, r.embargoNotices("globex"))
	}
	var l Letter
	r.view(func(tx *store.Tx) (err error) {
		l, err = letters.Get(tx, letterKey(told[0].ID))
		return err
	})
	if !strings.Contains(l.Text, told[0].Code) || strings.Contains(l.Text, "it leaks") {
		t.Errorf("the letter lacks its code, or says who asked and why:\n%s", l.Text)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Details); utc(n.Due) != "2026-12-01T09:00:04Z" || n.Version != 2 {
		t.Errorf("details is due %s, v%d", utc(n.Due), n.Version)
	}
	if n := r.stageNotice("PAR-2026-0001", "globex", cvd.Public); utc(n.Due) != "2026-12-01T09:08Z" {
		t.Errorf("public is due %s", utc(n.Due))
	}
	r.after(time.Hour)
	r.refused(asOperator, "ended 2026-12-01T09:08Z, and what is public stays so", tag, "embargo 2027-01-01 because x")
}

// What a party asks for itself bounds how early it may know.
func TestVendorEdit_FollowsIntoCases(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tag := r.openedCase()
	r.say(asOperator, tag, "case policy default", "start now", "vendor edit acme lead 30d address new@acme.example")
	who := r.participantIs("PAR-2026-0001", "acme")
	if who.Address != "new@acme.example" || who.Lead != 30*cvd.Day {
		t.Errorf("participant %+v", who)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.HeadsUp); !n.Due.Equal(rigNow.Add(61 * cvd.Day)) { // the end is 90 days later, and moved by one
		t.Errorf("acme's heads-up is due %s", n.Due)
	}
	if n := r.stageNotice("PAR-2026-0001", "globex", cvd.HeadsUp); !n.Due.Equal(rigNow) {
		t.Errorf("globex's heads-up is due %s", n.Due)
	}
}

package cvd

import (
	"testing"
	"time"
)

var day0 = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func startedCase(p Policy) Case {
	return Case{ID: "PAR-2026-0007", Policy: p, Start: day0,
		Embargoes: []Embargo{{Version: 1, End: day0.Add(p.Embargo)}}}
}

func vendor(name PartyID) Participant {
	return Participant{Case: "PAR-2026-0007", Party: name, Roles: []Role{RoleVendor}, Wave: 1}
}

func find(t *testing.T, plan []Due, p PartyID, s Stage) time.Time {
	t.Helper()
	for _, d := range plan {
		if d.Party == p && d.Stage == s {
			return d.At
		}
	}
	t.Fatalf("no %s for %s in %v", s, p, plan)
	return time.Time{}
}

func TestPlanDates(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	end := c.Embargo().End
	second := vendor("globex")
	second.Wave = 2
	late := vendor("initech")
	late.Joined = day0.Add(40 * Day)
	moved := vendor("umbrella")
	moved.Delays = map[Stage]time.Time{Details: day0.Add(9 * Day)}
	plan := Plan(c, []Participant{vendor("acme"), second, late, moved})
	for _, row := range []struct {
		party PartyID
		stage Stage
		at    time.Time
	}{
		{"acme", HeadsUp, day0},
		{"acme", Details, day0.Add(3 * Day)},
		{"acme", Advisory, end.Add(-14 * Day)},
		{"acme", Public, end},
		{"globex", HeadsUp, day0.Add(2 * Day)},
		{"globex", Advisory, end.Add(-14 * Day)},
		{"initech", HeadsUp, day0.Add(40 * Day)},
		{"initech", Proof, day0.Add(40 * Day)},
		{"initech", Public, end},
		{"umbrella", Details, day0.Add(9 * Day)},
		{"umbrella", Proof, day0.Add(14 * Day)},
	} {
		if at := find(t, plan, row.party, row.stage); !at.Equal(row.at) {
			t.Errorf("%s %s at %s, want %s", row.party, row.stage, at, row.at)
		}
	}
	for i := 1; i < len(plan); i++ {
		if plan[i].At.Before(plan[i-1].At) {
			t.Fatalf("row %d is out of order: %v", i, plan)
		}
	}
}

func TestPlanLeadIsNeverExceeded(t *testing.T) {
	t.Parallel()
	p := Shipped()["distros"] // 21 days, of which vendors may know 14
	c := startedCase(p)
	distro := vendor("acme")
	distro.Wave = 2
	c.Embargoes[0].End = c.Embargoes[0].End.Add(Day)
	first := find(t, Plan(c, []Participant{distro}), "acme", HeadsUp)
	if want := c.Embargo().End.Add(-14 * Day); !first.Equal(want) {
		t.Errorf("heads-up at %s, want %s", first, want)
	}
}

// Wave 1 of the policy for distributions is upstream: it fixes first.
func TestPlanUpstreamFirst(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["distros"])
	distro, slow := vendor("distro"), vendor("slow")
	distro.Wave, slow.Lead = 2, 2*Day
	plan := Plan(c, []Participant{vendor("upstream"), distro, slow})
	for _, row := range []struct {
		party PartyID
		at    time.Time
	}{
		{"upstream", day0},
		{"distro", day0.Add(7 * Day)},
		{"slow", c.Embargo().End.Add(-2 * Day)}, // what a party asks for itself holds it
	} {
		if at := find(t, plan, row.party, HeadsUp); !at.Equal(row.at) {
			t.Errorf("%s is told at %s, want %s", row.party, at, row.at)
		}
	}
}

// An offset of one vendor goes before the policy's and its wave's, moves with
// the end, and is never earlier than the lead or the stage above it.
func TestPlanOffsets(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	end := c.Embargo().End
	when := func(s string) When {
		w, err := ParseWhen(s)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, row := range []struct {
		name    string
		offsets map[Stage]When
		delays  map[Stage]time.Time
		lead    time.Duration
		stage   Stage
		at      time.Time
	}{
		{"from the start", map[Stage]When{Details: when("start+10d")}, nil, 0, Details, day0.Add(10 * Day)},
		{"those after wait", map[Stage]When{Details: when("start+20d")}, nil, 0, Proof, day0.Add(20 * Day)},
		{"from the end", map[Stage]When{Advisory: when("end-30d")}, nil, 0, Advisory, end.Add(-30 * Day)},
		{"never before the stage above", map[Stage]When{Details: when("start")}, nil, 0, Details, day0.Add(3 * Day)},
		{"never before the lead", map[Stage]When{HeadsUp: when("start")}, nil, 10 * Day, HeadsUp, end.Add(-10 * Day)},
		{"a date goes before", map[Stage]When{Details: when("start+10d")}, map[Stage]time.Time{Details: day0.Add(12 * Day)}, 0, Details, day0.Add(12 * Day)},
	} {
		p := vendor("acme")
		p.Wave, p.Offsets, p.Delays, p.Lead = 2, row.offsets, row.delays, row.lead
		if at := find(t, Plan(c, []Participant{p}), "acme", row.stage); !at.Equal(row.at) {
			t.Errorf("%s: %s at %s, want %s", row.name, row.stage, at, row.at)
		}
	}
}

// A proof that the end overtakes is skipped, and nothing waits for it; scope and
// details are not, unless a leak told them.
func TestPlanSkipsAProof(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	for _, row := range []struct {
		name    string
		end     time.Duration
		wave    int
		reached Stage
		before  Stage // the advisory
		at      time.Duration
	}{
		{"in time", 20 * Day, 1, Details, Proof, 14 * Day},
		{"an instant before the end", 14*Day + 1, 1, Details, Proof, 14 * Day},
		{"on the end", 14 * Day, 1, Details, Details, 3 * Day},
		{"in a later wave", 20 * Day, 6, Details, Details, 13 * Day},
		{"details overtaken, too", 20 * Day, 10, Scope, Details, 20 * Day},
		{"details told by a leak", 20 * Day, 10, Details, Details, 19 * Day},
	} {
		c.Embargoes[0].End = day0.Add(row.end)
		p := vendor("acme")
		p.Wave, p.Reached = row.wave, row.reached
		if before, at := c.Before(p, Advisory), find(t, Plan(c, []Participant{p}), "acme", Advisory); before != row.before || !at.Equal(day0.Add(row.at)) {
			t.Errorf("%s: the advisory follows %s, on %s; want %s on %s", row.name, before, at, row.before, day0.Add(row.at))
		}
	}
}

// Who would learn of it only when everybody does is named before the start.
func TestNeverTold(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["cert-cc"]) // 45 days, a day between waves
	late := vendor("late")
	late.Wave = 46
	last := vendor("last")
	last.Wave = 45
	got := NeverTold(c, []Participant{vendor("acme"), late, last})
	if len(got) != 1 || got[0].Party != "late" || got[0].Stage != HeadsUp || !got[0].At.Equal(c.Embargo().End) {
		t.Errorf("got %v", got)
	}
	late.Reached = HeadsUp // told, and the end came earlier since
	if got := NeverTold(c, []Participant{late}); len(got) != 0 {
		t.Errorf("who was told is named: %v", got)
	}
}

// Where the policy's lead is its whole embargo nobody waits, even if the end
// was moved to a publish day.
func TestLeadGrowsWithTheMovedEnd(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	c.Embargoes[0].End, c.Embargoes[0].Moved = c.Embargoes[0].End.Add(2*Day), 2*Day
	if at := find(t, Plan(c, []Participant{vendor("acme")}), "acme", HeadsUp); !at.Equal(day0) {
		t.Errorf("heads-up waits until %s", at)
	}
	c.Policy.Lead = 30 * Day
	if at := find(t, Plan(c, []Participant{vendor("acme")}), "acme", HeadsUp); !at.Equal(c.Embargo().End.Add(-30 * Day)) {
		t.Errorf("heads-up at %s, with a lead of 30d", at)
	}
}

// A longer embargo keeps nobody waiting whom the policy's lead, its whole embargo,
// never was to hold: what was planned at an offset from the start stays there.
func TestLeadGrowsWithALongerEmbargo(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ lead, own, heads, scope time.Duration }{
		"the whole embargo": {90 * Day, 0, 0, Day},
		"shorter":           {80 * Day, 0, 40 * Day, 40 * Day},
		"the party's own":   {90 * Day, 20 * Day, 100 * Day, 100 * Day},
	} {
		c := startedCase(Shipped()["default"])
		c.Policy.Lead = row.lead
		c.Embargoes = append(c.Embargoes, Embargo{Version: 2, End: day0.Add(120 * Day)})
		p := vendor("acme")
		p.Lead = row.own
		plan := Plan(c, []Participant{p})
		if at := find(t, plan, "acme", HeadsUp); !at.Equal(day0.Add(row.heads)) {
			t.Errorf("%s: heads-up at %s", name, at)
		}
		if at := find(t, plan, "acme", Scope); !at.Equal(day0.Add(row.scope)) {
			t.Errorf("%s: scope at %s", name, at)
		}
	}
	c := startedCase(Shipped()["default"]) // a shorter one takes nothing from it
	c.Embargoes = append(c.Embargoes, Embargo{Version: 2, End: day0.Add(60 * Day)})
	if got := c.Lead(vendor("acme")); got != 90*Day {
		t.Errorf("lead %s after a shorter embargo", got)
	}
}

// Who is no vendor gets what is public, at the end, and nothing before it.
func TestPlanOnlyForVendorsThatTakePart(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	gone := vendor("gone")
	gone.Withdrawn = &Hold{Because: "wrong party"}
	finder := Participant{Case: c.ID, Party: Finder, Roles: []Role{RoleFinder}}
	both := Participant{Case: c.ID, Party: "both", Roles: []Role{RoleFinder, RoleVendor}, Wave: 1}
	observer := Participant{Case: c.ID, Party: "certx", Roles: []Role{RoleObserver}}
	nobody := Participant{Case: c.ID, Party: "nobody"}
	public := map[PartyID]int{}
	for _, d := range Plan(c, []Participant{gone, finder, observer, nobody, both}) {
		switch {
		case d.Party == "both":
		case d.Stage != Public || !d.At.Equal(c.Embargo().End):
			t.Errorf("%s is told %s at %s", d.Party, d.Stage, d.At)
		default:
			public[d.Party]++
		}
	}
	if len(public) != 2 || public[Finder] != 1 || public["certx"] != 1 {
		t.Errorf("what is public goes to %v", public)
	}
	c.Start = time.Time{}
	if plan := Plan(c, []Participant{vendor("acme")}); plan != nil {
		t.Errorf("a case that has not started has a plan: %v", plan)
	}
}

func TestEmbargoVersionsBind(t *testing.T) {
	t.Parallel()
	c := startedCase(Shipped()["default"])
	old := c.Embargo().End
	p := vendor("acme")
	p.Acceptances = []Acceptance{{Version: 1}}
	c.Embargoes = append(c.Embargoes, Embargo{Version: 2, End: old.Add(30 * Day)})
	if end := c.End(p); !end.Equal(old) {
		t.Errorf("a longer embargo binds without consent: %s", end)
	}
	p.Acceptances = append(p.Acceptances, Acceptance{Version: 2})
	if end := c.End(p); !end.Equal(old.Add(30 * Day)) {
		t.Errorf("the accepted longer embargo does not bind: %s", end)
	}
	c.Embargoes = append(c.Embargoes, Embargo{Version: 3, End: old.Add(-10 * Day)})
	if end := c.End(p); !end.Equal(old.Add(-10 * Day)) {
		t.Errorf("a shorter embargo does not bind who was told: %s", end)
	}
}

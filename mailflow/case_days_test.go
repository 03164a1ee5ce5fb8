package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// working is a world whose policy "fast" publishes from Tuesday to Thursday,
// and has holidays.
func working(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Days = cvd.Days{Holidays: []cvd.Holiday{"12-24", "12-31", "2027-01-13"}}
	w.Policies["fast"] = p
	return w
}

// The end that a start computes is a publish day at the same wall time, and
// nobody waits for that.
func TestStart_EndsOnPublishDay(t *testing.T) {
	t.Parallel()
	w := working(t)
	id := w.caseWith("acme")
	got := w.in(id, "start now") // 30 days later it is Thursday, 31 December
	if !strings.Contains(unwrapped(got), "until 2027-01-05T09:00Z (5d later than the policy says, to be a publish day)") {
		t.Errorf("start: %s", got)
	}
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	if e := w.theCase(id).Embargo(); utc(e.End) != "2027-01-05T09:00Z" || e.Moved != 5*cvd.Day {
		t.Errorf("embargo %+v", e)
	}
	// In the zone that the start was entered in: 23:30 UTC is the day after in Berlin.
	other := w.caseWith("globex")
	w.in(other, "start 2026-12-03T00:30 Europe/Berlin")
	if e := w.theCase(other).Embargo(); utc(e.End) != "2027-01-04T23:30Z" { // Saturday, 2 January, 00:30 goes to Tuesday, 00:30
		t.Errorf("embargo %+v", e)
	}
}

// A policy without a day to publish on starts nothing.
func TestStart_NoPublishDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Policies["fast"]
	p.Days = cvd.Days{Publish: []time.Weekday{time.Friday}}
	for day := storyStart; day.Before(storyStart.Add(420 * cvd.Day)); day = day.Add(cvd.Day) {
		if day.Weekday() == time.Friday {
			p.Days.Holidays = append(p.Days.Holidays, cvd.Holiday(day.Format(time.DateOnly)))
		}
	}
	w.Policies["fast"] = p
	id := w.caseWith("acme")
	w.refuses(theOperator, "has no publish day within a year", "case "+string(id), "start now")
	w.refuses(theOperator, "has no publish day within a year", "case "+string(id), "plan")
}

// An end that a person enters on another day is refused, unless forced.
func TestEmbargo_PublishDays(t *testing.T) {
	t.Parallel()
	w := working(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	tag := "case " + string(id)
	for _, row := range []struct{ line, why string }{
		{`embargo 2027-01-15T16:00Z because x`, "is a Friday; policy fast publishes on Tuesday, Wednesday or Thursday, never on a holiday. " +
			"To go on: say Thu 2027-01-14T16:00Z or Tue 2027-01-19T16:00Z, or put `force` after the date"},
		{`embargo 2027-01-13T16:00Z because x`, "is a Wednesday and a holiday; "},
		{`embargo 2027-01-15T00:30 Europe/Berlin because x`, "is a Friday"}, // in UTC still Thursday
		{`stage acme public at 2027-01-08T09:00Z`, "is a Friday"},
		{`embargo 2027-01-15T16:00Z because force`, "is a Friday"}, // a reason is none of the language
		{`embargo 2027-01-15T16:00Z forced because x`, "is not an instant"},
	} {
		w.refuses(theOperator, row.why, tag, row.line)
	}
	w.in(id, `embargo 2027-01-15T16:00Z force because "patch day"`)
	if e := w.theCase(id).Embargo(); utc(e.End) != "2027-01-15T16:00Z" || e.Because != "patch day" {
		t.Errorf("embargo %+v", e)
	}
	if got := w.in(id, "stage acme public at 2027-01-16T09:00Z force"); !strings.Contains(got, "public to acme is due 2027-01-16T09:00Z") {
		t.Error(got)
	}
	if got := w.in(id, "dates"); !strings.Contains(unwrapped(got), "! publish on Tuesday, Wednesday or Thursday, no holiday") {
		t.Errorf("dates: %s", got)
	}
}

// A lead is never broken: the refusal says whose it is, and from when on.
func TestStage_LeadIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.do("vendor edit acme lead 10d")
	w.in(id, "start now")
	tag := "case " + string(id)
	w.refuses(theOperator, "acme may know of PAR-2026-0001 no longer than 10d before its end, 2026-12-31T09:00Z (its own lead): "+
		"scope cannot go at 2026-12-10T09:00Z, and no sooner than 2026-12-21T09:00Z", tag, "stage acme scope at 2026-12-10T09:00Z")
	w.refuses(theOperator, "(its own lead)", tag, "stage acme heads-up at start+2d")
	p := w.Policies["fast"]
	p.Name, p.Lead = "short", 14*cvd.Day
	w.Policies["short"] = p
	w.in(id, "case policy short")
	w.refuses(theOperator, "(the lead of policy short): scope cannot go at 2026-12-10T09:00Z, and no sooner than 2026-12-17T09:00Z",
		tag, "stage globex scope at 2026-12-10T09:00Z")
	w.in(id, "stage globex scope at 2026-12-17T09:00Z")
	if n := w.notice(id, "globex", cvd.Scope); utc(n.Due) != "2026-12-17T09:00Z" {
		t.Errorf("scope is due %s", utc(n.Due))
	}
	// The gate asks again, whatever the row says.
	q := Question{Now: storyStart.Add(cvd.Day), Case: w.theCase(id), Participant: w.participant(id, "globex"), Notice: w.notice(id, "globex", cvd.Scope)}
	q.Notice.Due = q.Now
	if a := stoppedBy(q, "the lead lets its participant know"); a == nil || a.Decision != NotYet || utc(a.At) != "2026-12-17T09:00Z" {
		t.Errorf("the gate says %+v", a)
	}
}

// Offsets of one vendor follow the dates of the case, before and after its
// start, and can be undone.
func TestStage_Offsets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	due := func(p cvd.PartyID) string { return utc(w.notice(id, p, cvd.Details).Due) }
	if got := w.in(id, "stage acme details at end-5d"); !strings.Contains(got, "details to acme will be due end-5d, once PAR-2026-0001 starts") {
		t.Error(got)
	}
	w.refuses(theOperator, "name an offset such as start+3d", "case "+string(id), "stage acme details at 2026-12-08T09:00Z")
	w.in(id, "start now")
	if due("acme") != "2026-12-26T09:00Z" || due("globex") != "2026-12-03T09:00Z" {
		t.Fatalf("due %s and %s", due("acme"), due("globex"))
	}
	w.in(id, `embargo 2027-01-12T16:00Z because "fix"`)
	if due("acme") != "2027-01-07T16:00Z" {
		t.Errorf("after the new end: due %s", due("acme"))
	}
	got := w.in(id, "stage acme details at start+9d")
	if due("acme") != "2026-12-10T09:00Z" {
		t.Errorf("due %s", due("acme"))
	}
	undo := got[strings.Index(got, "undo U")+5:]
	w.do("undo " + undo[:strings.Index(undo, " ")])
	if due("acme") != "2027-01-07T16:00Z" {
		t.Errorf("after the undo: due %s", due("acme"))
	}
	w.in(id, "stage acme details at 2026-12-20T10:00Z") // a date goes in its place
	if p := w.participant(id, "acme"); due("acme") != "2026-12-20T10:00Z" || len(p.Offsets) != 0 {
		t.Errorf("due %s, %+v", due("acme"), p.Offsets)
	}
	for line, why := range map[string]string{
		"stage acme details at start+90d": "is after the end of the embargo",
		"stage acme details at end":       "does not go any more then",
		"stage acme details at soon":      "or say start+3d or end-14d",
		"stage acme details at end+3d":    "or say start+3d or end-14d",
	} {
		w.refuses(theOperator, why, "case "+string(id), line)
	}
	w.coordinator("ana")
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "moves a date earlier", "case "+string(id), "stage acme details at start+5d")
}

// A wave too many would learn of the case with everybody: no start.
func TestStart_WaveTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.in(id, "invite globex wave 31")
	w.refuses(theOperator, "heads-up to globex would fall on the end of the embargo, 2026-12-31T09:00Z", "case "+string(id), "start now")
	w.in(id, "invite globex wave 30", "start now")
	if got := w.in(id, `embargo 2026-12-29T09:00Z because "it leaks"`); !strings.Contains(unwrapped(got), "; but heads-up to globex would fall on the end") {
		t.Error(got)
	}
}

// Another policy plans what is to come anew: nothing is told twice, nothing is
// taken back, a yes under the old one counts no more, and the end stays.
func TestCasePolicy_Running(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme", "globex")
	before := w.request(cvd.Scope)
	w.as(benByMail, "approve "+before.ID)
	end := w.theCase(id).Embargo().End
	other := w.Policies["default"]
	other.Name, other.Stages = "other", slices.Clone(other.Stages)
	w.Policies["other"] = other
	w.in(id, "case policy other") // the same in all but its name
	after := w.request(cvd.Scope)
	if after.ID == before.ID || !after.Open() {
		t.Fatalf("the yes under the old policy stands: %+v", after)
	}
	w.steps(6*time.Hour, 2*cvd.Day)
	w.told("acme", "Heads-up")
	w.as(benByMail, "approve "+w.request(cvd.Scope).ID)
	w.steps(time.Hour, 3*time.Hour)
	w.told("acme", "Heads-up", "Scope")
	if p := w.participant(id, "acme"); p.Reached != cvd.Scope {
		t.Errorf("reached %s", p.Reached)
	}
	w.in(id, "case policy cert-cc")
	w.steps(6*time.Hour, cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	if c := w.theCase(id); !c.Embargo().End.Equal(end) || c.Policy.Name != "cert-cc" || len(c.Embargoes) != 1 {
		t.Errorf("the end moved: %+v", c.Embargoes)
	}
	n := w.notice(id, "acme", cvd.Advisory)
	if want := end.Add(-7 * cvd.Day); !n.Due.Equal(want) {
		t.Errorf("advisory is due %s, want %s", utc(n.Due), utc(want))
	}
}

// A policy that leaves out what was told already, or what it stands on, neither
// repeats nor blocks anything.
func TestCasePolicy_OtherStages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Policies["late"] = cvd.Policy{Name: "late", Embargo: 30 * cvd.Day, Days: w.Policies["fast"].Days, Stages: []cvd.StageRule{
		{Stage: cvd.HeadsUp, Trust: cvd.Found, TLP: "AMBER+STRICT"},
		{Stage: cvd.Details, At: cvd.When{Offset: cvd.Day}, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Public, At: cvd.When{FromEnd: true}, Trust: cvd.Claimed, TLP: "CLEAR"},
	}}
	w.Policies["full"] = cvd.Policy{Name: "full", Embargo: 30 * cvd.Day, Days: w.Policies["fast"].Days, Stages: []cvd.StageRule{
		{Stage: cvd.HeadsUp, Trust: cvd.Found, TLP: "AMBER+STRICT"},
		{Stage: cvd.Scope, At: cvd.When{Offset: cvd.Day}, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Proof, At: cvd.When{Offset: 5 * cvd.Day}, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"},
		{Stage: cvd.Public, At: cvd.When{FromEnd: true}, Trust: cvd.Claimed, TLP: "CLEAR"},
	}}
	id := w.caseWith("acme")
	w.material(id, cvd.Proof, "the proof text "+canary(cvd.Proof))
	w.in(id, "case policy late", "start now")
	w.after(2 * cvd.Day)
	w.told("acme", "Heads-up", "Details")
	w.in(id, "case policy full")
	w.after(5 * cvd.Day)
	w.told("acme", "Heads-up", "Details", "Proof")
	if w.heard("acme", cvd.Scope) {
		t.Error("acme was told a stage below the one that it had reached")
	}
}

// The answer is asked for by a business day of the reader.
func TestReplyBy_BusinessDays(t *testing.T) {
	t.Parallel()
	end := storyStart.Add(90 * cvd.Day)
	feasts := cvd.Days{Holidays: []cvd.Holiday{"2026-12-07"}}
	for _, row := range []struct {
		name  string
		stage cvd.Stage
		now   string
		days  cvd.Days
		zone  string
		want  string
	}{
		{"Tuesday and three days", cvd.HeadsUp, "2026-12-01T09:00Z", cvd.Days{}, "UTC", "2026-12-04T09:00Z"},
		{"Saturday goes to Monday", cvd.HeadsUp, "2026-12-02T09:00Z", cvd.Days{}, "UTC", "2026-12-07T09:00Z"},
		{"Monday is a holiday", cvd.HeadsUp, "2026-12-02T09:00Z", feasts, "UTC", "2026-12-08T09:00Z"},
		{"Saturday in Tokyo", cvd.Scope, "2026-12-01T18:00Z", cvd.Days{}, "Asia/Tokyo", "2026-12-06T18:00Z"},
		{"not after the end", cvd.HeadsUp, "2027-02-27T09:00Z", cvd.Days{}, "UTC", utc(end)},
		{"a week for a status", cvd.Details, "2026-12-05T09:00Z", cvd.Days{}, "UTC", "2026-12-14T09:00Z"},
	} {
		now, err := cvd.ParseInstant(row.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := utc(replyBy(row.stage, now.At, end, row.days, cvd.ZoneOf(row.zone))); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
	if by := replyBy(cvd.Public, storyStart, end, cvd.Days{}, time.UTC); !by.IsZero() {
		t.Errorf("public asks for an answer by %s", by)
	}
}

// A policy that may end earlier, or tells a wave without the lead, is a laxer
// one (rule A3).
func TestA3_LaxerDays(t *testing.T) {
	t.Parallel()
	base := cvd.Shipped()["distros"]
	base.Days.Holidays = []cvd.Holiday{"12-25"}
	for _, row := range []struct {
		name   string
		change func(*cvd.Policy)
		why    string
	}{
		{"nothing", func(*cvd.Policy) {}, ""},
		{"a holiday less", func(p *cvd.Policy) { p.Days.Holidays = nil }, "12-25 is no holiday"},
		{"a holiday more", func(p *cvd.Policy) { p.Days.Holidays = []cvd.Holiday{"12-24", "12-25"} }, ""},
		{"a publish day more", func(p *cvd.Policy) { p.Days.Publish = []time.Weekday{1, 2, 3, 4} }, "Monday is a publish day"},
		{"a publish day less", func(p *cvd.Policy) { p.Days.Publish = []time.Weekday{2, 3} }, ""},
		{"wave 2 is upstream, too", func(p *cvd.Policy) { p.Upstream = 2 }, "moves heads-up earlier"},
		{"nobody is upstream", func(p *cvd.Policy) { p.Upstream = 0 }, ""},
	} {
		fresh := base
		row.change(&fresh)
		if got := laxer(base, fresh); (got == "") != (row.why == "") || !strings.Contains(got, row.why) {
			t.Errorf("%s: %q, want %q", row.name, got, row.why)
		}
	}
}

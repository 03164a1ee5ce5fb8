package mailflow

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// dates lists the Subjects of the notices about the date that a person got.
func (w *world) dates(name string) []string {
	w.t.Helper()
	var out []string
	for _, l := range w.mails(w.people[name]) {
		if m := regexp.MustCompile(`Embargo v\d+ until .*`).FindString(l.Subject); m != "" {
			out = append(out, m)
		}
	}
	return out
}

// A shorter embargo informs everybody who was told, binds without an answer,
// and moves what is to come.
func TestEmbargo_ShorterInforms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex", "initech")
	w.in(id, "invite initech wave 3", "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `embargo 2026-12-20T12:00Z because "it leaks, says acme"`)
	w.after(w.Undo)
	for _, name := range []string{"acme", "globex"} {
		if got := w.dates(name); len(got) != 1 || got[0] != "Embargo v2 until Sun 20 Dec 2026" {
			t.Errorf("%s: %q", name, got)
		}
		mails := w.mails(w.people[name])
		last := mails[len(mails)-1]
		if !strings.Contains(last.Text, "You need not answer") || strings.Contains(last.Text, "ACCEPT") || strings.Contains(last.readable(), "leaks") || strings.Contains(last.readable(), "says") {
			t.Errorf("to %s:\n%s", name, last.Text)
		}
	}
	if got := w.dates("initech"); len(got) != 0 {
		t.Errorf("initech, who was told nothing, got %q", got)
	}
	w.steps(6*time.Hour, 10*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.steps(time.Hour, 10*cvd.Day)
	w.sentAt("acme", "2026-12-20T12:00Z")
	w.sentAt("globex", "2026-12-20T12:00Z")
}

// sentAt wants the last stage of a person to have left within an hour after an
// instant, and not before.
func (w *world) sentAt(name, at string) {
	w.t.Helper()
	want, err := time.Parse("2006-01-02T15:04Z", at)
	if err != nil {
		w.t.Fatal(err)
	}
	mails := w.mails(w.people[name])
	if len(mails) == 0 {
		w.t.Fatalf("%s got nothing", name)
	}
	last := mails[len(mails)-1]
	date, err := last.Outer.Date()
	if err != nil || !strings.Contains(last.Subject, "Public") || date.Before(want) || date.After(want.Add(time.Hour)) {
		w.t.Errorf("%q to %s at %s, want public at %s", last.Subject, name, date, at)
	}
}

// A longer embargo asks each again. Who does not answer is bound by the old
// date and learns no more, and gets what is public no sooner than anybody else.
func TestEmbargo_LongerAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex", "initech")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, name := range []string{"acme", "globex"} {
		w.answers(name, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.in(id, `embargo 2027-01-30T12:00Z because "fix needs a month"`)
	w.after(w.Undo)
	for _, name := range []string{"acme", "globex", "initech"} {
		mails := w.mails(w.people[name])
		last := mails[len(mails)-1]
		if got := w.dates(name); len(got) != 1 || !strings.Contains(last.Text, "ACCEPT "+string(id)+" v2 ") || strings.Contains(last.Text, "month") {
			t.Errorf("%s: %q\n%s", name, got, last.Text)
		}
	}
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v2\n")
	w.answers("globex", id, true, "HELP "+string(id)+"\n")
	for name, want := range map[string]string{"acme": "Embargo v2 until Sat 30 January 2027", "globex": "Embargo v1 until Thu 31 December 2026"} {
		mails := w.mails(w.people[name])
		if last := mails[len(mails)-1]; !strings.Contains(last.Text, want) || (name == "globex" && !strings.Contains(last.Text, "ACCEPT "+string(id)+" v2")) {
			t.Errorf("the answer to %s lacks %q:\n%s", name, want, last.Text)
		}
	}
	c := w.theCase(id)
	if end := c.End(w.participant(id, "globex")); utc(end) != "2026-12-31T09:00Z" {
		t.Errorf("globex is bound until %s", utc(end))
	}
	if end := c.End(w.participant(id, "acme")); utc(end) != "2027-01-30T12:00Z" {
		t.Errorf("acme is bound until %s", utc(end))
	}
	w.steps(6*time.Hour, 10*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.told("globex", "Heads-up")
	if n := w.notice(id, "globex", cvd.Scope); n.State != cvd.Waiting || !strings.Contains(n.Why, "version 2") {
		t.Errorf("scope to globex: %s, %s", n.State, n.Why)
	}
	// Past the old date: a late yes still counts, and what waited goes at once.
	w.steps(6*time.Hour, 25*cvd.Day)
	w.told("globex", "Heads-up")
	w.answers("globex", id, true, "ACCEPT "+string(id)+" v2\n")
	w.told("globex", "Heads-up", "Scope", "Details")
	w.steps(time.Hour, 26*cvd.Day)
	for _, name := range []string{"acme", "globex", "initech"} {
		w.sentAt(name, "2027-01-30T12:00Z")
	}
}

// Who never agrees to the longer date hears what is public with everybody else.
func TestEmbargo_PublicOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `embargo 2027-01-30T12:00Z because x`)
	if n := w.notice(id, "acme", cvd.Public); utc(n.Due) != "2027-01-30T12:00Z" {
		t.Errorf("public is due %s", utc(n.Due))
	}
	w.steps(6*time.Hour, 45*cvd.Day)
	w.told("acme", "Heads-up")
	w.steps(time.Hour, 16*cvd.Day)
	w.sentAt("acme", "2027-01-30T12:00Z")
}

// An ACCEPT of a later date moves what is counted from the end: nothing goes
// at the date that it would have had.
func TestEmbargo_AcceptMovesDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := func(s cvd.Stage, at string) cvd.StageRule {
		when, err := cvd.ParseWhen(at)
		if err != nil {
			t.Fatal(err)
		}
		return cvd.StageRule{Stage: s, At: when, Trust: cvd.Confirmed, TLP: "AMBER+STRICT"}
	}
	w.Policies["fast"] = cvd.Policy{Name: "fast", Embargo: 30 * cvd.Day, Stages: []cvd.StageRule{
		rule(cvd.HeadsUp, "start"), rule(cvd.Advisory, "end-14d"), rule(cvd.Public, "end")}}
	id := w.caseWith("acme")
	w.material(id, cvd.Advisory, "the advisory")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `embargo 2027-03-31T09:00Z because x`)
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v2\n")
	if n := w.notice(id, "acme", cvd.Advisory); utc(n.Due) != "2027-03-17T09:00Z" || n.Version != 2 {
		t.Errorf("the advisory is due %s, v%d", utc(n.Due), n.Version)
	}
	w.steps(12*time.Hour, 60*cvd.Day)
	w.told("acme", "Heads-up")
}

// A date that is changed again before anybody heard of it is told once, as it
// is now.
func TestEmbargo_ChangedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.in(id, `embargo 2027-01-30T12:00Z because x`)
	w.after(time.Minute)
	w.in(id, `embargo 2026-12-25T12:00Z because y`)
	w.after(w.Undo)
	if got := w.dates("acme"); len(got) != 1 || got[0] != "Embargo v3 until Fri 25 Dec 2026" {
		t.Errorf("acme heard %q", got)
	}
	mails := w.mails(w.people["acme"])
	if last := mails[len(mails)-1]; !strings.Contains(last.Text, "before  Thu 31 December 2026") || strings.Contains(last.Text, "ACCEPT") {
		t.Errorf("the mail compares with a date that acme never heard:\n%s", last.Text)
	}
	w.in(id, `embargo 2027-01-30T12:00Z because x`)
	w.in(id, `embargo 2026-12-25T12:00Z because y`)
	w.after(w.Undo)
	if got := w.dates("acme"); len(got) != 1 {
		t.Errorf("acme heard of a date that changed back: %q", got)
	}
}

// An embargo is undone like anything else, within the undo window.
func TestEmbargo_CanBeStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.in(id, `embargo 2027-01-30T12:00Z because x`)
	w.after(time.Minute)
	w.in(id, "hold acme because wait")
	w.after(time.Hour)
	if got := w.dates("acme"); len(got) != 0 {
		t.Errorf("acme heard %q", got)
	}
	w.in(id, "release acme")
	w.after(w.Undo)
	if got := w.dates("acme"); len(got) != 1 {
		t.Errorf("after the release: %q", got)
	}
}

// What binds a participant, version by version.
func TestEmbargo_End(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return storyStart.Add(time.Duration(n) * cvd.Day) }
	for _, row := range []struct {
		ends     []int
		accepted []int
		want     int
	}{
		{[]int{30}, nil, 30},
		{[]int{30, 60}, nil, 60},
		{[]int{30, 60}, []int{1}, 30},
		{[]int{30, 60}, []int{1, 2}, 60},
		{[]int{30, 20}, []int{1}, 20},
		{[]int{30, 20, 30}, []int{1}, 20}, // it was told 20 and agreed to no later date since
		{[]int{30, 20, 30}, []int{1, 3}, 30},
		{[]int{30, 60, 40}, []int{1}, 30},
		{[]int{30, 60, 40}, []int{2}, 40},
	} {
		var c cvd.Case
		for i, n := range row.ends {
			c.Embargoes = append(c.Embargoes, cvd.Embargo{Version: i + 1, End: day(n)})
		}
		var p cvd.Participant
		for _, v := range row.accepted {
			p.Acceptances = append(p.Acceptances, cvd.Acceptance{Version: v})
		}
		if got := c.End(p); !got.Equal(day(row.want)) {
			t.Errorf("ends %v, accepted %v: bound until day %d, want %d", row.ends, row.accepted, int(got.Sub(storyStart)/cvd.Day), row.want)
		}
	}
}

// A vendor that declined is told what is public and nothing else; its late yes
// counts.
func TestDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, name := range []string{"acme", "globex"} {
		w.answers(name, id, true, "ACK\n")
		w.answers(name, id, true, "DECLINE "+string(id)+" not our product\n")
	}
	w.steps(6*time.Hour, 5*cvd.Day)
	w.told("acme", "Heads-up")
	w.answers("globex", id, true, "ACCEPT "+string(id)+" v1\n")
	w.told("globex", "Heads-up", "Scope", "Details")
	w.steps(6*time.Hour, 30*cvd.Day)
	w.told("acme", "Heads-up", "Public")
	w.told("globex", "Heads-up", "Scope", "Details", "Public")
}

// What waits for a need goes at once when it is met, after its date, and not
// before it.
func TestNeedMetLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(20 * time.Hour)
	w.told("acme", "Heads-up")
	w.after(4 * time.Hour)
	w.told("acme", "Heads-up", "Scope")

	late := newWorld(t)
	id = late.caseWith("acme")
	late.in(id, "start now")
	late.after(10 * cvd.Day)
	late.told("acme", "Heads-up")
	late.answers("acme", id, true, "ACK\n")
	late.told("acme", "Heads-up", "Scope")
	late.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	late.told("acme", "Heads-up", "Scope", "Details")
}

// Whoever joins late gets what its stage allows, one stage after the other,
// and no stage that needs its word before it gave it.
func TestLateJoiner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor("late")
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.steps(6*time.Hour, 12*cvd.Day)
	w.in(id, "invite late wave 1")
	w.told("late")
	w.after(w.Undo)
	w.told("late", "Heads-up")
	w.answers("late", id, true, "ACCEPT "+string(id)+" v1\n")
	w.told("late", "Heads-up", "Scope", "Details")
	w.steps(6*time.Hour, 20*cvd.Day)
	w.told("late", "Heads-up", "Scope", "Details", "Public")
	w.told("acme", "Heads-up", "Public")
}

// Whoever joins late gets all that belongs to a stage by then: its annex, what goes
// with every stage, answers given before, and the files of each; and none of another's.
func TestLateJoiner_GetsAllOfAStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	w.vendor("late")
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(w.Undo)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 12*cvd.Day)
	w.as(anaSigned, "case "+string(id), `answer-all details "The 8.x branch is not affected."`)
	w.in(id, "invite late wave 1")
	for to, words := range map[string]string{"mitigation": "switch it off", "late.details": "annexforlate1", "acme.details": "annexforacme1", "details": "the newer details"} {
		w.submits("ana", to+"."+id.Lower()+"@"+w.DeskDomain, false, "material", words+"\n", mailtest.File{Name: "x.txt", Type: "text/plain", Data: "file: " + words})
	}
	w.after(w.Undo)
	w.answers("late", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(w.Undo)
	got := w.stageMail("late", "3/4 Details")
	for _, want := range []string{"switch it off", "annexforlate1", "the newer details", "The 8.x branch is not affected."} {
		if strings.Count(got.Text, want) != 1 {
			t.Errorf("late is not told %q once:\n%s", want, got.Text)
		}
	}
	for name, want := range map[string]string{"details-1.txt": "the newer details", "details-annex-1.txt": "annexforlate1", "mitigation-1.txt": "switch it off"} {
		if !strings.Contains(got.Files[name], "file: "+want) || !strings.Contains(got.Text, name) {
			t.Errorf("%s holds %q", name, got.Files[name])
		}
	}
	if word := got.find([]string{"annexforacme1", "the details text"}); word != "" || len(got.Files) != 5 {
		t.Errorf("late got %q, %d files", word, len(got.Files))
	}
}

// Withdrawn, a vendor gets nothing more; invited again, it goes on where it
// was, under a new address for its answers.
func TestWithdrawnAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme", "globex")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	old := w.thread(id, "acme")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `withdraw acme because "wrong party"`)
	w.steps(6*time.Hour, 5*cvd.Day)
	w.told("acme", "Heads-up")
	w.told("globex", "Heads-up")
	w.in(id, "invite acme wave 1")
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
	if now := w.thread(id, "acme"); now == old {
		t.Error("it kept its address")
	}
	mails := w.mails(w.people["acme"])
	if last := mails[len(mails)-1]; last.find([]string{strings.Split(old, "@")[0]}) != "" {
		t.Error("the new mail holds the old address")
	}
}

// Stopping takes one person: nothing of what is held leaves, whatever its date,
// and a release lets it go after the undo window.
func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ hold, release string }{
		{"hold acme because x", "release acme"},
		{"hold case because x", "release case"},
		{"hold all because x", "release all"},
	} {
		t.Run(row.hold, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.caseWith("acme", "globex")
			w.in(id, "start now")
			w.after(5 * time.Minute)
			w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
			w.in(id, row.hold)
			w.answers("acme", id, true, "ACK\n")
			w.steps(6*time.Hour, 4*cvd.Day)
			w.told("acme", "Heads-up")
			w.in(id, row.release)
			w.told("acme", "Heads-up")
			w.after(w.Undo)
			w.told("acme", "Heads-up", "Scope", "Details")
			if n := w.countIn("Held", "acme") + w.countIn("INBOX", "Held: "); n != 0 {
				t.Errorf("Held %q, INBOX %q", w.subjects("Held"), w.subjects("INBOX"))
			}
		})
	}
}

// Within the undo window everything can be stopped; a later act begins it anew.
func TestUndoWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(w.Undo - time.Second)
	w.told("acme")
	w.in(id, "case severity high")
	w.after(w.Undo - time.Second)
	w.told("acme")
	w.after(time.Second)
	w.told("acme", "Heads-up")
	w.answers("acme", id, true, "ACK\n")
	w.after(cvd.Day - 2*w.Undo) // a second before scope is due
	w.in(id, "hold acme because x", "release acme")
	w.after(w.Undo - 2*time.Second)
	w.told("acme", "Heads-up")
	w.after(time.Minute)
	w.told("acme", "Heads-up", "Scope")
}

// A case without material is held stage by stage, and goes on when it is
// written; heads-up needs none.
func TestMaterialComesLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := cvd.FindCaseIDs(w.do(`case open "Heap overflow" policy fast`))[0]
	w.vendor("acme")
	w.in(id, "invite acme wave 1", "start now")
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.steps(6*time.Hour, 3*cvd.Day)
	w.told("acme", "Heads-up")
	if n := w.notice(id, "acme", cvd.Scope); n.State != cvd.Held || !strings.Contains(n.Why, "no material for scope") || w.countIn("Held", "scope to acme") != 1 {
		t.Errorf("scope: %s, %s; Held %q", n.State, n.Why, w.subjects("Held"))
	}
	w.material(id, cvd.Details, "the details")
	w.after(time.Hour)
	w.told("acme", "Heads-up")
	w.material(id, cvd.Scope, "the scope")
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
}

// Another policy plans what is to come anew, and repeats nothing.
func TestPolicyChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.in(id, "case policy default") // where details need a signed yes
	w.steps(6*time.Hour, 10*cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	w.in(id, "case policy fast")
	w.after(w.Undo)
	w.told("acme", "Heads-up", "Scope", "Details")
	w.steps(6*time.Hour, 30*cvd.Day)
	w.told("acme", "Heads-up", "Scope", "Details", "Public")
	w.view(func(tx *store.Tx) error {
		n := dueRows.Count(tx, nil)
		if n != 0 {
			t.Errorf("%d rows are still due", n)
		}
		return nil
	})
}

// Closed, a case sends nothing more and plans nothing more.
func TestClosedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.in(id, "case close because done")
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, "record acme status fixed 4.8")
	w.steps(12*time.Hour, 40*cvd.Day)
	w.told("acme", "Heads-up")
	if n := w.notice(id, "acme", cvd.Public); n.ID != 0 {
		t.Errorf("public is %s in a closed case", n.State)
	}
}

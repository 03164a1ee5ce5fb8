package mailflow

import (
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
)

// leaked is a question about a leak of details to which the gate answers
// Release, to a vendor that was told nothing yet.
func leaked(t *testing.T) Question {
	t.Helper()
	q := free(t)
	q.Now = start.Add(time.Hour)
	q.Participant.Reached, q.Participant.Acceptances, q.Prior, q.Approval, q.HasMaterial, q.Hash = "", nil, nil, nil, false, ""
	q.Case.Leaks = []cvd.Leak{{At: q.Now, Level: cvd.DetailsOut, URL: "https://paste.test/", Within: 30 * time.Minute, By: "ana"}}
	q.Notice = cvd.Notice{ID: 9, Case: q.Case.ID, Party: "acme", Kind: cvd.KindLeak, Level: cvd.DetailsOut, Stage: cvd.Details, State: cvd.Planned,
		Due: q.Now, LastAct: q.Now}
	q.Kit = &kitLevel{Level: cvd.DetailsOut, Need: 1, Hash: "h", Request: &cvd.ApprovalRequest{ID: "9f3a-27c1", Stage: kitStage, How: "approved", Ended: start,
		Kit: map[cvd.Level]string{cvd.DetailsOut: "h"}}}
	return q
}

func TestMayLeak(t *testing.T) {
	t.Parallel()
	crossing := []Crossing{{Kind: crossNames, Party: "globex"}}
	for _, row := range []struct {
		name   string
		change func(q *Question)
		want   Decision
		why    string
	}{
		{"everything stands, and no undo waits", func(*Question) {}, Release, ""},
		{"not due", func(q *Question) { q.Notice.Due = q.Now.Add(time.Second) }, NotYet, "not due"},
		{"told more already", func(q *Question) { q.Participant.Reached = cvd.Proof }, Release, ""},
		{"declined", func(q *Question) { q.Participant.Declined = &cvd.Hold{} }, Release, ""},
		{"no lead holds it", func(q *Question) { q.Case.Policy.Lead = cvd.Day }, Release, ""},
		{"already queued", func(q *Question) { q.Notice.State = cvd.Queued }, Never, "already queued"},
		{"withdrawn", func(q *Question) { q.Participant.Withdrawn = &cvd.Hold{Because: "wrong"} }, Never, "withdrawn"},
		{"vendor on hold", func(q *Question) { q.Participant.Hold = &cvd.Hold{Because: "they moved"} }, HoldIt, "they moved"},
		{"case on hold", func(q *Question) { q.Case.Hold = &cvd.Hold{Because: "court"} }, HoldIt, "court"},
		{"hold all", func(q *Question) { q.Sending.Paused = true }, HoldIt, "paused"},
		{"our key ended", func(q *Question) { q.CannotSign = "our own signing key ended" }, HoldIt, "our own signing key"},
		{"not started", func(q *Question) { q.Case.Start = time.Time{} }, Never, "not started"},
		{"closed", func(q *Question) { q.Case.Closed = start }, Never, "closed"},
		{"nothing leaked", func(q *Question) { q.Case.Leaks = nil }, Never, "no leak of details"},
		{"another level leaked", func(q *Question) { q.Case.Leaks[0].Level = cvd.Rumour }, Never, "no leak of details"},
		{"no level", func(q *Question) { q.Notice.Level = "" }, Never, "no leak of no level"},
		{"not a vendor", func(q *Question) { q.Participant.Roles = []cvd.Role{cvd.RoleFinder} }, Never, "not a vendor"},
		{"no kit", func(q *Question) { q.Kit = nil }, Never, "no leak kit"},
		{"the kit of another level", func(q *Question) { q.Kit.Level = cvd.ExploitOut }, Never, "no leak kit"},
		{"no material", func(q *Question) { q.Kit.Lacks = "no material" }, HoldIt, "no material"},
		{"nobody asked", func(q *Question) { q.Kit.Request = nil }, Ask, "nobody was asked"},
		{"waits for a yes", func(q *Question) { q.Kit.Request.Ended, q.Kit.Request.How = time.Time{}, "" }, Ask, "9f3a-27c1"},
		{"rejected", func(q *Question) { q.Kit.Request.How = "rejected by ben: no" }, HoldIt, "rejected by ben"},
		{"void", func(q *Question) { q.Kit.Request.How = "void: changed" }, HoldIt, "void"},
		{"changed since", func(q *Question) { q.Kit.Hash = "other" }, Ask, "has changed"},
		{"no hash", func(q *Question) { q.Kit.Hash, q.Kit.Request.Kit = "", nil }, Ask, "has changed"},
		{"a yes to another level", func(q *Question) { q.Kit.Request.Kit = map[cvd.Level]string{cvd.Rumour: "h"} }, Ask, "has changed"},
		{"desk of one", func(q *Question) { q.Kit.Request.Cool = q.Now.Add(time.Hour) }, NotYet, "desk of one"},
		{"needs nobody's yes", func(q *Question) { q.Kit.Need, q.Kit.Request = 0, nil }, Release, ""},
		{"needs nobody's yes, and names somebody", func(q *Question) {
			q.Kit.Need, q.Kit.Request, q.Found = 0, nil, crossing
		}, Ask, "nobody was asked"},
		{"names somebody, unseen", func(q *Question) {
			q.Found, q.Kit.Found = crossing, map[cvd.PartyID][]Crossing{"acme": crossing}
		}, Ask, "has changed"},
		{"names somebody, seen", func(q *Question) {
			q.Found, q.Kit.Found = crossing, map[cvd.PartyID][]Crossing{"acme": crossing}
			q.Kit.Request.KitFound = map[string]string{"details acme": digestAll(crossing)}
		}, Release, ""},
		{"no key", func(q *Question) { q.Keys = keyring.Choice{} }, HoldIt, "no key"},
		{"by hand", func(q *Question) { q.Party.Channel = cvd.ChannelHand }, HoldIt, "by hand"},
		{"pause after a change of keys", func(q *Question) { q.Pause = Pause{Until: q.Now.Add(time.Minute), Key: "ABCD"} }, HoldIt, "key changed"},
		{"pause, a rumour", func(q *Question) {
			q.Pause = Pause{Until: q.Now.Add(time.Minute), Key: "ABCD"}
			q.Notice.Level, q.Notice.Stage, q.Case.Leaks[0].Level, q.Kit.Level = cvd.Rumour, cvd.HeadsUp, cvd.Rumour, cvd.Rumour
			q.Kit.Request.Kit = map[cvd.Level]string{cvd.Rumour: "h"}
		}, Release, ""},
		{"a reminder after a leak", func(q *Question) { q.Notice.Kind, q.Notice.Stage = cvd.KindReminder, cvd.Scope }, Never, "reminded"},
	} {
		q := leaked(t)
		row.change(&q)
		a := MayRelease(q)
		if a.Decision != row.want || !strings.Contains(a.Why, row.why) {
			t.Errorf("%s: got %d %q, want %d with %q", row.name, a.Decision, a.Why, row.want, row.why)
		}
		if (a.Decision == NotYet || a.Decision == HoldIt && !a.At.IsZero()) && !a.At.After(q.Now) {
			t.Errorf("%s: asks to be asked again at %s, which is not after %s", row.name, a.At, q.Now)
		}
	}
}

// The key of a leak has the trust that the stage asks for which it stands for.
func TestS7_TrustOfALeak(t *testing.T) {
	t.Parallel()
	q := leaked(t)
	for level, want := range map[cvd.Level]keyring.Trust{cvd.Rumour: keyring.Found, cvd.DetailsOut: keyring.Confirmed, cvd.ExploitOut: keyring.Confirmed} {
		q.Notice.Level, q.Notice.Stage = level, level.Stage()
		if got := needTrust(q); got != want {
			t.Errorf("%s: trust %s, want %s", level, got, want)
		}
	}
}

// After a leak the stage that follows it needs no notice of the one before.
func TestMayFollow_ALeak(t *testing.T) {
	t.Parallel()
	question := func(prior []cvd.Notice) Question {
		return Question{Case: cvd.Case{Policy: cvd.Shipped()["default"]}, Participant: cvd.Participant{Roles: []cvd.Role{cvd.RoleVendor}}, Notice: cvd.Notice{Kind: cvd.KindStage, Stage: cvd.Proof}, Prior: prior}
	}
	leak := cvd.Notice{Kind: cvd.KindLeak, Level: cvd.DetailsOut, Stage: cvd.Details, State: cvd.Sent}
	if a := stoppedBy(question([]cvd.Notice{leak}), "the stage before has left"); a != nil {
		t.Errorf("proof after a leak of details: %+v", a)
	}
	for _, row := range []cvd.Notice{
		{Kind: cvd.KindLeak, Level: cvd.Rumour, Stage: cvd.HeadsUp, State: cvd.Sent},
		{Kind: cvd.KindLeak, Level: cvd.DetailsOut, Stage: cvd.Details, State: cvd.Held},
	} {
		if a := stoppedBy(question([]cvd.Notice{row}), "the stage before has left"); a == nil {
			t.Errorf("proof follows %s, which is %s", noticeName(row), row.State)
		}
	}
}

func TestByFootprint(t *testing.T) {
	t.Parallel()
	ps := []cvd.Participant{{Party: "a", Wave: 2}, {Party: "b", Wave: 1}, {Party: "c", Footprint: "1.2k"}, {Party: "d", Footprint: "40M"},
		{Party: "e", Footprint: "many"}, {Party: "f", Footprint: "900000"}, {Party: "g", Footprint: "0", Wave: 3}}
	byFootprint(ps)
	var got []string
	for _, p := range ps {
		got = append(got, string(p.Party))
	}
	if s := strings.Join(got, ""); s != "dfcgeba" {
		t.Errorf("in the order %s", s)
	}
}

func TestLeakURL(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"https://paste.test/x?y=1.2":      "https://paste.test/x?y=1.2",
		"HTTPS://Paste.Test/X":            "https://Paste.Test/X",
		"hxxps://paste[.]test/x?y=1.2":    "https://paste.test/x?y=1.2",
		"http://abcdefgh.onion/x":         "http://abcdefgh.onion/x",
		"hxxp://a[.]b[.]test/u?v=c[:]//d": "http://a.b.test/u?v=c://d",
	} {
		got, err := leakURL(word)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", word, got, err, want)
			continue
		}
		if back, err := leakURL(defangedWord(got)); err != nil || back != got {
			t.Errorf("%s is written as %s and read as %q, %v", got, defangedWord(got), back, err)
		}
	}
	for _, word := range []string{"paste.test/x", "ftp://paste.test/x", "file:///etc/passwd", "javascript:alert(1)", "https://", "https:///x", "https://localhost/x",
		"https://ana:secret@paste.test/", "https://paste.test/" + strings.Repeat("x", maxLeakURL), "https://paste.test/<x>", "https://paste.test/a\u202eb", "%zz"} {
		if got, err := leakURL(word); err == nil {
			t.Errorf("%q is taken as %q", word, got)
		}
	}
}

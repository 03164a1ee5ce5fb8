package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
)

// dates weighs each end against the others: who is ready by then, how much of
// the footprint that is, and what blocks.
func TestDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex", "initech", "umbrella")
	w.in(id, "invite acme footprint 60M", "invite globex footprint 30M", "invite initech footprint 10M", "invite umbrella footprint 5M")
	w.answers("acme", id, true, "STATUS PAR-2026-0001 fixed 4.8 on 2026-12-15\n")
	w.answers("globex", id, true, "READY PAR-2026-0001 BY 2026-12-20\nPROPOSE PAR-2026-0001 2027-01-12 holidays\n")
	w.answers("umbrella", id, true, "STATUS PAR-2026-0001 not-affected old code\n")
	got := w.in(id, "dates")
	got = got[strings.Index(got, "> dates"):]
	want := `> dates
OK
Tue 2026-12-15T00:00Z  1 of 3 vendors ready, 60% of the footprint  (acme is ready)
    ready: acme
    blocks: globex (ready 2026-12-20); initech (no answer since it was told heads-up)
Sun 2026-12-20T00:00Z  2 of 3 vendors ready, 90% of the footprint  (globex is ready)
    ready: acme, globex
    blocks: initech (no answer since it was told heads-up)
Thu 2026-12-31T09:00Z  2 of 3 vendors ready, 90% of the footprint  (the end as it is, v1)
    ready: acme, globex
    blocks: initech (no answer since it was told heads-up)
Tue 2027-01-12T00:00Z  2 of 3 vendors ready, 90% of the footprint  (globex proposes it)
    ready: acme, globex
    blocks: initech (no answer since it was told heads-up)
initech says no date: no answer since it was told heads-up
` + "`embargo DATE because \"...\"` moves the end; shorter informs everybody told, longer asks each again\n"
	if unwrapped(got) != unwrapped(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	w.refuses(theOperator, "no vendor takes part", "case open x", "dates")
	w.answers("globex", id, true, "READY PAR-2026-0001 soon\n")
	if got := w.got("globex"); !strings.Contains(got[len(got)-1].Text, "say READY BY YYYY-MM-DD") {
		t.Errorf("globex is answered %q", got[len(got)-1].Text)
	}
	if r := w.who(id, "globex").Ready; r == nil || day(r.By) != "2026-12-20" {
		t.Errorf("ready %+v", r)
	}
}

func TestFootprint(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		ready, all string
		want       string
	}{
		{"40M", "40M 60M", ", 40% of the footprint"},
		{"250k 0.75M", "250k 0.75M 1G", ", 0% of the footprint"},
		{"1,5M", "1,5M 0.5M", ", 75% of the footprint"},
		{"12%", "12% 30%", ", 12% of the footprint"},
		{"12%", "12% 30M", ", footprint not known of all"},
		{"40M", "40M -", ", footprint not known of all"},
		{"", "40M 60M", ", 0% of the footprint"},
		{"", "", ""},
	} {
		make := func(list string) []cvd.Participant {
			var out []cvd.Participant
			for _, f := range strings.Fields(list) {
				out = append(out, cvd.Participant{Footprint: strings.Trim(f, "-")})
			}
			return out
		}
		if got := footprintShare(make(row.ready), make(row.all)); got != row.want {
			t.Errorf("%s of %s: %q, want %q", row.ready, row.all, got, row.want)
		}
	}
}

// An answer for all goes to each vendor at the stage in a mail of its own, and
// later to whoever reaches the stage; who was not told it gets nothing.
func TestAnswerAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme", "globex", "initech")
	for _, v := range []string{"acme", "globex"} {
		w.answers(v, id, true, "ACCEPT PAR-2026-0001 v1\n")
	}
	w.after(3 * cvd.Day)
	before := map[string]int{}
	for _, v := range []string{"acme", "globex", "initech"} {
		before[v] = len(w.got(v))
	}
	const answer = "The 8.x branch is not affected; the code came with 9.0."
	lines := []string{"case PAR-2026-0001", `answer-all details "` + answer + `"`}
	w.refuses(Actor{Name: "ana", Via: ViaMail}, "writes to every vendor and so counts only signed", lines...)
	w.refuses(anaSigned, `says "globex"`, lines[0], `answer-all details "Globex asked: is 8.x affected? No."`)
	w.refuses(anaSigned, `says "globex.example"`, lines[0], `answer-all details "see www.globex.example"`)
	w.refuses(anaSigned, "a heads-up holds nobody's words", lines[0], `answer-all heads-up "x"`)
	w.refuses(anaSigned, "has no stage proof", lines[0], `answer-all proof "x"`)
	w.refuses(anaSigned, "did you mean details?", lines[0], `answer-all detials "x"`)
	w.refuses(anaSigned, "the answer is missing", lines[0], `answer-all details`)
	wants(t, answerGoes(cvd.Details, nil), "nothing goes now, since no vendor has reached details; who reaches details later gets it")
	if tr := w.as(anaSigned, lines...); !tr.Done() || !strings.Contains(unwrapped(tr.String()), "goes to 2 vendors at details") {
		t.Fatalf("%s", tr)
	}
	if len(w.got("acme")) != before["acme"] {
		t.Error("it left while it could be undone")
	}
	wrong := undoID.FindStringSubmatch(w.as(anaSigned, lines[0], `answer-all details "A wrong answer."`).String())
	if got := w.as(anaSigned, "undo "+wrong[1]); !got.Done() {
		t.Fatalf("%s", got)
	}
	w.after(w.Undo)
	for v, n := range map[string]int{"acme": 1, "globex": 1, "initech": 0} {
		all := w.got(v)
		if len(all)-before[v] != n {
			t.Fatalf("%s got %d mails more, want %d", v, len(all)-before[v], n)
		}
		if text := all[len(all)-1].Text; n == 1 && (!strings.Contains(text, answer) || strings.Contains(text, "Re:")) {
			t.Errorf("%s got %q", v, text)
		}
	}
	w.answers("initech", id, true, "ACCEPT PAR-2026-0001 v1\n")
	w.after(cvd.Day)
	if !w.heard("initech", cvd.Details) {
		t.Fatal("initech was not told the details")
	}
	faq := "---- asked and answered ------------------------------------------------\n" + answer
	with := 0
	for _, o := range w.got("initech") {
		if strings.Contains(o.Text, faq) {
			with++
		}
		if strings.Contains(o.Text, "A wrong answer") {
			t.Errorf("initech got what was taken back:\n%s", o.Text)
		}
	}
	if with != 1 {
		t.Errorf("%d mails to initech hold the answer", with)
	}
}

// An answer for all changes what later vendors get: a yes to that is no yes
// any more.
func TestAnswerAll_VoidsApproval(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "acme")
	a := w.request(cvd.Scope)
	w.as(benByMail, "approve "+a.ID)
	if len(w.requests(cvd.Scope)) != 0 {
		t.Fatal("it waits for another yes")
	}
	if tr := w.as(anaSigned, "case "+string(id), `answer-all scope "an answer"`); !tr.Done() {
		t.Fatalf("%s", tr)
	}
	w.after(2 * cvd.Day)
	if b := w.request(cvd.Scope); b.ID == a.ID || w.heard("acme", cvd.Scope) {
		t.Errorf("the request %s, heard: %v", b.ID, w.heard("acme", cvd.Scope))
	}
}

// That a flaw is exploited starts the clocks of each vendor that was told; a
// task shows the next deadline, and says so when it passed.
func TestExploited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.started("acme", "globex")
	w.do("vendor add initech psirt@initech.example channel hand", "case PAR-2026-0001", "invite initech")
	w.answers("globex", id, true, "STATUS PAR-2026-0001 not-affected old code\n")
	lines := []string{"case PAR-2026-0001", `exploited source "telemetry"`}
	w.refuses(theOperator, "is missing; write: exploited", lines[0], "exploited")
	w.refuses(theOperator, "still to come", lines[0], `exploited source "x" at 2027-01-01`)
	w.refuses(theOperator, "on record as exploited", lines[0], "record acme reported early-warning via mail")
	mails := len(w.got("acme"))
	if tr := w.as(Actor{Name: "ana", Via: ViaMail}, lines...); !tr.Done() || !strings.Contains(unwrapped(tr.String()), "the clocks of 1 vendor run") {
		t.Fatalf("%s", tr)
	}
	known := w.clock.Now()
	tasks := func() []string {
		return slices.DeleteFunc(w.subjects("INBOX"), func(s string) bool { return !strings.HasPrefix(s, "PAR-2026-0001 ") })
	}
	want := func(subjects ...string) {
		t.Helper()
		if got := tasks(); !slices.Equal(got, subjects) {
			t.Errorf("at %s: %q, want %q", w.clock.Now(), got, subjects)
		}
	}
	due := func(d time.Duration) string { return known.Add(d).UTC().Format("Mon 2 Jan 15:04 UTC") }
	want("PAR-2026-0001 acme: early warning due " + due(cvd.Day))
	if w.countIn("INBOX", "EXPLOITED: PAR-2026-0001") != 1 {
		t.Errorf("no alarm: %q", w.subjects("INBOX"))
	}
	if got := w.in(id, "status"); !strings.Contains(got, "EXPLOITED since "+utc(known)+" (telemetry)") {
		t.Errorf("status: %s", got)
	} else if strings.Count(got, "EXPLOITED") != 1 || !strings.Contains(got, "can the embargo last") {
		t.Errorf("status says it twice, or does not ask:\n%s", got)
	}
	if got := w.text(w.folderOf(id, "Case file")); !strings.Contains(got, "EXPLOITED since") {
		t.Errorf("case file: %s", got)
	}
	w.refuses(theOperator, "the first awareness counts", lines...)
	w.after(cvd.Day)
	want("PAR-2026-0001 acme: early warning OVERDUE since " + due(cvd.Day))
	w.restart()
	w.in(id, `record acme reported early-warning via "their mail"`)
	want("PAR-2026-0001 acme: notification due " + due(3*cvd.Day))
	w.in(id, `record acme reported notification via "their mail"`)
	want()
	w.answers("acme", id, true, "STATUS PAR-2026-0001 fixed 4.8 on 2026-12-05\n")
	want("PAR-2026-0001 acme: final report due Sat 19 Dec 00:00 UTC")
	w.refuses(theOperator, "reported its notification already", lines[0], "record acme reported notification via mail")
	w.refuses(theOperator, "did you mean final-report?", lines[0], "record acme reported final-reprot via mail")
	w.in(id, `record acme reported final-report via "their mail"`)
	want()
	if n := len(w.got("acme")); n != mails+1 { // the answer to its STATUS
		t.Errorf("acme got %d mails more, want 1", n-mails)
	}
	w.in(id, `embargo 2026-12-25 because "exploited"`)
	if got := w.in(id, "status"); !strings.Contains(got, "EXPLOITED") || w.countIn("INBOX", "EXPLOITED: ") != 0 {
		t.Errorf("INBOX: %q, status: %s", w.subjects("INBOX"), got)
	}
}

// A legal hold takes one person; its end counts only signed (rule A3).
func TestA3_LegalHold(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	const tag = "case PAR-2026-0001"
	r.refused(asAna, "is not under legal hold", tag, "legal-hold off")
	r.refused(asAna, "did you mean on?", tag, "legal-hold om")
	r.say(asAna, tag, `legal-hold on because "court order"`)
	if got := r.say(asBen, tag, "status"); !strings.Contains(got, "under LEGAL HOLD since 2026-12-01T09:00Z: court order") {
		t.Errorf("status: %s", got)
	}
	r.refused(asAna, "is under legal hold since", tag, "legal-hold on")
	r.refused(asAna, "lets a case be destroyed and so counts only signed", tag, "legal-hold off")
	r.say(asBenSigns, tag, "legal-hold off")
	if c := r.theCaseIs("PAR-2026-0001"); c.LegalHold != nil {
		t.Errorf("%+v", c.LegalHold)
	}
}

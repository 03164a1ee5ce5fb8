package mailflow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// anyHolds says whether one of some mails holds all of these words.
func anyHolds(all []*mailtest.Opened, words ...string) bool {
	return slices.ContainsFunc(all, func(o *mailtest.Opened) bool {
		flat := o.Subject + " " + strings.Join(strings.Fields(o.Text), " ")
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(flat, w) })
	})
}

// One organisation is finder and vendor of a case: it has one thread, its vendor
// half passes every stage of the gate, and what it says as a finder raises none.
func TestMayRelease_FinderIsAVendorAsWell(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "", "globex")
	id := w.caseWith("acme")
	if said := w.in(id, "invite globex role finder"); !strings.Contains(said, "as finder") {
		t.Errorf("the desk reads\n%s", said)
	}
	token := w.participant(id, "globex").Token
	w.in(id, "start now")
	w.after(2 * cvd.Day)
	w.answers("globex", id, true, "ACK\nACCEPT v1\nSTATE\nCREDIT Globe Labs\n")
	w.after(3 * cvd.Day)
	if w.told("globex"); w.participant(id, "globex").Reached != "" {
		t.Fatal("a finder was told a stage")
	}
	if said := w.in(id, `invite globex affects "Globe Router"`); !strings.Contains(said, "as finder and vendor") {
		t.Errorf("the desk reads\n%s", said)
	}
	who := w.participant(id, "globex")
	if who.Token != token || !who.Has(cvd.RoleFinder) || !who.Has(cvd.RoleVendor) || who.Wave != 1 {
		t.Fatalf("it is %+v", who)
	}
	w.after(5 * w.Undo)
	w.told("globex", "Heads-up")
	w.after(cvd.Day)
	w.told("globex", "Heads-up") // what it accepted as a finder is not its product team's word
	w.answers("globex", id, true, "HELP\nACCEPT v1\nSTATUS affected 4.1\nSTATE\n")
	if !anyHolds(w.about("globex", "Understood"), " STATUS PAR-", " REVEAL PAR-", " SUGGEST PAR-", " CREDIT PAR-") {
		t.Errorf("HELP lacks the lines of one of its roles: %+v", w.about("globex", "Understood"))
	}
	if got := w.participant(id, "globex").Status().Word; got != "affected" {
		t.Errorf("its status is %q", got)
	}
	w.after(cvd.Day)
	if !w.heard("globex", cvd.Scope) || !w.heard("globex", cvd.Details) {
		t.Error("what it accepted does not reach it")
	}
	w.in(id, `withdraw globex because "their product is not affected"`)
	who = w.participant(id, "globex")
	if who.Withdrawn != nil || who.Has(cvd.RoleVendor) || !who.Has(cvd.RoleFinder) || who.Token != token {
		t.Fatalf("it is %+v", who)
	}
	w.answers("globex", id, true, "FREEZE 2026-12-15..2027-01-05\n")
	if got := w.participant(id, "globex").Freezes; len(got) != 0 {
		t.Errorf("a finder answers as a vendor: %v", got)
	}
	w.after(30 * cvd.Day)
	if !w.heard("globex", cvd.Public) {
		t.Error("what is public did not reach it")
	}
}

// Whoever mailed the report keeps the thread of the report where its organisation
// is invited under its name and with the very same address and key: neither half
// speaks for the other.
func TestMayRelease_FinderAndItsProductTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	globex := w.vendor("globex")
	r := w.reported(globex, "Overflow", "it overflows")
	id := w.caseWith("acme")
	w.in(id, "report 1 join "+string(id), "invite globex", "start now")
	w.after(5 * w.Undo)
	w.told("globex", "Heads-up")
	to := w.thread(id, r.Finder())
	if to == w.thread(id, "globex") {
		t.Fatal("both have one address")
	}
	w.arrives(globex.Address, to, w.seal(globex, to, true, mailtest.Entity("["+string(id)+"]", "ACCEPT v1\nSTATUS affected 1\n")))
	w.settle()
	if who := w.participant(id, "globex"); who.Accepted() != 0 || who.Status().Word != "" {
		t.Errorf("the finder's word is the vendor's: %+v", who)
	}
	w.answers("globex", id, true, "ACCEPT v1\n")
	w.after(3 * cvd.Day)
	if who := w.participant(id, "globex"); who.Accepted() != 1 || who.Reached != cvd.Details || w.participant(id, r.Finder()).Reached != "" {
		t.Errorf("globex reached %q, its finder %q", who.Reached, w.participant(id, r.Finder()).Reached)
	}
}

// At public everybody gets the advisory: finders and observers as well, a finder
// without a key in clear, and not a moment before (rule V5).
func TestV5_PublicToFindersAndObservers(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	r.vendor("certx")
	keyless := "keyless@finder.example"
	r.arrives(keyless, reportTo, mailtest.Plain(keyless, reportTo, "the same", "zzyzx overflows", r.clock.Now()))
	r.in(r.id, "report 2 join "+string(r.id), "invite certx role observer")
	r.upTo(cvd.Details)
	r.after(25*cvd.Day - time.Hour)
	for _, name := range []string{"finder", "certx"} {
		if r.heard(name, cvd.Advisory) {
			t.Errorf("%s was told before the end", name)
		}
	}
	before := len(r.sink.To(keyless))
	r.after(2 * cvd.Day)
	for _, name := range []string{"finder", "certx"} {
		m := r.stageMail(name, "Public")
		valid(t, "csaf-2.0.json", m.Files[csafFile])
		if !strings.Contains(m.Text, canary(cvd.Advisory)) || strings.Contains(m.Text, "initech") {
			t.Errorf("%s reads\n%s", name, m.Text)
		}
		if _, ics := m.Files["embargo.ics"]; ics {
			t.Errorf("%s gets a calendar", name)
		}
	}
	mails := r.sink.To(keyless)
	if len(mails) != before+1 {
		t.Fatalf("%d mails to a finder without a key, %d before", len(mails), before)
	}
	o, err := r.people["finder"].OpenSigned(mails[before].Raw, r.ourKey())
	if err != nil || o.Signer == "" || !strings.Contains(o.Text, canary(cvd.Advisory)) {
		t.Errorf("%v\n%s", err, mails[before].Raw)
	}
}

// An observer is told counts when it comes, at the start, with each version of the
// embargo and when it asks, and nothing above (rule V4).
func TestV4_ObserversSeeCounts(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "", "certx")
	id := w.caseWith("acme", "globex")
	w.in(id, "case severity high")
	if said := w.in(id, "invite certx role observer"); !strings.Contains(strings.Join(strings.Fields(said), " "), "counts and dates") {
		t.Errorf("the desk reads\n%s", said)
	}
	w.after(5 * w.Undo)
	counts := func() (out []string) {
		for _, o := range w.got("certx") {
			if strings.Contains(o.Subject, "How far it is") {
				out = append(out, strings.Join(strings.Fields(o.Text), " "))
			}
		}
		return out
	}
	if got := counts(); len(got) != 1 || !strings.Contains(got[0], "start no date yet") || !strings.Contains(got[0], "vendors 2, of whom 0 were told") {
		t.Fatalf("when invited: %q", got)
	}
	w.in(id, "start now")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "ACCEPT v1\nREADY BY 2026-12-20\nSTATUS affected 4.1\n")
	if got := counts(); len(got) != 2 || !strings.Contains(got[1], "severity high") || !strings.Contains(got[1], "embargo v1 until Thu 31 December 2026") {
		t.Fatalf("at the start: %q", got)
	}
	w.after(2 * cvd.Day)
	w.in(id, `embargo 2027-01-12T16:00Z because "fix needs 2 weeks"`)
	w.after(5 * w.Undo)
	got := counts()
	if len(got) != 3 {
		t.Fatalf("with a version: %q", got)
	}
	for _, want := range []string{"embargo v2 until Tue 12 January 2027", "of whom 2 were told", "2 know heads-up", "1 know scope", "agreed 1 keep", "ready 1 said", "1 affected"} {
		if !strings.Contains(got[2], want) {
			t.Errorf("it does not say %q:\n%s", want, got[2])
		}
	}
	w.answers("certx", id, true, "STATE\nACCEPT v1\nSTATUS affected 9\n")
	if got := counts(); len(got) != 4 {
		t.Errorf("STATE: %q", got)
	}
	if who := w.participant(id, "certx"); who.Accepted() != 0 || who.Status().Word != "" {
		t.Errorf("an observer answers as a vendor: %+v", who)
	}
	w.answers("certx", id, true, "HELP\n")
	for _, o := range w.got("certx") {
		for _, secret := range []string{"acme", "globex", canary(cvd.Scope), canary(cvd.Details), "Heap overflow", "ACCEPT PAR", "STATUS PAR"} {
			if strings.Contains(o.Subject+o.Text, secret) {
				t.Errorf("an observer reads %q:\n%s", secret, o.Text)
			}
		}
	}
	w.told("certx")
	w.after(45 * cvd.Day)
	if !w.heard("certx", cvd.Public) {
		t.Error("what is public did not reach the observer")
	}
}

// Who is a vendor of the case as well learns by counting no more than a vendor does:
// where there is one other, that is what the other said (rule V2).
func TestV2_VendorsObserveLess(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "de"} {
		w := newDesk(t, "")
		id := w.caseWith("acme", "globex")
		w.do("vendor edit acme language " + language)
		w.in(id, "invite acme role observer", "start now")
		w.after(5 * w.Undo)
		w.answers("globex", id, true, "ACCEPT v1\nREADY BY 2026-12-20\nSTATUS affected 4.1\n")
		w.answers("acme", id, true, "STATE\n")
		var got []string
		for _, o := range w.got("acme") {
			if strings.Contains(o.Text, "STATE "+string(id)) && strings.Contains(o.Text, "2, ") {
				got = append(got, strings.Join(strings.Fields(o.Text), " "))
			}
		}
		if len(got) < 2 {
			t.Fatalf("%s: it got counts %d times", language, len(got))
		}
		last := got[len(got)-1]
		wants(t, last, map[string]string{"en": "agreed 1 keep", "de": "Zusagen 1 schweigen"}[language])
		for _, word := range []string{"affected", "betroffen", "ready ", "fertig", "know heads-up", "know scope", "kennen:"} {
			if strings.Contains(last, word) {
				t.Errorf("%s: a vendor reads %q:\n%s", language, word, last)
			}
		}
	}
}

// Counts go to a key that somebody vouches for, and a start that was undone tells
// nobody anything (rule V5).
func TestV5_CountsAreHeldWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("certx", "desk@certx.example")
	w.do("vendor add certx desk@certx.example")
	id := w.caseWith("acme")
	if said := w.in(id, "invite certx role observer"); !strings.Contains(said, "will be held") {
		t.Errorf("the desk reads\n%s", said)
	}
	w.in(id, "start now")
	w.after(cvd.Day)
	if n := len(w.sink.To("desk@certx.example")); n != 0 {
		t.Fatalf("%d mails left", n)
	}
	if plan := w.in(id, "plan certx"); !strings.Contains(plan, "counts") || !strings.Contains(plan, "held: no key") {
		t.Errorf("the plan says\n%s", plan)
	}
	w.confirm("certx", w.people["certx"])
	w.update(func(tx *store.Tx) error { return w.wakeNotices(tx, id, "certx") })
	w.after(cvd.Day)
	if !anyHolds(w.got("certx"), "How far it is", "of whom 1 were told") {
		t.Errorf("it is told %d mails", len(w.got("certx")))
	}
}

// The gate lets no stage but the public one go to who is no vendor (rule V4).
func TestV4_MayReleaseToGuests(t *testing.T) {
	t.Parallel()
	for _, role := range []cvd.Role{cvd.RoleFinder, cvd.RoleObserver, cvd.RoleCoordinator} {
		for _, stage := range cvd.Stages() {
			for _, kind := range []cvd.NoticeKind{cvd.KindStage, cvd.KindReminder, cvd.KindLeak} {
				q := free(t)
				q.Participant.Roles, q.Participant.Reached = []cvd.Role{role}, ""
				q.Notice.Kind, q.Notice.Stage, q.Notice.Level = kind, stage, cvd.DetailsOut
				q.Now = q.Case.Embargo().End
				want := kind == cvd.KindStage && stage == cvd.Public
				if a := MayRelease(q); (a.Decision == Release) != want {
					t.Errorf("%s of %s to a %s: %d %q", kind, stage, role, a.Decision, a.Why)
				}
			}
		}
	}
	q := free(t)
	q.Notice.Kind, q.Notice.Stage = cvd.KindCounts, ""
	if a := MayRelease(q); a.Decision != Never || !strings.Contains(a.Why, "does not observe") {
		t.Errorf("counts to a vendor: %d %q", a.Decision, a.Why)
	}
	q.Participant.Roles = []cvd.Role{cvd.RoleObserver}
	if a := MayRelease(q); a.Decision != Release {
		t.Errorf("counts to an observer: %d %q", a.Decision, a.Why)
	}
	q.Keys.Certificates = nil
	if a := MayRelease(q); a.Decision != HoldIt {
		t.Errorf("counts without a key: %d %q", a.Decision, a.Why)
	}
}

func TestInviteRefusals(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "", "certx")
	id := w.caseWith("acme")
	w.in(id, "invite certx role observer")
	for line, want := range map[string]string{
		"invite certx role boss":                               "is not a role",
		"invite certx role observer wave 2":                    "wave is a vendor's",
		"invite certx role observer":                           "as observer already",
		`withdraw certx role finder because "x"`:               "is no finder",
		"introduce acme certx":                                 "has not started",
		"introduce acme acme":                                  "knows itself",
		`record acme consent via phone "x"`:                    "not being introduced",
		`introduce acme certx cancel because "they are one"`:   "not being introduced",
		`invite certx role observer affects "Player" wave "1"`: "a vendor's",
	} {
		got := w.as(Actor{Name: Operator, Via: ViaOperator}, "case "+string(id), line)
		if got.Done() || !strings.Contains(strings.Join(strings.Fields(got.String()), " "), want) {
			t.Errorf("%s: want %q in\n%s", line, want, got)
		}
	}
	w.in(id, `withdraw certx because "by mistake"`)
	if w.participant(id, "certx").Withdrawn == nil {
		t.Error("it still takes part")
	}
}

// A report that joins a case that runs, and is put back at once, leaves nothing
// planned for its finder.
func TestJoinedFinderGetsWhatIsPublic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme")
	fin := w.person("finder", "f@finder.example")
	w.reported(fin, "Overflow", "it overflows")
	w.in(id, "report 1 join "+string(id))
	if n := w.notice(id, cvd.Finder, cvd.Public); n.ID == 0 {
		t.Fatal("nothing is planned for the finder")
	}
	w.after(40 * cvd.Day)
	if !w.heard("finder", cvd.Public) {
		t.Error("what is public did not reach the finder")
	}
	w.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, cvd.Finder)
		for _, n := range all {
			if n.Kind == cvd.KindStage && n.Stage != cvd.Public {
				t.Errorf("%s was planned for a finder", n.Stage)
			}
		}
		return err
	})
}

// Whom a vendor suggests is a task, and is told nothing, even where the desk has
// its address and key.
func TestSuggest_NobodyIsTold(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "", "initech")
	id := w.started("acme")
	w.answers("acme", id, true, "SUGGEST initech they build our decoder\n")
	w.after(3 * cvd.Day)
	if w.countIn("INBOX", "acme suggests somebody in "+string(id)+": initech") != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	if n := len(w.sink.To("psirt@initech.example")); n != 0 {
		t.Errorf("%d mails left", n)
	}
	w.view(func(tx *store.Tx) error {
		if _, err := ParticipantByID(tx, id, "initech"); err == nil {
			t.Error("it takes part")
		}
		return nil
	})
}

// An organisation that took part as a finder alone, was withdrawn and comes back
// as a vendor has accepted nothing as one.
func TestMayRelease_FinderComesBackAsAVendor(t *testing.T) {
	t.Parallel()
	w := newDesk(t, "", "globex")
	id := w.caseWith("acme")
	w.in(id, "invite globex role finder", "start now")
	w.after(2 * cvd.Day)
	w.answers("globex", id, true, "ACK\nACCEPT v1\n")
	if w.participant(id, "globex").Accepted() != 1 {
		t.Fatal("it did not accept as a finder")
	}
	w.in(id, `withdraw globex because "it is a vendor"`, "invite globex")
	w.after(3 * cvd.Day)
	if got := w.participant(id, "globex").Reached; got != cvd.HeadsUp {
		t.Errorf("its word as a finder took its product team to %s", got)
	}
	w.answers("globex", id, true, "ACCEPT v1\n")
	w.after(2 * cvd.Day)
	if !w.heard("globex", cvd.Details) {
		t.Error("its word as a vendor does not count")
	}
}

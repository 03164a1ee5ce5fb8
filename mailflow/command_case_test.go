package mailflow

import (
	"strings"
	"testing"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// Every command once as it is meant: a row per command, on a case with acme
// and globex that has started and told acme the first stage.
func TestCommands(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		by    Actor
		lines string // after "case PAR-2026-0001"
		want  string // in the last answer
		kind  string // of the last record, or "" for none
	}{
		{asOperator, `case open "ATL initialisation"`, "PAR-2026-0002 ATL initialisation; policy default; not started", "case.opened"},
		{asAna, `case open "ATL" severity high`, "PAR-2026-0002", "case.severity"},
		{asOperator, `case open Unquoted words policy cert-cc`, "PAR-2026-0002 Unquoted words; policy cert-cc", "case.opened"},
		{asAna, "case par-2026-0001", "PAR-2026-0001 Heap overflow in libfoo; policy fast; started 2026-12-01, ends 2026-12-01T09:10Z (v1)", ""},
		{asOperator, "case policy default", "follows policy default", "case.policy"},
		{asAna, "case severity HIGH", "severity high", "case.severity"},
		{asAna, "case assign ben", "ben answers", "case.assigned"},
		{asAna, "case restrict ana ben", "seen by ana ben", "case.restricted"},
		{asAna, "case restrict ana, ben", "seen by ana ben", "case.restricted"},
		{asAna, "case restrict everybody", "seen by everybody", "case.restricted"},
		{asAna, `case close because "no flaw"`, "is closed", "notice"},
		{asOperator, "case close; case reopen", "started", "case.reopened"},
		{asOperator, "vendor add initech psirt@initech.example zone Asia/Tokyo channel hand lead 30d second ceo@initech.example",
			"initech <psirt@initech.example>; no key of it is known yet", "party.added"},
		{asOperator, "vendor edit acme address sec@acme.example", "acme <sec@acme.example>", "party.changed"},
		{asAna, "vendor edit acme zone europe/berlin", "", "refused"},
		{asAna, "vendor edit acme zone Europe/Berlin lead 5m", "zone Europe/Berlin; lead 5m; channel pgp", "party.changed"},
		{asAna, "vendor list", "globex <security@globex.example>", ""},
		{asOperator, `invite globex wave 2 affects "Player 9.1" footprint 40M`, "wave 2", "party.changed"},
		{asAna, `withdraw globex because "not affected"`, "globex is withdrawn", "party.withdrawn"},
		{asOperator, "member add acme jo@acme.example", "acme may write from jo@acme.example", "member.added"},
		{asAna, "key list acme", "confirmed  never expires\n    psirt@acme.example", ""},
		{asAna, "key list globex", "no key of globex is known", ""},
		{asAna, "plan", "plan ", ""},
		{asAna, "plan acme", "acme  2/4 scope", ""},
		{asAna, "stage acme details at 2026-12-01T09:05Z", "is due 2026-12-01T09:05Z", "stage.moved"},
		{asAna, "stage acme details at 2026-12-01 10:06 Europe/Berlin", "is due 2026-12-01T09:06Z", "stage.moved"},
		{asAna, "hold acme", "nothing goes to acme", "hold"},
		{asAna, `hold acme because "they moved"; release acme`, "acme goes on (it was held: they moved)", "release"},
		{asAna, "hold case", "is on hold", "hold"},
		{asAna, `hold case because court; release case`, "goes on (it was held: court)", "release"},
		{asAna, "hold all", "nothing leaves", "sending.paused"},
		{asAna, "hold all; release all", "mail leaves again", "sending.resumed"},
		{asAna, `sending pause because "clock"; sending resume`, "it was paused: clock", "sending.resumed"},
		{asAna, `embargo 2026-12-24T16:00Z because "fix needs 2 weeks"`, "ends 2026-12-24T16:00Z (v2), not 2026-12-01T09:10Z; 1 participant will be told", "embargo"},
		{asAna, `record acme ack via mail`, "acme acknowledged, via mail", "record.ack"},
		{asOperator, `record acme accept v1 via phone "Jo, 1 Dec"`, "acme accepted v1 of the embargo, until 2026-12-01T09:10Z, via phone Jo, 1 Dec", "record.accept"},
		{asAna, `record acme declined because "no resources"`, "acme declined", "record.declined"},
		{asAna, `record acme status fixed 4.8 on 2027-02-10`, "acme: fixed 4.8 on 2027-02-10", "record.status"},
		{asAna, `record acme status affected 4.1-4.7 via phone`, "acme: affected 4.1-4.7", "record.status"},
		{asAna, `record acme called "spoke to Jo"`, "in its history", "record.called"},
		{asAna, "status", "acme  vendor  wave 1  told heads-up  footprint 40M", ""},
		{asAna, "history acme", "party.invited  PAR-2026-0001  acme  wave 1  by operator", ""},
		{asAna, "history", "case.started", ""},
		{asAna, "help hold", "hold PARTY|case|all", ""},
		{asAna, "help", "vendor add NAME ADDRESS", ""},
	} {
		t.Run(row.lines, func(t *testing.T) {
			t.Parallel()
			r := newStartedRig(t)
			lines := append([]string{"case PAR-2026-0001"}, strings.Split(row.lines, "; ")...)
			if row.kind == "refused" {
				r.refused(row.by, "", lines...)
				return
			}
			before := len(r.kinds())
			if got := r.say(row.by, lines...); !strings.Contains(got, row.want) && !strings.Contains(unwrapped(got), unwrapped(row.want)) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			kinds := r.kinds()
			switch last := kinds[len(kinds)-1]; {
			case row.kind == "" && len(kinds) != before:
				t.Errorf("a command that only tells left the record %s", last)
			case row.kind != "" && !strings.HasPrefix(last, row.kind) && row.kind != "notice":
				t.Errorf("last record %s, want %s", last, row.kind)
			}
		})
	}
}

// newStartedRig is a case that has started: acme, with a confirmed key, was
// told the first stage; globex has no key.
func newStartedRig(t *testing.T) *deskRig {
	t.Helper()
	r := newDeskRig(t)
	r.starts()
	return r
}

func (r *deskRig) starts() {
	r.t.Helper()
	tag := r.openedCase()
	r.giveKey("acme", "psirt@acme.example", 3)
	r.say(asOperator, tag, "start now")
	r.haveLeft("PAR-2026-0001", "acme", cvd.HeadsUp)
}

// What is refused, and the sentence that says so: a row per refusal. Since
// nothing changes, all of them meet the same desk.
func TestCommands_Refused(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	for _, row := range []struct {
		by    Actor
		lines string
		why   string
	}{
		// words
		{asAna, "plna", "did you mean plan?"},
		{asAna, "frobnicate", "`help` lists them all"},
		{asAna, "vendor", "say one of: add, edit, list"},
		{asAna, "vendor ad acme", "did you mean add?"},
		{asAna, "case polciy fast", "did you mean policy?"},
		{asAna, "sending", "say one of: pause, resume"},
		{asAna, `"hold" all`, "did you mean hold?"},
		{asAna, "help frobnicate", "`help` lists them all"},
		// case
		{asAna, "case PAR-2026-0099", "there is no case PAR-2026-0099"},
		{asAna, "case PAR-2026-0001 x", `"x" is not understood here`},
		{asAna, "case open", "title is missing"},
		{asAna, `case open "x" policy fsat`, "did you mean fast?"},
		{asAna, `case open "x" polcy fast`, "did you mean policy?"},
		{asAna, `case open "x" policy`, "a value for policy is missing"},
		{asAna, `case open "x" policy default policy default`, "policy is given twice"},
		{asAna, `case open "x" report 17`, "there is no report #17"},
		{asAna, `case open "x" report many`, "is not the number of a report"},
		{asOperator, "case policy nonesuch", `there is no policy "nonesuch"`},
		{asOperator, "case policy", "name of a policy is missing"},
		{asAna, "case severity huge", "is not a severity"},
		{asAna, "case assign bne", "did you mean ben?"},
		{asAna, "case restrict ben", "name yourself too"},
		{asAna, "case restrict", "is missing"},
		{asAna, "case restrict ana eve", `no coordinator is named "eve"`},
		{asAna, "case reopen", "is not closed"},
		{asAna, "case close; hold acme; case severity high", "is closed since"},
		{asOperator, "case close; invite globex wave 2", "`case reopen` first"},
		// directory
		{asOperator, "vendor add acme other@acme.example", "is in the directory already"},
		{asOperator, "vendor add ana x@y.example", "is the login of a coordinator"},
		{asOperator, "vendor add scope x@y.example", "the word has a meaning of its own"},
		{asOperator, "vendor add two.words x@y.example", "is not a party name"},
		{asOperator, "vendor add initech nowhere", "is not one mail address"},
		{asOperator, "vendor add initech a@y.example,b@y.example", "is not one mail address"},
		{asOperator, "vendor add initech report@vdp.example.org", "is an address of this gateway"},
		{asOperator, "vendor add initech x@desk.vdp.example.org", "is an address of this gateway"},
		{asOperator, "vendor add initech PSIRT@acme.example", "belongs to acme already"},
		{asOperator, "vendor add initech x@y.example zone CET", "is not a time zone"},
		{asOperator, "vendor add initech x@y.example channel fax", "is not a channel"},
		{asOperator, "vendor add initech x@y.example lead soon", "is not a duration"},
		{asOperator, "vendor add initech x@y.example stage 2", `"stage" is not understood here`},
		{asOperator, "vendor edit acme", "nothing is to be changed"},
		{asOperator, "vendor edit amce zone UTC", "did you mean acme?"},
		{asOperator, "vendor edit globex address psirt@acme.example", "belongs to acme already"},
		{asOperator, "member add acme psirt@acme.example", "has the address psirt@acme.example already"},
		{asOperator, "member add acme security@globex.example", "belongs to globex already"},
		// participants
		{asOperator, "invite nobody", `no party "nobody"`},
		{asOperator, "invite acme", "takes part in PAR-2026-0001 already"},
		{asOperator, "invite acme wave 0", "is not the number of a wave"},
		{asOperator, "invite acme wave two", "is not the number of a wave"},
		{asOperator, "invite acme footprint lots", "is not a footprint"},
		{asOperator, "invite acme affects Player 9.1", "stands in quotes"},
		{asAna, "withdraw acme", "the reason is missing"},
		{asAna, "withdraw acme because", "the reason is missing after because"},
		{asAna, "withdraw initech because x", `"initech" takes no part`},
		{asAna, "withdraw acme because x; hold acme", "was withdrawn"},
		// keys
		{asAna, "key list nobody", `no party "nobody"`},
		{asAna, "key list finder", `"finder" takes no part`},
		{asOperator, "key confirm acme 4B32ADAC evidence phone", "is not a whole fingerprint"},
		{asOperator, "key confirm acme evidence phone", "fingerprint is missing"},
		{asOperator, "key confirm acme AAAABBBBCCCCDDDDEEEEFFFFAAAABBBBCCCCDDDD", "evidence is missing"},
		{asOperator, "key confirm acme AAAABBBBCCCCDDDDEEEEFFFFAAAABBBBCCCCDDDD evidence", "evidence is missing"},
		{asOperator, "key confirm acme AAAABBBBCCCCDDDDEEEEFFFFAAAABBBBCCCCDDDD evidence phone", "is none of the keys known of acme"},
		{asOperator, "key confirm globex AAAABBBBCCCCDDDDEEEEFFFFAAAABBBBCCCCDDDD evidence phone", "no key of globex is known"},
		{asAna, "key reject globex AAAABBBBCCCCDDDDEEEEFFFFAAAABBBBCCCCDDDD", "no key of globex is known"},
		// dates
		{asOperator, "start now", "started on 2026-12-01T09:00Z"},
		{asOperator, "start", "the date is missing"},
		{asOperator, "stage acme details", "the instant is missing"},
		{asOperator, "stage acme detials at 2026-12-01T09:05Z", "did you mean details?"},
		{asOperator, "stage acme mitigation at 2026-12-01T09:05Z", "is not a stage"},
		{asOperator, "stage acme proof at 2026-12-01T09:05Z", "policy fast has no stage proof"},
		{asOperator, "stage acme heads-up at 2026-12-01T09:05Z", "was told heads-up already"},
		{asOperator, "stage acme details at 2026-12-01T08:00Z", "has passed"},
		{asOperator, "stage acme details at 2026-12-01T09:20Z", "is after the end of the embargo"},
		{asOperator, "stage acme public at 2026-12-01T09:05Z", "public goes at the end"},
		{asOperator, "stage acme details at 2026-12-01T09:00:01Z", "no sooner than 2026-12-01T09:00:02Z"},
		{asOperator, "embargo 2026-12-24", "the reason is missing"},
		{asOperator, "embargo because x", "the date is missing"},
		{asOperator, "embargo 2025-12-24 because x", "has passed"},
		{asOperator, "embargo 2026-12-01T09:10Z because x", "ends 2026-12-01T09:10Z already"},
		{asOperator, "embargo tomorrow because x", "is not an instant"},
		// holds
		{asAna, "hold", "what to hold"},
		{asAna, "hold acmee", "did you mean acme?"},
		{asAna, "hold acme they moved", `"they" is not understood`},
		{asAna, "hold acme; hold acme", "acme is on hold since"},
		{asAna, "hold case; hold case", "PAR-2026-0001 is on hold since"},
		{asAna, "hold all; hold all", "sending is paused since"},
		{asAna, "release acme", "nothing of acme is held"},
		{asAna, "release case", "is not on hold"},
		{asAna, "release all", "sending is not paused"},
		{asAna, "sending resume", "sending is not paused"},
		// records
		{asAna, "record acme", "what is to be recorded is missing"},
		{asAna, "record acme akc via mail", "did you mean ack?"},
		{asAna, "record acme ack", "how it came is missing"},
		{asAna, "record globex ack via mail", "was told nothing"},
		{asAna, "record acme ack via mail; record acme ack via mail", "acknowledged already"},
		{asOperator, "record acme accept via phone", "is no version of the embargo"},
		{asOperator, "record acme accept v2 via phone", "the newest is v1"},
		{asOperator, "record acme accept v1", "how it came is missing"},
		{asOperator, "record acme accept v1 via a; record acme accept v1 via b", "accepted v1 already"},
		{asAna, "record acme declined", "the reason is missing"},
		{asAna, "record acme declined x; record acme declined y", "declined already"},
		{asAna, "record acme status borken", "is not a status"},
		{asAna, "record acme called", "what was said is missing"},
		{asAna, `record acme delivered scope via portal`, "gets its notices by mail"},
		// the rest
		{asAna, "approve 9f3a-27c1", "there is no approval 9f3a-27c1"},
		{asAna, "approve", "ID of the approval is missing"},
		{asAna, "reject 9f3a-27c1", "the reason is missing"},
		{asAna, "reject 9f3a-27c1 because x", "there is no approval 9f3a-27c1"},
		{asAna, "delivery D17 sent", "there is no delivery D17"},
		{asAna, "delivery seventeen sent", "is not the number of a delivery"},
		{asAna, "delivery D17 maybe", "is no answer"},
		{asAna, "history nobody", `"nobody" takes no part`},
		{asAna, "plan nobody", `"nobody" takes no part`},
		{asAna, "status now", `"now" is not understood`},
	} {
		r.refused(row.by, row.why, append([]string{"case PAR-2026-0001"}, strings.Split(row.lines, "; ")...)...)
	}
}

// Commands about a case say so where none is named.
func TestCommands_WithoutACase(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.openedCase()
	for _, line := range []string{"plan", "start now", "hold acme", "release case", "invite acme", "case policy fast", "case close", "history",
		"record acme ack via mail", "embargo 2027-01-12 because x", "stage acme scope at 2027-01-12", "withdraw acme because x", "key list finder"} {
		r.refused(asOperator, "no case is named", line)
	}
	if got := r.say(asAna, "status"); !strings.Contains(got, "PAR-2026-0001 Heap overflow in libfoo") || !strings.Contains(got, "Intake: 0 reports") {
		t.Errorf("status: %s", got)
	}
	if got := r.say(asAna, "history acme"); !strings.Contains(got, "party.added") || !strings.Contains(got, "party.invited") {
		t.Errorf("history: %s", got)
	}
}

// A case that is restricted to others answers as one that does not exist, in
// every command.
func TestA2_RestrictedCase(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.say(asOperator, "case PAR-2026-0001", "case restrict ana")
	missing, err := r.Do(t.Context(), asBen, []string{"case PAR-2026-0099"})
	r.must(err)
	hidden, err := r.Do(t.Context(), asBen, []string{"case PAR-2026-0001"})
	r.must(err)
	if got, want := strings.ReplaceAll(hidden.String(), "0001", "0099"), missing.String(); got != want {
		t.Errorf("a restricted case answers %q, a missing one %q", got, want)
	}
	for _, line := range []string{"status", "history acme", "vendor list"} {
		if got := r.say(asBen, line); strings.Contains(got, "PAR-2026-0001") {
			t.Errorf("ben's %s shows the case:\n%s", line, got)
		}
	}
	tr, err := r.Do(t.Context(), asAna, []string{"status"})
	r.must(err)
	if !strings.Contains(tr.String(), "PAR-2026-0001") || tr.Case != "PAR-2026-0001" {
		t.Errorf("ana does not see her case, or the transcript is for everybody (%q):\n%s", tr.Case, tr)
	}
	r.refused(asAna, "may not see PAR-2026-0001", "case PAR-2026-0001", "case assign ben")
}

func TestCaseOpen_FromReport(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	m := r.fileReport(17, "Re: Heap overflow in libfoo / 100%")
	if got := r.say(asAna, "case open Overflow report #17"); !strings.HasPrefix(got, "PAR-2026-0001 Overflow;") {
		t.Errorf("answered %q", got)
	}
	c := r.theCaseIs("PAR-2026-0001")
	if c.Responsible != "ana" || len(c.Reports) != 1 || c.Reports[0] != 17 {
		t.Errorf("case %+v", c)
	}
	r.view(func(tx *store.Tx) error {
		got, err := tx.Message(m)
		r.must(err)
		if got.Scope != "PAR-2026-0001" || got.Case != "PAR-2026-0001" || got.Party != "finder" {
			t.Errorf("message %+v", got)
		}
		places, err := tx.FiledIn(m)
		r.must(err)
		if len(places) != 1 {
			t.Fatalf("filed in %v", places)
		}
		box, err := tx.Mailbox(places[0].Mailbox)
		r.must(err)
		if box.Name != "Cases/PAR-2026-0001 Overflow/Finder" {
			t.Errorf("filed in %s", box.Name)
		}
		row, err := tokens.Get(tx, tokenKey(tx, "findertoken"))
		r.must(err)
		if row.Case != "PAR-2026-0001" || row.Party != cvd.Finder || row.Report != 17 {
			t.Errorf("token leads to %+v", row)
		}
		rep, err := reports.Get(tx, store.Seq(17))
		r.must(err)
		if rep.Case != "PAR-2026-0001" {
			t.Errorf("report %+v", rep)
		}
		return nil
	})
	if who := r.participantIs("PAR-2026-0001", cvd.Finder); !who.Has(cvd.RoleFinder) || who.Token != "findertoken" {
		t.Errorf("finder %+v", who)
	}
	r.refused(asAna, "belongs to a case already", "case open Again report 17")
}

// fileReport puts a report into Intake, as intake does, and gives its message.
func (r *deskRig) fileReport(n uint64, subject string) uint64 {
	r.t.Helper()
	var id uint64
	r.update(func(tx *store.Tx) error {
		pseudo := reportCase(n)
		if err := tx.NewScope(caseScope(pseudo)); err != nil {
			return err
		}
		m, box, uid, err := r.post(tx, Post{Folder: "Intake", Case: pseudo, Subject: subject, Text: "text\n", Kind: "report"})
		if err != nil {
			return err
		}
		if err := tx.MoveMessage(m.ID, caseScope(pseudo), func(m *store.Message) { m.Report, m.Party, m.Direction = n, "finder", "in" }); err != nil {
			return err
		}
		id = m.ID
		_, _ = box, uid // where it stands is looked up
		rep := cvd.Report{Number: n, At: tx.Now, Subject: subject, From: "someone@finder.example", Token: "findertoken", Messages: []uint64{m.ID}}
		if err := reports.Put(tx, caseScope(pseudo), store.Seq(n), rep); err != nil {
			return err
		}
		finder := cvd.Participant{Case: pseudo, Party: cvd.Finder, Roles: []cvd.Role{cvd.RoleFinder}, Address: rep.From, Token: rep.Token, Joined: tx.Now}
		if err := PutParticipant(tx, finder); err != nil {
			return err
		}
		return tokens.Put(tx, caseScope(pseudo), tokenKey(tx, rep.Token), tokenRow{Case: pseudo, Party: cvd.Finder, Report: n})
	})
	return id
}

func TestCaseClose(t *testing.T) {
	t.Parallel()
	r := newStartedRig(t)
	r.say(asAna, "case PAR-2026-0001", "case close")
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.ID != 0 {
		t.Errorf("after the close, scope is %s", n.State)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.HeadsUp); n.State != cvd.Sent {
		t.Errorf("what was sent is %q", n.State)
	}
	folders := func() (names []string) {
		r.view(func(tx *store.Tx) error {
			all, err := tx.Mailboxes()
			for _, m := range all {
				if m.Case != "" {
					names = append(names, m.Name)
				}
			}
			return err
		})
		return names
	}
	for _, name := range folders() {
		if !strings.HasPrefix(name, "Closed/2026/PAR-2026-0001 ") {
			t.Errorf("folder %s", name)
		}
	}
	r.refused(asAna, "lets a plan run again", "case PAR-2026-0001", "case reopen")
	r.say(asAnaSigns, "case PAR-2026-0001", "case reopen")
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.Scope); n.State != cvd.Planned {
		t.Errorf("after the reopening, scope is %q", n.State)
	}
	if n := r.stageNotice("PAR-2026-0001", "acme", cvd.HeadsUp); n.State != cvd.Sent {
		t.Errorf("heads-up is %q: a stage was repeated", n.State)
	}
	for _, name := range folders() {
		if !strings.HasPrefix(name, "Cases/PAR-2026-0001 ") {
			t.Errorf("folder %s", name)
		}
	}
}

func TestCaseNumbers(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	r.say(asOperator, "case open a", "case open b")
	r.after(40 * cvd.Day)
	r.say(asOperator, "case open c")
	for id, number := range map[cvd.CaseID]uint64{"PAR-2026-0001": 1, "PAR-2026-0002": 2, "PAR-2027-0001": 3} {
		if c := r.theCaseIs(id); c.Number != number {
			t.Errorf("%s has the number %d, want %d", id, c.Number, number)
		}
	}
}

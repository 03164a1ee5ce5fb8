package mailflow

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// meeting is a case that has begun with three vendors, all of whom agreed.
func meeting(t *testing.T) (*world, cvd.CaseID) {
	t.Helper()
	w := newDesk(t, "ana ben")
	fin := w.person("finder", "jo@finder.example")
	w.reported(fin, "Overflow", "it overflows")
	id := w.caseWith("acme", "globex", "initech")
	w.do("vendor edit globex alias \"Globex Corporation\"")
	w.in(id, "report 1 join "+string(id), "start now")
	w.after(5 * w.Undo)
	for _, v := range []string{"acme", "globex", "initech"} {
		w.answers(v, id, true, "ACCEPT v1\n")
	}
	w.after(3 * cvd.Day)
	return w, id
}

// about are the mails to somebody with some words in their Subject.
func (w *world) about(name, subject string) (out []*mailtest.Opened) {
	w.t.Helper()
	for _, o := range w.got(name) {
		if strings.Contains(o.Subject, subject) {
			out = append(out, o)
		}
	}
	return out
}

const (
	asks      = "May we introduce you"
	introduce = "You both agreed"
)

// consentLine is the line that the newest question to somebody offers.
func (w *world) consentLine(name, verb string) string {
	w.t.Helper()
	all := w.about(name, asks)
	if len(all) == 0 {
		w.t.Fatalf("%s was not asked", name)
	}
	line := regexp.MustCompile(`(?m)^ +(` + verb + ` PAR-\d+-\d+ \d+ \S+)`).FindStringSubmatch(strings.ReplaceAll(all[len(all)-1].Text, "\r", ""))
	if line == nil {
		w.t.Fatalf("no %s in\n%s", verb, all[len(all)-1].Text)
	}
	return line[1] + "\n"
}

// armorBlock is a block of ASCII armor (RFC 9580 section 6.2).
var armorBlock = regexp.MustCompile(`(?s)-----BEGIN PGP .*?-----END PGP [A-Z ]+-----`)

// namesOthers wants no mail to any of them to name another, but for those who were
// introduced.
func (w *world) namesOthers(but ...string) {
	w.t.Helper()
	all := map[string][]string{"acme": {"acme"}, "globex": {"globex"}, "initech": {"initech"}, "finder": {"jo@finder.example"}}
	for reader := range all {
		for other, names := range all {
			if reader == other || slices.Contains(but, reader+" "+other) {
				continue
			}
			for _, o := range w.got(reader) {
				text := strings.ToLower(o.Subject + o.Text)
				for _, f := range o.Files {
					text += strings.ToLower(armorBlock.ReplaceAllString(f, "")) // in which four letters stand by chance
				}
				for _, n := range names {
					own := strings.Contains(o.Subject, "Understood") && reader == "finder" // it reads its own REVEAL again
					if strings.Contains(text, n) && !own {
						w.t.Errorf("%s reads of %s:\n%s\n%s", reader, other, o.Subject, o.Text)
					}
				}
			}
		}
	}
}

// The consent of one lets nothing go and shows to nobody but the desk; with both,
// each learns who the other is, and nobody else learns anything (rule V2).
func TestV2_IntroducedWithBothConsents(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	if said := w.in(id, `introduce acme globex because "both ship the decoder"`); !strings.Contains(said, "once both agree") {
		t.Errorf("the desk reads\n%s", said)
	}
	w.after(5 * w.Undo)
	first, second := w.about("acme", asks), w.about("globex", asks)
	if len(first) != 1 || len(second) != 1 || len(w.about("initech", asks)) != 0 {
		t.Fatalf("asked: %d, %d", len(first), len(second))
	}
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
	if a, b := code.ReplaceAllString(first[0].Text, "CODE"), code.ReplaceAllString(second[0].Text, "CODE"); a != b || strings.Contains(a, "decoder") {
		t.Errorf("the questions differ, or say why:\n%s\n%s", a, b)
	}
	before := len(w.got("globex"))
	w.answers("acme", id, false, w.consentLine("acme", "CONSENT")) // the code makes it count
	w.after(2 * cvd.Day)
	if len(w.got("globex")) != before || len(w.about("acme", introduce)) != 0 {
		t.Fatalf("one consent lets something go: %d mails, %d before", len(w.got("globex")), before)
	}
	if !anyHolds(w.got("acme"), "you agree. Only if the other agrees") {
		t.Error("acme is not answered")
	}
	status := strings.Join(strings.Fields(w.in(id, "status")), " ")
	if !strings.Contains(status, "introduction: acme and globex: acme agrees (mail, code, 2026-12-04); globex has not answered") {
		t.Errorf("status says\n%s", status)
	}
	var file string
	for _, m := range w.filed("Cases/" + string(id) + " Heap overflow/Case file") {
		file += strings.Join(strings.Fields(writtenText(w.served(m))), " ")
	}
	if !strings.Contains(file, "TALKS acme and globex: acme agrees") {
		t.Errorf("the case file says\n%s", file)
	}
	w.namesOthers()
	w.answers("globex", id, true, "CONSENT "+string(id)+"\n") // signed, and the only question
	if got := w.about("acme", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "Globex Corporation") || !strings.Contains(got[0].Text, "psirt@globex.example") {
		t.Fatalf("acme got %+v", got)
	}
	if got := w.about("globex", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "name     acme") || !strings.Contains(got[0].Text, "psirt@acme.example") {
		t.Fatalf("globex got %+v", got)
	}
	w.answers("acme", id, true, "REFUSE "+string(id)+" 1\n")
	if !anyHolds(w.got("acme"), "not done: the mail with your name has left") {
		t.Error("it can be taken back after it left")
	}
	w.namesOthers("acme globex", "globex acme")
}

// Letters to each of the two may name the other from then on; to everybody else,
// and in every other case, they are stopped as before (rule V6).
func TestV6_IntroducedMayBeNamed(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	other := w.caseWith("acme", "globex")
	w.in(other, "start now")
	stops := func(to string, in cvd.CaseID, text string) bool {
		w.submits("ana", to+"."+in.Lower()+"@"+w.DeskDomain, true, "a word", text+"\n")
		w.after(5 * w.Undo)
		return !anyHolds(w.got(to), text)
	}
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("acme", id, false, w.consentLine("acme", "CONSENT"))
	if !stops("acme", id, "please write to globex soon") {
		t.Fatal("it names globex before both agreed")
	}
	w.answers("globex", id, false, w.consentLine("globex", "CONSENT"))
	for _, row := range []struct {
		to   string
		in   cvd.CaseID
		text string
		want bool
	}{
		{"acme", id, "please write to globex at once", false},
		{"globex", id, "acme waits for your patch", false},
		{"globex", id, "initech waits for your patch", true},
		{"initech", id, "globex waits for your patch", true},
		{"initech", id, "acme has the same decoder", true},
		{"acme", other, "ask globex about this one", true},
	} {
		if got := stops(row.to, row.in, row.text); got != row.want {
			t.Errorf("%q to %s in %s is stopped: %v", row.text, row.to, row.in, got)
		}
	}
}

// Whoever refuses is named to nobody, may change its mind until the mail has left,
// and the other learns nothing of either (rule V2).
func TestV2_RefusedAndTakenBack(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	w.answers("acme", id, false, w.consentLine("acme", "REFUSE"))
	if w.countIn("INBOX", "acme does not want to be introduced to globex in "+string(id)) != 1 {
		t.Errorf("INBOX: %q", w.subjects("INBOX"))
	}
	w.answers("globex", id, false, w.consentLine("globex", "CONSENT"))
	w.after(cvd.Day)
	w.in(id, "hold acme")
	w.answers("acme", id, true, "CONSENT "+string(id)+" 1\n")
	w.after(cvd.Day)
	if n := len(w.about("globex", introduce)); n != 0 {
		t.Fatal("one half left while the other is held")
	}
	w.answers("globex", id, true, "REFUSE "+string(id)+" 1\n")
	w.in(id, "release acme")
	w.after(cvd.Day)
	if len(w.about("acme", introduce))+len(w.about("globex", introduce)) != 0 {
		t.Fatal("a word that was taken back counts")
	}
	w.answers("globex", id, true, "CONSENT 7\nREFUSE to tell you\n")
	if !anyHolds(w.got("globex"), "no question of ours with that number") {
		t.Error("a number that was never asked counts")
	}
	w.in(id, `introduce globex acme cancel because "no use"`)
	w.answers("globex", id, true, "CONSENT 1\n")
	w.after(cvd.Day)
	if len(w.about("acme", introduce))+len(w.about("globex", introduce)) != 0 {
		t.Fatal("it was taken back by the desk")
	}
	w.namesOthers()
}

// Two questions to one party have numbers of its own, and each is answered alone.
func TestIntroduce_SeveralQuestions(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.in(id, "introduce globex initech", "introduce acme globex", "introduce acme initech")
	w.after(5 * w.Undo)
	w.answers("acme", id, true, "CONSENT "+string(id)+"\n")
	if !anyHolds(w.got("acme"), "we asked you more than once") {
		t.Error("it is not asked which")
	}
	for _, o := range w.about("acme", asks) {
		if !strings.Contains(o.Text, "question 1 to you") && !strings.Contains(o.Text, "question 2 to you") {
			t.Errorf("the number counts others' questions:\n%s", o.Text)
		}
	}
	w.answers("acme", id, true, "CONSENT "+string(id)+" 2\nREFUSE "+string(id)+" 1\n")
	for _, v := range []string{"globex", "initech"} {
		w.answers(v, id, true, "CONSENT "+string(id)+" 1\nCONSENT "+string(id)+" 2\n")
	}
	if got := w.about("acme", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "psirt@initech.example") {
		t.Errorf("acme got %+v", got)
	}
	w.namesOthers("acme initech", "initech acme", "globex initech", "initech globex")
}

// REVEAL is a finder's half of an introduction: the desk is told, the vendor is
// asked, and only if it agrees do both learn of each other (rule V2).
func TestV2_RevealIsHalfAnIntroduction(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	w.answers("finder", id, true, "REVEAL acme\nREVEAL nobodyhere\n")
	if w.countIn("INBOX", "finder may be named to acme in "+string(id)) != 1 || w.countIn("INBOX", "finder may be named to nobodyhere in "+string(id)) != 1 {
		t.Fatalf("INBOX: %q", w.subjects("INBOX"))
	}
	w.after(cvd.Day)
	w.namesOthers()
	if said := w.in(id, "introduce finder acme"); !strings.Contains(strings.Join(strings.Fields(said), " "), "finder agreed already, by REVEAL") {
		t.Errorf("the desk reads\n%s", said)
	}
	w.after(5 * w.Undo)
	if len(w.about("finder", asks)) != 0 {
		t.Error("the finder is asked again")
	}
	w.namesOthers()
	w.answers("finder", id, true, "REFUSE acme\n")
	w.answers("acme", id, false, w.consentLine("acme", "CONSENT"))
	w.after(cvd.Day)
	if len(w.about("acme", introduce)) != 0 || len(w.participant(id, cvd.Finder).Reveals) != 1 {
		t.Fatal("a REVEAL that was taken back counts")
	}
	w.answers("finder", id, true, "REVEAL acme\n")
	if got := w.about("acme", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "jo@finder.example") || !strings.Contains(got[0].Text, "found the flaw") {
		t.Fatalf("acme got %+v", got)
	}
	if got := w.about("finder", introduce); len(got) != 1 || !strings.Contains(got[0].Text, "psirt@acme.example") {
		t.Errorf("the finder got %+v", got)
	}
	w.namesOthers("acme finder", "finder acme")
}

// A consent by telephone counts signed, and with a second person where the policy
// asks for one; the undo window holds what it lets go (rule A3).
func TestA3_RecordedConsent(t *testing.T) {
	t.Parallel()
	w, id := meeting(t)
	if got := w.as(Actor{Name: "ana", Via: ViaMail}, "case "+string(id), "introduce acme globex"); got.Done() || !strings.Contains(got.String(), "counts only signed") {
		t.Fatalf("unsigned:\n%s", got)
	}
	w.in(id, "introduce acme globex")
	w.after(5 * w.Undo)
	if got := w.as(Actor{Name: "ana", Via: ViaMail}, "case "+string(id), `record acme consent via phone "Jo"`); got.Done() || !strings.Contains(got.String(), "counts only signed") {
		t.Fatalf("unsigned:\n%s", got)
	}
	w.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		c.Policy.Stages = slices.Clone(c.Policy.Stages)
		c.Policy.Stages[2].Approvals = 1
		if err != nil {
			return err
		}
		return PutCase(tx, c)
	})
	got := w.as(signed("ana"), "case "+string(id), `record acme consent to globex via phone "Jo"`)
	if got.Lines[1].Outcome != Waits {
		t.Fatalf("no second person:\n%s", got)
	}
	w.answers("globex", id, false, w.consentLine("globex", "CONSENT"))
	w.after(cvd.Day)
	if len(w.about("globex", introduce)) != 0 {
		t.Fatal("what one person filed counts")
	}
	if got := w.as(signed("ana"), "approve "+got.Lines[1].Waits); got.Done() {
		t.Fatalf("its author approves:\n%s", got)
	}
	if yes := w.as(signed("ben"), "approve "+got.Lines[1].Waits); !yes.Done() {
		t.Fatalf("%s", yes)
	}
	w.settle()
	if len(w.about("globex", introduce)) != 0 {
		t.Error("it does not wait for the undo window")
	}
	w.after(5 * w.Undo)
	if len(w.about("globex", introduce)) != 1 || len(w.about("acme", introduce)) != 1 {
		t.Error("they were not introduced")
	}
}

// No half leaves where the other could not be encrypted, or its reader is gone
// (rule V5).
func TestV5_IntroductionNeedsBothKeys(t *testing.T) {
	t.Parallel()
	row := func(change func(q *Question)) Answer {
		q := introduced(t)
		change(&q)
		return MayRelease(q)
	}
	for _, r := range []struct {
		name   string
		change func(q *Question)
		want   Decision
	}{
		{"both agreed", func(*Question) {}, Release},
		{"only one", func(q *Question) { q.Intro.Sides[1].Yes = nil }, Never},
		{"only the other", func(q *Question) { q.Intro.Sides[0].Yes = nil }, Never},
		{"another introduction", func(q *Question) { q.Intro.Number = 5 }, Never},
		{"of others", func(q *Question) { q.Intro.Sides[0].Party = "initech" }, Never},
		{"none", func(q *Question) { q.Intro = nil }, Never},
		{"taken back", func(q *Question) { q.Intro.Ended = &cvd.Hold{Because: "x"} }, Never},
		{"the other withdrawn", func(q *Question) { q.Intro.Other.Withdrawn = &cvd.Hold{Because: "x"} }, Never},
		{"the other has no key", func(q *Question) { q.Intro.OtherMay = Answer{Decision: HoldIt, Why: "no key"} }, HoldIt},
		{"of the other nobody asked", func(q *Question) { q.Intro.OtherMay = Answer{} }, HoldIt},
		{"the other can still be undone", func(q *Question) { q.Intro.OtherMay = Answer{Decision: NotYet, At: q.Now.Add(time.Minute)} }, NotYet},
		{"another was planned in its place", func(q *Question) { q.Intro.Sides[0].Told = 99 }, Never},
		{"no key", func(q *Question) { q.Keys.Certificates = nil }, HoldIt},
		{"the other half left", func(q *Question) { q.Intro.OtherLeft, q.Intro.Sides[1].Yes = true, nil }, Release},
		{"the case is closed", func(q *Question) { q.Case.Closed = start }, Never},
	} {
		if a := row(r.change); a.Decision != r.want {
			t.Errorf("%s: %d %q", r.name, a.Decision, a.Why)
		}
	}
}

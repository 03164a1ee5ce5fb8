package mailflow

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// What stands between STATEMENT and END is no command, and only that is taken.
func TestCutStatement(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		verbs      []string // of the commands that are read
		said       *block
	}{
		{"one", "STATEMENT PAR-2026-0007\nWe are sorry.\nEND\n", []string{"STATEMENT"}, &block{"We are sorry.", true}},
		{"crlf, between others", "\r\nACK\r\nstatement PAR-2026-0007 K7Q3-X9PM\r\n\r\n  a\r\n\r\n  b\r\n\r\nend\r\nHELP\r\n", []string{"ACK", "STATEMENT", "HELP"}, &block{"  a\n\n  b", true}},
		{"commands inside", "STATEMENT\nACCEPT PAR-2026-0007 v1\nDECLINE\nEND\n", []string{"STATEMENT"}, &block{"ACCEPT PAR-2026-0007 v1\nDECLINE", true}},
		{"no end", "STATEMENT\nACK\nDECLINE\n", []string{"STATEMENT"}, &block{}},
		{"no end, and our notice below", "STATEMENT\nWe are sorry.\n\nTLP:AMBER case PAR-2026-0007\nEND\n", []string{"STATEMENT"}, &block{}},
		{"a second one", "STATEMENT\na\nEND\nSTATEMENT\nb\nEND\n", []string{"STATEMENT", "STATEMENT"}, &block{"a", true}},
		{"a sentence", "Statement of our board follows.\nACK\n", []string{"ACK"}, nil},
		{"below a quotation", "ACK\n> STATEMENT\n> a\n> END\n", []string{"ACK"}, nil},
		{"END in a word", "STATEMENT\nthe END\nENDING\nEND \n", []string{"STATEMENT"}, &block{"the END\nENDING", true}},
	} {
		var verbs []string
		var said *block
		for i, c := range vendorCommands(row.text, verbsOf("acme")) {
			verbs = append(verbs, c.Verb)
			if c.Block != nil {
				said = c.Block
			}
			if i > 0 && c.Verb == verbStatement && c.Block != nil && row.name == "a second one" {
				t.Error("the second one has the words of the first")
			}
		}
		if !reflect.DeepEqual(verbs, row.verbs) || !reflect.DeepEqual(said, row.said) {
			t.Errorf("%s: %q %+v, want %q %+v", row.name, verbs, said, row.verbs, row.said)
		}
	}
	if c := vendorCommands("STATEMENT\nACK\nEND\n", verbsOf(cvd.Finder)); len(c) != 1 || c[0].Verb != "ACK" {
		t.Errorf("a finder has no statement, and got %+v", c)
	}
}

// A statement counts as every command of a vendor does: signed or with a code, and
// not otherwise (rule S5).
func TestS5_Statement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.started("acme", "globex")
	said := func(p cvd.PartyID) []string {
		var out []string
		for _, s := range w.participant(id, p).Statements {
			out = append(out, s.Text+" / "+s.Via)
		}
		return out
	}
	tag := string(id)
	w.answers("acme", id, false, "STATEMENT "+tag+"\nforged\nEND\n")
	if got := said("acme"); got != nil {
		t.Fatalf("unsigned, it counts: %q", got)
	}
	w.answers("acme", id, true, "STATEMENT "+tag+"\nFirst.\nEND\n")
	w.answers("globex", id, false, "STATEMENT "+tag+" "+w.code("globex")+"\n  Second,\n\n    indented.\nEND\n")
	w.answers("acme", id, true, "STATEMENT "+tag+"\nnever ends\n")
	w.answers("acme", id, true, "STATEMENT "+tag+"\nThird.\nEND\n")
	if got := said("acme"); !reflect.DeepEqual(got, []string{"First. / mail, signed", "Third. / mail, signed"}) {
		t.Errorf("acme: %q", got)
	}
	if got := said("globex"); !reflect.DeepEqual(got, []string{"  Second,\n\n    indented. / mail, code"}) {
		t.Errorf("globex: %q", got)
	}
	w.steps(tenMinutes, 6*tenMinutes)
	answers := ""
	for _, o := range w.got("acme") {
		answers += o.Text
	}
	for _, want := range []string{"your statement of 1 line is kept", "the statement does not end"} {
		if !strings.Contains(answers, want) {
			t.Errorf("acme is not answered %q", want)
		}
	}
}

// A finder says how it wants to be named, and to whom; who takes part it does not
// learn by that (rule V2).
func TestV2_CreditAndReveal(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	tag := string(r.id)
	finder := func() cvd.Participant { return r.participant(r.id, cvd.Finder) }
	r.answers("finder", r.id, false, "CREDIT "+tag+" Mallory\n")
	if finder().Credit != nil {
		t.Fatal("it counts unsigned")
	}
	r.answers("finder", r.id, true, "CREDIT "+tag+" Joselyn\u202e Findling\nREVEAL acme\nREVEAL nobodyhere\n")
	if c := finder().Credit; c == nil || c.Name != "Joselyn Findling" {
		t.Fatalf("credit is %+v", c)
	}
	if got := finder().Reveals; len(got) != 2 || got[0].To != "acme" || got[1].To != "nobodyhere" {
		t.Errorf("reveals are %+v", got)
	}
	var file string
	for _, m := range r.filed("Cases/" + tag + " zzyzx in libquux/Case file") {
		file += writtenText(r.served(m))
	}
	if flat := strings.Join(strings.Fields(file), " "); !strings.Contains(flat, "credit: Joselyn Findling; may be named to acme, nobodyhere") {
		t.Errorf("the case file says\n%s", file)
	}
	r.steps(tenMinutes, 6*tenMinutes)
	var results []string
	for _, o := range r.got("finder") {
		flat := strings.Join(strings.Fields(o.Text), " ")
		for _, who := range []string{"acme", "nobodyhere"} {
			if strings.Contains(flat, "REVEAL "+who) {
				_, after, _ := strings.Cut(flat, "REVEAL "+who)
				after, _, _ = strings.Cut(after, "about this")
				results = append(results, strings.ReplaceAll(after, who, "X"))
			}
		}
	}
	if len(results) != 2 || results[0] != results[1] {
		t.Errorf("answered unlike: %q", results)
	}
	r.answers("finder", r.id, true, "ANONYMOUS "+tag+"\n")
	if c := finder().Credit; c == nil || c.Name != "" {
		t.Errorf("credit is %+v", c)
	}
}

func TestMeantForPublication(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"CREDIT Jo Doe": true, "CREDIT": false, "ANONYMOUS": true, "ANONYMOUS PAR-2026-0007 K7Q3-X9PM": true, "Anonymous sources say": false,
		"REVEAL acme": true, "REVEAL acme K7Q3-X9PM": true, "REVEAL": false, "Reveal nothing to them": false,
	} {
		if _, ok := parseVendorLine(line, verbsOf(cvd.Finder)); ok != want {
			t.Errorf("%s: %v", line, ok)
		}
	}
}

func TestCVE_Command(t *testing.T) {
	t.Parallel()
	r := newDeskRig(t)
	tag := r.openedCase()
	if got := r.say(asAna, tag, "cve cve-2026-12345, CVE-2026-2222"); got != "PAR-2026-0001 has CVE-2026-12345, CVE-2026-2222" {
		t.Errorf("answered %q", got)
	}
	r.refused(asAna, "has CVE-2026-12345", tag, "cve CVE-2026-12345")
	r.refused(asAna, "is not a CVE ID", tag, "cve 2026-1")
	r.refused(asAna, "is missing", tag, "cve")
	r.refused(asAna, "does not have", tag, "cve drop CVE-2026-3333")
	u := r.offers(asAna, tag, "cve drop CVE-2026-12345")
	if got := r.theCaseIs("PAR-2026-0001").CVEs; !reflect.DeepEqual(got, []string{"CVE-2026-2222"}) {
		t.Errorf("CVE IDs are %q", got)
	}
	r.say(asAna, "undo "+u)
	if got := r.theCaseIs("PAR-2026-0001").CVEs; len(got) != 2 {
		t.Errorf("after undo: %q", got)
	}
	r.say(asAna, "dry-run", tag, "cve CVE-2026-4444")
	if got := r.theCaseIs("PAR-2026-0001").CVEs; len(got) != 2 {
		t.Errorf("after dry-run: %q", got)
	}
}

// advisory show tells what would be published, and brings the files where it is
// asked by mail.
func TestAdvisoryShow(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	tag := string(r.id)
	r.in(r.id, "cve CVE-2026-12345")
	r.upTo(cvd.Details)
	r.answers("acme", r.id, true, "STATUS "+tag+" affected 4.1-4.7\nSTATEMENT\nWe are sorry.\nEND\n")
	got := r.in(r.id, "advisory show")
	for _, want := range []string{"Title      Heap overflow in libfoo", "CVE-2026-12345", "acme ", "| We are sorry.", "2 more vendors have",
		"2 vendors were told: heads-up", "2 parties accepted the embargo", csafFile, cveFile} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not show %q:\n%s", want, got)
		}
	}
	_, timeline, _ := strings.Cut(got, "Timeline")
	timeline, _, _ = strings.Cut(timeline, "Files")
	for _, name := range []string{"acme", "globex", "initech", "finder", "ana"} {
		if strings.Contains(timeline, name) {
			t.Errorf("the timeline names %s:\n%s", name, timeline)
		}
	}
	if got := r.in(r.id, "advisory show globex"); strings.Contains(got, "acme") || !strings.Contains(got, "Globe Router") {
		t.Errorf("of globex it shows\n%s", got)
	}
	r.refuses(Actor{Name: "ana", Via: ViaMail}, "umbrella", "case "+tag, "advisory show umbrella")
	r.refuses(Actor{Name: "ana", Via: ViaMail}, "is no vendor", "case "+tag, "advisory show finder")
	r.control("ana", false, "case "+tag, "advisory show")
	var names []string
	for _, m := range r.filed("Status") {
		for _, f := range attachmentsOf(r.served(m)) {
			names = append(names, f.Name)
		}
	}
	if !strings.Contains(strings.Join(names, " "), csafFile+" "+cveFile) {
		t.Errorf("attached: %q", names)
	}
}

// What is published is part of what a yes is bound to: a word for publication
// voids it.
func TestPublication_ApprovalIsVoid(t *testing.T) {
	t.Parallel()
	r := newPublishRig(t)
	p := r.Policies["publish"]
	p.Stages[4].Approvals = 1
	r.in(r.id, "case policy publish")
	r.upTo(cvd.Details)
	first := r.request(cvd.Public)
	r.as(Actor{Name: "ben", Via: ViaMail}, "approve "+first.ID)
	r.answers("globex", r.id, true, "STATUS "+string(r.id)+" affected 4.1\n") // it made no statement
	r.after(tenMinutes)
	if open := r.requests(cvd.Public); len(open) != 0 {
		t.Fatalf("a word that is not published voids the yes: %+v", open)
	}
	for _, said := range []struct{ who, words string }{
		{"acme", "STATEMENT\nWe are sorry.\nEND\n"}, {"acme", "STATUS investigating\n"}, {"finder", "CREDIT Joselyn Findling\n"},
	} {
		r.answers(said.who, r.id, true, strings.Replace(said.words, " ", " "+string(r.id)+" ", 1)+"\n"+string(r.id)+"\n")
		r.after(tenMinutes)
		open := r.requests(cvd.Public)
		if len(open) != 1 || open[0].ID == first.ID {
			t.Fatalf("after %q of %s the old yes stands: %+v", said.words, said.who, open)
		}
		first = open[0]
		r.as(Actor{Name: "ben", Via: ViaMail}, "approve "+first.ID)
		r.after(tenMinutes)
		if open := r.requests(cvd.Public); len(open) != 0 {
			t.Fatalf("approved, it asks again: %+v", open)
		}
	}
	r.view(func(tx *store.Tx) error {
		a, err := approvalByID(tx, first.ID)
		if !a.Granted() {
			t.Errorf("%s is %q", a.ID, a.How)
		}
		return err
	})
}

const tenMinutes = 10 * time.Minute

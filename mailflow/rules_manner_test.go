package mailflow

import (
	"fmt"
	"mime"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// inlines opens what came to a party as a ticket system would, and holds every
// mail to our signature and to what may stand outside.
func (w *world) inlines(name string) []*mailtest.Opened {
	w.t.Helper()
	p := w.people[name]
	var out []*mailtest.Opened
	for _, m := range w.sink.To(p.Address) {
		o, err := p.OpenInline(m.Raw, w.ourKey())
		if err != nil {
			w.t.Fatalf("%s cannot open %v\n%s", name, err, m.Raw)
		}
		if o.Signer != string(w.signer().Certificate().Fingerprint()) || len(o.Keys) != 1 {
			w.t.Errorf("signed by %q, for %d keys", o.Signer, len(o.Keys))
		}
		out = append(out, o)
	}
	return out
}

var codeWord = regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`)

// sameWords takes out of a text what is each party's own.
func sameWords(text, name string) string {
	return strings.TrimSpace(strings.ReplaceAll(codeWord.ReplaceAllString(text, "CODE"), name, "NAME"))
}

// A party's ticket system gets the words that every party gets, in a form that
// it reads, and nothing of the case outside the encryption.
func TestV1_V3_InlineForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acmewidgets", "globexworks")
	if out := w.do("vendor edit globexworks form inline"); !strings.Contains(out, "channel pgp; form inline") {
		t.Errorf("transcript %q", out)
	}
	w.submits("ana", "details."+id.Lower()+"@"+w.DeskDomain, false, "material", "the details text "+canary(cvd.Details)+"\n",
		mailtest.File{Name: "proofofquux.bin", Type: "application/octet-stream", Data: "\x00quux\xff"})
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, v := range []string{"acmewidgets", "globexworks"} {
		w.answers(v, id, true, "ACCEPT "+string(id)+" v1\n")
	}
	w.after(3 * cvd.Day)
	mimes, inlines := w.got("acmewidgets"), w.inlines("globexworks")
	if len(inlines) != len(mimes) || len(inlines) < 4 {
		t.Fatalf("%d mails inline, %d in MIME", len(inlines), len(mimes))
	}
	seen := false
	for i, o := range inlines {
		head, text, ok := strings.Cut(o.Text, "\n\n")
		text, list, listed := strings.Cut(text, "\n\nAttached, each encrypted by itself:\n")
		if !ok || !listed || head != "Subject: "+mimes[i].Subject || o.Subject != w.Subject {
			t.Fatalf("mail %d: Subject %q begins with\n%s", i, o.Subject, o.Text[:min(len(o.Text), 300)])
		}
		if got, want := sameWords(text, "globexworks"), sameWords(mimes[i].Text, "acmewidgets"); got != want {
			t.Errorf("mail %d reads\n%s\nwant\n%s", i, got, want)
		}
		if len(o.Files) != len(mimes[i].Files) {
			t.Errorf("mail %d has %d files, want %d", i, len(o.Files), len(mimes[i].Files))
		}
		for line := range strings.Lines(strings.TrimSpace(list)) {
			outer, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			name = strings.TrimSpace(name)
			if want := mimes[i].Files[name]; o.Files[outer] == "" || name != "embargo.ics" && strings.ReplaceAll(o.Files[outer], "\r\n", "\n") != strings.ReplaceAll(want, "\r\n", "\n") {
				t.Errorf("mail %d: %s is %s with %d octets, want %d", i, outer, name, len(o.Files[outer]), len(want))
			}
			seen = seen || name == "details-1.bin" && o.Files[outer] == "\x00quux\xff"
		}
	}
	if !seen {
		t.Error("the file of the material did not come")
	}
	for _, m := range w.sink.To(w.people["globexworks"].Address) {
		for _, word := range []string{string(id), "TLP:", "Heap", "details", "proofofquux", "embargo.ics", "our-key", "acmewidgets"} {
			if strings.Contains(string(m.Raw), word) {
				t.Errorf("outside the encryption stands %q", word)
			}
		}
	}
	w.seesInline(id)
	w.do("vendor edit globexworks form mime")
	w.submits("ana", "globexworks."+id.Lower()+"@"+w.DeskDomain, false, "one more thing", "desktoglobex1\n")
	w.after(w.Undo)
	last := w.sink.To(w.people["globexworks"].Address)
	if o, err := w.people["globexworks"].Open(last[len(last)-1].Raw, w.ourKey()); err != nil || !strings.Contains(o.Text, "desktoglobex1") {
		t.Errorf("back to MIME: %v", err)
	}
}

// seesInline wants the desk to see what globexworks got.
func (w *world) seesInline(id cvd.CaseID) {
	w.t.Helper()
	for _, m := range w.filed("Cases/" + string(id) + " Heap overflow/Vendor globexworks") {
		p := w.served(m)
		if len(p.Children) == 0 {
			continue // a letter of theirs
		}
		text, err := p.Children[0].Text()
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.HasPrefix(text, "Sent to ") && strings.Contains(text, canary(cvd.Details)) {
			if !strings.Contains(text, "It left in the inline form") || !strings.Contains(text, "attachment-1.pgp   details-1.bin") || !strings.Contains(text, "\nSubject: TLP:") {
				w.t.Errorf("the desk sees\n%s", text)
			}
			return
		}
	}
	w.t.Error("the desk does not see what was sent")
}

// RFC 9788 sections 2.1.2 and 5.2.2: the Subject stands in the text part, which
// is marked, and the fields are protected as ever.
func TestV3_LegacyDisplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acmewidgets", "globexworks")
	w.do("vendor edit globexworks legacy-display on")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	with, without := w.got("globexworks")[0], w.got("acmewidgets")[0]
	head, text, _ := strings.Cut(with.Text, "\n\n")
	if head != "Subject: "+with.Subject || sameWords(text, "globexworks") != sameWords(without.Text, "acmewidgets") || with.Subject != without.Subject {
		t.Errorf("the text begins with\n%s", with.Text[:200])
	}
	inner := unfold(with.Inner)
	if !regexp.MustCompile(`Content-Type: text/plain; charset="?utf-8"?; hp-legacy-display="?1"?\r\n`).MatchString(inner) || strings.Count(inner, "hp-legacy-display") != 1 {
		t.Errorf("no text part is marked:\n%s", inner[:1500])
	}
	if !strings.Contains(inner, "HP-Outer: Subject: "+w.Subject+"\r\n") || strings.Contains(string(without.Inner), "hp-legacy-display") {
		t.Error("the protected fields changed with it")
	}
	if out := w.do("vendor edit globexworks legacy-display off"); strings.Contains(out, "; legacy") {
		t.Errorf("transcript %q", out)
	}
}

// The outer Subject of a party is what everybody on the way reads, and what
// HP-Outer says of it is what stands there.
func TestV3_OuterSubjectOfAParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acmewidgets", "globexworks")
	const mine = "Überraschung for queue 7"
	if out := w.do(`vendor edit globexworks subject "` + mine + `"`); !strings.Contains(out, `subject "`+mine+`"`) {
		t.Errorf("transcript %q", out)
	}
	if out := w.do("vendor list"); !strings.Contains(out, `subject "`+mine+`"`) {
		t.Errorf("list %q", out)
	}
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for name, want := range map[string]string{"globexworks": mine, "acmewidgets": w.Subject} {
		for _, m := range w.mails(w.people[name]) {
			if got := decodedHeader(t, m.Outer.Get("Subject")); got != want {
				t.Errorf("%s: outer Subject %q", name, got)
			}
			if inner := strings.ReplaceAll(string(m.Inner), "\r\n ", " "); !strings.Contains(inner, "\r\nHP-Outer: Subject: "+m.Outer.Get("Subject")+"\r\n") {
				t.Errorf("%s: HP-Outer is not %q in\n%s", name, m.Outer.Get("Subject"), inner[:1000])
			}
		}
	}
	w.do("vendor edit globexworks subject default")
	w.answers("globexworks", id, true, "ACCEPT "+string(id)+" v1\n")
	w.after(cvd.Day)
	all := w.mails(w.people["globexworks"])
	if got := all[len(all)-1].Outer.Get("Subject"); got != w.Subject {
		t.Errorf("by default it is %q", got)
	}
}

func decodedHeader(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// V2, V3, V4: an outer Subject names no case, no stage and no party, and holds
// nothing that breaks a header.
func TestV2_OuterSubjectRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor("globexworks")
	w.do("vendor add acme-corp psirt@acmewidgets.example", "vendor add initech psirt@initech.example")
	for _, s := range []string{
		"PAR-2026-0007", "Re: [PAR-2026-0007]", "about par 7", "CVE of XYZ-2026-0042", "TLP:AMBER", "the details", "Heads up!", "Heads-Up", "mitigation",
		"for Acme Corp", "ACME-CORP", "like initech", "at acmewidgets.example", "globexworks", "=?utf-8?q?x?=", "a\tb", strings.Repeat("x", 61),
	} {
		w.refuses(theOperator, "an outer Subject is", fmt.Sprintf(`vendor edit globexworks subject "%s"`, s))
	}
	for _, s := range []string{"a\u202eb", "a\u200bb"} {
		w.refuses(theOperator, "which cannot be seen", fmt.Sprintf(`vendor edit globexworks subject "%s"`, s))
	}
	w.refuses(theOperator, "a value for subject is missing", `vendor edit globexworks subject " "`)
	w.refuses(theOperator, "neither on nor off", "vendor edit globexworks legacy-display perhaps")
	w.refuses(theOperator, "is not a form", "vendor edit globexworks form html")
	w.do(`vendor edit globexworks subject "umbrella stand"`)
	w.refuses(theOperator, "would name the new party", "vendor add umbrella psirt@umbrella.example")
	w.view(func(tx *store.Tx) error {
		p, err := PartyByID(tx, "globexworks")
		if p.Manner != (cvd.Manner{Subject: "umbrella stand"}) {
			t.Errorf("manner %+v", p.Manner)
		}
		return err
	})
}

// A yes is for the mail as it leaves: in another manner it is asked for again,
// and the coordinators see the manner. Changing the form adds no recipient and needs
// no signature; an outer Subject does, since everybody on the way reads it (rule
// A3).
func TestA3_ApprovalBindsTheManner(t *testing.T) {
	t.Parallel()
	w, id := strict(t, "globexworks")
	w.steps(6*time.Hour, cvd.Day)
	first := w.request(cvd.Scope)
	w.as(benByMail, "approve "+first.ID)
	w.refuses(benByMail, "counts only signed", `vendor edit globexworks subject "your queue"`)
	for by, line := range map[Actor]string{benByMail: "vendor edit globexworks form inline", benSigned: `vendor edit globexworks subject "your queue"`} {
		if tr := w.as(by, line); !tr.Done() {
			t.Fatalf("%s", tr)
		}
	}
	if tr := w.as(benByMail, "vendor edit globexworks subject default"); !tr.Done() { // back to the constant
		t.Fatalf("%s", tr)
	}
	w.as(benSigned, `vendor edit globexworks subject "your queue"`)
	w.after(time.Hour)
	if n := len(w.sink.To(w.people["globexworks"].Address)); w.notice(id, "globexworks", cvd.Scope).State != cvd.Approval {
		t.Fatalf("it left unasked: %d mails", n)
	}
	again := w.request(cvd.Scope)
	if again.ID == first.ID {
		t.Error("the old yes still counts")
	}
	shown := false
	for _, m := range w.filed("Approvals") {
		for _, c := range w.served(m).Children {
			shown = shown || strings.Contains(strings.ReplaceAll(string(c.Raw()), "\r\n ", " "), `Comments: It leaves in the inline form, each file encrypted by itself, under the outer Subject "your queue".`)
		}
	}
	if !shown {
		t.Error("the request does not show the manner")
	}
	before := len(w.sink.To(w.people["globexworks"].Address))
	w.as(benByMail, "approve "+again.ID)
	w.after(w.Undo)
	if all := w.sink.To(w.people["globexworks"].Address); len(all) != before+1 || !strings.Contains(string(all[before].Raw), "Subject: your queue\r\n") {
		t.Errorf("%d mails after the yes, %d before", len(all), before)
	}
}

// A Subject that is not ASCII, and longer than a line, is protected in encoded
// words and stands in the other forms as it is.
func TestV4_SubjectInEveryForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.coordinator("ana")
	id := w.caseWith("acmewidgets", "globexworks", "initechsoft")
	w.do("vendor edit globexworks form inline", "vendor edit initechsoft legacy-display on")
	long := strings.TrimSpace(strings.Repeat("Größere Überläufe an Straßen ", 6))
	for _, v := range []string{"acmewidgets", "globexworks", "initechsoft"} {
		w.submits("ana", v+"."+id.Lower()+"@"+w.DeskDomain, false, long, "desktothem1\n")
	}
	w.after(w.Undo)
	m := w.got("acmewidgets")[0]
	if !strings.Contains(m.Subject, long) {
		t.Errorf("MIME: Subject %q", m.Subject)
	}
	for line := range strings.SplitSeq(string(m.Inner[:strings.Index(string(m.Inner), "\r\n\r\n")]), "\r\n") {
		if len(line) > 78 || strings.ContainsFunc(line, func(r rune) bool { return r > 126 }) {
			t.Errorf("a protected field in a line of %d octets: %q", len(line), line)
		}
	}
	for form, o := range map[string]*mailtest.Opened{"inline": w.inlines("globexworks")[0], "legacy display": w.got("initechsoft")[0]} {
		if !strings.HasPrefix(o.Text, "Subject: "+m.Subject+"\n\n") || !strings.Contains(o.Text, "desktothem1") {
			t.Errorf("%s: %.300q", form, o.Text)
		}
	}
}

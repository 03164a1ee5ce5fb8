package templates_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/templates"
)

// fill puts a text with the field's own name into every text field of a view.
func fill(v reflect.Value, text func(field string) string) {
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch {
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]():
			fill(f, text)
		case f.Kind() == reflect.String && name != "Stage" && name != "Zone":
			f.SetString(text(name))
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
			f.Set(reflect.ValueOf([]string{text(name)}))
		}
	}
}

func canaryOf(field string) string { return "canary-" + strings.ToLower(field) }

// A heads-up tells the product line, a severity and the date, and nothing of
// a later stage, even where its view is filled with it.
func TestV4_HeadsUpTellsNothingLater(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for i, st := range slices.Repeat(cvd.Stages(), 8) {
		v := notice(st)
		fill(reflect.ValueOf(&v).Elem(), canaryOf)
		v.ReplyBy, v.Accepted, v.Reminder = start, start, true
		v.To = templates.To{Language: s.Languages()[i/6%2], Kind: cvd.VendorKinds()[i/12]}
		r, err := s.Notice(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"Material", "Annex", "Mitigation", "Files"} {
			if told := strings.Contains(r.Subject+r.Text, canaryOf(field)); told != (st != cvd.HeadsUp) {
				t.Errorf("%s: %s is told: %v", st, field, told)
			}
		}
		if !strings.Contains(r.Text, canaryOf("Product")) {
			t.Errorf("%s: the canaries did not reach the view", st)
		}
	}
}

// What a person wrote is copied: it is no template, no format, and not
// filled, and neither blank lines nor spaces in it change.
func TestV4_ValuesAreNoTemplates(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	wild := "{{.Code}} {{template \"foot\" .}}\n\n\n\n  %s %d%%\t \n- context \n \n{{define \"foot\"}}x{{end}} " + strings.Repeat("word ", 30) + "."
	v := details()
	v.Material, v.Annex, v.Mitigation = "\n\n"+wild+"\n\n", strings.ReplaceAll(wild, "\n", "\r\n"), wild
	r, err := s.Notice(v)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(r.Text, "\n"+wild+"\n"); n != 3 {
		t.Errorf("the text stands there %d times and not three:\n%s", n, r.Text)
	}
	one := "{{.Fingerprint}} %d {{end}}"
	v.Product, v.Name = one, one
	if r, err = s.Notice(v); err != nil || strings.Count(r.Text, one) != 2 {
		t.Errorf("error %v; got:\n%s", err, r.Text)
	}
	l, err := s.Letter(templates.Letter{Us: us, Case: caseID, Subject: one, Text: wild})
	if err != nil || !strings.Contains(l.Subject, one) || !strings.Contains(l.Text, wild) {
		t.Errorf("error %v; letter %q:\n%s", err, l.Subject, l.Text)
	}
}

var badValues = map[string]string{
	"CR LF":           "x\r\nBcc: everybody@example.org",
	"LF":              "x\nBcc: everybody@example.org",
	"blank line":      "x\n\nDear vendor",
	"LF at the end":   "x\n",
	"CR":              "x\ry",
	"NUL":             "x\x00y",
	"right-to-left":   "x\u202egnp.exe",
	"isolate":         "x\u2067y",
	"zero width":      "x\u200by",
	"line separator":  "x\u2028y",
	"encoded word":    "=?utf-8?q?x=0D=0ABcc:_y?=",
	"encoded bidi":    "=?utf-8?b?eOKAriB5?=",
	"broken encoding": "x\xff\xfe",
}

// A value that a header may not hold stops a mail to a participant.
func TestV4_HeaderValuesAreRefused(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for name, bad := range badValues {
		n := details()
		n.TLP = cvd.TLP(bad)
		m := notice(cvd.HeadsUp)
		m.Case = cvd.CaseID(bad)
		calls := map[string]func() (templates.Rendered, error){
			"notice":   func() (templates.Rendered, error) { return s.Notice(n) },
			"heads-up": func() (templates.Rendered, error) { return s.Notice(m) },
			"letter": func() (templates.Rendered, error) {
				return s.Letter(templates.Letter{Us: us, Case: caseID, Subject: "about " + bad, Text: "t"})
			},
			"receipt": func() (templates.Rendered, error) { return s.Receipt(templates.Receipt{Us: us, Reference: bad}) },
			"howto":   func() (templates.Rendered, error) { return s.HowTo(templates.HowTo{Us: us, Reference: bad}) },
			"answer":  func() (templates.Rendered, error) { return s.Answer(templates.Answer{Us: us, Case: cvd.CaseID(bad)}) },
			"embargo": func() (templates.Rendered, error) {
				return s.Embargo(templates.Embargo{Us: us, Case: caseID, TLP: cvd.TLP(bad)})
			},
		}
		for what, call := range calls {
			if r, err := call(); err == nil {
				t.Errorf("%s with %s: Subject %q", what, name, r.Subject)
			}
		}
	}
}

// A mail to the desk does not fail over what came from outside; its header is
// clean all the same.
func TestV4_DeskHeadersAreMadeFit(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for name, bad := range badValues {
		c, a := caseFile(), approval()
		c.Title, a.Title = bad, bad
		file, err1 := s.CaseFile(c)
		ask, err2 := s.Approval(a)
		no, err3 := s.Refusal(templates.Refusal{What: bad, State: "Nothing left."})
		if err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("%s: %v, %v, %v", name, err1, err2, err3)
		}
		for _, r := range []templates.Rendered{file, ask, no} {
			if err := message.CheckHeaderValue(r.Subject); err != nil {
				t.Errorf("%s: %q: %v", name, r.Subject, err)
			}
		}
		if len(no.Subject) <= len("Not done: ") {
			t.Errorf("%s: nothing is left of the value: %q", name, no.Subject)
		}
	}
}

// Only heads-up goes without material, and what is no stage does not go.
func TestV4_NoMaterialNoNotice(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for _, st := range append(cvd.Stages(), cvd.Mitigation, "", "receipt", "parts") {
		v := notice(cvd.Scope)
		v.Stage, v.Material = st, ""
		if _, err := s.Notice(v); (err == nil) != (st == cvd.HeadsUp) {
			t.Errorf("%q without material: %v", st, err)
		}
	}
}

var (
	commandLine = regexp.MustCompile(`(?m)^ {4}((?:ACCEPT|ACK|DECLINE|STATUS|PROPOSE|HELP) .*)$`)
	fullDate    = regexp.MustCompile(`(\w+ )\d{1,2} [A-Z][a-z]+ \d{4}`)
)

// The lines to answer with stand as vendors' replies are read: verb, case,
// version, the code after that, and a meaning only three blanks away.
func TestLettersPrintTheLines(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"heads-up":      {"ACCEPT PAR-2026-0007 v1 K7Q3-X9PM   you keep it secret until the end", "ACK PAR-2026-0007 K7Q3-X9PM         you have it and need time", "DECLINE PAR-2026-0007 K7Q3-X9PM why"},
		"scope":         {"STATUS PAR-2026-0007 affected VERSIONS K7Q3-X9PM", "STATUS PAR-2026-0007 not-affected WHY K7Q3-X9PM", "STATUS PAR-2026-0007 investigating K7Q3-X9PM"},
		"details":       {"STATUS PAR-2026-0007 affected VERSIONS K7Q3-X9PM", "STATUS PAR-2026-0007 not-affected WHY K7Q3-X9PM", "STATUS PAR-2026-0007 fixed VERSION on DATE K7Q3-X9PM", "STATUS PAR-2026-0007 investigating K7Q3-X9PM"},
		"embargo-later": {"ACCEPT PAR-2026-0007 v2 M2D8-F4RT"},
		"answer":        {"HELP PAR-2026-0007 M2D8-F4RT"},
		"public":        nil,
		"receipt":       nil,
	}
	s := builtin(t)
	for _, l := range letters() {
		lines, ok := want[l.name]
		if !ok {
			continue
		}
		r, err := l.get(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range commandLine.FindAllStringSubmatch(r.Text, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, lines) {
			t.Errorf("%s: got %q, want %q", l.name, got, lines)
		}
	}
}

// The first screen, 24 lines, says what is asked, by when, and how; every
// date with a year has its weekday.
func TestLettersFirstScreen(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for _, l := range letters() {
		r, err := l.get(s)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(r.Text, "\n")
		screen := strings.Join(lines[:min(24, len(lines))], "\n")
		if strings.Contains(r.Subject, " by ") && (!strings.Contains(screen, "What we ask, by ") || !commandLine.MatchString(screen)) {
			t.Errorf("%s does not say on the first screen what is asked:\n%s", l.name, screen)
		}
		for _, m := range fullDate.FindAllStringSubmatch(r.Subject+"\n"+r.Text, -1) {
			if !strings.Contains("Mon Tue Wed Thu Fri Sat Sun ", m[1]) {
				t.Errorf("%s: %q has no weekday", l.name, m[0])
			}
		}
	}
}

// The desk's tables keep to 72 columns and cut no name, whatever the names
// and states are.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	for n := 1; n <= 40; n++ {
		name := strings.Repeat("n", n)
		c, a := caseFile(), approval()
		c.Rows = append(c.Rows, templates.CaseRow{Party: name, Cells: slices.Repeat([]string{"30 Sep ok"}, 6), Status: "not-affected we never shipped that component at all"})
		c.Rows = append(c.Rows, templates.CaseRow{Party: "b", Cells: slices.Repeat([]string{"approve"}, 6), Status: strings.Repeat("w", 20)})
		a.Rows = append(a.Rows, templates.ApprovalRow{Party: name, Key: "4B32 ADAC..", Trust: "confirmed", Until: end, Soon: true, Stage: cvd.Advisory, Gets: "nothing: HELD"})
		for _, get := range []func() (templates.Rendered, error){
			func() (templates.Rendered, error) { return s.CaseFile(c) },
			func() (templates.Rendered, error) { return s.Approval(a) },
		} {
			r, err := get()
			if err != nil {
				t.Fatal(err)
			}
			checkForm(t, r)
			if !regexp.MustCompile(`(?m)^ *` + name + `( |$)`).MatchString(r.Text) {
				t.Errorf("a name of %d letters is cut:\n%s", n, r.Text)
			}
		}
	}
}

// Nothing that we send says which machine, zone or version wrote it, and the
// rendering is the same on every machine.
func TestV3_LettersAreTheSameEverywhere(t *testing.T) {
	s := builtin(t)
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	for _, l := range letters() {
		time.Local = time.UTC
		a, err := l.get(s)
		if err != nil {
			t.Fatal(err)
		}
		time.Local = time.FixedZone("machine", 9*3600)
		if b, err := l.get(s); err != nil || a != b {
			t.Errorf("%s differs with the machine's zone: %v", l.name, err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Skip("no host name to look for")
	}
	for _, l := range letters() {
		if r, _ := l.get(s); strings.Contains(fmt.Sprint(r), host) {
			t.Errorf("%s names the host", l.name)
		}
	}
}

func BenchmarkNotice(b *testing.B) {
	s, err := templates.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	v := details()
	for b.Loop() {
		if _, err := s.Notice(v); err != nil {
			b.Fatal(err)
		}
	}
}

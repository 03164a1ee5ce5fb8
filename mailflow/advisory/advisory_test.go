package advisory

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	for written, want := range map[string][]span{
		"":                    nil,
		" \n":                 nil,
		"4.1":                 {{From: "4.1"}},
		"v4.1":                {{From: "v4.1"}},
		"4.1-4.7":             {{From: "4.1", To: "4.7"}},
		"4.1 - 4.7":           {{From: "4.1", To: "4.7"}},
		"4.1 to 4.7":          {{From: "4.1", To: "4.7"}},
		"4.1–4.7":             {{From: "4.1", To: "4.7"}},
		"4.1-4.7, 5.0":        {{From: "4.1", To: "4.7"}, {From: "5.0"}},
		"4.1, 4.1; 5 and 6":   {{From: "4.1"}, {From: "5"}, {From: "6"}},
		"4.1-rc1":             {{From: "4.1-rc1"}},
		"2026-01-31":          {{From: "2026-01-31"}},
		"4.7 and before":      {{Free: "4.7 and before"}},
		"all":                 {{Free: "all"}},
		"< 4.8":               {{Free: "< 4.8"}},
		"4.1before":           {{Free: "4.1before"}},
		"4.1, the LTS branch": {{Free: "4.1, the LTS branch"}},
		"4.1-4.1":             {{Free: "4.1-4.1"}},
	} {
		if got := spans(written); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", written, got, want)
		}
	}
}

func TestSays(t *testing.T) {
	t.Parallel()
	on := time.Date(2027, 2, 10, 0, 0, 0, 0, time.UTC)
	type said struct {
		status Status
		words  string
	}
	for _, c := range []struct {
		said []said
		want Product
	}{
		{[]said{{Affected, "4.1-4.7"}}, Product{Status: Affected, Versions: "4.1-4.7"}},
		{[]said{{Affected, "4.1-4.7"}, {Fixed, "4.8 on 2027-02-10"}}, Product{Status: Fixed, Versions: "4.1-4.7", FixedIn: "4.8", FixedOn: on}},
		{[]said{{Fixed, "on 2027-02-10"}}, Product{Status: Fixed, FixedOn: on}},
		{[]said{{Fixed, "2027-02-10"}}, Product{Status: Fixed, FixedOn: on}},
		{[]said{{Fixed, "4.8 on 2027-02-31"}}, Product{Status: Fixed, FixedIn: "4.8 on 2027-02-31"}},
		{[]said{{Fixed, "4.8"}, {Affected, "4.9"}}, Product{Status: Affected, Versions: "4.9"}},
		{[]said{{Affected, "4.1"}, {NotAffected, "we\nchecked"}}, Product{Status: NotAffected, Why: "we checked"}},
		{[]said{{NotAffected, "we checked"}, {Affected, "4.1"}}, Product{Status: Affected, Versions: "4.1"}},
		{[]said{{Affected, "4.1"}, {Investigating, ""}}, Product{Status: Investigating}},
	} {
		var p Product
		for _, s := range c.said {
			p.Says(s.status, s.words)
		}
		if p != c.want {
			t.Errorf("%v: %+v, want %+v", c.said, p, c.want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Advisory){
		"no tag":         func(a *Advisory) { a.Tag = "\u200b\n" },
		"no publisher":   func(a *Advisory) { a.Publisher.Name = "" },
		"no namespace":   func(a *Advisory) { a.Publisher.Namespace = "vdp.example.org" },
		"no date":        func(a *Advisory) { a.Revisions = nil },
		"the zero date":  func(a *Advisory) { a.Revisions = append(a.Revisions, Revision{}) },
		"a strange date": func(a *Advisory) { a.Revisions[0].At = begin.AddDate(3000, 0, 0) },
	} {
		a := sample()
		spoil(&a)
		if _, err := CSAF(a); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: CSAF gives %v", name, err)
		}
		if _, err := CVERecord(a, "CVE-2026-12345"); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: CVERecord gives %v", name, err)
		}
	}
	a := sample()
	a.Products = a.Products[4:]
	if _, err := CVERecord(a, "CVE-2026-12345"); !errors.Is(err, ErrNoProduct) {
		t.Errorf("no status: %v", err)
	}
	if _, err := CVERecord(sample(), "CVE-26-1"); err == nil {
		t.Error("CVE-26-1 is taken for a CVE ID")
	}
}

func TestWebAddress(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"https://vdp.example.org":                        "https://vdp.example.org",
		" http://a.example:8080/x?y=z#f":                 "http://a.example:8080/x?y=z#f",
		"https://a.example/a b":                          "https://a.example/a%20b",
		"https://a.example/\u202e":                       "https://a.example/%E2%80%AE",
		"javascript:alert(1)":                            "",
		"https://user:pw@a.example/":                     "",
		"https://b\u00fccher.example/":                   "",
		"https://":                                       "",
		"/relative":                                      "",
		"https://a.example/%zz":                          "",
		"https://a.example/" + strings.Repeat("x", 3000): "",
	} {
		if got, ok := webAddress(s); got != want || ok != (want != "") {
			t.Errorf("%.40q: %q", s, got)
		}
	}
}

// What only turns the text around goes; words of every language stay.
func TestText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"a\r\nb\rc\u2028d":          "a\nb\nc\nd",
		"\n\n  indented  \n\n":      "  indented",
		"a\u202eb\u2066c\x00\x1b\t": "abc",
		"שלום\u200f!":               "שלום\u200f!",
		"👩\u200d💻":                  "👩\u200d💻",
		"\xff":                      "\ufffd",
	} {
		if got := text(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// A draft with one product tells nothing of the others that there are.
func TestDraftOfOne(t *testing.T) {
	t.Parallel()
	a := sample()
	a.Final, a.Silent, a.Products = false, 0, a.Products[:1]
	doc, err := CSAF(a)
	if err != nil {
		t.Fatal(err)
	}
	record, err := CVERecord(a, "CVE-2026-12345")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sample().Products[1:] {
		if strings.Contains(string(doc)+string(record)+Matrix(a), p.Vendor) {
			t.Errorf("it names %s", p.Vendor)
		}
	}
}

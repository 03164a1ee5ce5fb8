package templates_test

import (
	"strings"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/templates"
)

// leaked is the night on which a level of the story's leak kit is fired.
func leaked(l cvd.Level) templates.Leak {
	v := templates.Leak{Us: us, Case: caseID, Level: l, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM", Version: 1, End: end, Zone: "Europe/Berlin",
		Severity: "high", Product: "Player 9.1", Leaked: start.Add(20*cvd.Day - 6*time.Hour), URL: "hxxps://paste[.]example/x9",
		Material: "The material of this stage, as the coordinator wrote it.", Mitigation: "Start it with --no-init until then.",
		Annex: "As shipped it links the vulnerable initialisation.", FAQ: []string{"Is the 8.x branch affected?\nNo: the code came with 9.0."},
		Proof: "./proof --crash", ProofAnnex: "On Player 9.1 it takes two runs."}
	if l != cvd.Rumour {
		v.Version, v.Old, v.End = 2, end, v.Leaked.Add(cvd.Day)
		v.Files = []string{"details-1.txt"}
	}
	return v
}

func leakLetters(to templates.To) []letter {
	leak := func(name string, v templates.Leak) letter {
		v.To = to
		return letter{name, func(s *templates.Set) (templates.Rendered, error) { return s.Leak(v) }}
	}
	finder := func(name string, v templates.LeakFinder) letter {
		v.To = to
		return letter{name, func(s *templates.Set) (templates.Rendered, error) { return s.LeakFinder(v) }}
	}
	bare := leaked(cvd.Rumour)
	bare.Severity, bare.Product, bare.URL, bare.Zone = "", "", "", ""
	own := leaked(cvd.DetailsOut)
	own.Holding, own.FAQ, own.Mitigation, own.Annex = "Please switch the network off.\nWe are sorry.", nil, "", ""
	at := leaked(cvd.DetailsOut)
	told := templates.LeakFinder{Us: us, Case: caseID, TLP: "AMBER+STRICT", Level: cvd.DetailsOut, Leaked: at.Leaked, URL: at.URL, End: at.End, Old: at.Old}
	rumour := templates.LeakFinder{Us: us, Case: caseID, Level: cvd.Rumour, Leaked: at.Leaked, End: end}
	return []letter{
		leak("leak-rumour", leaked(cvd.Rumour)), leak("leak-rumour-bare", bare), leak("leak-details", leaked(cvd.DetailsOut)),
		leak("leak-details-own", own), leak("leak-exploit", leaked(cvd.ExploitOut)),
		finder("leak-finder", told), finder("leak-finder-rumour", rumour),
	}
}

func kitLetters() []letter {
	kit := templates.LeakKit{Case: caseID, Title: "Heap overflow in libfoo", ID: "9f3a-27c1", Author: "ana", Signed: true, Need: 1,
		Levels: []templates.LeakKitLevel{
			{Level: cvd.DetailsOut, Holds: "the shipped statement, mitigation v1, details v3, an annex for acme", Hash: digest, Mail: "details.eml, details-acme.eml"},
			{Level: cvd.ExploitOut, Holds: "the same, and proof v1", Hash: digest, Mail: "exploit.eml"}},
		Found:  []string{"to acme: line 3 of details v3 names globex"},
		Before: []string{"8e2b-11d0 (details: the text changed)"}}
	plain := templates.LeakKit{Case: caseID, Title: "Heap overflow in libfoo", ID: "9f3a-27c1", Author: "ana", Need: 1,
		Levels: []templates.LeakKitLevel{{Level: cvd.Rumour, Holds: "holding statement v1", Hash: digest, Mail: "rumour.eml"}}}
	return []letter{
		{"leak-kit", func(s *templates.Set) (templates.Rendered, error) { return s.LeakKit(kit) }},
		{"leak-kit-plain", func(s *templates.Set) (templates.Rendered, error) { return s.LeakKit(plain) }},
	}
}

// Rule V4: a level reaches what it holds and nothing of a higher one, whatever
// its caller filled in.
func TestV4_LeakLevels(t *testing.T) {
	t.Parallel()
	s := builtin(t)
	words := map[cvd.Level][]string{
		cvd.DetailsOut: {"as the coordinator wrote it", "--no-init", "vulnerable initialisation", "8.x branch"},
		cvd.ExploitOut: {"./proof --crash", "takes two runs"},
	}
	for _, l := range cvd.Levels() {
		r, err := s.Leak(leaked(l))
		if err != nil {
			t.Fatal(err)
		}
		for of, all := range words {
			for _, word := range all {
				if has, may := strings.Contains(r.Text, word), l.Rank() >= of.Rank(); has != may {
					t.Errorf("%s says %q: %t, want %t", l, word, has, may)
				}
			}
		}
	}
	for _, v := range []templates.Leak{{Us: us, Case: caseID, Level: cvd.DetailsOut}, {Us: us, Case: caseID, Level: cvd.ExploitOut, Material: "x"}, {Us: us, Case: caseID, Level: "all"}} {
		if _, err := s.Leak(v); err == nil {
			t.Errorf("a leak of %q without material was written", v.Level)
		}
	}
}

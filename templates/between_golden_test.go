package templates_test

import (
	"parley/mailflow/cvd"
	"parley/templates"
)

// betweenLetters are those to observers, and to two who may be introduced.
func betweenLetters(to templates.To) []letter {
	early := templates.Observed{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Code: "K7Q3-X9PM",
		Counts: templates.Counts{Vendors: 2}, Stages: []templates.Reached{{Stage: cvd.HeadsUp}, {Stage: cvd.Scope}}}
	late := early
	late.Severity, late.Start, late.End, late.Version, late.Zone = "high", start, end, 2, "Europe/Berlin"
	late.Counts = templates.Counts{Vendors: 7, Told: 5, Agreed: 4, Ready: 2, Affected: 3, NotAffected: 1, Fixed: 2, Investigating: 1}
	late.Stages = []templates.Reached{{Stage: cvd.HeadsUp, Vendors: 5}, {Stage: cvd.Scope, Vendors: 4}, {Stage: cvd.Details, Vendors: 4}}
	ask := templates.Ask{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Number: 2, Code: "K7Q3-X9PM"}
	vendor := templates.Introduction{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Other: "Globex Corporation", Address: "psirt@globex.example"}
	finder := templates.Introduction{Us: us, To: to, Case: caseID, TLP: "AMBER+STRICT", Address: "jo@finder.example", Finder: true}
	observer := templates.Answer{Us: us, To: to, Case: caseID, Code: "K7Q3-X9PM", Version: 1, Help: true, Observer: true,
		Lines: []templates.Understood{{Line: "STATE", Result: templates.Result{Word: templates.ResultCounts}}}}
	both := templates.Answer{Us: us, To: to, Case: caseID, Code: "K7Q3-X9PM", Version: 1, Help: true, Finder: true, Both: true, Asked: []int{2},
		Lines: []templates.Understood{{Line: "CONSENT 1", Result: templates.Result{Word: templates.ResultConsent}}}}
	return []letter{
		{"counts", func(s *templates.Set) (templates.Rendered, error) { return s.Observed(late) }},
		{"counts-early", func(s *templates.Set) (templates.Rendered, error) { return s.Observed(early) }},
		{"question", func(s *templates.Set) (templates.Rendered, error) { return s.Ask(ask) }},
		{"introduction", func(s *templates.Set) (templates.Rendered, error) { return s.Introduction(vendor) }},
		{"introduction-finder", func(s *templates.Set) (templates.Rendered, error) { return s.Introduction(finder) }},
		{"answer-observer", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(observer) }},
		{"answer-both", func(s *templates.Set) (templates.Rendered, error) { return s.Answer(both) }},
	}
}

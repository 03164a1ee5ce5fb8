package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// Observed tells an observer how far a case is: counts, dates and a severity
// band. There is no field for a name, a component or a text.
type Observed struct {
	Us
	To
	Case     cvd.CaseID
	TLP      cvd.TLP
	Counts   Counts
	Vendor   bool      // it is one itself, and learns neither Stages nor what the others said
	Stages   []Reached // in the order of the policy
	Severity string    // band, or empty
	Start    time.Time // zero before there is one
	End      time.Time // zero before there is one
	Version  int       // of the embargo
	Zone     string
	Code     string
}

// Reached counts the vendors that know at least as much as a stage says.
type Reached struct {
	Stage   cvd.Stage
	Vendors int
}

// Ask asks a participant whether it wants to be introduced to another, of whom it
// says nothing at all.
type Ask struct {
	Us
	To
	Case   cvd.CaseID
	TLP    cvd.TLP
	Number int // of the question, among those that this reader was asked
	Code   string
}

// Introduction tells one of two participants, who both agreed, who the other is.
type Introduction struct {
	Us
	To
	Case    cvd.CaseID
	TLP     cvd.TLP
	Other   string // the other's name
	Address string
	Finder  bool // the other found the flaw
}

// Observed renders the counts for an observer.
func (s *Set) Observed(v Observed) (Rendered, error) { return s.render("counts", v) }

// Ask renders the question whether a participant wants to be introduced.
func (s *Set) Ask(v Ask) (Rendered, error) { return s.render("question", v) }

// Introduction renders who the other is.
func (s *Set) Introduction(v Introduction) (Rendered, error) { return s.render("introduction", v) }

func betweenSamples(us Us, t time.Time) []sample {
	early := Observed{Us: us, Case: "PAR-2026-0007", Code: "K7Q3-X9PM"}
	late := early
	late.TLP, late.Severity, late.Zone, late.Version = "AMBER", "high", "Europe/Berlin", 2
	late.Counts = Counts{Vendors: 7, Told: 5, Agreed: 4, Ready: 2, Affected: 3, NotAffected: 1, Fixed: 2, Investigating: 1}
	late.Stages = []Reached{{cvd.HeadsUp, 5}, {cvd.Scope, 4}}
	late.Start, late.End = t, t.Add(90*cvd.Day)
	fellow := late
	fellow.Vendor, fellow.Stages, fellow.Counts = true, nil, Counts{Vendors: 2, Told: 2, Agreed: 1}
	known := Introduction{Us: us, Case: "PAR-2026-0007", Other: "globex", Address: "psirt@globex.example"}
	finder := known
	finder.TLP, finder.Finder = "AMBER", true
	return []sample{{"counts", early}, {"counts", late}, {"counts", fellow}, {"introduction", known}, {"introduction", finder},
		{"question", Ask{Us: us, Case: "PAR-2026-0007", Number: 1, Code: "K7Q3-X9PM"}},
		{"question", Ask{Us: us, Case: "PAR-2026-0007", TLP: "AMBER", Number: 2, Code: "K7Q3-X9PM"}}}
}

package templates

import (
	"fmt"
	"time"

	"parley/mailflow/cvd"
)

// Leak tells one vendor that something of a case is public. What it reaches
// depends on its level; see Set.Leak.
type Leak struct {
	Us
	To
	Case     cvd.CaseID
	Level    cvd.Level
	TLP      cvd.TLP
	Code     string    // one-time code
	Version  int       // of the embargo
	End      time.Time // of it, from now on
	Old      time.Time // when it would have ended; zero where that did not change
	Zone     string    // of the reader, IANA, or empty
	Severity string    // band, or empty
	Product  string    // the vendor's product line, or empty
	Leaked   time.Time // when the desk learned it
	URL      string    // where it stands, as text that no client makes a link of; empty where that is not told
	Holding  string    // the desk's own statement; empty for the shipped one

	Mitigation string   // from details on
	Material   string   // of details
	Annex      string   // to it, for this vendor alone
	FAQ        []string // answers at details and, with an exploit, at proof
	Proof      string   // with an exploit
	ProofAnnex string
	Files      []string // names of what is attached
}

// leakRumour, leakDetails and leakExploit are what the template sees of a Leak
// at each level: nothing that belongs to a higher one exists in them (rule V4).
type leakRumour struct {
	Us
	To
	Case     cvd.CaseID
	Level    cvd.Level
	TLP      cvd.TLP
	Code     string
	Version  int
	End, Old time.Time
	Zone     string
	Severity string
	Product  string
	Leaked   time.Time
	URL      string
	Holding  string
	Files    []string
}

type leakDetails struct {
	leakRumour
	Mitigation string
	Material   string
	Annex      string
	FAQ        []string
}

type leakExploit struct {
	leakDetails
	Proof      string
	ProofAnnex string
}

// leakOf narrows a Leak to what its level holds.
func leakOf(v Leak) (any, error) {
	rumour := leakRumour{Us: v.Us, To: v.To, Case: v.Case, Level: v.Level, TLP: v.TLP, Code: v.Code, Version: v.Version, End: v.End, Old: v.Old,
		Zone: v.Zone, Severity: v.Severity, Product: v.Product, Leaked: v.Leaked, URL: v.URL, Holding: v.Holding, Files: v.Files}
	details := leakDetails{leakRumour: rumour, Mitigation: v.Mitigation, Material: v.Material, Annex: v.Annex, FAQ: v.FAQ}
	switch v.Level {
	case cvd.Rumour:
		return rumour, nil
	case cvd.DetailsOut:
		return details, nil
	case cvd.ExploitOut:
		return leakExploit{leakDetails: details, Proof: v.Proof, ProofAnnex: v.ProofAnnex}, nil
	}
	return nil, fmt.Errorf("render leak: %q is no level", v.Level)
}

// Leak renders what a vendor is sent when a case leaked. Above a rumour there is
// material.
func (s *Set) Leak(v Leak) (Rendered, error) {
	view, err := leakOf(v)
	if err != nil {
		return Rendered{}, err
	}
	if v.Level != cvd.Rumour && v.Material == "" || v.Level == cvd.ExploitOut && v.Proof == "" {
		return Rendered{}, fmt.Errorf("render leak of %s: there is no material", v.Level)
	}
	return s.render("leak", view)
}

// LeakFinder tells a finder that something of its case is public.
type LeakFinder struct {
	Us
	To
	Case   cvd.CaseID
	TLP    cvd.TLP
	Level  cvd.Level
	Leaked time.Time
	URL    string    // as in Leak
	End    time.Time // of the embargo, from now on
	Old    time.Time // when it would have ended; zero where that did not change
}

// LeakFinder renders it.
func (s *Set) LeakFinder(v LeakFinder) (Rendered, error) { return s.render("leak-finder", v) }

// LeakKit asks other coordinators for a yes to levels of a leak kit, before
// anything leaked.
type LeakKit struct {
	Case   cvd.CaseID
	Title  string
	ID     string
	Author string
	Signed bool
	Need   int
	Shared bool // all who could say yes wrote part of it
	Levels []LeakKitLevel
	Found  []string // what the check found, a clause each; nothing where empty
	Before []string // the requests that it takes the place of, each with why
}

// LeakKitLevel is one level of what is to be approved.
type LeakKitLevel struct {
	Level cvd.Level
	Holds string // "holding statement, mitigation v2, details v3"
	Hash  string // SHA-256, hex, over its texts and files
	Mail  string // the attachment that shows it
}

// LeakKit renders it.
func (s *Set) LeakKit(v LeakKit) (Rendered, error) { return s.render("leak-kit", v) }

// Package cvd holds the words of coordinated vulnerability disclosure that
// the rest of Parley speaks in: cases, parties, participants, stages,
// policies, embargoes, and the pure function that turns a case and its
// policy into a plan.
//
// It knows neither mail nor storage; every function here is a function of
// its arguments.
package cvd

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CaseID is the tag of a case as people write it, "PAR-2026-0007".
type CaseID string

// PartyID is the name of a party in the directory, "acme".
type PartyID string

// Finder is the PartyID under which the finder of a case takes part in it,
// whoever that is.
const Finder PartyID = "finder"

// FinderID names the nth finder of a case, from 1: finder, finder-2, finder-3.
// Several people find the same flaw; each has a thread of its own and learns
// nothing of the others.
func FinderID(n int) PartyID {
	if n < 2 {
		return Finder
	}
	return PartyID(fmt.Sprintf("%s-%d", Finder, n))
}

// FinderNumber reads n back from FinderID; 0 for who is no finder.
func (p PartyID) FinderNumber() int {
	m := finderPattern.FindStringSubmatch(string(p))
	switch {
	case m == nil:
		return 0
	case m[1] == "":
		return 1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || FinderID(n) != p {
		return 0
	}
	return n
}

// IsFinder says whether a finder takes part under this name.
func (p PartyID) IsFinder() bool { return p.FinderNumber() > 0 }

var (
	casePattern   = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,9}-[0-9]{4}-[0-9]{4,}$`)
	partyPattern  = regexp.MustCompile(`^[a-z0-9-]+$`)
	finderPattern = regexp.MustCompile(`^finder(?:-([0-9]{1,6}))?$`)
	// tagPattern finds a tag in running text, brackets or not.
	// Both cases are written out: (?i) would take U+212A for a K, too.
	tagPattern = regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9]{0,9}-[0-9]{4}-[0-9]{4,}\b`)
)

// ParseCaseID reads a tag in any case, with or without brackets.
func ParseCaseID(s string) (CaseID, error) {
	t := strings.ToUpper(strings.Trim(strings.TrimSpace(s), "[]"))
	if !casePattern.MatchString(t) {
		return "", fmt.Errorf("%q is not a case tag such as PAR-2026-0007", s)
	}
	return CaseID(t), nil
}

// NewCaseID makes the tag of the nth case of a year.
func NewCaseID(prefix string, year int, n uint64) CaseID {
	return CaseID(fmt.Sprintf("%s-%04d-%04d", prefix, year, n))
}

// FindCaseIDs lists the tags that stand in a text, each once, in order.
func FindCaseIDs(text string) []CaseID {
	var ids []CaseID
	seen := map[CaseID]bool{} // a Subject may hold ten thousands
	for _, t := range tagPattern.FindAllString(text, -1) {
		id := CaseID(strings.ToUpper(t))
		if !seen[id] {
			ids, seen[id] = append(ids, id), true
		}
	}
	return ids
}

// Lower is the tag as it stands in an address.
func (c CaseID) Lower() string { return strings.ToLower(string(c)) }

// reserved are the local parts and words that no party may be named.
var reserved = []string{
	"finder", "notes", "vendors", "vendor", "coordinator", "observer", "reporter",
	"mitigation", "contact", "control", "new", "report", "report-key", "case",
	"bounce", "postmaster", "abuse", "desk", "operator", "all", "everybody",
}

// threadPattern are the words by which sealed views address a thread.
var threadPattern = regexp.MustCompile(`^thread-[0-9]+$`)

// ParsePartyID checks a name for the directory: [a-z0-9-]+, at most 40
// characters, and never a stage, a role or a fixed address.
func ParsePartyID(s string) (PartyID, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	if !partyPattern.MatchString(name) || len(name) > 40 {
		return "", fmt.Errorf("%q is not a party name: use a-z, 0-9 and -, at most 40", s)
	}
	if _, err := ParseStage(name); err == nil || slices.Contains(reserved, name) || finderPattern.MatchString(name) || threadPattern.MatchString(name) {
		return "", fmt.Errorf("%q cannot name a party: the word has a meaning of its own", s)
	}
	return PartyID(name), nil
}

// Stage says how much of a case a participant may know. The stages are
// ordered; Mitigation is extra material that may go with any of them.
type Stage string

// The stages in their order (product: heads-up, scope, details, proof,
// advisory, public).
const (
	HeadsUp  Stage = "heads-up"
	Scope    Stage = "scope"
	Details  Stage = "details"
	Proof    Stage = "proof"
	Advisory Stage = "advisory"
	Public   Stage = "public"

	// Mitigation is material, not a stage that a participant reaches.
	Mitigation Stage = "mitigation"
	// Holding is material, too: the statement that the desk gives while nothing
	// but a rumour is public. It goes out with a leak alone.
	Holding Stage = "holding"
)

// Stages lists the stages in order, without Mitigation and Holding.
func Stages() []Stage { return []Stage{HeadsUp, Scope, Details, Proof, Advisory, Public} }

// Rank is the place of the stage in the order, from 1; 0 for no stage (and
// for Mitigation and Holding, which have no place).
func (s Stage) Rank() int { return slices.Index(Stages(), s) + 1 }

// Title is the stage as a heading, "Heads-up".
func (s Stage) Title() string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}

// ErrUnknownStage is returned by ParseStage.
var ErrUnknownStage = errors.New("not a stage")

// ParseStage reads one of the stages, mitigation or holding.
func ParseStage(s string) (Stage, error) {
	st := Stage(strings.ToLower(strings.TrimSpace(s)))
	if st.Rank() == 0 && st != Mitigation && st != Holding {
		return "", fmt.Errorf("%q: %w (heads-up, scope, details, proof, advisory, public)", s, ErrUnknownStage)
	}
	return st, nil
}

// Role is what a participant is in a case; it may have several.
type Role string

// The roles of product.md section 1.
const (
	RoleFinder      Role = "finder"
	RoleVendor      Role = "vendor"
	RoleCoordinator Role = "coordinator"
	RoleObserver    Role = "observer"
)

// Channel is how notices reach a participant.
type Channel string

// Channels. On Hand a coordinator delivers what Parley renders.
const (
	ChannelPGP  Channel = "pgp"
	ChannelHand Channel = "hand"
)

// Form is how a sealed mail to a party is built.
type Form string

// Forms. MIME is that of whoever has named none.
const (
	FormMIME   Form = "mime"   // PGP/MIME: one encrypted part with everything in it
	FormInline Form = "inline" // armor in the body, each file encrypted by itself: for ticket systems
)

// VendorKind is what a vendor is, as far as it must be spoken to in other words.
type VendorKind string

// Kinds of vendors. A PSIRT is whoever has named none.
const (
	VendorPSIRT     VendorKind = "psirt"     // people whose work it is
	VendorDeveloper VendorKind = "developer" // one who maintains it, perhaps alone
	VendorList      VendorKind = "list"      // an address that many read
	VendorCERT      VendorKind = "cert"      // who coordinates for vendors of its own
)

// VendorKinds are all of them.
func VendorKinds() []VendorKind {
	return []VendorKind{VendorPSIRT, VendorDeveloper, VendorList, VendorCERT}
}

// TLP is a Traffic Light Protocol 2.0 label (FIRST), without the "TLP:".
type TLP string

// ParseTLP reads a label of TLP 2.0.
func ParseTLP(s string) (TLP, error) {
	t := TLP(strings.ToUpper(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "TLP:")))
	if !slices.Contains([]TLP{"RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"}, t) {
		return "", fmt.Errorf("%q is not a TLP 2.0 label (RED, AMBER+STRICT, AMBER, GREEN, CLEAR)", s)
	}
	return t, nil
}

// Trust is how far a key is vouched for. The words are those of the keyring;
// the order is Claimed < Found < Confirmed.
type Trust string

// Trust that a stage may ask for.
const (
	Claimed   Trust = "claimed"
	Found     Trust = "found"
	Confirmed Trust = "confirmed"
)

// Severity bands that a heads-up may name.
var severities = []string{"low", "medium", "high", "critical"}

// ParseSeverity reads a severity band.
func ParseSeverity(s string) (string, error) {
	v := strings.ToLower(strings.TrimSpace(s))
	if !slices.Contains(severities, v) {
		return "", fmt.Errorf("%q is not a severity (low, medium, high, critical)", s)
	}
	return v, nil
}

package mailflow

import (
	"strings"

	"parley/mailflow/cvd"
)

// deskAddress is an address of the desk domain, taken apart (product.md
// section 2).
type deskAddress struct {
	Kind  deskKind
	Case  cvd.CaseID // or a report's pseudo case, for the finder
	Party cvd.PartyID
	Stage cvd.Stage
}

type deskKind string

const (
	addrControl  deskKind = "control"  // commands
	addrNew      deskKind = "new"      // open a case
	addrParty    deskKind = "party"    // a letter to one participant
	addrVendors  deskKind = "vendors"  // a letter to each vendor separately
	addrNotes    deskKind = "notes"    // never leaves
	addrMaterial deskKind = "material" // a stage's text and files; with Party an annex
)

// parseDeskAddress reads an address of the desk domain; false for what has no
// meaning there.
func (b *Base) parseDeskAddress(addr string) (deskAddress, bool) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 || !strings.EqualFold(addr[i+1:], b.DeskDomain) {
		return deskAddress{}, false
	}
	local := strings.ToLower(addr[:i])
	switch local {
	case "control":
		return deskAddress{Kind: addrControl}, true
	case "new":
		return deskAddress{Kind: addrNew}, true
	}
	words := strings.Split(local, ".")
	if len(words) < 2 || len(words) > 3 {
		return deskAddress{}, false
	}
	d := deskAddress{}
	tag := words[len(words)-1]
	if id, err := cvd.ParseCaseID(tag); err == nil {
		d.Case = id
	} else if _, ok := reportNumber(cvd.CaseID(tag)); ok {
		d.Case = cvd.CaseID(tag)
	} else {
		return d, false
	}
	return d.whom(words[:len(words)-1])
}

// whom reads the words before the tag.
func (d deskAddress) whom(words []string) (deskAddress, bool) {
	stage, err := cvd.ParseStage(words[len(words)-1])
	if err == nil {
		d.Kind, d.Stage = addrMaterial, stage
		if len(words) == 1 {
			return d, true
		}
		d.Party = cvd.PartyID(words[0])
		return d, true
	}
	if len(words) != 1 {
		return d, false
	}
	switch words[0] {
	case "notes":
		d.Kind = addrNotes
	case "vendors":
		d.Kind = addrVendors
	default:
		d.Kind, d.Party = addrParty, cvd.PartyID(words[0])
	}
	return d, true
}

package main

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// storyText is what the desk writes of a flaw like that of 2009 in Microsoft's
// Active Template Library, which hundreds of controls had compiled in.
type storyText struct {
	text string
	file mailtest.File
	mark string   // stands in this text and its file alone
	says []string // what nobody knows who was not told this, or a later stage
}

const (
	componentName = "ATL persistence"
	bugClass      = "uninitialised VARIANT"
	answeredMark  = "answered-to-all-6b1f"
	leakPlace     = "https://paste.example/atl-x9"
)

var storyTexts = map[cvd.Stage]storyText{
	cvd.Scope: {mark: "mark-scope-1f6a", says: []string{componentName},
		text: "The headers of the " + componentName + " code are compiled into every control\nthat was built with versions 7.1 to 9.0 of the library. You ship the flaw if\nyour binary holds IPersistStreamInit and was built from them."},
	cvd.Details: {mark: "mark-details-2e7b", says: []string{bugClass, "CComVariant::ReadFromStream"},
		text: "CComVariant::ReadFromStream leaves an " + bugClass + " behind\nwhen the stream names a type that it does not know, and the destructor then\nfrees what was never set. Look for a missing VariantInit before the switch;\nthe fix is one line, and every control has to be built again.",
		file: mailtest.File{Name: "diff.txt", Type: "text/plain", Data: "+\tVariantInit(this); // mark-details-2e7b\n"}},
	cvd.Proof: {mark: "mark-proof-3d8c", says: []string{"VT_BYREF in the second property"},
		text: "A page that hands the control a stream with VT_BYREF in the second property\nmakes it call through a pointer of the page's choice. The page is attached.",
		file: mailtest.File{Name: "page.txt", Type: "text/plain", Data: "<object data=\"mark-proof-3d8c\"></object>\n"}},
	cvd.Advisory: {mark: "mark-advisory-4c9d",
		text: "Draft: controls built with the library may run code of an attacker when a page\nis visited. Build them again with the corrected headers and set the kill bit\nof old ones. Credit goes to whoever reported it."},
	cvd.Public: {mark: "mark-public-5b0e",
		text: "Controls built with the library may run code of an attacker when a page is\nvisited. Install what your vendors publish today."},
	cvd.Mitigation: {mark: "mark-mitigation-6a1f",
		text: "Until then: set the kill bit of your control, or let the browser ask before\nit loads one."},
	cvd.Holding: {mark: "mark-holding-7920",
		text: "We know of reports about controls in browsers and work on it with those\nconcerned."},
}

// mayStand says whether the mark of a text may stand in a mail: each stage has its
// own text and no other, and a leak of the details has what its kit holds.
func (m storyMail) mayStand(of cvd.Stage) bool {
	switch m.kind {
	case "stage", "reminder":
		return of == m.stage || of == cvd.Mitigation && m.stage.Rank() >= cvd.Scope.Rank()
	case "leak":
		return of == cvd.Details || of == cvd.Mitigation || of == cvd.Holding
	}
	return false
}

// mustStand says whether a mail is not whole without the mark of a text.
func (m storyMail) mustStand(of cvd.Stage) bool {
	switch m.kind {
	case "stage", "reminder":
		return of == m.stage
	case "leak":
		return m.mayStand(of)
	}
	return false
}

// material writes what belongs to each stage, with files, and an annex for two.
func (s *story) material() {
	s.Helper()
	for stage, t := range storyTexts {
		var files []mailtest.File
		if t.file.Name != "" {
			files = append(files, t.file)
		}
		s.lays(string(stage), string(stage), t.text+"\n"+t.mark+"\n", files...)
	}
	for _, v := range s.vendors {
		if v.annexed() {
			s.lays(v.party+".details", "details for one", "Your build of last year is affected in two places.\n"+v.annex()+"\n")
		}
	}
}

// annexed is one vendor of each wave, and the one with the ticket system.
func (v *storyVendor) annexed() bool { return v.is(ticketed) || strings.HasSuffix(v.party, "well") }

// lays mails something to an address of the case on the desk.
func (s *story) lays(alias, subject, text string, files ...mailtest.File) {
	s.Helper()
	ana, to := s.cast.ana, fmt.Sprintf("%s.%s@%s", alias, strings.ToLower(s.cast.tag), s.app.set.DeskDomain)
	head := fmt.Sprintf("From: %s\r\nTo: %s\r\nDate: %s\r\nMessage-ID: <%s@peer.example>\r\n", ana.Address, to, s.time.Now().Format(mailDate), alias)
	s.must(ana.submit(to, append([]byte(head), mailtest.Entity(subject, text, files...)...)))
}

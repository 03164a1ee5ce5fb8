package advisory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// CSAF is the advisory as a CSAF 2.0 document, indented JSON with LF line ends: of
// the profile csaf_security_advisory, or of csaf_base while no vendor has said
// anything that the former could hold (section 4). It fails with ErrIncomplete
// for a view that makes no advisory.
func CSAF(a Advisory) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("write CSAF: %w", err)
	}
	t := treeOf(a.Products)
	d := csafDocument{Document: head(a)}
	d.Document.Notes = append(d.Document.Notes, statements(a.Products)...)
	if len(t.branches) > 0 {
		d.Document.Category, d.ProductTree = "csaf_security_advisory", &csafTree{t.branches}
	} else if s := text(a.Mitigation); s != "" { // a remediation needs a product (section 6.1.29)
		d.Document.Notes = append(d.Document.Notes, csafNote{"general", s, "Until a fix is there"})
	}
	d.Vulnerabilities = vulnerabilities(a, t)
	return encode(d)
}

// CSAFFile names the document as section 5.1 wants.
func CSAFFile(tag string) string {
	return notInFile.ReplaceAllString(strings.ToLower(line(tag)), "_") + ".json"
}

var notInFile = regexp.MustCompile(`[^+\-a-z0-9]+`)

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// stamp is an instant as RFC 3339 writes it, to the second.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func head(a Advisory) csafHead {
	space, _ := webAddress(a.Publisher.Namespace) // check has read it
	h := csafHead{Category: "csaf_base", Version: "2.0", Lang: "en", Title: a.title(), Distribution: handling(a.TLP), Tracking: tracking(a),
		Publisher: csafPublisher{Category: "coordinator", Contact: line(a.Publisher.Contact), Name: line(a.Publisher.Name), Namespace: space}}
	if s := line(a.Severity); s != "" {
		h.AggregateSeverity = &csafSeverity{s}
	}
	if names := a.credits(); len(names) > 0 {
		h.Acknowledgments = []csafThanks{{names, "reported it"}}
	}
	for _, r := range a.references() {
		kind := "external"
		if r.Self {
			kind = "self"
		}
		h.References = append(h.References, csafReference{kind, r.Summary, r.URL})
	}
	return h
}

// handling maps a label of TLP 2.0 to the four of TLP 1.0 that CSAF 2.0 knows
// (section 3.2.1.5.2). Where one says less than ours the text says the whole.
func handling(tlp string) *csafHandling {
	label := line(tlp)
	switch label {
	case "":
		return nil
	case "RED", "AMBER", "GREEN":
		return &csafHandling{TLP: &csafTLP{label}}
	case "CLEAR":
		return &csafHandling{TLP: &csafTLP{"WHITE"}}
	case "AMBER+STRICT":
		return &csafHandling{Text: "TLP:AMBER+STRICT: for the recipient's own organisation only.", TLP: &csafTLP{"AMBER"}}
	}
	return &csafHandling{Text: "TLP:" + label, TLP: &csafTLP{"RED"}} // a label that nobody knows is the strictest
}

// tracking numbers the revisions: of a draft 0.1.0, 0.2.0 (section 6.1.17), of what
// is public 1.0.0, 2.0.0 (sections 6.1.18 and 6.1.20).
func tracking(a Advisory) csafTracking {
	t := csafTracking{ID: line(a.Tag), Status: "draft"}
	number := "0.%d.0"
	if a.Final {
		t.Status, number = "final", "%d.0.0"
	}
	for i, r := range a.revisions() {
		t.Version, t.Current = fmt.Sprintf(number, i+1), stamp(r.At)
		t.History = append(t.History, csafRevision{t.Current, t.Version, orElse(line(r.Summary), "Revised")})
	}
	t.Initial = t.History[0].Date
	return t
}

// statements are what vendors want said, each under its name.
func statements(products []Product) []csafNote {
	var out []csafNote
	for _, p := range products {
		if s := text(p.Statement); s != "" {
			out = append(out, csafNote{"other", s, "Statement: " + p.called()})
		}
	}
	return out
}

// vulnerabilities hold the same of each CVE ID of the case: which of them a product
// has, nobody told us.
func vulnerabilities(a Advisory, t *tree) []csafVulnerability {
	v := csafVulnerability{Title: a.title(), IDs: []csafID{{line(a.Publisher.Name), line(a.Tag)}}, Flags: t.flags, Threats: t.threats,
		Remediations: t.remedies(text(a.Mitigation))}
	v.Notes = []csafNote{{Category: "description", Text: orElse(text(a.Description), a.title())}}
	if len(t.branches) > 0 {
		v.Status = &t.status
	}
	if a.Final {
		v.ReleaseDate = stamp(a.revisions()[0].At)
	}
	ids := a.ids()
	if len(ids) == 0 {
		return []csafVulnerability{v}
	}
	var out []csafVulnerability
	for _, id := range ids {
		v.CVE = id
		out = append(out, v)
	}
	return out
}

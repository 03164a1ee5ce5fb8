package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// noOrg stands where the UUID of the CVE numbering authority belongs while nobody
// set one: it has the form that the schema asks for and is nobody's. CVE Services
// put the submitter's own in its place.
const noOrg = "00000000-0000-4000-8000-000000000000"

// CVERecord is the record of one of the case's CVE IDs in the CVE JSON format 5,
// indented JSON. The tools of numbering authorities take its part
// containers.cna, which is what they submit; the service fills in the rest. It
// fails with ErrNoProduct while no vendor gave a status, and with ErrIncomplete
// for a view that makes no advisory.
func CVERecord(a Advisory, id string) ([]byte, error) {
	id, err := ParseCVE(id)
	if err != nil {
		return nil, fmt.Errorf("write CVE record: %w", err)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("write %s: %w", id, err)
	}
	c := container(a)
	if len(c.Affected) == 0 {
		return nil, fmt.Errorf("write %s: %w", id, ErrNoProduct)
	}
	r := cveRecord{Type: "CVE_RECORD", Version: "5.1.1", Metadata: cveMetadata{ID: id, Org: c.Provider.Org, State: "PUBLISHED"}}
	r.Containers.CNA = c
	return encode(r)
}

// CVEFile names a record.
func CVEFile(id string) string { return id + ".json" }

// Limits of the record format, in characters.
const (
	maxProse   = 4096
	maxName    = 512
	maxProduct = 2048
	maxVersion = 1024
	maxTitle   = 256
	maxLinks   = 512
)

func container(a Advisory) cveContainer {
	c := cveContainer{Title: atMost(a.title(), maxTitle), Descriptions: english(orElse(text(a.Description), a.title())),
		Workarounds: english(text(a.Mitigation)), Affected: affected(a.Products), Solutions: solutions(a.Products), References: links(a)}
	if c.Provider.Org = strings.ToLower(line(a.Publisher.CVEOrg)); !IsOrg(c.Provider.Org) {
		c.Provider.Org = noOrg
	}
	if a.Final {
		c.Public = stamp(a.revisions()[0].At)
	}
	for _, name := range a.credits() {
		c.Credits = append(c.Credits, cveCredit{"en", "finder", atMost(name, maxProse)})
	}
	c.Credits = once(c.Credits)
	return c
}

// english is one text, or none where there is nothing to say.
func english(s string) []cveText {
	if s == "" {
		return nil
	}
	return []cveText{{"en", atMost(s, maxProse)}}
}

// once drops what stands in a list already, which the format forbids.
func once[T comparable](list []T) []T {
	var out []T
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// links has one at least, as the format asks: where the publisher is to be found.
func links(a Advisory) []cveLink {
	var out []cveLink
	for _, r := range a.references() {
		out = append(out, cveLink{Name: atMost(r.Summary, maxName), URL: r.URL})
	}
	if len(out) == 0 {
		space, _ := webAddress(a.Publisher.Namespace)
		out = []cveLink{{Name: atMost(line(a.Publisher.Name), maxName), URL: space}}
	}
	return out[:min(len(out), maxLinks)]
}

// affected are the products that somebody said something of.
func affected(products []Product) []cveProduct {
	var out []cveProduct
	seen := map[string]bool{}
	for _, p := range products {
		c := cveProduct{Vendor: atMost(p.vendor(), maxName), Product: atMost(p.product(), maxProduct), Default: "unknown"}
		switch p.Status {
		case Affected, Fixed:
			repaired := spans(p.FixedIn)
			for _, v := range spans(p.Versions) {
				if p.Status == Affected || !slices.Contains(repaired, v) {
					c.Versions = append(c.Versions, versionOf(v, "affected"))
				}
			}
			if p.Status == Fixed {
				for _, v := range repaired {
					c.Versions = append(c.Versions, versionOf(v, "unaffected"))
				}
			}
			if c.Versions = once(c.Versions); len(c.Versions) == 0 {
				c.Default = map[Status]string{Affected: "affected", Fixed: "unaffected"}[p.Status]
			}
		case NotAffected:
			c.Default = "unaffected"
		case Investigating:
		default:
			continue
		}
		if key := fmt.Sprint(c); !seen[key] {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out
}

func versionOf(v span, status string) cveVersion {
	out := cveVersion{Version: atMost(cmp.Or(v.From, v.Free), maxVersion), Status: status}
	if v.To != "" {
		out.Last, out.Type = atMost(v.To, maxVersion), "custom"
	}
	return out
}

// solutions are the vendors' fixes, as many as the text of one takes.
func solutions(products []Product) []cveText {
	var lines []string
	for _, p := range products {
		if s := p.fix(); p.Status == Fixed && s != "" {
			lines = append(lines, p.called()+": "+s)
		}
	}
	return english(strings.Join(lines, "\n"))
}

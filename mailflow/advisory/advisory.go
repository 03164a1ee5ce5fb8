// Package advisory writes what is published of a case: a CSAF 2.0 document, CVE
// records, the matrix of the vendors' statements and a timeline without names.
//
// It knows neither cases nor mail. Whoever calls it fills an Advisory with what
// its reader may know; every function here is a function of that view, so the
// same view gives the same bytes.
package advisory

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Status is what a vendor says of its product.
type Status string

// The words for a status. The empty Status is Unknown.
const (
	Affected      Status = "affected"
	NotAffected   Status = "not-affected"
	Fixed         Status = "fixed"
	Investigating Status = "investigating"
	Unknown       Status = "unknown"
)

// Advisory is all that one reader may know of what is published. Texts come from
// people: they may hold anything.
type Advisory struct {
	Tag         string // of the case, "PAR-2026-0007"
	Title       string // empty for "Advisory TAG"
	CVEs        []string
	Severity    string // a band in words, or empty
	Description string
	Mitigation  string // what helps until a fix is there, or empty
	Publisher   Publisher
	TLP         string // a label of TLP 2.0, without "TLP:"
	Final       bool   // it is public; else a draft
	Revisions   []Revision
	Credits     []string // names, as they may be published
	References  []Reference
	Products    []Product
	Silent      int // vendors that are not named, since they said nothing
}

// Publisher says who publishes.
type Publisher struct {
	Name      string
	Namespace string // an absolute URL, "https://vdp.example.org"
	Contact   string // or empty
	CVEOrg    string // its UUID in the CVE programme, or empty where it has none
}

// Revision is one version of the advisory; their order is that of their dates.
type Revision struct {
	At      time.Time
	Summary string
}

// Reference leads to more. One that is not an absolute http or https URL is left
// out.
type Reference struct {
	URL     string
	Summary string
	Self    bool // this advisory itself, elsewhere
}

// Product is one vendor's product line with its vendor's word on it.
type Product struct {
	Vendor    string
	Name      string // the product line, or empty
	Status    Status
	Versions  string    // that are affected, as the vendor wrote them, or empty
	FixedIn   string    // the versions with a fix, as the vendor wrote them, or empty
	FixedOn   time.Time // the day from which the fix is to be had, or zero
	Why       string    // it is not affected, or what else it said, or empty
	Statement string    // verbatim, or empty
}

// Errors of views that make no advisory.
var (
	ErrIncomplete = errors.New("the advisory is not complete")
	ErrNoProduct  = errors.New("no vendor gave a status that a CVE record can hold")
)

var cvePattern = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)

// ParseCVE reads a CVE ID in any case; the CVE record format limits its number to
// 19 digits.
func ParseCVE(s string) (string, error) {
	id := strings.ToUpper(strings.TrimSpace(s))
	if !cvePattern.MatchString(id) {
		return "", fmt.Errorf("%q is not a CVE ID such as CVE-2026-12345", s)
	}
	return id, nil
}

// check refuses a view without what every advisory needs.
func (a Advisory) check() error {
	for what, s := range map[string]string{"a tag": a.Tag, "a publisher's name": a.Publisher.Name} {
		if line(s) == "" {
			return fmt.Errorf("%w: it lacks %s", ErrIncomplete, what)
		}
	}
	if _, ok := webAddress(a.Publisher.Namespace); !ok {
		return fmt.Errorf("%w: the publisher's namespace %q is no web address", ErrIncomplete, a.Publisher.Namespace)
	}
	if len(a.Revisions) == 0 {
		return fmt.Errorf("%w: it has no date", ErrIncomplete)
	}
	for _, r := range a.Revisions {
		if y := r.At.UTC().Year(); y < 1900 || y > 2999 { // what the CVE record format can say
			return fmt.Errorf("%w: a revision has the date %s", ErrIncomplete, r.At)
		}
	}
	return nil
}

// title is never empty.
func (a Advisory) title() string {
	return orElse(line(a.Title), "Advisory "+line(a.Tag))
}

// ids are the CVE IDs of the case, each once.
func (a Advisory) ids() []string {
	var out []string
	for _, s := range a.CVEs {
		if id, err := ParseCVE(s); err == nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// credits are the names, each once.
func (a Advisory) credits() []string {
	var out []string
	for _, s := range a.Credits {
		if s = line(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// references are those that lead somewhere, each once.
func (a Advisory) references() []Reference {
	var out []Reference
	for _, r := range a.References {
		u, ok := webAddress(r.URL)
		if !ok || slices.ContainsFunc(out, func(o Reference) bool { return o.URL == u }) {
			continue
		}
		r.URL, r.Summary = u, orElse(line(r.Summary), u)
		out = append(out, r)
	}
	return out
}

// revisions are in the order of their dates.
func (a Advisory) revisions() []Revision {
	out := slices.Clone(a.Revisions)
	slices.SortStableFunc(out, func(x, y Revision) int { return x.At.Compare(y.At) })
	return out
}

// maxAddress is the longest URL that a CVE record takes, in characters.
const maxAddress = 2048

// webAddress reads an absolute http or https URL and writes it anew, so that
// nothing stands in it that does not belong into one.
func webAddress(s string) (string, bool) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !plainHost(u.Host) {
		return "", false
	}
	out := u.String()
	if again, err := url.Parse(out); err != nil || again.Host != u.Host || len(out) > maxAddress || !plain(out) {
		return "", false
	}
	return out, true
}

func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>\^{}|`+"`", r) })
}

func plainHost(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_:", r))
	})
}

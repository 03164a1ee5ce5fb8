package advisory

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// span is one version, a range of them, or words that are neither.
type span struct {
	From string
	To   string // the last of a range, which belongs to it; empty for one version
	Free string // as somebody wrote it, where nothing else is set
}

var (
	oneVersion = regexp.MustCompile(`^[vV]?[0-9][0-9A-Za-z._+~-]*$`)
	// between is what stands between the first and the last version of a range.
	between = regexp.MustCompile(`\s*(?:\s-+\s|–|—|\.\.+|…|\s(?:to|through|until)\s)\s*`)
	// divide is a hyphen that a version begins after.
	divide = regexp.MustCompile(`-[vV]?[0-9]`)
	items  = regexp.MustCompile(`[,;\s]+(?:and\s+)?`)
)

// spans reads versions as vendors write them: "4.1-4.7, 5.0". Where a piece is
// not understood the whole is one span of free words, since half of them would
// say something else.
func spans(written string) []span {
	s := line(written)
	if s == "" {
		return nil
	}
	var out []span
	for _, item := range items.Split(between.ReplaceAllString(s, "-"), -1) {
		if item == "" {
			continue
		}
		v, ok := spanOf(item)
		if !ok {
			return []span{{Free: s}}
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func spanOf(item string) (span, bool) {
	if !oneVersion.MatchString(item) || namesRange(item) {
		return span{}, false
	}
	at := divide.FindAllStringIndex(item, -1)
	if len(at) != 1 {
		return span{From: item}, true // a date, 2026-01-31, among them
	}
	from, to := item[:at[0][0]], item[at[0][0]+1:]
	return span{From: from, To: to}, from != to
}

// namesRange says whether a version holds a word that tells of a range, which CSAF
// forbids in one (section 6.1.31).
func namesRange(s string) bool {
	return slices.ContainsFunc([]string{"after", "all", "before", "earlier", "later", "prior", "version"},
		func(w string) bool { return strings.Contains(strings.ToLower(s), w) })
}

func (v span) words() string {
	switch {
	case v.Free != "":
		return v.Free
	case v.To != "":
		return v.From + "-" + v.To
	}
	return v.From
}

// fixedOn is a date at the end of what a vendor says of its fix.
var fixedOn = regexp.MustCompile(`(?i)^(.*?)\s*(?:\b(?:on|by|from)\s+)?([0-9]{4}-[0-9]{2}-[0-9]{2})$`)

// Says takes in what a vendor said of its product, in the order in which it did.
// The last word counts; the versions that were named as affected are kept beside
// a fix for them.
func (p *Product) Says(status Status, words string) {
	words = line(words)
	p.Status, p.Why = status, ""
	switch status {
	case Affected:
		p.Versions, p.FixedIn, p.FixedOn = words, "", time.Time{}
	case Fixed:
		p.FixedIn, p.FixedOn = words, time.Time{}
		if m := fixedOn.FindStringSubmatch(words); m != nil {
			if day, err := time.Parse(time.DateOnly, m[2]); err == nil {
				p.FixedIn, p.FixedOn = m[1], day
			}
		}
	default:
		p.Why, p.Versions, p.FixedIn, p.FixedOn = words, "", "", time.Time{}
	}
}

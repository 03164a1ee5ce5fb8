package advisory

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reader is a CSAF document as somebody else reads it: no type of the writer is
// used.
type reader struct {
	Document struct {
		Category string
		Tracking struct {
			Status, Version string
			History         []readRevision `json:"revision_history"`
		}
	}
	Tree *struct {
		Branches []readBranch
		Full     []readProduct `json:"full_product_names"`
		Related  []struct {
			Product readProduct `json:"full_product_name"`
			Of      string      `json:"product_reference"`
			On      string      `json:"relates_to_product_reference"`
		} `json:"relationships"`
		Groups []struct {
			ID       string   `json:"group_id"`
			Products []string `json:"product_ids"`
		} `json:"product_groups"`
	} `json:"product_tree"`
	Vulnerabilities []readVulnerability
}

type readRevision struct {
	Date   time.Time
	Number string
}

type readBranch struct {
	Category, Name string
	Branches       []readBranch
	Product        *readProduct
}

type readProduct struct {
	Name string
	ID   string `json:"product_id"`
}

type readGroup struct {
	Products []string `json:"product_ids"`
	Groups   []string `json:"group_ids"`
	Label    string
}

type readVulnerability struct {
	CVE          string
	Notes        []any
	Status       map[string][]string `json:"product_status"`
	Remediations []readGroup
	Threats      []readGroup
	Flags        []readGroup
	Scores       []struct{ Products []string }
}

// branches gives every branch of the tree.
func (r reader) branches() []readBranch {
	var out []readBranch
	var walk func([]readBranch)
	walk = func(all []readBranch) {
		for _, b := range all {
			out = append(out, b)
			walk(b.Branches)
		}
	}
	if r.Tree != nil {
		walk(r.Tree.Branches)
	}
	return out
}

// defined are the IDs of all products, as often as they are defined.
func (r reader) defined() []string {
	var out []string
	for _, b := range r.branches() {
		if b.Product != nil {
			out = append(out, b.Product.ID)
		}
	}
	if r.Tree != nil {
		for _, p := range r.Tree.Full {
			out = append(out, p.ID)
		}
		for _, x := range r.Tree.Related {
			out = append(out, x.Product.ID)
		}
	}
	return out
}

// used are the IDs that something refers to.
func (r reader) used() []string {
	var out []string
	for _, v := range r.Vulnerabilities {
		for _, ids := range v.Status {
			out = append(out, ids...)
		}
		for _, g := range slices.Concat(v.Remediations, v.Threats, v.Flags) {
			out = append(out, g.Products...)
		}
		for _, s := range v.Scores {
			out = append(out, s.Products...)
		}
	}
	if r.Tree != nil {
		for _, x := range r.Tree.Related {
			out = append(out, x.Of, x.On)
		}
		for _, g := range r.Tree.Groups {
			out = append(out, g.Products...)
		}
	}
	return out
}

// members are the products that a group of a vulnerability names, by themselves or
// through product groups.
func (r reader) members(g readGroup) []string {
	out := slices.Clone(g.Products)
	if r.Tree != nil {
		for _, x := range r.Tree.Groups {
			if slices.Contains(g.Groups, x.ID) {
				out = append(out, x.Products...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mandatory says which of the mandatory tests of CSAF 2.0 section 6.1 a document
// fails. Those on what we never write are left out: relationships (6.1.3), product
// groups (4, 5), scores (7 to 10), CWE (11), other languages and translations (12,
// 15, 28), purl (13), involvements (24) and hashes (25); and 26, since only names
// of profiles are written.
func mandatory(t testing.TB, data []byte) []string {
	t.Helper()
	var r reader
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	var out []string
	for number, check := range map[string]func(reader) bool{
		"6.1.1": everyProductDefined, "6.1.2": productsDefinedOnce, "6.1.6": noContradiction, "6.1.14": historySorted, "6.1.16": versionIsNewest,
		"6.1.17": draftsAreMarked, "6.1.18": releasedHistory, "6.1.19": noPreReleases, "6.1.20": finalVersion, "6.1.21": noRevisionMissing,
		"6.1.22": revisionsOnce, "6.1.23": cvesOnce, "6.1.27.4": treeThere, "6.1.27.5": notesThere, "6.1.27.6": statusThere,
		"6.1.27.11": vulnerabilitiesThere, "6.1.29": remediesHaveProducts, "6.1.30": oneVersioning, "6.1.31": noRangeInVersion,
		"6.1.32": flagsHaveProducts, "6.1.33": oneFlagPerProduct,
	} {
		if !check(r) {
			out = append(out, number)
		}
	}
	slices.Sort(out)
	return out
}

func everyProductDefined(r reader) bool {
	defined := r.defined()
	return !slices.ContainsFunc(r.used(), func(id string) bool { return !slices.Contains(defined, id) })
}

func unique(list []string) bool {
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s] {
			return false
		}
		seen[s] = true
	}
	return true
}

func productsDefinedOnce(r reader) bool { return unique(r.defined()) }

// noContradiction: a product is affected, not affected, fixed, or under
// investigation, and only one of it.
func noContradiction(r reader) bool {
	group := map[string]string{"first_affected": "affected", "known_affected": "affected", "last_affected": "affected",
		"known_not_affected": "not", "first_fixed": "fixed", "fixed": "fixed", "under_investigation": "open"}
	for _, v := range r.Vulnerabilities {
		is := map[string]string{}
		for status, ids := range v.Status {
			for _, id := range ids {
				if g := group[status]; g != "" && is[id] != "" && is[id] != g {
					return false
				} else if g != "" {
					is[id] = g
				}
			}
		}
	}
	return true
}

// number reads a version: of an integer the major alone is set.
type number struct {
	semantic            bool
	major, minor, patch int
	pre                 string
}

func numberOf(s string) number {
	s, _, _ = strings.Cut(s, "+")
	core, pre, _ := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	var n [3]int
	for i, p := range parts {
		n[min(i, 2)], _ = strconv.Atoi(p)
	}
	return number{len(parts) > 1, n[0], n[1], n[2], pre}
}

func (n number) before(m number) bool {
	a, b := []int{n.major, n.minor, n.patch}, []int{m.major, m.minor, m.patch}
	if c := slices.Compare(a, b); c != 0 {
		return c < 0
	}
	return n.pre != "" && (m.pre == "" || n.pre < m.pre)
}

func (n number) compare(m number) int {
	switch {
	case n.before(m):
		return -1
	case m.before(n):
		return 1
	}
	return 0
}

// byDate are the numbers of the history in the order of its dates, and of one date
// in their own.
func (r reader) byDate() []number {
	h := slices.Clone(r.Document.Tracking.History)
	slices.SortStableFunc(h, func(x, y readRevision) int {
		return cmp.Or(x.Date.Compare(y.Date), numberOf(x.Number).compare(numberOf(y.Number)))
	})
	var out []number
	for _, x := range h {
		out = append(out, numberOf(x.Number))
	}
	return out
}

func historySorted(r reader) bool {
	return slices.IsSortedFunc(r.byDate(), number.compare)
}

func versionIsNewest(r reader) bool {
	all := r.byDate()
	now, last := numberOf(r.Document.Tracking.Version), all[len(all)-1]
	if r.Document.Tracking.Status == "draft" {
		now.pre, last.pre = "", ""
	}
	return now == last
}

func isDraft(n number) bool { return n.major == 0 || n.pre != "" }

func draftsAreMarked(r reader) bool {
	return !isDraft(numberOf(r.Document.Tracking.Version)) || r.Document.Tracking.Status == "draft"
}

func releasedHistory(r reader) bool {
	return r.Document.Tracking.Status == "draft" || !slices.ContainsFunc(r.byDate(), func(n number) bool { return n.major == 0 })
}

func noPreReleases(r reader) bool {
	return !slices.ContainsFunc(r.byDate(), func(n number) bool { return n.pre != "" })
}

func finalVersion(r reader) bool {
	return r.Document.Tracking.Status == "draft" || numberOf(r.Document.Tracking.Version).pre == ""
}

func noRevisionMissing(r reader) bool {
	var majors []int
	for _, n := range r.byDate() {
		majors = append(majors, n.major)
	}
	slices.Sort(majors)
	for i, m := range majors {
		if i == 0 && m > 1 || i > 0 && m > majors[i-1]+1 {
			return false
		}
	}
	return true
}

func revisionsOnce(r reader) bool {
	var all []string
	for _, h := range r.Document.Tracking.History {
		all = append(all, h.Number)
	}
	return unique(all)
}

func cvesOnce(r reader) bool {
	var all []string
	for _, v := range r.Vulnerabilities {
		if v.CVE != "" {
			all = append(all, v.CVE)
		}
	}
	return unique(all)
}

// isAdvisory: the tests of section 6.1.27 are those of its profile.
func (r reader) isAdvisory() bool { return r.Document.Category == "csaf_security_advisory" }

func treeThere(r reader) bool { return !r.isAdvisory() || r.Tree != nil }

func vulnerabilitiesThere(r reader) bool { return !r.isAdvisory() || len(r.Vulnerabilities) > 0 }

func notesThere(r reader) bool {
	return !r.isAdvisory() || !slices.ContainsFunc(r.Vulnerabilities, func(v readVulnerability) bool { return len(v.Notes) == 0 })
}

func statusThere(r reader) bool {
	return !r.isAdvisory() || !slices.ContainsFunc(r.Vulnerabilities, func(v readVulnerability) bool { return len(v.Status) == 0 })
}

func (r reader) none(of func(readVulnerability) []readGroup, bad func(readGroup) bool) bool {
	return !slices.ContainsFunc(r.Vulnerabilities, func(v readVulnerability) bool { return slices.ContainsFunc(of(v), bad) })
}

func noProduct(g readGroup) bool { return len(g.Products)+len(g.Groups) == 0 }

func remediesHaveProducts(r reader) bool {
	return r.none(func(v readVulnerability) []readGroup { return v.Remediations }, noProduct)
}

func flagsHaveProducts(r reader) bool {
	return r.none(func(v readVulnerability) []readGroup { return v.Flags }, noProduct)
}

func oneFlagPerProduct(r reader) bool {
	for _, v := range r.Vulnerabilities {
		var all []string
		for _, f := range v.Flags {
			all = append(all, r.members(f)...)
		}
		if !unique(all) {
			return false
		}
	}
	return true
}

func oneVersioning(r reader) bool {
	semantic := numberOf(r.Document.Tracking.Version).semantic
	return !slices.ContainsFunc(r.byDate(), func(n number) bool { return n.semantic != semantic })
}

var rangeWords = regexp.MustCompile(`(?i)[<>]|(^|\s)(after|all|before|earlier|later|prior|versions)(\s|$)`)

func noRangeInVersion(r reader) bool {
	return !slices.ContainsFunc(r.branches(), func(b readBranch) bool {
		return b.Category == "product_version" && rangeWords.MatchString(b.Name)
	})
}

// TestMandatory is the control of the checks: a document that breaks a rule fails
// that rule and no other.
func TestMandatory(t *testing.T) {
	t.Parallel()
	doc, err := CSAF(sample())
	if err != nil {
		t.Fatal(err)
	}
	if failed := mandatory(t, doc); len(failed) > 0 {
		t.Fatalf("the sample fails %v", failed)
	}
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(string(doc)) }
	first := func(old, changed string) string { return strings.Replace(string(doc), old, changed, 1) }
	for want, broken := range map[string]string{
		"6.1.1":     swap(`"CSAFPID-0005"`+"\n        ]", `"CSAFPID-0099"`+"\n        ]"),
		"6.1.2":     first(`"product_id": "CSAFPID-0002"`, `"product_id": "CSAFPID-0001"`),
		"6.1.6":     first(`"known_not_affected": [`, `"first_affected": ["CSAFPID-0001"], "known_not_affected": [`),
		"6.1.14":    first(`"date": "2027-03-06T`, `"date": "2027-02-06T`),
		"6.1.16":    first(`"version": "2.0.0"`, `"version": "1.0.0"`),
		"6.1.17":    swap(`"1.0.0"`, `"0.1.0"`, `"2.0.0"`, `"0.2.0"`),
		"6.1.19":    swap(`"2.0.0"`, `"2.0.0-rc1"`),
		"6.1.21":    swap(`"2.0.0"`, `"3.0.0"`),
		"6.1.22":    swap(`"1.0.0"`, `"2.0.0"`),
		"6.1.23":    swap(`"CVE-2026-12346"`, `"CVE-2026-12345"`),
		"6.1.27.4":  first(`"product_tree": {`, `"other_tree": {`),
		"6.1.27.5":  strings.ReplaceAll(string(doc), `"notes": [`, `"no_notes": [`),
		"6.1.27.6":  first(`"product_status": {`, `"no_status": {`),
		"6.1.27.11": first(`"vulnerabilities": [`, `"none": [`),
		"6.1.29":    first(`"details": "Switch names off.",`, `"details": "", "product_ids": []}, {"details": "", "product_ids": ["CSAFPID-0001"], "x": 1,`),
		"6.1.30":    first(`"number": "1.0.0"`, `"number": "1"`),
		"6.1.31":    first(`"name": "4.8"`, `"name": "prior to 4.8"`),
		"6.1.32":    first(`"label": "component_not_present",`, `"label": "x", "product_ids": []}, {"label": "component_not_present",`),
		"6.1.33":    first(`"label": "component_not_present",`, `"label": "vulnerable_code_not_present", "product_ids": ["CSAFPID-0005"]}, {"label": "component_not_present",`),
	} {
		if broken == string(doc) {
			t.Errorf("%s: nothing was broken", want)
		}
		if failed := mandatory(t, []byte(broken)); !slices.Contains(failed, want) {
			t.Errorf("broken for %s, it fails %v", want, failed)
		}
	}
}

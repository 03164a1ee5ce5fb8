package advisory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// tree grows the product tree, vendor by vendor, and what is said of its leaves.
type tree struct {
	branches []*csafBranch
	status   csafStatus
	flags    []csafFlag
	threats  []csafThreat
	fixes    []csafRemedy
	leaves   int
}

// treeOf holds the products that somebody said something of. CSAF 2.0 has no
// status for one of which nobody knows.
func treeOf(products []Product) *tree {
	t := &tree{}
	for _, p := range products {
		switch p.Status {
		case Affected:
			t.affected(p)
		case Fixed:
			t.fixed(p)
		case NotAffected:
			t.notAffected(p)
		case Investigating:
			b := t.product(p)
			t.status.Investigating = append(t.status.Investigating, t.leaf(p, b))
		}
	}
	return t
}

// vendor is the name that a product's vendor goes by.
func (p Product) vendor() string { return orElse(line(p.Vendor), "unnamed vendor") }

// product is the name of a product line.
func (p Product) product() string { return orElse(line(p.Name), "product line not named") }

// called names a product with its vendor, as a text does.
func (p Product) called() string {
	if s := line(p.Name); s != "" {
		return p.vendor() + ", " + s
	}
	return p.vendor()
}

// product adds the branch of a product line. Two of one vendor under one name stay
// two: neither's word is the other's.
func (t *tree) product(p Product) *csafBranch {
	at := slices.IndexFunc(t.branches, func(b *csafBranch) bool { return b.Name == p.vendor() })
	if at < 0 {
		at = len(t.branches)
		t.branches = append(t.branches, &csafBranch{Category: "vendor", Name: p.vendor()})
	}
	v := t.branches[at]
	taken := func(name string) bool {
		return slices.ContainsFunc(v.Branches, func(b *csafBranch) bool { return b.Name == name })
	}
	name := p.product()
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s (%d)", p.product(), n)
	}
	b := &csafBranch{Category: "product_name", Name: name}
	v.Branches = append(v.Branches, b)
	return b
}

func (t *tree) identify(name string) *csafProduct {
	t.leaves++
	return &csafProduct{Name: name, ID: fmt.Sprintf("CSAFPID-%04d", t.leaves)}
}

// leaf makes a product line itself a product: all of its versions.
func (t *tree) leaf(p Product, b *csafBranch) string {
	b.Product = t.identify(p.vendor() + " " + b.Name)
	return b.Product.ID
}

// version adds a version of a product line, or a range of them.
func (t *tree) version(p Product, b *csafBranch, v span) string {
	child := &csafBranch{Category: "product_version", Name: v.From}
	switch {
	case v.Free != "":
		child.Category, child.Name = "product_version_range", v.Free
	case v.To != "":
		child.Category, child.Name = "product_version_range", "vers:generic/>="+url.PathEscape(v.From)+"|<="+url.PathEscape(v.To)
	}
	child.Product = t.identify(p.vendor() + " " + b.Name + " " + v.words())
	b.Branches = append(b.Branches, child)
	return child.Product.ID
}

func (t *tree) affected(p Product) {
	b := t.product(p)
	ids := t.versions(p, b, spans(p.Versions), nil)
	if len(ids) == 0 {
		ids = []string{t.leaf(p, b)}
	}
	t.status.Affected = append(t.status.Affected, ids...)
}

// versions adds several, but for those that stand elsewhere: no product has two
// statuses (section 6.1.6).
func (t *tree) versions(p Product, b *csafBranch, all, elsewhere []span) []string {
	var ids []string
	for _, v := range all {
		if !slices.Contains(elsewhere, v) {
			ids = append(ids, t.version(p, b, v))
		}
	}
	return ids
}

// fixed puts the fix beside the versions that it is for, where they were named.
func (t *tree) fixed(p Product) {
	b := t.product(p)
	repaired := spans(p.FixedIn)
	fixed := t.versions(p, b, repaired, nil)
	affected := t.versions(p, b, spans(p.Versions), repaired)
	if len(fixed)+len(affected) == 0 {
		fixed = []string{t.leaf(p, b)}
	}
	t.status.Fixed = append(t.status.Fixed, fixed...)
	t.status.Affected = append(t.status.Affected, affected...)
	r := csafRemedy{Category: "vendor_fix", Details: "Fixed.", Products: affected}
	if s := line(p.FixedIn); s != "" {
		r.Details = "Fixed in " + s + "."
	}
	if len(affected) == 0 {
		r.Products = fixed
	}
	if !p.FixedOn.IsZero() {
		r.Date = stamp(p.FixedOn)
	}
	t.fixes = append(t.fixes, r)
}

// notAffected says why, and by the standard's own word where the vendor used one
// (section 3.2.3.5).
func (t *tree) notAffected(p Product) {
	ids := []string{t.leaf(p, t.product(p))}
	t.status.NotAffected = append(t.status.NotAffected, ids...)
	why := line(p.Why)
	if why == "" {
		return
	}
	t.threats = append(t.threats, csafThreat{"impact", why, ids})
	first, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(why, "-", "_")), " ")
	if slices.Contains(justifications, strings.Trim(first, ".,:;")) {
		t.flags = append(t.flags, csafFlag{strings.Trim(first, ".,:;"), ids})
	}
}

// justifications are the labels of flags.
var justifications = []string{
	"component_not_present", "inline_mitigations_already_exist", "vulnerable_code_cannot_be_controlled_by_adversary",
	"vulnerable_code_not_in_execute_path", "vulnerable_code_not_present",
}

// remedies are the vendors' fixes and what helps until they are there.
func (t *tree) remedies(mitigation string) []csafRemedy {
	out := slices.Clone(t.fixes)
	open := slices.Concat(t.status.Affected, t.status.Investigating)
	switch {
	case mitigation == "" || t.leaves == 0:
		return out
	case len(open) == 0:
		open = slices.Concat(t.status.Fixed, t.status.NotAffected)
	}
	return append(out, csafRemedy{Category: "mitigation", Details: mitigation, Products: open})
}

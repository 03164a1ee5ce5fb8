package advisory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// hostile are pieces of what people and programs may write where a text is asked
// for.
var hostile = []string{
	"", " ", "\n", "\x00", "\x1b[31m", "\ufeff", "\u202e", "\u2066", "\u200b", "\u2028", "\xff\xfe", "\u0301", "\U0001f525", "</script>", `"},{"`, "\\u0000",
	"=?utf-8?q?x?=", "vers:generic/*", ">= 4", "<5", "before 7", "all versions", "4.1-4.7", "4.1 to 4.7", "5.0, 5.1 and 6", "2027-02-10", "on 2027-13-99",
	"4.8 on 2027-02-10", "component_not_present", "Inline-mitigations-already-exist.", "CVE-2026-1", "CVE-2026-12345", "javascript:alert(1)", "https://a.example/?q=\"x\"",
	"https://user:pw@a.example/", "http://[::1]/", "https://a.example/%zz", "//a.example", "acme", "ACME", "Player 9.1", "-", "…", "TLP:RED", "AMBER+STRICT", "CLEAR", "GREEN",
	strings.Repeat("x", 5000), strings.Repeat("long words and ", 300), strings.Repeat("é", 4097), strings.Repeat("4.1,", 600),
}

// brief are those that are not long, which take nearly all of the time.
var brief = hostile[:len(hostile)-4]

// somebody draws views, with texts out of some.
type somebody struct {
	*rand.Rand
	from []string
}

func (s somebody) text() string {
	var b strings.Builder
	for range s.IntN(4) {
		if s.IntN(5) == 0 {
			b.WriteRune(rune(s.IntN(utf8.MaxRune)))
			continue
		}
		b.WriteString(s.from[s.IntN(len(s.from))])
	}
	return b.String()
}

func (s somebody) texts(most int) []string {
	var out []string
	for range s.IntN(most + 1) {
		out = append(out, s.text())
	}
	return out
}

func (s somebody) instant() time.Time {
	return begin.Add(time.Duration(s.IntN(1000)) * time.Hour).In(time.FixedZone("", s.IntN(28*3600)-14*3600))
}

func (s somebody) product() Product {
	p := Product{Vendor: s.text(), Name: s.text(), Statement: s.text()}
	for range s.IntN(4) {
		p.Says([]Status{Affected, NotAffected, Fixed, Investigating, Unknown, "", "nonsense"}[s.IntN(7)], s.text())
	}
	return p
}

func (s somebody) view(products int) Advisory {
	a := Advisory{Tag: "PAR-2026-0007" + s.text(), Title: s.text(), CVEs: s.texts(4), Severity: s.text(), Description: s.text(), Mitigation: s.text(),
		Publisher: Publisher{Name: "Example CERT" + s.text(), Namespace: "https://vdp.example.org", Contact: s.text(), CVEOrg: s.text()},
		TLP:       s.text(), Final: s.IntN(2) == 0, Credits: s.texts(4), Silent: s.IntN(3)}
	for range 1 + s.IntN(5) {
		a.Revisions = append(a.Revisions, Revision{s.instant(), s.text()})
	}
	for range s.IntN(4) {
		a.References = append(a.References, Reference{s.text(), s.text(), s.IntN(2) == 0})
	}
	for range products {
		a.Products = append(a.Products, s.product())
	}
	return a
}

// published checks all that is written of a view.
func published(t testing.TB, csaf, cve *jsonschema.Schema, a Advisory) {
	t.Helper()
	doc, err := CSAF(a)
	if err != nil {
		t.Fatalf("%v of %+v", err, a)
	}
	if err := csaf.Validate(decode(t, doc)); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	if failed := mandatory(t, doc); len(failed) > 0 {
		t.Fatalf("fails %v:\n%s", failed, doc)
	}
	again, err := CSAF(a)
	if err != nil || !bytes.Equal(doc, again) {
		t.Fatalf("the same view gives other bytes: %v", err)
	}
	record, err := CVERecord(a, "CVE-2026-12345")
	if err == nil {
		err = cve.Validate(decode(t, record))
	} else if !strings.Contains(string(doc), `"product_tree"`) {
		err = nil // nothing to say of any product
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, record)
	}
	fits(t, Matrix(a))
	for _, r := range append(doc, record...) {
		if r < ' ' && r != '\n' {
			t.Fatalf("octet %#x in\n%s", r, doc)
		}
	}
}

// fits wants 72 columns of all but words that are longer.
func fits(t testing.TB, s string) {
	t.Helper()
	for l := range strings.Lines(s) {
		l = strings.TrimRight(l, "\n")
		if utf8.RuneCountInString(l) > 72 && len(strings.Fields(strings.TrimLeft(l, " |"))) > 1 {
			t.Fatalf("%d columns: %.200q", utf8.RuneCountInString(l), l)
		}
		if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || turns(r) }) {
			t.Fatalf("%.200q", l)
		}
	}
}

func TestRandomViews(t *testing.T) {
	t.Parallel()
	csaf, cve := schema(t, "csaf-2.0.json"), schema(t, "cve-record-5.1.1.json")
	for seed := range uint64(300) {
		s := somebody{rand.New(rand.NewPCG(seed, 7)), hostile}
		published(t, csaf, cve, s.view(s.IntN(6)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestThousandVendors(t *testing.T) {
	t.Parallel()
	s := somebody{rand.New(rand.NewPCG(1, 1000)), hostile}
	a := s.view(0)
	for n := range 1000 {
		p := Product{Vendor: fmt.Sprintf("vendor %03d", n), Name: "Player"}
		p.Says(Affected, "4.1-4.7")
		if n%2 == 0 {
			p.Says(Fixed, "4.8")
		}
		a.Products = append(a.Products, p)
	}
	published(t, schema(t, "csaf-2.0.json"), schema(t, "cve-record-5.1.1.json"), a)
}

// FuzzAdvisory publishes views with three given texts in all places where people write
// any; long ones come as seeds, and the rest of a view is brief.
func FuzzAdvisory(f *testing.F) {
	csaf, cve := schema(f, "csaf-2.0.json"), schema(f, "cve-record-5.1.1.json")
	for i, h := range hostile {
		f.Add(h, hostile[(i+5)%len(hostile)], hostile[(i+11)%len(hostile)], uint64(i))
	}
	f.Fuzz(func(t *testing.T, one, two, three string, seed uint64) {
		s := somebody{rand.New(rand.NewPCG(seed, 9)), brief}
		a := s.view(1)
		a.Title, a.Description, a.TLP, a.Credits = one, two, three, []string{one, two}
		a.References = append(a.References, Reference{URL: three, Summary: one})
		p := Product{Vendor: two, Name: three, Statement: one}
		p.Says(Affected, two)
		p.Says(Fixed, three)
		a.Products = append(a.Products, p)
		published(t, csaf, cve, a)
	})
}

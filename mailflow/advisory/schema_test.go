package advisory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemas = "../../testdata/schemas/"

// offline finds the schemas that others refer to, and asks no network.
type offline struct{}

func (offline) Load(url string) (any, error) {
	url, _, _ = strings.Cut(url, "?")
	return readJSON(schemas + filepath.Base(url))
}

func readJSON(path string) (any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// schema compiles one of testdata/schemas, with formats as rules.
func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := readJSON(schemas + name)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(offline{})
	c.AssertFormat()
	if err := c.AddResource("https://schema.example.org/"+name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://schema.example.org/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t testing.TB, data []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return v
}

// TestSchemas is the control: what breaks a schema is found, formats and what
// other schemas hold included.
func TestSchemas(t *testing.T) {
	t.Parallel()
	csaf, cve := schema(t, "csaf-2.0.json"), schema(t, "cve-record-5.1.1.json")
	doc, err := CSAF(sample())
	if err != nil {
		t.Fatal(err)
	}
	record, err := CVERecord(sample(), "CVE-2026-12345")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		schema       *jsonschema.Schema
		from         []byte
		old, changed string
	}{
		{csaf, doc, `"namespace": "https://vdp.example.org"`, `"namespace": "no web address"`},
		{csaf, doc, `"current_release_date": "2027`, `"current_release_date": "the year 2027`},
		{csaf, doc, `"label": "WHITE"`, `"label": "CLEAR"`},
		{csaf, doc, `"CVE-2026-12345"`, `"CVE-26-1"`},
		{csaf, doc, `"fixed": [`, `"repaired": 1, "fixed": [], "x": [`},
		{csaf, doc, `"flags": [`, `"scores": [{"products": ["CSAFPID-0001"], "cvss_v3": {"version": "3.1", "baseScore": 11}}], "flags": [`},
		{cve, record, `"CVE-2026-12345"`, `"CVE-26-1"`},
		{cve, record, `"orgId": "`, `"orgId": "x`},
		{cve, record, `"url": "https://vdp`, `"url": "vdp`},
		{cve, record, `"versionType": "custom",`, ``},
	} {
		if err := c.schema.Validate(decode(t, c.from)); err != nil {
			t.Fatalf("the sample itself: %v", err)
		}
		broken := bytes.Replace(c.from, []byte(c.old), []byte(c.changed), 1)
		if bytes.Equal(broken, c.from) {
			t.Fatalf("%s does not stand in\n%s", c.old, c.from)
		}
		if c.schema.Validate(decode(t, broken)) == nil {
			t.Errorf("%s instead of %s is not found", c.changed, c.old)
		}
	}
}

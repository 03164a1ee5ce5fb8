package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Each of testdata/bad/*.toml starts with the sentences that it must
// produce, "# want: SENTENCE".
func TestT10_BadFilesSayWhere(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("only %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("bad.toml", data)
			if err == nil {
				t.Fatal("the file was taken")
			}
			if got, want := err.Error(), wanted(string(data)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func wanted(data string) string {
	var want []string
	for line := range strings.Lines(data) {
		if s, ok := strings.CutPrefix(line, "# want: "); ok {
			want = append(want, strings.TrimRight(s, "\n"))
		}
	}
	return strings.Join(want, "\n")
}

func TestPasswordIsMasked(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`outbound.smarthouse = "smtps://u:s3cret@relay:465"`,
		`outbound.smarthouse = "smtps://u:s3:cr@et@relay:465"`,
		`outbound.smarthouse = "smtps://:s3cret@relay:465"`,
	} {
		_, err := Parse("c.toml", []byte("domain = \"x\"\n"+line+"\n"))
		if err == nil || strings.Contains(err.Error(), "cr") || !strings.Contains(err.Error(), "relay") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}

func TestExampleDocumentsEveryKeyWithItsDefault(t *testing.T) {
	t.Parallel()
	c, err := Load("example.toml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse("example.toml", []byte(uncommented(t, Example())))
	if err != nil {
		t.Fatal(err)
	}
	checkDocumented(t, all, reflect.TypeFor[Config](), nil)

	want := Defaults()
	want.Domain, want.DeskDomain = "vdp.example.org", "desk.vdp.example.org"
	got := *c
	got.doc, got.Policy = nil, nil // policies are shipped elsewhere, and compared there
	if !reflect.DeepEqual(got, want) {
		t.Errorf("example.toml and Defaults differ:\n%+v\n%+v", got, want)
	}
	if data, err := os.ReadFile("example.toml"); err != nil || string(data) != Example() {
		t.Errorf("Example is not the file: %v", err)
	}
}

// uncommented is the example with the list that stands in it as a comment, since
// it is empty unless somebody needs it.
func uncommented(t *testing.T, text string) string {
	t.Helper()
	const begins = "# [[outbound.next]]\n"
	before, block, found := strings.Cut(text, begins)
	block, after, ends := strings.Cut(block, "\n\n")
	if !found || !ends {
		t.Fatal("example.toml has no [[outbound.next]]")
	}
	return before + strings.TrimPrefix(begins, "# ") + strings.ReplaceAll("\n"+block, "\n# ", "\n") + "\n\n" + after
}

// checkDocumented walks the keys of t, into the policy named default and
// through all of its stages, since a key need not stand in the first.
func checkDocumented(t *testing.T, c *Config, typ reflect.Type, path []string) {
	t.Helper()
	for f := range typ.Fields() {
		key := f.Tag.Get("toml")
		if key == "" {
			if f.IsExported() {
				t.Errorf("%s.%s has no key", typ, f.Name)
			}
			continue
		}
		here := append(append([]string(nil), path...), key)
		if !c.Has(here...) {
			t.Errorf("example.toml lacks %s", strings.Join(here, "."))
		}
		switch ft := f.Type; ft.Kind() {
		case reflect.Struct:
			checkDocumented(t, c, ft, here)
		case reflect.Map:
			checkDocumented(t, c, ft.Elem(), append(here, "default"))
		case reflect.Slice:
			if ft.Elem().Kind() == reflect.Struct {
				checkDocumented(t, c, ft.Elem(), append(here, "0"))
			}
		}
	}
}

func TestValuesReplaceDefaults(t *testing.T) {
	t.Parallel()
	c, err := Parse("/etc/parley/parley.toml", []byte(`
domain = "vdp.example.net"
outbound.retry = ["2m"]
[limits]
connections = 7
[policy.fast]
remind = []
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.DeskDomain != "desk.vdp.example.net" {
		t.Errorf("desk domain %q", c.DeskDomain)
	}
	if len(c.Outbound.Retry) != 1 || c.Limits.Connections != 7 || c.Limits.Depth != 20 {
		t.Errorf("got %+v %+v", c.Outbound, c.Limits)
	}
	if !c.Has("policy", "fast", "remind") || c.Has("policy", "fast", "wave") || c.Has("limits", "depth") {
		t.Error("Has cannot tell what was set")
	}
	if c2, _ := Parse("x", []byte("domain = \"a\"")); len(c2.Outbound.Retry) != 5 {
		t.Error("one file changed the defaults of another")
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c, err := Parse("/etc/parley/parley.toml", []byte(`domain = "a"`))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"state": "/etc/parley/state", "../x": "/etc/x", "/var/lib/parley": "/var/lib/parley", "": "",
	} {
		if got := c.Resolve(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	text := `domain = "a"
smtp = { listen = "b", lmtp = "c" }
outbound.retry = [
	"1m",
	"bad",
]
[policy.p]
  embargo = "x"
[[policy.p.stage]]
name = "scope"
[[policy.p.stage]]
name = "details"
  "at" = "never"
[policy.q]
stage = [{ name = "scope" }, { name = "proof" }]
`
	c, err := Parse("c.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]int{
		"domain":              {1, 1},
		"smtp.lmtp":           {2, 24},
		"outbound":            {3, 1},
		"outbound.retry":      {3, 10},
		"outbound.retry.1":    {5, 2},
		"policy.p":            {7, 2},
		"policy.p.embargo":    {8, 3},
		"policy.p.lead":       {7, 2}, // left out: its table
		"policy.p.stage":      {9, 3},
		"policy.p.stage.1.at": {13, 3},
		"policy.p.stage.1":    {11, 3},
		"policy.p.stage.0.at": {9, 3},
		"policy.q.stage.1.at": {15, 30}, // left out: its inline table
		"state_dir":           {0, 0},
	} {
		p := c.Where(strings.Split(path, ".")...)
		if [2]int{p.Line, p.Column} != want {
			t.Errorf("%s: got %d:%d, want %v", path, p.Line, p.Column, want)
		}
	}
	e := c.Errorf([]string{"policy", "p", "stage", "1", "at"}, "is not %s", strconv.Quote("x"))
	if got, want := e.Error(), `c.toml:13:3: policy.p.stage.at is not "x"  |  "at" = "never"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLoadRefusesWhatIsNoConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, make([]byte, maxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, large, filepath.Join(dir, "none.toml"), "/dev/zero"} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "read configuration: ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.toml")
	for _, file := range append(files, "example.toml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.toml", data)
		if err == nil && c.Where("domain").Line == 0 {
			t.Error("a domain without a place")
		}
	})
}

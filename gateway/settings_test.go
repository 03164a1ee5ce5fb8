package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/config"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

func parseSettings(t *testing.T, text string) (*settings, error) {
	t.Helper()
	c, err := config.Parse("p.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return newSettings(c)
}

// Each of testdata/settings/*.toml starts with the sentences that it must
// produce, "# want: SENTENCE".
func TestT10_ImpossibleValuesSayWhere(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/settings/*.toml")
	if err != nil || len(files) < 35 {
		t.Fatalf("only %d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseSettings(t, string(data))
			if err == nil {
				t.Fatal("the file was taken")
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if s, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, strings.TrimSpace(s))
				}
			}
			if got := err.Error(); got != strings.Join(want, "\n") {
				t.Errorf("got  %s\nwant %s", got, strings.Join(want, "\n"))
			}
		})
	}
}

// What is left out of [retention] is kept for ever; a day is the least.
func TestRetentionSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]mailflow.Retention{
		"":                               {},
		"[retention]\nclosed = \"730d\"": {Closed: 730 * cvd.Day},
		"[retention]\njunk = \"1d\"":     {Junk: cvd.Day},
		"[retention]\nclosed = \"0\"\njunk = \"13w\"": {Junk: 91 * cvd.Day},
	} {
		s, err := parseSettings(t, "domain = \"vdp.example.org\"\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		if s.Retention != want {
			t.Errorf("%q: %+v", text, s.Retention)
		}
	}
}

// The guard's memory is a size within bounds.
func TestSettingsGuard(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(t, "domain = \"vdp.example.org\"\n[limits]\nguard = \"1GiB\"")
	if err != nil || s.Limits.Guard != 1<<30 {
		t.Errorf("%d, %v", s.Limits.Guard, err)
	}
	_, err = parseSettings(t, "domain = \"vdp.example.org\"\n[limits]\nguard = \"512KiB\"")
	if err == nil || !strings.Contains(err.Error(), "it can be 1MiB to 8GiB") {
		t.Errorf("512KiB: %v", err)
	}
}

// The reserve is a size within bounds, or none.
func TestSettingsReserve(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 256 << 20, "reserve = \"1MiB\"": 1 << 20, "reserve = \"1024GiB\"": 1 << 40, "reserve = \"0B\"": 0} {
		s, err := parseSettings(t, "domain = \"vdp.example.org\"\n[limits]\n"+text)
		if err != nil || s.Limits.Reserve != want {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	for _, text := range []string{"1023KiB", "1025GiB", "1B", "-1B", "much", ""} {
		_, err := parseSettings(t, "domain = \"vdp.example.org\"\n[limits]\nreserve = \""+text+"\"")
		if err == nil || !strings.Contains(err.Error(), ":3:") || !strings.Contains(err.Error(), "limits.reserve is ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestExampleMeansTheDefaults(t *testing.T) {
	t.Parallel()
	documented, err := parseSettings(t, config.Example())
	if err != nil {
		t.Fatal(err)
	}
	left, err := parseSettings(t, `domain = "vdp.example.org"`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range cvd.Shipped() {
		if got := documented.Policies[name]; !samePolicy(got, want) {
			t.Errorf("policy %s of example.toml:\n%+v\nshipped:\n%+v", name, got, want)
		}
	}
	documented.Policies, left.Policies = nil, nil
	documented.read, left.read = nil, nil
	documented.Warnings, left.Warnings = nil, nil
	if !reflect.DeepEqual(documented, left) {
		t.Errorf("example.toml:\n%+v\nnothing set:\n%+v", documented, left)
	}
}

// samePolicy does not tell an empty list from none.
func samePolicy(a, b cvd.Policy) bool {
	for _, p := range []*cvd.Policy{&a, &b} {
		p.Stages = append([]cvd.StageRule(nil), p.Stages...)
		for i := range p.Stages {
			if len(p.Stages[i].Needs) == 0 {
				p.Stages[i].Needs = nil
			}
		}
	}
	return reflect.DeepEqual(a, b)
}

func TestPolicyReplacesWhatItSets(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(t, `
domain = "vdp.example.org"
[policy.default]
embargo = "120d"
[policy.distros]
embargo = "30d"
[policy.cert-cc]
remind = []
[policy.fast]
embargo = "10m"
[[policy.fast.stage]]
name = "heads-up"
at = "start"
[[policy.fast.stage]]
name = "details"
at = "start+2s"
[[policy.fast.stage]]
name = "public"
at = "end"
approvals = 0
`)
	if err != nil {
		t.Fatal(err)
	}
	shipped := cvd.Shipped()
	p := s.Policies
	if d := p["default"]; d.Embargo != 120*cvd.Day || d.Lead != 120*cvd.Day || d.Wave != shipped["default"].Wave || len(d.Stages) != 6 {
		t.Errorf("default: %+v", d)
	}
	if d := p["distros"]; d.Embargo != 30*cvd.Day || d.Lead != 14*cvd.Day {
		t.Errorf("distros must not tell anybody earlier than before: %+v", d)
	}
	if len(p["cert-cc"].Remind) != 0 || p["cert-cc"].Embargo != 45*cvd.Day {
		t.Errorf("cert-cc: %+v", p["cert-cc"])
	}
	if d := p["fast"]; d.Name != "fast" || d.Embargo != 10*time.Minute || d.Lead != d.Embargo || d.Wave != shipped["default"].Wave {
		t.Errorf("fast: %+v", d)
	}
	want := []cvd.StageRule{
		{Stage: cvd.HeadsUp, Trust: cvd.Found, TLP: "AMBER+STRICT"},
		{Stage: cvd.Details, At: cvd.When{Offset: 2 * time.Second}, Trust: cvd.Confirmed, Approvals: 1, Signed: true, TLP: "AMBER+STRICT"},
		{Stage: cvd.Public, At: cvd.When{FromEnd: true}, Trust: cvd.Found, Signed: true, TLP: "CLEAR"},
	}
	if !reflect.DeepEqual(p["fast"].Stages, want) {
		t.Errorf("fast: what is left out is not careful:\n%+v\n%+v", p["fast"].Stages, want)
	}
}

// Holidays and publish days of the file stand in its policy, and others keep
// those that are shipped.
func TestPolicyDays(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(t, `
domain = "vdp.example.org"
[policy.default]
holidays = ["12-25", "2027-03-29"]
publish = ["mon", "Wed"]
[policy.fast]
embargo = "10d"
upstream = 2
[[policy.fast.stage]]
name = "heads-up"
at = "start"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := cvd.Days{Holidays: []cvd.Holiday{"12-25", "2027-03-29"}, Publish: []time.Weekday{time.Monday, time.Wednesday}}
	if d := s.Policies["default"].Days; !reflect.DeepEqual(d, want) {
		t.Errorf("default: %+v", d)
	}
	if p := s.Policies["fast"]; !reflect.DeepEqual(p.Days, cvd.Shipped()["default"].Days) || p.Upstream != 2 {
		t.Errorf("fast: %+v", p)
	}
}

// What a stage says and a policy cannot keep is a warning.
func TestWarnings_Stages(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(t, `domain = "vdp.example.org"
outbound.smarthost = "smtp://127.0.0.1:25"
[policy.fast]
embargo = "30d"
lead = "10d"
[[policy.fast.stage]]
name = "heads-up"
at = "end-20d"
[[policy.fast.stage]]
name = "advisory"
at = "end"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`p.toml:8:1: policy.fast.stage.at is end-20d, and lead lets nothing go before end-10d  |  at = "end-20d"`,
		`p.toml:11:1: policy.fast.stage.at is end for advisory: it never goes, since the embargo has ended then  |  at = "end"`,
	}
	var got []string
	for _, w := range s.Warnings {
		got = append(got, w.Error())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(t, `domain = "vdp.example.org"
[policy.fast]
embargo = "10d"
[[policy.fast.stage]]
name = "heads-up"
at = "start"
approvals = 0
[[policy.fast.stage]]
name = "scope"
at = "start"
approvals = 0
[[policy.fast.stage]]
name = "details"
at = "start"
approvals = 0
trust = "found"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`p.toml: outbound.smarthost is not set: no mail leaves, all of it waits in the queue`,
		`p.toml:15:1: policy.fast.stage.approvals is 0 for details: it goes out without a second person  |  approvals = 0`,
		`p.toml:16:1: policy.fast.stage.trust is found for details: it goes to keys that nobody confirmed  |  trust = "found"`,
	}
	var got []string
	for _, w := range s.Warnings {
		got = append(got, w.Error())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{"50MiB": 50 << 20, "256 KiB": 256 << 10, "1GiB": 1 << 30, "1000B": 1000, "0B": 0} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q: got %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "50", "50MB", "50M", "-1MiB", "1.5MiB", "0x10B", "999999999999GiB", "50MiB "} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("%q was taken for %d", in, got)
		}
	}
	for n, want := range map[int64]string{50 << 20: "50MiB", 1000: "1000B", 3 << 30: "3GiB", 1 << 10: "1KiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestRelativePathsStartFromTheFile(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("/etc/parley/parley.toml", []byte("domain = \"vdp.example.org\"\ntls.key = \"/k\"\noutbound.smarthost = \"smtps://u@relay.example.org\"\noutbound.password = \"file:pw\"\noutbound.ca = \"ca\""))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{s.StateDir, s.CertFile, s.KeyFile, s.Unlock.String(), s.Smarthosts[0].Password.String(), s.Smarthosts[0].CA}
	want := []string{"/etc/parley/state", "/etc/parley/tls.crt", "/k", "file:/etc/parley/unlock", "file:/etc/parley/pw", "/etc/parley/ca"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

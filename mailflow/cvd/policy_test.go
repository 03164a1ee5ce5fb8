package cvd

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestShippedPoliciesAreValid(t *testing.T) {
	t.Parallel()
	for name, p := range Shipped() {
		if p.Name != name {
			t.Errorf("%s calls itself %s", name, p.Name)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range p.Stages {
			if r.Stage.Rank() >= Scope.Rank() && r.Stage != Public && r.Trust != Confirmed {
				t.Errorf("%s lets %s go to a %s key", name, r.Stage, r.Trust)
			}
		}
	}
}

func TestPolicyRefusals(t *testing.T) {
	t.Parallel()
	rule := func(s Stage, at string) StageRule {
		w, err := ParseWhen(at)
		if err != nil {
			t.Fatal(err)
		}
		return StageRule{Stage: s, At: w, Trust: Confirmed}
	}
	for _, row := range []struct {
		name, key, why string
		policy         Policy
	}{
		{"no embargo", "embargo", "longer than nothing", Policy{Stages: []StageRule{rule(HeadsUp, "start")}}},
		{"no stage", "stage", "at least one stage", Policy{Embargo: Day}},
		{"confirmers", "confirmers", "at most 3", Policy{Embargo: Day, Confirmers: 4, Stages: []StageRule{rule(HeadsUp, "start")}}},
		{"lead", "lead", "longer than the embargo", Policy{Embargo: Day, Lead: 2 * Day, Stages: []StageRule{rule(HeadsUp, "start")}}},
		{"order", "name", "stands after", Policy{Embargo: Day, Stages: []StageRule{rule(Details, "start"), rule(Scope, "end")}}},
		{"twice", "name", "each once", Policy{Embargo: Day, Stages: []StageRule{rule(Scope, "start"), rule(Scope, "end")}}},
		{"backwards", "at", "before the stage above", Policy{Embargo: 10 * Day, Stages: []StageRule{rule(HeadsUp, "start+3d"), rule(Scope, "start+1d")}}},
		{"outside", "at", "outside the embargo", Policy{Embargo: Day, Stages: []StageRule{rule(HeadsUp, "start+3d")}}},
		{"before start", "at", "before the stage above", Policy{Embargo: Day, Stages: []StageRule{rule(HeadsUp, "end-3d")}}},
	} {
		err := row.policy.Validate()
		var pe *PolicyError
		if !errors.As(err, &pe) || pe.Key != row.key || !strings.Contains(pe.Why, row.why) {
			t.Errorf("%s: got %v, want key %s: %s", row.name, err, row.key, row.why)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"90d": 90 * Day, "2w": 14 * Day, "1d12h": 36 * time.Hour, "30m": 30 * time.Minute, "600s": 10 * time.Minute, "0s": 0,
	} {
		d, err := ParseDuration(in)
		if err != nil || d != want {
			t.Errorf("ParseDuration(%q) = %s, %v", in, d, err)
			continue
		}
		back, err := ParseDuration(FormatDuration(d))
		if err != nil || back != d {
			t.Errorf("FormatDuration(%s) = %q reads back as %s, %v", d, FormatDuration(d), back, err)
		}
	}
	for _, bad := range []string{"", "90", "-3d", "+3d", "three days", "3 d", "99999999999d"} {
		if d, err := ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q) = %s, want an error", bad, d)
		}
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	end := day0.Add(90 * Day)
	for in, want := range map[string]time.Time{
		"start": day0, "start+3d": day0.Add(3 * Day), "end": end, "end-14d": end.Add(-14 * Day), "start + 1w": day0.Add(Week),
	} {
		w, err := ParseWhen(in)
		if err != nil || !w.In(day0, end).Equal(want) {
			t.Errorf("ParseWhen(%q): %v, %v", in, w, err)
		}
	}
	for _, bad := range []string{"", "now", "start-1d", "end+1d", "start+", "3d"} {
		if w, err := ParseWhen(bad); err == nil {
			t.Errorf("ParseWhen(%q) = %v, want an error", bad, w)
		}
	}
}

package config

import (
	"slices"
	"testing"
)

func TestDiffer(t *testing.T) {
	t.Parallel()
	parse := func(text string) *Config {
		c, err := Parse("p.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := parse("domain = 'vdp.example.org'\n[outbound]\nretry = ['1m']\n[policy.a]\nlead = '3d'\n[policy.b]\n")
	b := parse("domain = 'vdp.example.org'\n[limits]\ndepth = 7\n[outbound]\nretry = ['1m', '2m']\n[policy.a]\nlead = '4d'\n[policy.c]\n")
	if got, want := Differ(a, b), []string{"outbound.retry", "limits.depth", "policy.a.lead", "policy.b", "policy.c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Differ(a, a); len(got) != 0 {
		t.Errorf("one differs from itself in %q", got)
	}
}

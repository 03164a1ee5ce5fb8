package main

import (
	"testing"

	"parley/mailflow"
	"parley/mailflow/dkim"
)

func TestDoctor_DomainKeys(t *testing.T) {
	t.Parallel()
	signing, next, old := mailflow.DomainKeySigning, mailflow.DomainKeyNext, mailflow.DomainKeyOld
	for name, c := range map[string]struct {
		state  mailflow.DomainKeyState
		fault  error
		needed string
		want   grade
	}{
		"signs, fits":                 {signing, nil, "", fine},
		"signs, and is not there":     {signing, dkim.ErrNoRecord, "", wrong},
		"signs, another key":          {signing, dkim.ErrOtherKey, "", wrong},
		"next, not there":             {next, dkim.ErrNoRecord, "", later},
		"next, published":             {next, nil, "", later},
		"old, needed, there":          {old, nil, "until", ""},
		"old, needed, gone":           {old, dkim.ErrNoRecord, "until", wrong},
		"old, not needed, there":      {old, nil, "", later},
		"old, not needed, gone":       {old, dkim.ErrNoRecord, "", ""},
		"old, not needed, taken back": {old, dkim.ErrRevoked, "", ""},
	} {
		if got := judgeDomainKey(mailflow.DomainKey{Selector: "r1", State: c.state}, c.fault, c.needed); got.grave != c.want {
			t.Errorf("%s: %q %s", name, got.grave, got.what)
		}
	}
}

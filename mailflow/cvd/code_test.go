package cvd

import (
	"regexp"
	"strings"
	"testing"
)

func TestS5_CodeIsDeadAfterOneUse(t *testing.T) {
	t.Parallel()
	p := vendor("acme")
	p.Token = NewToken()
	code := NewCode()
	p.Remember(code, 1, day0)
	other := vendor("globex")
	other.Token = NewToken()
	other.Remember(NewCode(), 2, day0)
	if other.Redeem(code, day0) {
		t.Fatal("another participant's code counts")
	}
	typed := strings.ToLower(strings.ReplaceAll(code, "-", ""))
	if !p.Redeem(typed, day0) {
		t.Fatal("the code does not count as typed without its hyphen")
	}
	if p.Redeem(code, day0) {
		t.Fatal("a used code counts again")
	}
}

func TestS5_CodeDiesAfterFiveWrongTries(t *testing.T) {
	t.Parallel()
	for tries := range 7 {
		p := vendor("acme")
		p.Token = NewToken()
		code := NewCode()
		p.Remember(code, 1, day0)
		for range tries {
			if p.Redeem("AAAA-AAAA", day0) {
				t.Fatal("a wrong code counts")
			}
		}
		if got, want := p.Redeem(code, day0), tries < 5; got != want {
			t.Errorf("after %d wrong tries the code counts: %v", tries, got)
		}
	}
}

func TestCodeForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9A-Z]{4}-[0-9A-Z]{4}$`)
	for range 1000 {
		c := NewCode()
		if !form.MatchString(c) || strings.ContainsAny(c, "ILOU") || !strings.ContainsAny(c, "ABCDEFGHJKMNPQRSTVWXYZ") {
			t.Fatalf("%q is not a code", c)
		}
	}
}

func TestM1_TokensAreRandomAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		k := NewToken()
		if len(k) != 20 || strings.Trim(k, "abcdefghijklmnopqrstuvwxyz234567") != "" || seen[k] {
			t.Fatalf("%q is not 100 fresh bits of base32", k)
		}
		seen[k] = true
	}
}

func TestOldCodesAreForgotten(t *testing.T) {
	t.Parallel()
	p := vendor("acme")
	p.Token = NewToken()
	code := NewCode()
	p.Remember(code, 1, day0)
	p.Redeem(code, day0)
	p.Remember(NewCode(), 2, day0.Add(91*Day))
	if len(p.Codes) != 1 {
		t.Errorf("%d codes are kept, want the live one", len(p.Codes))
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "Scope", "finder", "a b", "x.y", "control", "mitigation", strings.Repeat("a", 41)} {
		if id, err := ParsePartyID(bad); err == nil {
			t.Errorf("ParsePartyID(%q) = %q, want an error", bad, id)
		}
	}
	if id, err := ParsePartyID("ACME-2"); err != nil || id != "acme-2" {
		t.Errorf("ParsePartyID: %q, %v", id, err)
	}
	ids := FindCaseIDs("Re: [par-2026-0007] and PAR-2026-0008, PAR-2026-0007")
	if len(ids) != 2 || ids[0] != "PAR-2026-0007" || ids[1] != "PAR-2026-0008" {
		t.Errorf("FindCaseIDs: %v", ids)
	}
	if _, err := ParseCaseID("2026-0007"); err == nil {
		t.Error("a tag without a prefix is taken")
	}
}

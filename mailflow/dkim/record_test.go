package dkim

import (
	"strings"
	"testing"
)

// A record is published in strings that a zone file holds, and found again when a
// receiver joins them; the key comes back from its secret.
func TestRecord(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{RSA2048, Ed25519} {
		k, err := Generate(a, "s1")
		if err != nil {
			t.Fatal(err)
		}
		joined := ""
		for part := range strings.SplitSeq(strings.Trim(Zone(k.Record()), `"`), `" "`) {
			if len(part) > maxString {
				t.Errorf("%s: a string of %d octets", a, len(part))
			}
			joined += part
		}
		if err := Fits(k.Record(), []string{joined}); err != nil || joined != k.Record() {
			t.Errorf("%s: %v", a, err)
		}
		secret, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse("s1", secret); err != nil || again.Record() != k.Record() || again.Algorithm != a {
			t.Errorf("%s: it does not come back: %v", a, err)
		}
	}
	if _, err := Generate("rsa1024", "s1"); err == nil {
		t.Error("a key of no kind was made")
	}
	if _, err := Parse("s1", []byte("x")); err == nil {
		t.Error("no key was read")
	}
}

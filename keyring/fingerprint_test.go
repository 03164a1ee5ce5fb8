package keyring_test

import (
	"encoding/json"
	"strings"
	"testing"

	"parley/keyring"
)

func TestParseFingerprint(t *testing.T) {
	t.Parallel()
	const v4 = "4B32ADAC11F09B1C8A35E0E1A4F60C2D5B7788F1"
	for _, c := range []struct {
		in   string
		want keyring.Fingerprint
	}{
		{v4, v4},
		{strings.ToLower(v4), v4},
		{"0x" + v4, v4},
		{"4B32 ADAC 11F0 9B1C 8A35  E0E1 A4F6 0C2D 5B77 88F1", v4},
		{"4b:32:ad:ac:11:f0:9b:1c:8a:35:e0:e1:a4:f6:0c:2d:5b:77:88:f1", v4},
		{strings.Repeat("ab", 32), keyring.Fingerprint(strings.Repeat("AB", 32))},
		{"A4F60C2D5B7788F1", ""},
		{"5B7788F1", ""},
		{"", ""},
		{v4 + "00", ""},
		{strings.Replace(v4, "4", "G", 1), ""},
	} {
		got, err := keyring.ParseFingerprint(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	if got := keyring.Fingerprint("4B32ADAC11").Spaced(); got != "4B32 ADAC 11" {
		t.Errorf("Spaced: %q", got)
	}
}

func TestS7_TrustOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, need keyring.Trust
		want       bool
	}{
		{keyring.Claimed, keyring.Claimed, true},
		{keyring.Claimed, keyring.Found, false},
		{keyring.Found, keyring.Claimed, true},
		{keyring.Found, keyring.Confirmed, false},
		{keyring.Confirmed, keyring.Confirmed, true},
		{keyring.Rejected, keyring.Claimed, false},
		{keyring.Rejected, keyring.Rejected, false},
		{keyring.Confirmed, keyring.Rejected, false},
		{keyring.Confirmed, 0, false},
		{0, keyring.Claimed, false},
	} {
		if got := c.have.Meets(c.need); got != c.want {
			t.Errorf("%v meets %v: %v", c.have, c.need, got)
		}
	}
}

func TestTrustJSON(t *testing.T) {
	t.Parallel()
	for _, w := range []string{"claimed", "found", "confirmed", "rejected"} {
		var k keyring.Trust
		if err := json.Unmarshal([]byte(`"`+w+`"`), &k); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(k)
		if err != nil || string(b) != `"`+w+`"` {
			t.Errorf("%s became %s, %v", w, b, err)
		}
	}
	if _, err := json.Marshal(keyring.Trust(0)); err == nil {
		t.Error("no trust at all was written")
	}
	if _, err := keyring.ParseTrust("verified"); err == nil {
		t.Error("an unknown word was read")
	}
}

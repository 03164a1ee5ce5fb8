package keyring_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"parley/keyring"
)

// A secret key is found in whatever stands around it, and nothing else is one.
func TestFindSecretKeys(t *testing.T) {
	t.Parallel()
	a, b := secret(t, "a@x.example"), secret(t, "a@x.example")
	fpr, other := a.Certificate().Fingerprint(), b.Certificate().Fingerprint()
	armor := func(s *keyring.Secret) string {
		block, err := keyring.EncodeArmor(keyring.ArmorSecretKey, s.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return string(block)
	}
	public, err := a.Certificate().Armor()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(armor(a), "\n")
	for name, c := range map[string]struct {
		data string
		want []keyring.Fingerprint
	}{
		"binary":             {string(a.Bytes()), []keyring.Fingerprint{fpr}},
		"two, binary":        {string(a.Bytes()) + string(b.Bytes()), []keyring.Fingerprint{fpr, other}},
		"armor":              {"text\n" + armor(a) + "text", []keyring.Fingerprint{fpr}},
		"armor twice":        {armor(a) + armor(a), []keyring.Fingerprint{fpr}},
		"armor, two keys":    {armor(a) + "and\n" + armor(b), []keyring.Fingerprint{fpr, other}},
		"quoted":             {"> " + strings.Join(lines, "\n> "), []keyring.Fingerprint{""}},
		"cut short":          {strings.Join(lines[:6], "\n"), []keyring.Fingerprint{""}},
		"CRLF, header":       {strings.Replace(strings.ReplaceAll(armor(a), "\n", "\r\n"), "\r\n\r\n", "\r\nComment: x\r\n\r\n", 1), []keyring.Fingerprint{fpr}},
		"behind a letter":    {"\u00dcbrigens:\n" + armor(a), []keyring.Fingerprint{fpr}},
		"behind a mark":      {"\ufeff" + armor(a), []keyring.Fingerprint{fpr}},
		"as a public one":    {strings.ReplaceAll(armor(a), "PRIVATE", "PUBLIC"), []keyring.Fingerprint{fpr}},
		"in one line":        {strings.ReplaceAll(armor(a), "\n", " "), []keyring.Fingerprint{""}},
		"public":             {string(public), nil},
		"public, binary":     {string(a.Certificate().Bytes()), nil},
		"words up to an end": {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nhow unexceptionally it\n-----END PGP PRIVATE KEY BLOCK-----\n", nil},
		"words":              {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nis how it begins", nil},
		"binary, something":  {"\xc5\x10" + strings.Repeat("x", 16), nil},
		"nothing":            {"", nil},
	} {
		if got := keyring.FindSecretKeys([]byte(c.data)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// Of a damaged block nothing is left up to its end, however its lines were broken.
	torn := strings.Join(lines[:4], "\n") + "\nA\nB=C\n" + strings.Join(lines[4:], "\n")
	if s := keyring.SecretKeySpans([]byte("x\n" + torn + "y")); len(s) != 1 || s[0] != [2]int{2, len(torn) + 2} {
		t.Errorf("%v is cut of %d octets", s, len(torn)+3)
	}
	// What the spans leave over has nothing of the keys.
	text := []byte("before\n" + armor(a) + "between\n" + strings.Join(lines[:6], "\n") + "\nafter\n")
	var left []byte
	at := 0
	for _, s := range keyring.SecretKeySpans(text) {
		left, at = append(left, text[at:s[0]]...), s[1]
	}
	left = append(left, text[at:]...)
	if string(left) != "before\nbetween\nafter\n" || bytes.Contains(left, []byte(lines[3])) {
		t.Errorf("%q is left", left)
	}
}

// Wherever the last line of a block ends, all of the block is found.
func TestSecretKeyToItsLastLine(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@x.example")
	data := bytes.Clone(s.Bytes())
	for range 48 { // octets make a line, and five are prime to that
		data = append(data, "\xca\x03PGP"...) // a marker packet
		block, err := keyring.EncodeArmor(keyring.ArmorSecretKey, data)
		if err != nil {
			t.Fatal(err)
		}
		text := []byte("before\n" + string(block) + "after\n")
		spans := keyring.SecretKeySpans(text)
		if got := keyring.FindSecretKeys(text); !slices.Equal(got, []keyring.Fingerprint{s.Certificate().Fingerprint()}) || len(spans) != 1 {
			t.Fatalf("%q, %d spans in\n%s", got, len(spans), text)
		}
		if left := string(text[:spans[0][0]]) + string(text[spans[0][1]:]); left != "before\nafter\n" {
			t.Errorf("%q is left", left)
		}
	}
}

// Signatures say who made them, and nobody has to believe it.
func TestIssuer(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@x.example")
	sig, err := keyring.Sign([]byte("x"), s, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := keyring.ParseSignatures(sig); len(got) != 1 || got[0].Issuer() != s.Certificate().Fingerprint() {
		t.Errorf("%q", got[0].Issuer())
	}
	if (&keyring.Signature{}).Issuer() != "" {
		t.Error("what cannot be read names somebody")
	}
}

// A seventeenth signature is not looked at, and not forgotten (rule S4).
func TestS4_MoreSignaturesThanAreRead(t *testing.T) {
	t.Parallel()
	s := secret(t, "a@x.example")
	sig, err := keyring.Sign([]byte("x"), s, noon)
	if err != nil {
		t.Fatal(err)
	}
	const most = 16
	for n, want := range map[int]int{1: 1, most: most, most + 1: most + 1, 100: most + 1} {
		got := keyring.ParseSignatures(bytes.Repeat(sig, n))
		if len(got) != want {
			t.Errorf("%d: %d", n, len(got))
		}
		last := got[len(got)-1].Verify([]byte("x"), s.Certificate(), noon, nil)
		if tooMany := n > most; tooMany != (last == keyring.FaultTooMany) || !tooMany && last != nil {
			t.Errorf("%d: %v", n, last)
		}
	}
}

// A text full of beginnings costs what any other does (rule P3): each of these takes
// many minutes where one beginning looks for its end behind the next.
func TestP3_ManyBeginnings(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"message, as a header":  "x:-----BEGIN PGP MESSAGE-----\n",
		"message, in one line":  "-----BEGIN PGP MESSAGE-----",
		"signed text, one line": "-----BEGIN PGP SIGNED MESSAGE-----",
		"signed text":           "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n",
		"secret key":            "x-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
		"secret key, as header": "x:-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
		"secret key, one line":  "-----BEGIN PGP PRIVATE KEY BLOCK-----",
		"public key, as header": "x:-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
	} {
		text := bytes.Repeat([]byte(line), 4<<20/len(line))
		if n := len(keyring.FindArmor(text)) + len(keyring.FindSecretKeys(text)) + len(keyring.FindCleartext(text)); n > 0 {
			t.Errorf("%s: %d found", name, n)
		}
	}
}

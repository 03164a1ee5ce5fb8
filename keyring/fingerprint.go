// Package keyring holds OpenPGP certificates and secret keys, says which of
// them may be used and why not, and makes and opens OpenPGP messages (RFC 9580).
//
// Whether a key is usable is always asked for an instant that the caller
// passes: nothing in this package reads a clock. Certificates are immutable and
// safe for concurrent use.
package keyring

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprint names a key: upper-case hexadecimal, 40 digits for a version 4
// key and 64 for a version 6 key, such as
// "4B32ADAC11F09B1C8A35E0E1A4F60C2D5B7788F1". RFC 9580, section 5.5.4.
type Fingerprint string

// ParseFingerprint reads a fingerprint as people write it: in either case, with
// spaces or colons, with or without 0x. A shortened key ID is refused, since
// anybody can make a key with the same one.
func ParseFingerprint(s string) (Fingerprint, error) {
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == ':' || r == '\t' || r == '\u00a0' {
			return -1
		}
		return r
	}, s)
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "0x"), "0X")
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return "", fmt.Errorf("parse fingerprint %q: not hexadecimal", s)
	}
	if len(raw) != 20 && len(raw) != 32 {
		return "", fmt.Errorf("parse fingerprint %q: %d digits, want 40 or 64", s, 2*len(raw))
	}
	return fingerprintOf(raw), nil
}

// Spaced writes the fingerprint in groups of four, the way people compare it.
func (f Fingerprint) Spaced() string {
	var b strings.Builder
	for i, r := range string(f) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func fingerprintOf(raw []byte) Fingerprint {
	return Fingerprint(strings.ToUpper(hex.EncodeToString(raw)))
}

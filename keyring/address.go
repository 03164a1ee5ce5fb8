package keyring

import (
	"strings"
	"time"
)

// Names reports whether a user ID that the key has signed, with a hash that
// counts, and has not taken back at that instant holds exactly this address.
// Whether the key can be used is another question.
func (c *Certificate) Names(address string, at time.Time) bool {
	address = FoldAddress(address)
	for _, u := range c.users {
		if address != "" && addressIn(u.id) == address && newest(u.self, at) != nil && !u.revoked(at) {
			return true
		}
	}
	return false
}

// SameAddress reports whether two addresses differ at most in the case of ASCII
// letters.
func SameAddress(a, b string) bool { return FoldAddress(a) == FoldAddress(b) }

// FoldAddress writes an address in lower case as far as it is ASCII: other
// letters have a case, too, and some become ASCII in it. A Kelvin sign is no K.
func FoldAddress(a string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, a)
}

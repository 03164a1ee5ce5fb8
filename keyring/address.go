package keyring

import (
	"strings"
	"time"
)

// Names reports whether a user ID that the key has signed, with a hash that
// counts, and has not taken back at that instant holds exactly this address.
// Whether the key can be used is another question.
func (c *Certificate) Names(address string, at time.Time) bool {
	address = strings.ToLower(address)
	for _, u := range c.users {
		if address != "" && addressIn(u.id) == address && newest(u.self, at) != nil && !u.revoked(at) {
			return true
		}
	}
	return false
}

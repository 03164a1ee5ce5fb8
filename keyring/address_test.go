package keyring_test

import (
	"testing"

	"parley/keyring"
)

// Other letters than ASCII ones have a case, too: a Kelvin sign and a long s fold
// to k and s in Unicode, and are other letters in an address.
func TestS2_AddressesFoldASCIIOnly(t *testing.T) {
	t.Parallel()
	for other, same := range map[string]bool{
		"desk@mask.example":      true,
		"Desk@MASK.example":      true,
		"des\u212a@mask.example": false,
		"desk@ma\u017fk.example": false,
		"desk@mask.example.org":  false,
	} {
		if keyring.SameAddress("desk@mask.example", other) != same {
			t.Errorf("%q: want %t", other, same)
		}
		if secret(t, "desk@mask.example").Certificate().Names(other, noon) != same {
			t.Errorf("the certificate names %q: want %t", other, !same)
		}
	}
}

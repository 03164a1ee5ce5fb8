package keyring

import "fmt"

// Trust says how a party's key came to us. The order is Claimed < Found <
// Confirmed; Rejected stands apart and is never used.
type Trust uint8

const (
	// Claimed keys came in a mail header, as an attachment, or were imported
	// without a word.
	Claimed Trust = iota + 1
	// Found keys were served by the address's own domain.
	Found
	// Confirmed keys have a fingerprint that a coordinator learned another way.
	Confirmed
	// Rejected keys are refused whatever else vouches for them.
	Rejected
)

var trustWords = map[Trust]string{Claimed: "claimed", Found: "found", Confirmed: "confirmed", Rejected: "rejected"}

// String gives the word used in policies, mails and records.
func (t Trust) String() string {
	if w, ok := trustWords[t]; ok {
		return w
	}
	return fmt.Sprintf("trust(%d)", uint8(t))
}

// ParseTrust reads the word that String writes.
func ParseTrust(s string) (Trust, error) {
	for t, w := range trustWords {
		if w == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("parse trust %q: not one of claimed, found, confirmed, rejected", s)
}

// Meets reports whether a key of this trust may be used where need is asked for.
func (t Trust) Meets(need Trust) bool {
	return t != Rejected && t >= need && t != 0 && need >= Claimed && need <= Confirmed
}

// MarshalText writes the word.
func (t Trust) MarshalText() ([]byte, error) {
	if _, ok := trustWords[t]; !ok {
		return nil, fmt.Errorf("marshal trust %d: unknown", uint8(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads the word.
func (t *Trust) UnmarshalText(b []byte) error {
	v, err := ParseTrust(string(b))
	if err != nil {
		return err
	}
	*t = v
	return nil
}

package keyring

import "fmt"

// Why is one of a closed set of words that say why a key is not used, fit for
// logs and records.
type Why string

// The words. Each comes with a sentence for a person in UnusableError.
const (
	WhyExpired    Why = "expired"
	WhyRevoked    Why = "revoked"
	WhyNotYet     Why = "not-yet-valid"
	WhyTooSmall   Why = "too-small"
	WhyTooLarge   Why = "too-large"
	WhyAlgorithm  Why = "algorithm"
	WhyWeakHash   Why = "weak-hash"
	WhyUnbound    Why = "unbound"
	WhyNoSubkey   Why = "no-encryption-subkey"
	WhyNotSigning Why = "not-a-signing-key"
)

// UnusableError says why a certificate is not used at the instant asked about.
type UnusableError struct {
	Fingerprint Fingerprint
	Why         Why
	Text        string // for a person: "expired on 2026-12-31"
}

// Error names the key and gives the reason in words.
func (e *UnusableError) Error() string {
	if e.Fingerprint == "" {
		return e.Text
	}
	return fmt.Sprintf("key %s: %s", e.Fingerprint.Spaced(), e.Text)
}

func unusable(why Why, text string) *UnusableError { return &UnusableError{Why: why, Text: text} }

// of fills in which key is meant. It works on a copy, since reasons may be kept
// in a certificate that others read.
func (e *UnusableError) of(f Fingerprint) *UnusableError {
	c := *e
	c.Fingerprint = f
	return &c
}

package store

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"golang.org/x/crypto/scrypt"
)

// How the master key is wrapped, as the key file names it.
const (
	wrapKey        = "hkdf-sha256"
	wrapPassphrase = "scrypt"
)

const (
	keyBytes  = 32
	saltBytes = 32
	// scryptCost is N; with r = 8 and p = 1 one try takes 128 MiB and about half a second, for us as for a guesser.
	scryptCost = 1 << 17
	// scryptMost is the highest N believed of a key file: 1 GiB.
	scryptMost = 1 << 20
)

// Unlock is the credential that opens a store: a random key or a passphrase. In production it does not lie on the disk that
// holds the store (H2). It prints as nothing.
type Unlock struct {
	method string
	secret []byte
}

// UnlockKey is a credential of 32 random bytes. The key that wraps the store's master key is derived from it by HKDF-SHA256.
func UnlockKey(b []byte) Unlock { return Unlock{wrapKey, b} }

// UnlockPassphrase is a credential that a person can type. It goes through scrypt (N = 2^17, r = 8, p = 1): about half a
// second and 128 MiB at each Open.
func UnlockPassphrase(p []byte) Unlock { return Unlock{wrapPassphrase, p} }

// String hides the secret.
func (u Unlock) String() string { return "[credential]" }

// GoString hides the secret.
func (u Unlock) GoString() string { return "[credential]" }

// LogValue hides the secret.
func (u Unlock) LogValue() slog.Value { return slog.StringValue("[credential]") }

func (u Unlock) check() error {
	switch {
	case u.method == wrapKey && len(u.secret) != keyBytes:
		return fmt.Errorf("the key has %d bytes, not %d", len(u.secret), keyBytes)
	case len(u.secret) == 0:
		return fmt.Errorf("the credential is empty")
	}
	return nil
}

// derive returns the key that wraps the master key.
func (u Unlock) derive(salt []byte, cost int) ([]byte, error) {
	if u.method == wrapPassphrase {
		return scrypt.Key(u.secret, salt, cost, 8, 1, keyBytes)
	}
	return hkdf.Key(sha256.New, u.secret, salt, "parley store: wrap the master key", keyBytes)
}

package keyring

import (
	"crypto"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	gopenpgp "github.com/ProtonMail/gopenpgp/v2/crypto"
)

// Algorithm is a kind of key that Generate makes.
type Algorithm string

const (
	// Ed25519 signs with Ed25519 and encrypts with X25519, in the form that
	// GnuPG 2.2 reads (EdDSA and ECDH with the legacy curve numbers).
	Ed25519 Algorithm = "ed25519"
	// RSA4096 signs and encrypts with RSA of 4096 bits. Making one takes seconds.
	RSA4096 Algorithm = "rsa4096"
)

// Generate makes a version 4 key that does not expire: a primary key that
// certifies and signs, and an encryption subkey. The user ID is "name <address>",
// or the bare address if name is empty.
func Generate(name, address string, alg Algorithm, at time.Time) (*Secret, error) {
	return GenerateUntil(name, address, alg, at, time.Time{})
}

// GenerateUntil is Generate for a key that ends at an instant, in whole seconds
// from at; the zero one is never.
func GenerateUntil(name, address string, alg Algorithm, at, end time.Time) (*Secret, error) {
	config, err := generation(alg, at)
	if err != nil {
		return nil, err
	}
	if config.KeyLifetimeSecs, err = lifetime(at, end); err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	if strings.ContainsFunc(name+address, func(r rune) bool { return r < ' ' || r == 0x7f }) || addressIn(address) == "" {
		return nil, fmt.Errorf("generate key for %q %q: not a name and an address", name, address)
	}
	if name == "" {
		name, address = address, ""
	}
	entity, err := openpgp.NewEntity(name, "", address, config)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	key, err := gopenpgp.NewKeyFromEntity(entity)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	data, err := key.Serialize()
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return ParseSecret(data)
}

func generation(alg Algorithm, at time.Time) (*packet.Config, error) {
	c := signing(at)
	c.DefaultCipher = packet.CipherAES256
	switch alg {
	case Ed25519:
		c.Algorithm, c.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
	case RSA4096:
		c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 4096
	default:
		return nil, fmt.Errorf("generate key: unknown algorithm %q", alg)
	}
	return c, nil
}

// lifetime is how long a key that was made at an instant lasts until its end, as
// self-signatures say it: in seconds, 0 for ever. RFC 9580, section 5.2.3.13.
func lifetime(made, end time.Time) (uint32, error) {
	if end.IsZero() {
		return 0, nil
	}
	n := end.Unix() - made.Unix() // no Duration, which ends after 292 years
	if n <= 0 {
		return 0, fmt.Errorf("it would have ended on %s, before it was made", end.UTC().Format(day))
	}
	if n > math.MaxUint32 {
		return 0, fmt.Errorf("it cannot last until %s: 136 years are the longest", end.UTC().Format(day))
	}
	return uint32(n), nil
}

// signing is how everything is signed here: SHA-512, at the instant given, and
// without the library's salt notation, which would tell what made the signature.
func signing(at time.Time) *packet.Config {
	no := false
	return &packet.Config{
		DefaultHash:                           crypto.SHA512,
		Time:                                  func() time.Time { return at },
		NonDeterministicSignaturesViaNotation: &no,
	}
}

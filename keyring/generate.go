package keyring

import (
	"crypto"
	"fmt"
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
	config, err := generation(alg, at)
	if err != nil {
		return nil, err
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

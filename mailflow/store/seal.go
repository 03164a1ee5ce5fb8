package store

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed value is
//
//	scope number (4 bytes, big-endian) | nonce (24) | XChaCha20-Poly1305 ciphertext and tag (16)
//
// Its associated data binds the bucket, the scope, the version and the key it stands under, so that it opens nowhere else
// (H1). The nonce is random: two processes that were copied from one (a restored virtual machine) must not count alike.
const (
	scopeBytes   = 4
	nonceBytes   = chacha20poly1305.NonceSizeX
	tagBytes     = chacha20poly1305.Overhead
	sealOverhead = scopeBytes + nonceBytes + tagBytes
)

// A scopeKey seals what belongs to one scope. A store has one for each report that ever came, so it is no more than the bytes
// of the key: a cipher is made of them for each value, which costs less than the value does.
type scopeKey struct {
	number uint32
	there  bool // else the key was destroyed, and the rest is zero
	name   Scope
	key    [keyBytes]byte
}

// newScopeKey copies the key.
func newScopeKey(number uint32, name Scope, key []byte) (*scopeKey, error) {
	if len(key) != keyBytes {
		return nil, fmt.Errorf("a key has %d bytes, not %d", len(key), keyBytes)
	}
	return &scopeKey{number, true, name, [keyBytes]byte(key)}, nil
}

func (k *scopeKey) aead() cipher.AEAD {
	aead, _ := chacha20poly1305.NewX(k.key[:]) // fails only for another length
	return aead
}

// place says where a value stands.
type place struct {
	bucket  string
	key     []byte
	version uint64
}

// bind appends the associated data of a value sealed there under a scope. Every part has a fixed length or is preceded by it.
func (p place) bind(dst []byte, scope uint32) []byte {
	dst = append(dst, byte(len(p.bucket)))
	dst = append(dst, p.bucket...)
	dst = binary.BigEndian.AppendUint32(dst, scope)
	dst = binary.BigEndian.AppendUint64(dst, p.version)
	return append(dst, p.key...)
}

// seal returns a slice of its own: the engine keeps it until the commit.
func (k *scopeKey) seal(bound, plain []byte) []byte {
	out := make([]byte, scopeBytes+nonceBytes, sealOverhead+len(plain))
	binary.BigEndian.PutUint32(out, k.number)
	nonce := out[scopeBytes:]
	_, _ = rand.Read(nonce) // never fails: it ends the program instead
	return k.aead().Seal(out, nonce, plain, bound)
}

// open appends the plaintext to dst. What names another key than this is not of it, whoever asks it: the number stands in the
// sealed bytes and is sealed only where a row is bound to it.
func (k *scopeKey) open(dst, bound, sealed []byte) ([]byte, error) {
	if binary.BigEndian.Uint32(sealed) != k.number {
		return nil, ErrTampered
	}
	body := sealed[scopeBytes:]
	plain, err := k.aead().Open(dst, body[:nonceBytes], body[nonceBytes:], bound)
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// scopeOf reads the scope number of a sealed value.
func scopeOf(sealed []byte) (uint32, bool) {
	if len(sealed) < sealOverhead {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed), true
}

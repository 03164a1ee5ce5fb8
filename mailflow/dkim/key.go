// Package dkim makes the keys, DNS records and signatures by which a mail server sees that a mail was sent for our domain
// (RFC 6376). It says nothing of who wrote the mail or what is in it: OpenPGP does that.
package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
)

// Algorithm is a kind of key.
type Algorithm string

const (
	// RSA2048 is what every receiver verifies. 2048 bits are what RFC 8301 section 3.2 asks for, and what one TXT record holds.
	RSA2048 Algorithm = "rsa2048"
	// Ed25519 (RFC 8463) is short; many receivers do not know it yet, and take no notice. It is used beside RSA.
	Ed25519 Algorithm = "ed25519"
)

// A Key signs for one selector. It never changes.
type Key struct {
	Selector  string
	Algorithm Algorithm
	private   crypto.Signer
	record    string
}

// Generate makes a key.
func Generate(a Algorithm, selector string) (*Key, error) {
	switch a {
	case RSA2048:
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make a DKIM key: %w", err)
		}
		return newKey(selector, private)
	case Ed25519:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a DKIM key: %w", err)
		}
		return newKey(selector, private)
	}
	return nil, fmt.Errorf("make a DKIM key: %q is neither %s nor %s", a, RSA2048, Ed25519)
}

// Parse reads what Bytes gave.
func Parse(selector string, pkcs8 []byte) (*Key, error) {
	private, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("read a DKIM key: %w", err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("read a DKIM key: it cannot sign")
	}
	return newKey(selector, signer)
}

func newKey(selector string, private crypto.Signer) (*Key, error) {
	k := &Key{Selector: selector, private: private}
	switch public := private.Public().(type) {
	case *rsa.PublicKey:
		// SubjectPublicKeyInfo is what is published everywhere, and what erratum 3017 of RFC 6376 settles on.
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return nil, fmt.Errorf("write a DKIM record: %w", err)
		}
		k.Algorithm, k.record = RSA2048, "v=DKIM1; k=rsa; p="+base64.StdEncoding.EncodeToString(der)
	case ed25519.PublicKey: // bare, RFC 8463 section 4
		k.Algorithm, k.record = Ed25519, "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(public)
	default:
		return nil, fmt.Errorf("read a DKIM key: %T is of no kind that DKIM knows", public)
	}
	return k, nil
}

// Bytes is the secret, as PKCS #8.
func (k *Key) Bytes() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }

// Record is the text to publish under Name (RFC 6376 section 3.6.1).
func (k *Key) Record() string { return k.record }

// Name is where the record of a selector is published (RFC 6376 section 3.6.2.1).
func Name(selector, domain string) string { return selector + "._domainkey." + domain }

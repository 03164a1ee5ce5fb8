package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// selfSignedLife is how long the first certificate lasts: long enough to
// replace it by a real one, not long enough to forget.
const selfSignedLife = 2 * 365 * 24 * time.Hour

// certificate makes a self-signed one with its key, where the operator has
// not put files of its own.
func (m *maker) certificate(set *settings, now time.Time) error {
	_, noCert := os.Lstat(set.CertFile)
	_, noKey := os.Lstat(set.KeyFile)
	if noCert == nil && noKey == nil {
		return nil
	}
	cert, key, err := selfSigned(set, now)
	if err != nil {
		return fmt.Errorf("make TLS certificate: %w", err)
	}
	return errors.Join(m.file(set.CertFile, cert), m.file(set.KeyFile, key))
}

// selfSigned makes an ECDSA P-256 certificate for both domains and for
// clients on the same machine, as PEM.
func selfSigned(set *settings, now time.Time) (cert, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: set.Domain},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(selfSignedLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{set.Domain, set.DeskDomain, "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, err
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return cert, key, nil
}

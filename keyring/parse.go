package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits for reading certificates. A flooded certificate is cut down to its
// own statements; anything larger than this is refused.
const (
	maxCertificateInput = 2 << 20
	maxCertificates     = 64
	maxPacket           = 64 << 10 // larger packets, pictures for one, are left out
	maxChecks           = 200      // verifications for one certificate
	maxOthers           = 100      // certifications by others kept for one certificate
)

// ErrSecretKey says that what should have been a certificate holds a secret key.
var ErrSecretKey = errors.New("this is a secret key, not a certificate")

// ParseCertificates reads the certificates in data, binary or in armor with any
// text around it. It returns those that can be read; only if there is none, the
// error says what was wrong with the first. Secret keys anywhere in data make it
// fail with ErrSecretKey.
func ParseCertificates(data []byte) ([]*Certificate, error) {
	certs, unread, err := ParseKeyFile(data)
	if err == nil && len(certs) == 0 {
		err = unread[0]
	}
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	return certs, nil
}

// ErrNoCertificate says that there is nothing in the data that is, or was meant
// as, a certificate.
var ErrNoCertificate = errors.New("there is none")

// ParseKeyFile is ParseCertificates for a file that a person gave: it says of
// every certificate that could not be read why.
func ParseKeyFile(data []byte) (certs []*Certificate, unread []error, err error) {
	if len(data) > maxCertificateInput {
		return nil, nil, fmt.Errorf("%d bytes, more than %d", len(data), maxCertificateInput)
	}
	groups, err := certificatePackets(data)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range groups {
		c, err := newCertificate(g)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		certs = append(certs, c)
	}
	if len(groups) == 0 {
		err = ErrNoCertificate
	}
	return certs, unread, err
}

// certificatePackets splits data into the packets of each certificate.
func certificatePackets(data []byte) ([][]rawPacket, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors put it in front of armor
	if len(data) > 0 && data[0]&0x80 != 0 && !utf8.Valid(data) {
		return groupPackets(data)
	}
	// Also one that is damaged, or stands behind what cannot be read, is a secret.
	if bytes.Contains(data, []byte("-----BEGIN "+ArmorSecretKey)) {
		return nil, ErrSecretKey
	}
	var groups [][]rawPacket
	for _, b := range FindArmor(data) {
		if b.Kind != ArmorPublicKey {
			continue
		}
		g, err := groupPackets(b.Data)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g...)
	}
	return groups, nil
}

func groupPackets(data []byte) ([][]rawPacket, error) {
	var groups [][]rawPacket
	for len(data) > 0 {
		p, rest, err := nextPacket(data)
		if err != nil {
			return nil, err
		}
		data = rest
		switch p.tag {
		case tagSecretKey, tagSecretSubkey:
			return nil, ErrSecretKey
		case tagPublicKey:
			if len(groups) == maxCertificates {
				return nil, fmt.Errorf("more than %d certificates", maxCertificates)
			}
			groups = append(groups, nil)
		}
		if len(groups) == 0 {
			return nil, errPackets
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], p)
	}
	return groups, nil
}

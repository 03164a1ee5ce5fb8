package keyring

import (
	"crypto"
	_ "crypto/sha512" // makes SHA-512 available to package crypto
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Sign makes a detached binary signature over data with SHA-512. RFC 9580,
// section 5.2.1.1.
func Sign(data []byte, signer *Secret, at time.Time) ([]byte, error) {
	key, err := signer.signingKey(at)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature(data, key, nil, at)
}

// signature makes a signature packet, naming the keys that the message is meant
// for, so that a recipient cannot pass it on as if it had been meant for others.
func signature(data []byte, key *packet.PrivateKey, to []*Certificate, at time.Time) ([]byte, error) {
	sig := &packet.Signature{
		Version:           key.Version,
		SigType:           packet.SigTypeBinary,
		PubKeyAlgo:        key.PubKeyAlgo,
		Hash:              crypto.SHA512,
		CreationTime:      at,
		IssuerKeyId:       &key.KeyId,
		IssuerKeyVersion:  uint8(key.Version),
		IssuerFingerprint: key.Fingerprint,
	}
	for _, c := range to {
		sig.IntendedRecipients = append(sig.IntendedRecipients,
			&packet.Recipient{KeyVersion: c.primary.Version, Fingerprint: c.primary.Fingerprint})
	}
	config := signing(at)
	h, err := sig.PrepareSign(config)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	h.Write(data)
	if err := sig.Sign(h, key, config); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var out sliceWriter
	if err := sig.Serialize(&out); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return out, nil
}

// intended reports whether a signature names no recipients or one of us.
// RFC 9580, section 5.2.3.36.
func intended(s *packet.Signature, us []Fingerprint) bool {
	if len(s.IntendedRecipients) == 0 {
		return true
	}
	for _, r := range s.IntendedRecipients {
		for _, f := range us {
			if fingerprintOf(r.Fingerprint) == f {
				return true
			}
		}
	}
	return false
}

package keyring

import (
	"crypto"
	_ "crypto/sha512" // makes SHA-512 available to package crypto
	"fmt"
	"hash"
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
	s, err := beginSignature(key, nil, at)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	s.hash.Write(data)
	sig, err := s.finish()
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return sig, nil
}

// pendingSignature is a signature whose data is being hashed.
type pendingSignature struct {
	sig    *packet.Signature
	hash   hash.Hash // takes the data
	key    *packet.PrivateKey
	config *packet.Config
}

// beginSignature begins a signature, naming the keys that the message is meant
// for, so that a recipient cannot pass it on as if it had been meant for others.
func beginSignature(key *packet.PrivateKey, to []*Certificate, at time.Time) (*pendingSignature, error) {
	s := &packet.Signature{
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
		s.IntendedRecipients = append(s.IntendedRecipients,
			&packet.Recipient{KeyVersion: c.primary.Version, Fingerprint: c.primary.Fingerprint})
	}
	config := signing(at)
	h, err := s.PrepareSign(config)
	if err != nil {
		return nil, err
	}
	return &pendingSignature{s, h, key, config}, nil
}

// onePass announces the signature, in front of the data. RFC 9580, section 5.4.
func (p *pendingSignature) onePass() ([]byte, error) {
	s, key := p.sig, p.key
	o := &packet.OnePassSignature{Version: 3, SigType: s.SigType, Hash: s.Hash, PubKeyAlgo: s.PubKeyAlgo, KeyId: key.KeyId, IsLast: true}
	if key.Version == 6 {
		o.Version, o.Salt, o.KeyFingerprint = 6, s.Salt(), key.Fingerprint
	}
	var out sliceWriter
	err := o.Serialize(&out)
	return out, err
}

// finish signs what was hashed and returns the packet.
func (p *pendingSignature) finish() ([]byte, error) {
	if err := p.sig.Sign(p.hash, p.key, p.config); err != nil {
		return nil, err
	}
	var out sliceWriter
	err := p.sig.Serialize(&out)
	return out, err
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

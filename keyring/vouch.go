package keyring

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Certify vouches with our primary key for every user ID that c itself has
// signed, as positive certifications (RFC 9580, section 5.2.1.4), so that whoever
// trusts our key can follow to c. It returns c with them. c must be good at that
// instant, and so must we be: what an ended key says counts for nothing.
func (s *Secret) Certify(c *Certificate, at time.Time) (*Certificate, error) {
	if c.fingerprint == s.cert.fingerprint {
		return nil, errors.New("certify: a key cannot vouch for itself")
	}
	for _, side := range []*Certificate{s.cert, c} {
		if f := side.usable(at); f != nil {
			return nil, fmt.Errorf("certify: %w", f.of(side.fingerprint))
		}
	}
	vouched := *c
	vouched.users = nil
	for _, u := range c.users {
		if newest(u.self, at) != nil && !u.revoked(at) {
			raw, err := s.vouchFor(u.id, c.primary, at)
			if err != nil {
				return nil, fmt.Errorf("certify: %w", err)
			}
			u = &userID{id: u.id, raw: u.raw, self: u.self, revs: u.revs, others: append(slices.Clone(u.others), &binding{raw: raw})}
		}
		vouched.users = append(vouched.users, u)
	}
	return vouched.again()
}

func (s *Secret) vouchFor(id string, key *packet.PublicKey, at time.Time) ([]byte, error) {
	own := s.primaryKey()
	sig := &packet.Signature{Version: own.Version, SigType: packet.SigTypePositiveCert, PubKeyAlgo: own.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: at, IssuerKeyId: &own.KeyId, IssuerKeyVersion: uint8(own.Version), IssuerFingerprint: own.Fingerprint}
	if err := sig.SignUserId(id, key, own, signing(at)); err != nil {
		return nil, err
	}
	return packetOf(sig)
}

func (s *Secret) primaryKey() *packet.PrivateKey { return s.keys[s.cert.primary.KeyId] }

// again reads a certificate that was put together from what it holds.
func (c *Certificate) again() (*Certificate, error) {
	packets, err := joinPackets(c.serialize())
	if err != nil {
		return nil, err
	}
	return newCertificate(packets)
}

func packetOf(sig *packet.Signature) ([]byte, error) {
	var out sliceWriter
	err := sig.Serialize(&out)
	return out, err
}

// ArmorCertificates writes several certificates into one block of armor, in that
// order, without version and comment lines.
func ArmorCertificates(certs ...*Certificate) ([]byte, error) {
	var data []byte
	for _, c := range certs {
		data = append(data, c.bytes...)
	}
	return EncodeArmor(ArmorPublicKey, data)
}

// Recipients lists the key IDs that a binary encrypted message names, without
// opening anything; hidden ones are left out. It gives nothing for what is no
// encrypted message.
func Recipients(data []byte) []uint64 {
	env, err := openEnvelope(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	var ids []uint64
	for _, p := range env.keys {
		if k, ok := encryptedKey(p); ok && k.KeyId != 0 {
			ids = append(ids, k.KeyId)
		}
	}
	return ids
}

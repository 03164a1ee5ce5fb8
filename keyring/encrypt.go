package keyring

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/gopenpgp/v2/constants"
	"github.com/ProtonMail/gopenpgp/v2/crypto"
)

// Encrypt signs data and encrypts it to exactly the certificates given, each
// once, and to nobody else: not to ourselves, and never to no one. It fails if
// a single one of them cannot be encrypted to at that instant. The result is
// binary: a version 1 SEIPD packet (RFC 9580, section 5.13.1), which every
// OpenPGP program reads, uncompressed, so that its size tells nothing of the
// content beyond its length.
func Encrypt(data []byte, to []*Certificate, signer *Secret, at time.Time) ([]byte, error) {
	if len(to) == 0 {
		return nil, errors.New("encrypt: no recipient")
	}
	if signer == nil {
		return nil, errors.New("encrypt: nobody to sign")
	}
	key, err := signer.signingKey(at)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	to = distinct(to)
	session, err := crypto.GenerateSessionKeyAlgo(cipherFor(to, at))
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	cipher, err := session.GetCipherFunc()
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	out := make(sliceWriter, 0, len(data)+len(data)/64+4096)
	for _, c := range to {
		k, fault := c.encryptionKey(at)
		if fault != nil {
			return nil, fmt.Errorf("encrypt: %w", fault.of(c.fingerprint))
		}
		if err := packet.SerializeEncryptedKeyAEAD(&out, k, cipher, false, session.Key, nil); err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
	}
	if err := encryptBody(&out, data, to, key, cipher, session.Key, at); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out, nil
}

// encryptBody writes the SEIPD packet with a one-pass signed message in it.
func encryptBody(out *sliceWriter, data []byte, to []*Certificate, key *packet.PrivateKey, cipher packet.CipherFunction, session []byte, at time.Time) error {
	sig, err := signature(data, key, to, at)
	if err != nil {
		return err
	}
	onePass, err := onePass(key, sig)
	if err != nil {
		return err
	}
	w, err := packet.SerializeSymmetricallyEncrypted(out, cipher, false, packet.CipherSuite{}, session, nil)
	if err != nil {
		return err
	}
	// One write keeps the packet in one piece.
	message := make([]byte, 0, len(data)+len(sig)+256)
	message = append(message, onePass...)
	message = appendHeader(message, tagLiteral, len(data)+6)
	message = append(message, 'b', 0, 0, 0, 0, 0) // no name and no date: RFC 9580, section 5.9
	message = append(message, data...)
	message = append(message, sig...)
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Close()
}

// onePass announces the signature that follows the data. RFC 9580, section 5.4.
func onePass(key *packet.PrivateKey, sig []byte) ([]byte, error) {
	p, _, err := nextPacket(sig)
	if err != nil {
		return nil, err
	}
	parsed, err := p.parse()
	if err != nil {
		return nil, err
	}
	s, ok := parsed.(*packet.Signature)
	if !ok {
		return nil, errPackets
	}
	o := &packet.OnePassSignature{Version: 3, SigType: s.SigType, Hash: s.Hash, PubKeyAlgo: s.PubKeyAlgo, KeyId: key.KeyId, IsLast: true}
	if key.Version == 6 {
		o.Version, o.Salt, o.KeyFingerprint = 6, s.Salt(), key.Fingerprint
	}
	var out sliceWriter
	err = o.Serialize(&out)
	return out, err
}

func distinct(to []*Certificate) []*Certificate {
	seen := map[Fingerprint]bool{}
	return slices.DeleteFunc(slices.Clone(to), func(c *Certificate) bool {
		again := seen[c.fingerprint]
		seen[c.fingerprint] = true
		return again
	})
}

// cipherFor is AES-256 if everybody says that they read it, else AES-128, which
// everybody must. RFC 9580, section 9.3.
func cipherFor(to []*Certificate, at time.Time) string {
	for _, c := range to {
		p := c.properties(at)
		if p == nil || !slices.Contains(p.PreferredSymmetric, byte(packet.CipherAES256)) {
			return constants.AES128
		}
	}
	return constants.AES256
}

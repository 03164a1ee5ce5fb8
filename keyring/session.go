package keyring

import (
	"crypto/rand"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// sessionKey is what one message is encrypted with.
type sessionKey struct {
	key    []byte
	cipher packet.CipherFunction // version 3 only: version 2 data names its own
	v6     bool                  // from a version 6 packet
}

// envelope is an encrypted message up to the encrypted data.
type envelope struct {
	keys      []rawPacket // public-key encrypted session keys
	passwords bool
	data      *packetBody // the SEIPD packet
}

// openEnvelope reads the packets in front of the encrypted data. RFC 9580,
// section 10.3.
func openEnvelope(src byteSource) (*envelope, error) {
	env, held := &envelope{}, 0
	for range maxKeyPackets {
		p, err := readPacket(src)
		if err != nil {
			return nil, closed(ReasonMalformed)
		}
		switch p.tag {
		case tagProtected:
			env.data = p
			return env, nil
		case tagEncryptedKey:
			k, err := p.small()
			if held += len(k.body); err != nil || held > maxKeyOctets {
				return nil, closed(ReasonMalformed)
			}
			env.keys = append(env.keys, k)
			continue
		case tagPasswordKey:
			env.passwords = true
		case tagMarker, tagPadding:
		case tagUnprotected, tagAEAD:
			return nil, closed(ReasonUnprotected)
		case tagLiteral, tagCompressed, tagOnePass, tagSignature:
			return nil, closed(ReasonPlain)
		default:
			if p.tag < firstUncritical {
				return nil, closed(ReasonMalformed)
			}
		}
		if p.skip() != nil {
			return nil, closed(ReasonMalformed)
		}
	}
	return nil, closed(ReasonMalformed)
}

func tagOf(first byte) byte {
	if first&0x40 != 0 {
		return first & 0x3f
	}
	return first >> 2 & 0x0f
}

// sessionKey opens one of the session key packets. It returns the key, or why
// there is none.
func (env *envelope) sessionKey(secrets []*Secret) (*sessionKey, string) {
	tries := 0
	for _, p := range env.keys {
		k, ok := encryptedKey(p)
		if !ok {
			continue
		}
		for _, s := range secrets {
			if !s.decrypts(k.KeyId) || tries == maxKeyTries {
				continue
			}
			tries++
			if key := s.open(k); key != nil {
				return key, ""
			}
		}
	}
	if tries == 0 && len(secrets) > 0 {
		secrets[0].motions()
	}
	switch {
	case tries > 0:
		return nil, ReasonSession
	case len(env.keys) == 0 && env.passwords:
		return nil, ReasonPassword
	}
	return nil, ReasonNoKey
}

// encryptedKey reads a session key packet. RFC 9580, section 5.1.
func encryptedKey(p rawPacket) (*packet.EncryptedKey, bool) {
	parsed, err := p.parse()
	if err != nil {
		return nil, false
	}
	k, ok := parsed.(*packet.EncryptedKey)
	if !ok || k.Algo == packet.PubKeyAlgoElGamal {
		return nil, false
	}
	return k, true
}

// open opens a session key with whichever of the secret's keys it is for; nil if
// none does.
func (s *Secret) open(k *packet.EncryptedKey) *sessionKey {
	for _, own := range s.openers {
		if k.KeyId != 0 && k.KeyId != own.KeyId {
			continue
		}
		if k.Decrypt(own, nil) == nil && k.Key != nil {
			return newSessionKey(k)
		}
	}
	return nil
}

// motions opens a session key that is good for nothing, so that a message with
// none for us costs what one does that our key makes no sense of (rule P9).
func (s *Secret) motions() {
	if k, ok := encryptedKey(s.decoy()); ok {
		s.open(k)
	}
}

// newDecoy encrypts a random session key to the key that would be tried.
func (s *Secret) newDecoy() rawPacket {
	if len(s.openers) == 0 {
		return rawPacket{}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	var out sliceWriter
	if packet.SerializeEncryptedKeyAEAD(&out, &s.openers[0].PublicKey, packet.CipherAES256, false, key, nil) != nil {
		return rawPacket{}
	}
	p, _, err := nextPacket(out)
	if err != nil {
		return rawPacket{}
	}
	return p
}

// newSessionKey checks a session key that was opened; nil if it is none.
func newSessionKey(k *packet.EncryptedKey) *sessionKey {
	key := &sessionKey{key: k.Key, cipher: k.CipherFunc, v6: k.Version == 6}
	if key.v6 {
		return key
	}
	if !key.cipher.IsSupported() || len(key.key) != key.cipher.KeySize() {
		return nil
	}
	return key
}

// fits reports whether the key can be that of the packet. A version 3 session key
// goes with version 1 data and a version 6 one with version 2; anything else is a
// downgrade. RFC 9580, section 10.3.2.1.
func (k *sessionKey) fits(se *packet.SymmetricallyEncrypted) bool {
	if se.Version == 2 {
		return k.v6 && len(k.key) == se.Cipher.KeySize()
	}
	return !k.v6
}

// blindKey is a random key that opens nothing.
func blindKey(se *packet.SymmetricallyEncrypted) *sessionKey {
	k := make([]byte, 32)
	_, _ = rand.Read(k) // never fails (crypto/rand)
	if se.Version == 2 {
		return &sessionKey{key: k[:se.Cipher.KeySize()], v6: true}
	}
	return &sessionKey{key: k, cipher: packet.CipherAES256}
}

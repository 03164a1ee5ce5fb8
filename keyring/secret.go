package keyring

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Secret is a secret key with its certificate, not protected by a passphrase:
// the store seals it. It never changes and is safe for concurrent use. Printing
// or logging one shows its fingerprint only.
type Secret struct {
	cert    *Certificate
	keys    map[uint64]*packet.PrivateKey // by key ID
	openers []*packet.PrivateKey          // those that open session keys
	decoy   func() rawPacket              // a session key for one of them, made when first needed
	data    []byte
}

// ParseSecret reads one secret key, binary or in armor, that is not protected by
// a passphrase.
func ParseSecret(data []byte) (*Secret, error) {
	packets, err := secretPackets(data)
	if err != nil {
		return nil, fmt.Errorf("read secret key: %w", err)
	}
	s := &Secret{keys: map[uint64]*packet.PrivateKey{}}
	var public []rawPacket
	for _, p := range packets {
		s.data = append(s.data, p.raw...)
		if p.tag == tagSecretKey || p.tag == tagSecretSubkey {
			if p, err = s.take(p); err != nil {
				return nil, fmt.Errorf("read secret key: %w", err)
			}
		}
		public = append(public, p)
	}
	if s.cert, err = newCertificate(public); err != nil {
		return nil, fmt.Errorf("read secret key: %w", err)
	}
	if s.keys[s.cert.primary.KeyId] == nil {
		return nil, errors.New("read secret key: the primary key's secret is missing")
	}
	s.openers = s.decryptionKeys()
	s.decoy = sync.OnceValue(s.newDecoy)
	return s, nil
}

// secretPackets splits data, which must hold one secret key.
func secretPackets(data []byte) ([]rawPacket, error) {
	if len(data) > maxCertificateInput {
		return nil, errors.New("too large")
	}
	if len(data) > 0 && data[0]&0x80 == 0 {
		blocks := FindArmor(data)
		if len(blocks) != 1 || blocks[0].Kind != ArmorSecretKey {
			return nil, errors.New("want one block of armor with a secret key")
		}
		data = blocks[0].Data
	}
	packets, err := joinPackets(data)
	if err != nil {
		return nil, err
	}
	for i, p := range packets {
		if (p.tag == tagSecretKey) != (i == 0) || p.tag == tagPublicKey {
			return nil, errors.New("want exactly one secret key")
		}
	}
	if len(packets) == 0 {
		return nil, errPackets
	}
	return packets, nil
}

// take keeps the secret half of a key packet and returns the public half.
func (s *Secret) take(p rawPacket) (rawPacket, error) {
	if err := checkKeySize(p.body); err != nil {
		return p, err
	}
	parsed, err := p.parse()
	if err != nil {
		return p, fmt.Errorf("read key packet: %w", err)
	}
	k, ok := parsed.(*packet.PrivateKey)
	if !ok {
		return p, errPackets
	}
	if k.Encrypted {
		return p, errors.New("it is protected by a passphrase")
	}
	if !k.Dummy() {
		s.keys[k.KeyId] = k
	}
	var public sliceWriter
	if err := k.PublicKey.Serialize(&public); err != nil {
		return p, err
	}
	p, _, err = nextPacket(public)
	return p, err
}

// decryptionKeys are the subkeys that open messages. They are kept past their
// expiry, since what was sent before can still come.
func (s *Secret) decryptionKeys() []*packet.PrivateKey {
	var keys []*packet.PrivateKey
	for _, sub := range s.cert.subkeys {
		if k := s.keys[sub.key.KeyId]; k != nil && sub.encrypts() && algorithmFault(sub.key) == nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// Bytes is the secret key in binary form, with its certificate. Whoever has it
// has everything: it belongs into the sealed store and nowhere else.
func (s *Secret) Bytes() []byte { return s.data }

// Certificate is the public half.
func (s *Secret) Certificate() *Certificate { return s.cert }

// String names the key without showing it.
func (s *Secret) String() string { return "secret key " + string(s.cert.fingerprint) }

// GoString is String, so that no verb of package fmt shows the key.
func (s *Secret) GoString() string { return s.String() }

// LogValue is the fingerprint.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(string(s.cert.fingerprint)) }

// decrypts reports whether the key with that ID is one of ours that opens
// messages; 0 stands for any.
func (s *Secret) decrypts(keyID uint64) bool {
	for _, sub := range s.cert.subkeys {
		if (keyID == 0 || sub.key.KeyId == keyID) && s.keys[sub.key.KeyId] != nil && sub.encrypts() {
			return true
		}
	}
	return false
}

// signingKey is the newest usable signing subkey, else the primary key.
func (s *Secret) signingKey(at time.Time) (*packet.PrivateKey, error) {
	if err := s.cert.CanVerify(at); err != nil {
		return nil, err
	}
	var best *subkey
	for _, sub := range s.cert.subkeys {
		b := newest(sub.self, at)
		if b == nil || !b.sig.FlagSign || sub.fault(at) != nil || s.keys[sub.key.KeyId] == nil {
			continue
		}
		if best == nil || sub.key.CreationTime.After(best.key.CreationTime) {
			best = sub
		}
	}
	if best != nil {
		return s.keys[best.key.KeyId], nil
	}
	if k := s.keys[s.cert.primary.KeyId]; k != nil && s.cert.signsItself(at) {
		return k, nil
	}
	return nil, unusable(WhyNotSigning, "its signing key is not here").of(s.cert.fingerprint)
}

// sliceWriter is the smallest io.Writer.
type sliceWriter []byte

func (w *sliceWriter) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/gopenpgp/v2/constants"
	"github.com/ProtonMail/gopenpgp/v2/crypto"
)

// Limits bound what opening one message may cost.
type Limits struct {
	Plain   int64 // bytes of plaintext that compressed data may grow to
	Ratio   int   // how many times its size compressed data may grow, once it is over 1 MiB
	Nesting int   // how many times over data may be compressed
}

// DefaultLimits are 64 MiB, 100:1 and 4.
func DefaultLimits() Limits { return Limits{Plain: 64 << 20, Ratio: 100, Nesting: 4} }

// OrDefaults puts the default in place of each limit that is zero.
func (l Limits) OrDefaults() Limits {
	d := DefaultLimits()
	if l.Plain == 0 {
		l.Plain = d.Plain
	}
	if l.Ratio == 0 {
		l.Ratio = d.Ratio
	}
	if l.Nesting == 0 {
		l.Nesting = d.Nesting
	}
	return l
}

// Bounds on what a message may make us try.
const (
	maxKeyPackets = 1000 // session key packets looked at
	maxKeyTries   = 16   // of these, how many our secret keys are tried on
	maxSignatures = 16
)

// Message is an opened OpenPGP message. Everything in it has passed the
// integrity check, if it was encrypted. Nothing is verified yet.
type Message struct {
	Data       []byte
	Name       string // the file name in it, not to be trusted
	Encrypted  bool
	Signatures []*Signature // over Data
	Body       [32]byte     // SHA-256 of the SEIPD packet's body, however it was cut into pieces
}

// Decrypt opens a binary encrypted message with whichever of the secret keys it
// is encrypted to. It takes SEIPD packets of versions 1 and 2 (RFC 9580, section
// 5.13) and refuses all without integrity protection. Passwords are not tried.
//
// Nothing is returned before all of the message has passed its integrity check.
// It holds about twice the size of data while it works; whoever opens large
// messages limits how many are opened at once. Every failure is an
// ErrUndecryptable; when ctx ends the error is the context's, which says nothing
// about the message.
func Decrypt(ctx context.Context, data []byte, secrets []*Secret, l Limits) (*Message, error) {
	env, err := openEnvelope(data)
	if err != nil {
		return nil, err
	}
	session, why := env.sessionKey(secrets)
	if session == nil && why != ReasonSession {
		return nil, closed(why)
	}
	plain, body, err := decryptBody(ctx, env, session)
	if why != "" && ctx.Err() == nil {
		return nil, closed(why)
	}
	if err != nil {
		return nil, err
	}
	m, err := readContent(ctx, plain, l, int64(len(data)))
	if err != nil {
		return nil, err
	}
	m.Encrypted, m.Body = true, body
	return m, nil
}

// envelope is an encrypted message before it is decrypted.
type envelope struct {
	keys      []rawPacket // public-key encrypted session keys
	passwords bool
	body      []byte // the SEIPD packet and what follows
}

// openEnvelope reads the packets in front of the encrypted data. RFC 9580,
// section 10.3.
func openEnvelope(data []byte) (*envelope, error) {
	env := &envelope{}
	for n := 0; n < maxKeyPackets; n++ {
		if len(data) == 0 {
			return nil, closed(ReasonMalformed)
		}
		if t := tagOf(data[0]); t == tagProtected {
			env.body = data
			return env, nil
		}
		p, rest, err := nextPacket(data)
		if err != nil {
			return nil, closed(ReasonMalformed)
		}
		switch p.tag {
		case tagEncryptedKey:
			env.keys = append(env.keys, p)
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
		data = rest
	}
	return nil, closed(ReasonMalformed)
}

func tagOf(first byte) byte {
	if first&0x40 != 0 {
		return first & 0x3f
	}
	return first >> 2 & 0x0f
}

// sessionKey opens one of the session key packets with gopenpgp. It returns the
// key, or why there is none.
func (env *envelope) sessionKey(secrets []*Secret) (*crypto.SessionKey, string) {
	tries := 0
	for _, p := range env.keys {
		id, ok := recipient(p.body)
		if !ok {
			continue
		}
		raw := appendPacket(nil, tagEncryptedKey, p.body)
		for _, s := range secrets {
			if !s.decrypts(id) || tries == maxKeyTries {
				continue
			}
			tries++
			if k, err := s.ring.DecryptSessionKey(raw); err == nil {
				return k, ""
			}
		}
	}
	switch {
	case tries > 0:
		return nil, ReasonSession
	case len(env.keys) == 0 && env.passwords:
		return nil, ReasonPassword
	}
	return nil, ReasonNoKey
}

// recipient is the key ID a session key packet names; 0 if it names none.
// RFC 9580, section 5.1.
func recipient(body []byte) (uint64, bool) {
	p := rawPacket{tag: tagEncryptedKey, body: body}
	parsed, err := p.parse()
	if err != nil {
		return 0, false
	}
	k, ok := parsed.(*packet.EncryptedKey)
	if !ok || k.Algo == packet.PubKeyAlgoElGamal {
		return 0, false
	}
	return k.KeyId, true
}

// blindKey is a random key that opens nothing. Whether our key could make sense
// of what was addressed to it must not be told by how long the answer takes, so
// decryption goes on with this one.
func blindKey(se *packet.SymmetricallyEncrypted) *crypto.SessionKey {
	k := make([]byte, 32)
	rand.Read(k) // never fails
	if se.Version == 2 {
		return crypto.NewSessionKeyFromToken(k[:se.Cipher.KeySize()], "")
	}
	return crypto.NewSessionKeyFromToken(k, constants.AES256)
}

// decryptBody decrypts all of the SEIPD packet and checks its integrity. Without
// a session key it goes through the motions.
func decryptBody(ctx context.Context, env *envelope, session *crypto.SessionKey) ([]byte, [32]byte, error) {
	var sum [32]byte
	r := bytes.NewReader(env.body)
	parsed, err := packet.Read(r)
	se, ok := parsed.(*packet.SymmetricallyEncrypted)
	if err != nil || !ok || !se.IntegrityProtected {
		return nil, sum, closed(ReasonUnprotected)
	}
	if session == nil {
		session = blindKey(se)
	}
	// A version 3 session key goes with version 1 data and a version 6 one with
	// version 2; anything else is a downgrade. RFC 9580, section 10.3.2.1.
	if session.V6 != (se.Version == 2) {
		return nil, sum, closed(ReasonMalformed)
	}
	cipher, err := session.GetCipherFunc()
	if err != nil {
		return nil, sum, closed(ReasonSession)
	}
	digest := sha256.New()
	writeSEIPDHead(digest, se)
	se.Contents = io.TeeReader(se.Contents, digest)
	plain, err := readProtected(ctx, se, cipher, session.Key, len(env.body))
	if err != nil {
		return nil, sum, err
	}
	digest.Sum(sum[:0])
	return plain, sum, nil
}

// writeSEIPDHead gives the digest the octets of the packet's body that the
// library has read already.
func writeSEIPDHead(w hash.Hash, se *packet.SymmetricallyEncrypted) {
	w.Write([]byte{byte(se.Version)})
	if se.Version == 2 {
		w.Write([]byte{byte(se.Cipher), byte(se.Mode), se.ChunkSizeByte})
		w.Write(se.Salt[:])
	}
}

// readProtected buffers the plaintext and returns it only after the integrity
// check. The plaintext is never longer than the ciphertext.
func readProtected(ctx context.Context, se *packet.SymmetricallyEncrypted, cipher packet.CipherFunction, key []byte, size int) ([]byte, error) {
	r, err := se.Decrypt(cipher, key)
	if err != nil {
		return nil, closed(ReasonIntegrity)
	}
	plain := make([]byte, 0, size)
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("decrypt message: %w", err)
		}
		if cap(plain)-len(plain) < 512 {
			plain = append(plain, make([]byte, 512)...)[:len(plain)]
		}
		end := min(cap(plain), len(plain)+1<<20)
		n, err := r.Read(plain[len(plain):end])
		plain = plain[:len(plain)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, closed(ReasonIntegrity)
		}
	}
	if err := r.Close(); err != nil {
		return nil, closed(ReasonIntegrity)
	}
	return plain, nil
}

// IsEncrypted reports whether binary data starts like an encrypted message, as
// against one that is only signed or a key.
func IsEncrypted(data []byte) bool {
	for n := 0; n < maxKeyPackets && len(data) > 0 && data[0]&0x80 != 0; n++ {
		switch t := tagOf(data[0]); {
		case t == tagEncryptedKey || t == tagPasswordKey || t == tagProtected || t == tagUnprotected || t == tagAEAD:
			return true
		case !ignored(t):
			return false
		}
		_, rest, err := nextPacket(data)
		if err != nil {
			return false
		}
		data = rest
	}
	return false
}

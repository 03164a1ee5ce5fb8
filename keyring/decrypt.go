package keyring

import (
	"context"
	"fmt"
	"io"
	"slices"
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
	maxKeyPackets = 1000    // session key packets looked at
	maxKeyOctets  = 2 << 20 // in all of these: they are held while the rest streams
	maxKeyTries   = 16      // of these, how many our secret keys are tried on
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
// Beside data it holds the plaintext once, and twice if that was compressed.
// Every failure is an ErrUndecryptable; when ctx ends the error is the context's,
// which says nothing about the message.
func Decrypt(ctx context.Context, data []byte, secrets []*Secret, l Limits) (*Message, error) {
	return decryptInto(ctx, make([]byte, 0, len(data)), data, secrets, l)
}

// DecryptOwned is Decrypt that puts the plaintext where data is, which nobody may
// use any longer, whether it succeeds or not.
func DecryptOwned(ctx context.Context, data []byte, secrets []*Secret, l Limits) (*Message, error) {
	return decryptInto(ctx, data[:0], data, secrets, l)
}

// decryptInto decrypts into dst, which may be where data is: what is written
// never overtakes what is read.
func decryptInto(ctx context.Context, dst, data []byte, secrets []*Secret, l Limits) (*Message, error) {
	u, why, err := begin(&memory{data}, secrets)
	if err != nil {
		return nil, err
	}
	plain, err := u.whole(ctx, dst)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("decrypt message: %w", ctx.Err())
	case why != "":
		return nil, closed(why)
	case err != nil:
		return nil, closed(ReasonIntegrity)
	case !u.alone():
		return nil, closed(ReasonMalformed)
	}
	m, err := readOwned(ctx, plain, l, int64(len(data)))
	if err != nil {
		return nil, err
	}
	m.Encrypted, m.Body = true, u.sum()
	return m, nil
}

// begin reads up to the encrypted data and begins to decrypt that. If why is not
// empty there was no session key that our keys could make sense of: what follows is
// then only gone through, and why is the answer.
func begin(src byteSource, secrets []*Secret) (u *unprotected, why string, err error) {
	env, err := openEnvelope(src)
	if err != nil {
		return nil, "", err
	}
	key, why := env.sessionKey(secrets)
	u, misfit, err := unprotect(env.data, key)
	if why == "" {
		why = misfit
	}
	if why != "" && err != nil {
		err = closed(why)
	}
	return u, why, err
}

// whole appends all of the plaintext to dst, and is an error if the packet is not
// whole.
func (u *unprotected) whole(ctx context.Context, dst []byte) ([]byte, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if cap(dst) == len(dst) {
			dst = slices.Grow(dst, 512)
		}
		n, err := u.Read(dst[len(dst):min(cap(dst), len(dst)+1<<20)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, u.Close()
		}
		if err != nil {
			return nil, err
		}
	}
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

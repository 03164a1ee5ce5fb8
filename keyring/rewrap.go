package keyring

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrNoRewrap says that an encrypted message cannot be handed to another
// certificate as it stands: its data is of a form that the owner's program may
// not read. It can be encrypted afresh.
var ErrNoRewrap = errors.New("the message cannot be re-wrapped")

// Rewrap gives a binary encrypted message to another certificate: one session
// key packet for that, in front of the encrypted data as it is, so that what was
// signed inside verifies as it did (RFC 9580, section 10.3). The session key
// packets that there were go: they name the keys of everybody else who could
// read it.
//
// Only version 1 data is handed on, which every program reads: ErrNoRewrap for
// any other. It is not decrypted, so whether it is whole is not looked at. A
// message that none of our keys opens is an ErrUndecryptable, a certificate that
// cannot be encrypted to at that instant an *UnusableError.
func Rewrap(data []byte, secrets []*Secret, to *Certificate, at time.Time) ([]byte, error) {
	env, err := openEnvelope(&memory{data})
	if err != nil {
		return nil, err
	}
	key, why := env.sessionKey(secrets)
	if why != "" {
		return nil, closed(why)
	}
	body, err := io.ReadAll(env.data)
	if err != nil {
		return nil, closed(ReasonMalformed)
	}
	if len(body) == 0 || body[0] != 1 || key.v6 {
		return nil, ErrNoRewrap
	}
	out, err := sessionKeys([]*Certificate{to}, key.cipher, key.key, at)
	if err != nil {
		return nil, fmt.Errorf("re-wrap message: %w", err)
	}
	return append(appendHeader(out, tagProtected, len(body)), body...), nil
}

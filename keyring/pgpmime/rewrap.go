package pgpmime

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"parley/keyring"
)

// Rewrap makes of a message that is encrypted as a whole (RFC 3156, section 4, or
// what servers on the way make of it) the same for another certificate, under a
// header of ours: the session key is wrapped anew, the encrypted data stays as it
// was, and with it the signature inside. Nothing else of the message is kept: its
// header and whatever a server put around the ciphertext were in the open.
//
// keyring.ErrNoRewrap where it has no such form; other errors as for
// keyring.Rewrap.
func Rewrap(root *Part, outer Outer, secrets []*keyring.Secret, to *keyring.Certificate, at time.Time) ([]byte, error) {
	l := findLayer(root)
	if l == nil || !l.mime {
		return nil, keyring.ErrNoRewrap
	}
	data, _, err := (&job{out: &Opened{}}).ciphertext(l.part)
	if err != nil {
		return nil, err
	}
	if data, err = keyring.Rewrap(data, secrets, to, at); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(int(keyring.ArmoredSize(keyring.ArmorMessage, int64(len(data)))) + 4096)
	err = frame(&out, outer, at, func(armor io.Writer) error {
		_, err := armor.Write(data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("re-wrap message: %w", err)
	}
	return out.Bytes(), nil
}

package keyring

import (
	"errors"
)

// ErrUndecryptable is what every failure to open an encrypted message looks
// like, whatever its cause: a difference would tell a stranger what our key did
// with what they sent. The cause is for the log only: see Reason.
var ErrUndecryptable = errors.New("the message cannot be decrypted")

// The words that Reason gives for a message that was not opened.
const (
	ReasonNoKey       = "no-key"        // encrypted, but to none of our keys
	ReasonPassword    = "password"      // encrypted to a password only
	ReasonSession     = "session-key"   // our key does not open what is addressed to it
	ReasonUnprotected = "unprotected"   // no integrity protection, or of a kind that is not supported
	ReasonIntegrity   = "integrity"     // changed on the way
	ReasonMalformed   = "malformed"     // not an OpenPGP message
	ReasonTooLarge    = "too-large"     // decompresses to more than the limits allow
	ReasonNesting     = "nesting"       // compressed too many times over
	ReasonPlain       = "not-encrypted" // said to be encrypted, and is not
)

type undecryptable struct{ reason string }

func (undecryptable) Error() string        { return ErrUndecryptable.Error() }
func (undecryptable) Is(target error) bool { return target == ErrUndecryptable }

func closed(reason string) error { return undecryptable{reason} }

// Reason gives the cause of an ErrUndecryptable as one of a closed set of words,
// for the log; "" for any other error.
func Reason(err error) string {
	var u undecryptable
	if errors.As(err, &u) {
		return u.reason
	}
	return ""
}

// Undecryptable makes an ErrUndecryptable for one of the Reason words, for a
// caller that finds out before Decrypt does.
func Undecryptable(reason string) error { return closed(reason) }

package auth

import (
	"crypto/rand"
	"errors"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/secure/precis"
)

// Cost says what hashing one password takes (RFC 9106 section 3.1).
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

// DefaultCost is 32 MiB and three passes on one lane, about 80 ms on one core
// of a small server: more than OWASP's least for argon2id (19 MiB, two
// passes), and so little memory that a login leaves an idle daemon small. Half
// of the cores hash at a time, at least one: twenty coordinators who come at
// once on two cores are all inside after about two seconds, in 32 MiB, while
// the other core serves mail.
var DefaultCost = Cost{Memory: 32 << 10, Passes: 3, Lanes: 1}

const (
	saltLen = 16 // octets (RFC 9106 section 3.1)
	hashLen = 32

	minPassword = 8    // characters (NIST SP 800-63B section 5.1.1.2)
	maxPassword = 1000 // octets
)

// Password is a password as the store keeps it.
type Password struct {
	Cost       Cost
	Salt, Hash []byte
}

// ErrPassword refuses a password that cannot be kept.
var ErrPassword = errors.New("a password has 8 characters or more, at most 1,000 octets, and no control characters")

// NewPassword hashes a password, for Set and SetPassword. It takes its time
// (see Cost), which is why it stands outside any transaction. ErrPassword
// where the password is too short, too long or not text.
func (l *Logins) NewPassword(password string) (Password, error) {
	l.start()
	plain, ok := prepare(password)
	if !ok || utf8.RuneCountInString(plain) < minPassword {
		return Password{}, ErrPassword
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails (package crypto/rand)
	return Password{Cost: l.Cost, Salt: salt, Hash: l.Cost.hash(plain, salt)}, nil
}

func (c Cost) hash(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Lanes, hashLen)
}

// prepare brings a password into the one form that all keyboards agree on
// (RFC 8265 section 4.2), and tells whether it has one.
func prepare(password string) (string, bool) {
	if len(password) > maxPassword || !utf8.ValidString(password) {
		return "", false
	}
	plain, err := precis.OpaqueString.String(password)
	return plain, err == nil
}

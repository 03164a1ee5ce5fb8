// Package pgpmime opens and makes mail that is protected with OpenPGP: PGP/MIME
// (RFC 3156), armor in the text or in attachments, and what some mail servers
// make of these. It does not parse MIME: the caller hands in the tree and a
// function that parses what was encrypted, so that verification, routing and
// display all look at one and the same structure.
package pgpmime

import (
	"time"

	"parley/keyring"
)

// Part is a node of a MIME tree, as the caller's parser sees it.
type Part struct {
	MediaType  string // lower case
	Params     map[string]string
	Filename   string
	Attachment bool
	Raw        []byte                     // header and body exactly as received
	Header     func(name string) []string // all values of a field, unfolded
	Body       func() ([]byte, error)     // transfer-decoded
	Text       func() (string, error)     // decoded, UTF-8, LF
	Children   []*Part
}

// Parse parses a MIME entity.
type Parse func(raw []byte) (*Part, error)

// Limits bound what opening one message may cost.
type Limits = keyring.Limits

// Opener opens messages. It is safe for concurrent use if its functions are.
//
// While a message is opened about three times its size is held in memory;
// whoever expects large ones limits how many calls of Open run at once.
type Opener struct {
	Secrets []*keyring.Secret
	Parse   Parse
	Limits  Limits // a zero field means its default
	// Certificates returns all known certificates, of any party, that have a key
	// with that ID. It may be nil.
	Certificates func(keyID uint64) []*keyring.Certificate
}

// Encryption says how much of a message was encrypted.
type Encryption string

const (
	NotEncrypted Encryption = "no"
	// Encrypted: all of it was one encrypted layer, and Opened.Payload is what was in it.
	Encrypted Encryption = "yes"
	// Partly: it holds encrypted pieces, each of which is a Document of its own.
	Partly Encryption = "partly"
)

// Signature is a signature that was found and looked at.
type Signature struct {
	Signer  keyring.Fingerprint // of the primary key that made it or claims to; "" unknown
	KeyID   uint64
	Created time.Time
	Err     error // nil: good, by a key that was good; otherwise a keyring.Fault
	Unknown bool  // there is no certificate for it
	Digest  [32]byte
	// CertInside says that a certificate of Signer was inside the encrypted payload.
	CertInside bool
}

// Document is an armored block or an attachment that was opened by itself. It
// is never joined with what stood around it (EFAIL).
type Document struct {
	Name       string
	Data       []byte
	Encrypted  bool
	Signatures []Signature
}

// Opened is a message with its protection taken off.
type Opened struct {
	Encryption Encryption
	// Payload is the decrypted MIME entity if Encryption is Encrypted, else nil.
	// What was encrypted without being a MIME entity stands under a header of ours.
	Payload []byte
	Root    *Part // the tree to display: that of Payload, or the message itself
	// WholeSigned says that Signatures cover the whole payload or are those of a
	// multipart/signed at the root.
	WholeSigned bool
	Signatures  []Signature
	Documents   []Document
	Inside      []*keyring.Certificate // attached inside the encrypted payload
	Outside     []*keyring.Certificate // attached in clear or in an Autocrypt header: only claimed
	// Subject is the protected one (RFC 9788), decoded. It never comes from a
	// place that the signatures do not cover if there are signatures.
	Subject    string
	HasSubject bool
	BodyDigest [32]byte // of the first encrypted body, to know it again; zero if there is none
	Unopened   []string // reasons why encrypted pieces were not opened, while others were
	Mismatch   bool     // the checksum of some armor is wrong, which is no reason to refuse it
}

// ErrUndecryptable is what every failure to decrypt looks like.
var ErrUndecryptable = keyring.ErrUndecryptable

// Reason gives the cause of an ErrUndecryptable as one of a closed set of words,
// for the log only.
func Reason(err error) string { return keyring.Reason(err) }

// DefaultLimits are 64 MiB of plaintext, 100:1 and compression nested 4 deep.
func DefaultLimits() Limits { return keyring.DefaultLimits() }

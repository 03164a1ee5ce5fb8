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
	Head       func(n int) []byte         // the first n octets of Body, or what there is; may be nil
	Text       func() (string, error)     // decoded, UTF-8, LF
	Children   []*Part
}

// Parse parses a MIME entity.
type Parse func(raw []byte) (*Part, error)

// Limits bound what opening one message may cost.
type Limits = keyring.Limits

// Opener opens messages. It is safe for concurrent use if its functions are.
//
// While a message is opened about its size is held once more, and twice more if
// what was encrypted is compressed; whoever expects large ones limits how many
// calls of Open run at once.
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
	Issuer  keyring.Fingerprint // of the component key that it names, which anybody can write; "" if it names none
	KeyID   uint64
	Created time.Time
	Err     error // nil: good, by a key that was good; otherwise a keyring.Fault
	Unknown bool  // there is no certificate for it
	Digest  [32]byte
	// CertInside says that a certificate of Signer was inside the encrypted payload.
	CertInside bool
	// Cert is the certificate that it was judged by, joined with what is known of
	// that key; nil if Unknown.
	Cert *keyring.Certificate
}

// Document is a piece of a message that was opened by itself: an armored block, a
// text signed in the clear, an encrypted attachment or message. It is never
// joined with what stood around it (EFAIL), and its signatures say nothing about
// anything else.
type Document struct {
	Name       string
	Data       []byte
	Charset    string // of the text that it stood in; "" unknown
	Encrypted  bool
	Signatures []Signature
	// Attached says that Data is an attachment, which the message shows anyway,
	// and that its signatures came in a file beside it.
	Attached bool
	Body     [32]byte // of the encrypted body, to know it again; zero if it was not encrypted
}

// Opened is a message with its protection taken off.
type Opened struct {
	Encryption Encryption
	// Payload is the decrypted MIME entity if Encryption is Encrypted, else nil.
	// What was encrypted without being a MIME entity stands under a header of ours.
	Payload []byte
	// Root is the tree to display: that of Payload, or the message itself; of a
	// message that was wrapped to protect its header, the wrapped one.
	Root *Part
	// WholeSigned says that Signatures cover the whole payload or are those of a
	// multipart/signed at the root.
	WholeSigned bool
	Signatures  []Signature
	Documents   []Document
	// Sole says that the one Document is an encrypted file, with nothing beside it but
	// a text in clear. Of that one alone Signature.CertInside is about its own plaintext.
	Sole bool

	Inside       []*keyring.Certificate // attached inside the encrypted payload
	Outside      []*keyring.Certificate // attached in clear or in an Autocrypt header: only claimed
	Certificates []Attached             // all of these, each with where it stood
	// SecretKeys are the fingerprints of secret keys that somebody sent by mistake,
	// in clear or encrypted; "" where one cannot be read. Nothing of the keys is kept.
	SecretKeys []keyring.Fingerprint

	// Protected are the header fields that were protected along with the text, and
	// Scheme says how. They never come from a place that the signatures do not
	// cover if there are signatures, and never from a Document.
	Protected Fields
	Scheme    Scheme
	Outer     Fields // what the header in the open says of the same fields
	HPOuter   Fields // what the sender says that it wrote there (RFC 9788, section 2.2)
	// Subject is the protected one, decoded.
	Subject    string
	HasSubject bool

	BodyDigest [32]byte   // of the first encrypted body, to know it again; zero if there is none
	Bodies     [][32]byte // of all of them
	Unopened   []string   // reasons why encrypted pieces were not opened, while others were
	Mismatch   bool       // the checksum of some armor is wrong, which is no reason to refuse it
}

// ErrUndecryptable is what every failure to decrypt looks like.
var ErrUndecryptable = keyring.ErrUndecryptable

// Reason gives the cause of an ErrUndecryptable as one of a closed set of words,
// for the log only.
func Reason(err error) string { return keyring.Reason(err) }

// DefaultLimits are 64 MiB of plaintext, 100:1 and compression nested 4 deep.
func DefaultLimits() Limits { return keyring.DefaultLimits() }

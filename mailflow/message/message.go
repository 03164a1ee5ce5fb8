// Package message reads and writes Internet messages (RFC 5322) and their
// MIME structure (RFC 2045 to 2049, 2183, 2231).
//
// One parse gives the structure that verification, routing and display share,
// so that no two readers of the same bytes can disagree. The bytes themselves
// are never rewritten: a Part is a view, by offsets, of the one slice it was
// parsed from. Parsing is tolerant, because what people send is what it is,
// and bounded, because anyone may send it; what identifies a person (an
// address, a From field) is read strictly and refused rather than guessed.
package message

import (
	"errors"
	"fmt"
)

// Limits bound what one message may cost. A zero field means its default.
type Limits struct {
	Size        int64 // octets of the whole message
	Depth       int   // multiparts and embedded messages around one part
	Parts       int   // parts below the message itself, containers included
	HeaderBytes int   // octets of one header block, that of any part
	Received    int   // Received fields of the message: a loop has more
}

// DefaultLimits are the limits of a gateway nobody configured otherwise.
func DefaultLimits() Limits {
	return Limits{Size: 50 << 20, Depth: 20, Parts: 1000, HeaderBytes: 256 << 10, Received: 100}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	if l.Size == 0 {
		l.Size = d.Size
	}
	if l.Depth == 0 {
		l.Depth = d.Depth
	}
	if l.Parts == 0 {
		l.Parts = d.Parts
	}
	if l.HeaderBytes == 0 {
		l.HeaderBytes = d.HeaderBytes
	}
	if l.Received == 0 {
		l.Received = d.Received
	}
	return l
}

// LimitError says which limit a message is over. The message is not looked at
// any further; it is still to be kept.
type LimitError struct {
	What  string // "octets", "levels of nesting", "parts", …
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("parse message: more than %d %s", e.Limit, e.What)
}

// ErrMalformed means that the bytes are no message: not one header field could
// be found where the header must be. Such mail is kept whole, for a person.
var ErrMalformed = errors.New("parse message: no header field found")

// Part is a message or one part of it. It never changes after Parse and may be
// used by several goroutines.
type Part struct {
	Header Header

	// MediaType is "type/subtype" in lower case. Where the field is missing or
	// cannot be read it is the default of RFC 2045 section 5.2, text/plain
	// (message/rfc822 inside multipart/digest, RFC 2046 section 5.1.5).
	MediaType string
	// Params are the parameters of Content-Type, names in lower case, values
	// decoded (RFC 2231); of two with one name the first counts.
	Params map[string]string
	// Encoding is the transfer encoding in lower case, "7bit" by default.
	Encoding string
	// Disposition is in lower case, "" where the field is missing.
	Disposition string
	// Filename is decoded (RFC 2231, RFC 2047), without folders, control and
	// direction characters; "" if none was given.
	Filename string

	// Children are the parts of a multipart, or the one message inside a
	// message/rfc822. A multipart without parts has none.
	Children []*Part

	raw              []byte // the whole message
	start, body, end int    // header [start,body) with its blank line, body [body,end)
	dispParams       map[string]string
	control          bool // serves its siblings: a signature, a version part
	legacy           bool // repeats the header for old programs, see HideLegacyDisplay
	skipHead         bool // likewise, at the top of its text
}

// Raw is the part as it was received, header and body; for a part of a
// multipart without the line break that belongs to the boundary after it
// (RFC 2046 section 5.1.1), which is what a multipart/signed covers.
func (p *Part) Raw() []byte { return p.raw[p.start:p.end:p.end] }

// RawHeader is the header block with the blank line that ends it.
func (p *Part) RawHeader() []byte { return p.raw[p.start:p.body:p.body] }

// RawBody is everything after the header block, not decoded.
func (p *Part) RawBody() []byte { return p.raw[p.body:p.end:p.end] }

// Walk calls fn for p and everything inside it, in the order of the bytes. It
// does not go into a part for which fn returns false.
func (p *Part) Walk(fn func(*Part) bool) {
	if !fn(p) {
		return
	}
	for _, c := range p.Children {
		c.Walk(fn)
	}
}

func (p *Part) isMultipart() bool { return isMultipart(p.MediaType) }

// IsAttachment tells whether the part is a file rather than the letter: it is
// marked so, it has a file name, or it is no text. Unknown dispositions are
// attachments (RFC 2183 section 2.8). The signature of a multipart/signed and
// the version part of a multipart/encrypted are neither letter nor file.
func (p *Part) IsAttachment() bool {
	switch {
	case p.control:
		return false
	case p.Disposition != "" && p.Disposition != "inline":
		return true
	case p.isMultipart():
		return false
	}
	return p.Filename != "" || !isText(p.MediaType)
}

// FirstText finds the letter: the first text/plain part that is no attachment.
// Messages inside the message are other people's letters and are not searched.
func (p *Part) FirstText() *Part { return p.firstOf("text/plain") }

// FirstHTML is FirstText for text/html. It serves mail that has no plain text.
func (p *Part) FirstHTML() *Part { return p.firstOf("text/html") }

func (p *Part) firstOf(mediaType string) *Part {
	if p.MediaType == mediaType && !p.IsAttachment() && !p.control {
		return p
	}
	if !p.isMultipart() || p.IsAttachment() {
		return nil
	}
	for _, c := range p.Children {
		if t := c.firstOf(mediaType); t != nil {
			return t
		}
	}
	return nil
}

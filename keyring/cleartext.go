package keyring

import (
	"bytes"
	"errors"
)

// Cleartext is a text that is readable as it stands, with signatures over it
// behind it. RFC 9580, section 7.
type Cleartext struct {
	// Signed is what the signatures cover: the escaping dashes, and the spaces
	// and tabs at the ends of lines taken off, lines ending in CR LF, the last
	// one without. Nothing else of the text around it is vouched for.
	Signed     []byte
	Signatures []*Signature // at least one; none has been verified
	Start, End int          // where it stands in the text; End is behind its last line
}

var (
	cleartextBegin = []byte("-----BEGIN PGP SIGNED MESSAGE-----")
	signatureBegin = []byte("-----BEGIN " + ArmorSignature + "-----")
	hashHeader     = []byte("Hash: ")
	escape         = []byte("- ")
	errCleartext   = errors.New("read cleartext signature: malformed")
)

// ErrNoCleartext says that a text holds no cleartext signature.
var ErrNoCleartext = errors.New("read cleartext signature: there is none")

// maxCleartexts bounds how many signed texts are looked for in one text.
const maxCleartexts = 64

// FindCleartext finds the signed texts in a text, in order. One that cannot be
// read is passed over.
func FindCleartext(text []byte) []*Cleartext {
	var found []*Cleartext
	for at := 0; len(found) < maxCleartexts; {
		start, ok := cleartextStart(text, at)
		if !ok {
			break
		}
		c, err := readCleartext(text, start)
		if err != nil {
			at = start + len(cleartextBegin)
			continue
		}
		found, at = append(found, c), c.End
	}
	return found
}

// ReadCleartext reads the first signed text in text. Where one begins and
// cannot be read the error is another than ErrNoCleartext: what follows such a
// beginning must not be taken for signed, nor passed over for a later one.
func ReadCleartext(text []byte) (*Cleartext, error) {
	start, ok := cleartextStart(text, 0)
	if !ok {
		return nil, ErrNoCleartext
	}
	return readCleartext(text, start)
}

// cleartextStart finds the first line from at on that begins a signed text.
func cleartextStart(text []byte, at int) (int, bool) {
	for {
		i := bytes.Index(text[at:], cleartextBegin)
		if i < 0 {
			return 0, false
		}
		start := at + i
		if line, next := nextLine(text, start); lineStart(text, start) && bytes.Equal(trimEnd(line), cleartextBegin) {
			return start, true
		} else {
			at = next
		}
	}
}

// readCleartext reads the signed text whose first line starts at start. What
// deviates from the standard is not one: whatever a reader could take for signed
// text and a verifier would leave out is a way to forge.
func readCleartext(text []byte, start int) (*Cleartext, error) {
	c := &Cleartext{Start: start}
	_, at := nextLine(text, start)
	at, ok := skipHashHeaders(text, at)
	if !ok {
		return nil, errCleartext
	}
	if at, ok = c.readLines(text, at); !ok {
		return nil, errCleartext
	}
	b, err := readBlock(text, at)
	if err != nil || b.Kind != ArmorSignature {
		return nil, errCleartext
	}
	if c.Signatures = ParseSignatures(b.Data); len(c.Signatures) == 0 {
		return nil, errCleartext
	}
	c.End = b.End
	return c, nil
}

// skipHashHeaders passes the header up to its blank line. Only Hash may stand
// there: anything else would be text that looks signed and is not. RFC 9580,
// section 7.1. What it names is not used, the signatures say it themselves.
func skipHashHeaders(text []byte, at int) (int, bool) {
	for at < len(text) {
		line, next := nextLine(text, at)
		line = trimEnd(line)
		names, isHash := bytes.CutPrefix(line, hashHeader)
		switch {
		case len(line) == 0:
			return next, true
		case !isHash || len(names) > 100 || bytes.ContainsFunc(names, notInHashNames):
			return 0, false
		}
		at = next
	}
	return 0, false
}

func notInHashNames(r rune) bool {
	return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == ',' || r == ' ')
}

// readLines takes the lines up to the signature. Any other line that begins with
// a dash ends the text wrongly: within it they are escaped. RFC 9580, section
// 7.2. The line end in front of the signature is not signed.
func (c *Cleartext) readLines(text []byte, at int) (int, bool) {
	for first := true; at < len(text); first = false {
		line, next := nextLine(text, at)
		line, escaped := bytes.CutPrefix(line, escape)
		line = trimEnd(line)
		if !escaped && bytes.Equal(line, signatureBegin) {
			return at, true
		}
		if !escaped && len(line) > 0 && line[0] == '-' {
			return 0, false
		}
		if !first {
			c.Signed = append(c.Signed, '\r', '\n')
		}
		c.Signed = append(c.Signed, line...)
		at = next
	}
	return 0, false
}

// trimEnd takes a line's end and the white space before it off.
func trimEnd(line []byte) []byte { return bytes.TrimRight(line, " \t\r") }

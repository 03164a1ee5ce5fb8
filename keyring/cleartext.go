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
	hashHeader     = []byte("Hash:")
	errCleartext   = errors.New("read cleartext signature: malformed")
)

// ErrNoCleartext says that a text holds no cleartext signature.
var ErrNoCleartext = errors.New("read cleartext signature: there is none")

// ReadCleartext reads the first signed text in text. Where one begins and
// cannot be read the error is another than ErrNoCleartext: what follows such a
// beginning must not be taken for signed, nor passed over for a later one.
func ReadCleartext(text []byte) (*Cleartext, error) {
	start, ok := cleartextStart(text)
	if !ok {
		return nil, ErrNoCleartext
	}
	c := &Cleartext{Start: start}
	_, at := nextLine(text, start)
	at, ok = skipHashHeaders(text, at)
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

// cleartextStart finds the first line that begins a signed text.
func cleartextStart(text []byte) (int, bool) {
	for at := 0; at < len(text); {
		line, next := nextLine(text, at)
		if bytes.Equal(trimEnd(line), cleartextBegin) {
			return at, true
		}
		at = next
	}
	return 0, false
}

// skipHashHeaders passes the header up to its blank line. Only Hash may stand
// there: anything else would be text that looks signed and is not. RFC 9580,
// section 7.1. What it names is not used, the signatures say it themselves.
func skipHashHeaders(text []byte, at int) (int, bool) {
	for at < len(text) {
		line, next := nextLine(text, at)
		line = trimEnd(line)
		switch {
		case len(line) == 0:
			return next, true
		case !bytes.HasPrefix(line, hashHeader) || len(line) > 200:
			return 0, false
		}
		at = next
	}
	return 0, false
}

// readLines takes the lines up to the signature. Any other line of dashes ends
// the text wrongly: within it they are escaped. RFC 9580, section 7.2.
func (c *Cleartext) readLines(text []byte, at int) (int, bool) {
	c.Signed = make([]byte, 0, len(text)-at)
	for first := true; at < len(text); first = false {
		line, next := nextLine(text, at)
		if bytes.HasPrefix(line, dashes) {
			return at, true
		}
		if !first {
			c.Signed = append(c.Signed, '\r', '\n')
		}
		c.Signed = append(c.Signed, trimEnd(bytes.TrimPrefix(line, []byte("- ")))...)
		at = next
	}
	return 0, false
}

// trimEnd takes a line's end and the white space before it off.
func trimEnd(line []byte) []byte { return bytes.TrimRight(line, " \t\r") }

package pgpmime

import (
	"bytes"
	"strings"

	"parley/keyring"
)

// cleartext is a text with its signatures below. RFC 9580, section 7.
type cleartext struct {
	text       []byte // what is signed: unescaped, without white space at line ends, lines in CRLF
	signatures []*keyring.Signature
	start      int // where it stands in what was searched
}

var (
	beginCleartext = []byte("-----BEGIN PGP SIGNED MESSAGE-----")
	beginSignature = []byte("-----BEGIN " + keyring.ArmorSignature + "-----")
)

// maxCleartexts bounds how many signed texts are looked for in one text.
const maxCleartexts = 64

// findCleartext finds the texts that are signed in the clear, in order.
func findCleartext(text []byte) []cleartext {
	var found []cleartext
	for at := 0; len(found) < maxCleartexts; {
		i := bytes.Index(text[at:], beginCleartext)
		if i < 0 {
			break
		}
		start := at + i
		at = start + len(beginCleartext)
		if start > 0 && text[start-1] != '\n' {
			continue
		}
		if c, end, ok := readCleartext(text, start); ok {
			found, at = append(found, c), end
		}
	}
	return found
}

// readCleartext reads the signed text whose first line starts at start. What
// deviates from the standard is not one: whatever a reader could take for signed
// text and a verifier would leave out is a way to forge.
func readCleartext(text []byte, start int) (c cleartext, end int, ok bool) {
	line, at := cutLine(text, start)
	if !bytes.Equal(bytes.TrimRight(line, " \t\r"), beginCleartext) {
		return c, 0, false
	}
	if at, ok = skipHashHeader(text, at); !ok {
		return c, 0, false
	}
	c.start = start
	for first := true; at < len(text); first = false {
		line, next := cutLine(text, at)
		line = bytes.TrimRight(line, " \t\r")
		if bytes.Equal(line, beginSignature) {
			c.signatures, end = readSignatures(text, at)
			return c, end, len(c.signatures) > 0
		}
		if line, ok = unescape(line); !ok {
			return c, 0, false
		}
		if !first { // the line end in front of the signature is not signed
			c.text = append(c.text, '\r', '\n')
		}
		c.text = append(c.text, line...)
		at = next
	}
	return c, 0, false
}

// skipHashHeader passes the header of a signed text. Only Hash may stand there;
// anything else would be words above the text that nobody signed.
func skipHashHeader(text []byte, at int) (int, bool) {
	for at < len(text) {
		line, next := cutLine(text, at)
		value, isHash := bytes.CutPrefix(line, []byte("Hash: "))
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			return next, true
		case !isHash || !hashNames(string(value)):
			return 0, false
		}
		at = next
	}
	return 0, false
}

func hashNames(s string) bool {
	return !strings.ContainsFunc(strings.TrimSpace(s), func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == ',' || r == ' ')
	})
}

// unescape undoes the dash escaping of RFC 9580, section 7.1. A line with a dash
// that is not escaped must not be there.
func unescape(line []byte) ([]byte, bool) {
	if escaped, ok := bytes.CutPrefix(line, []byte("- ")); ok {
		return escaped, true
	}
	// Trimming took the space of an escaped empty line, which no program writes.
	return line, len(line) == 0 || line[0] != '-'
}

// readSignatures reads the one block of armor that starts there.
func readSignatures(text []byte, at int) ([]*keyring.Signature, int) {
	stop := bytes.Index(text[at+len(beginSignature):], beginPGP)
	part := text[at:]
	if stop >= 0 {
		part = part[:len(beginSignature)+stop]
	}
	blocks := keyring.FindArmor(part)
	if len(blocks) == 0 || blocks[0].Start != 0 || blocks[0].Kind != keyring.ArmorSignature {
		return nil, 0
	}
	return keyring.ParseSignatures(blocks[0].Data), at + blocks[0].End
}

func cutLine(text []byte, at int) (line []byte, next int) {
	i := bytes.IndexByte(text[at:], '\n')
	if i < 0 {
		return text[at:], len(text)
	}
	return text[at : at+i], at + i + 1
}

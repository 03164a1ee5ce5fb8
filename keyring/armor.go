package keyring

import (
	"bytes"
	"errors"
)

// The kinds of armor that Parley reads and writes. RFC 9580, section 6.2.1.
const (
	ArmorMessage   = "PGP MESSAGE"
	ArmorPublicKey = "PGP PUBLIC KEY BLOCK"
	ArmorSecretKey = "PGP PRIVATE KEY BLOCK"
	ArmorSignature = "PGP SIGNATURE"
)

// Block is one piece of ASCII armor found in a text.
type Block struct {
	Kind       string // "PGP MESSAGE", for one
	Data       []byte
	Start, End int // where it stands in the text; End is behind its last line
	// Mismatch says that the block carries a checksum which is not that of its
	// data. That is worth a note and no more: RFC 9580, section 6.1 forbids
	// refusing such a block, and integrity is the packets' own business.
	Mismatch bool
}

var (
	armorBegin = []byte("-----BEGIN PGP ")
	dashes     = []byte("-----")
	errArmor   = errors.New("armor is broken")
)

// maxBlocks bounds how many blocks one text is searched for.
const maxBlocks = 64

// FindArmor returns the complete blocks of ASCII armor in text, in order, with
// whatever stands around them left out. Lines that only look like armor are
// passed over.
func FindArmor(text []byte) []Block {
	var found []Block
	for at := 0; at < len(text) && len(found) < maxBlocks; {
		i := bytes.Index(text[at:], armorBegin)
		if i < 0 {
			break
		}
		start := at + i
		at = start + len(armorBegin)
		if !lineStart(text, start) { // never read: each could have all others for its header
			continue
		}
		if b, err := readBlock(text, start); err == nil {
			found, at = append(found, b), b.End
		}
	}
	return found
}

func lineStart(text []byte, i int) bool { return i == 0 || text[i-1] == '\n' }

// longestBegin is how long the first line of a block may be, white space behind it
// included.
const longestBegin = 256

// readBlock reads the block whose first line starts at start.
func readBlock(text []byte, start int) (Block, error) {
	b := Block{Start: start}
	line, at := nextLine(text[:min(len(text), start+longestBegin)], start)
	line = bytes.TrimSpace(line)
	if !bytes.HasSuffix(line, dashes) || len(line) < len(armorBegin)+len(dashes) {
		return b, errArmor
	}
	b.Kind = string(line[len("-----BEGIN ") : len(line)-len(dashes)])
	at = skipArmorHeader(text, at)
	// The first dashes end the block or spoil it: searching for the right END
	// line would make a text full of BEGIN lines cost its square.
	end := bytes.Index(text[at:], dashes)
	if end < 0 {
		return b, errArmor
	}
	last, next := nextLine(text, at+end)
	if string(bytes.TrimSpace(last)) != "-----END "+b.Kind+"-----" {
		return b, errArmor // before anything is decoded: there may be many of these
	}
	data, mismatch, err := decodeRadix64(text[at : at+end])
	if err != nil {
		return b, err
	}
	b.Data, b.End, b.Mismatch = data, next, mismatch
	return b, nil
}

// skipArmorHeader passes the "Key: value" lines and the blank line behind them.
// A block without the blank line, as some gateways leave it, is read too.
func skipArmorHeader(text []byte, at int) int {
	for at < len(text) {
		line, next := nextLine(text, at)
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			return next
		case !isArmorHeader(line):
			return at
		}
		at = next
	}
	return at
}

// isArmorHeader tells such a line from data. One in which another block begins is
// none: it would be read again for every block.
func isArmorHeader(line []byte) bool {
	return bytes.Contains(line, []byte(":")) && !bytes.HasPrefix(line, dashes) && !bytes.Contains(line, armorBegin)
}

func nextLine(text []byte, at int) (line []byte, next int) {
	i := bytes.IndexByte(text[at:], '\n')
	if i < 0 {
		return text[at:], len(text)
	}
	return text[at : at+i], at + i + 1
}

package keyring

import (
	"bytes"
	"encoding/base64"
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
		b, err := readBlock(text, start)
		if err != nil || !lineStart(text, start) {
			at = start + len(armorBegin)
			continue
		}
		found = append(found, b)
		at = b.End
	}
	return found
}

func lineStart(text []byte, i int) bool { return i == 0 || text[i-1] == '\n' }

// readBlock reads the block whose first line starts at start.
func readBlock(text []byte, start int) (Block, error) {
	b := Block{Start: start}
	line, at := nextLine(text, start)
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
	data, sum, err := decodeRadix64(text[at : at+end])
	if err != nil {
		return b, err
	}
	last, next := nextLine(text, at+end)
	if string(bytes.TrimSpace(last)) != "-----END "+b.Kind+"-----" {
		return b, errArmor
	}
	b.Data, b.End = data, next
	b.Mismatch = sum != nil && !bytes.Equal(sum, crc24(data))
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
		case !bytes.Contains(line, []byte(":")) || bytes.HasPrefix(line, dashes):
			return at
		}
		at = next
	}
	return at
}

func nextLine(text []byte, at int) (line []byte, next int) {
	i := bytes.IndexByte(text[at:], '\n')
	if i < 0 {
		return text[at:], len(text)
	}
	return text[at : at+i], at + i + 1
}

// decodeRadix64 decodes the lines of a block; sum is its checksum line, if any.
func decodeRadix64(text []byte) (data, sum []byte, err error) {
	data = make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	var carry []byte
	for at := 0; at < len(text); {
		line, next := nextLine(text, at)
		at = next
		line = bytes.TrimSpace(line)
		if len(line) == 5 && line[0] == '=' {
			sum, err = base64.StdEncoding.DecodeString(string(line[1:]))
			if err != nil {
				sum = []byte{} // a checksum that is none is a mismatch, not a refusal
			}
			break
		}
		if data, carry, err = appendQuads(data, carry, line); err != nil {
			return nil, nil, err
		}
	}
	if len(carry) != 0 {
		return nil, nil, errArmor
	}
	return data, sum, nil
}

// appendQuads decodes line, which may end inside a group of four digits: what
// is left over is carried to the next line.
func appendQuads(data, carry, line []byte) (out, rest []byte, err error) {
	if len(carry) > 0 {
		line = append(carry, line...)
	}
	whole := len(line) / 4 * 4
	if data, err = base64.StdEncoding.AppendDecode(data, line[:whole]); err != nil {
		return nil, nil, errArmor
	}
	return data, bytes.Clone(line[whole:]), nil
}

// armorLine is how many octets make a line of 64 digits.
const armorLine = 48

// EncodeArmor writes data as a block of that kind, lines ending in LF, without
// a version or comment line and with the checksum that old readers want. It
// computes that by table: the library does so bit by bit, which takes longer
// than encrypting.
func EncodeArmor(kind string, data []byte) ([]byte, error) {
	if kind == "" || bytes.ContainsAny([]byte(kind), "\r\n") {
		return nil, errArmor
	}
	out := make([]byte, 0, 2*len(kind)+64+len(data)/armorLine*65+72)
	out = append(out, "-----BEGIN "+kind+"-----\n\n"...)
	for rest := data; len(rest) > 0; {
		n := min(len(rest), armorLine)
		out = append(base64.StdEncoding.AppendEncode(out, rest[:n]), '\n')
		rest = rest[n:]
	}
	out = append(out, '=')
	out = base64.StdEncoding.AppendEncode(out, crc24(data))
	return append(out, "\n-----END "+kind+"-----\n"...), nil
}

// crc24 is the checksum of RFC 9580, section 6.1.1.
func crc24(data []byte) []byte {
	crc := uint32(0xb704ce)
	for _, b := range data {
		crc = crc<<8 ^ crcTable[byte(crc>>16)^b]
	}
	return []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)}
}

var crcTable = func() (t [256]uint32) {
	for i := range t {
		crc := uint32(i) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
		t[i] = crc & 0xffffff
	}
	return t
}()

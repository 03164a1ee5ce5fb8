package keyring

import (
	"bytes"
	"encoding/base64"
)

// armorLine is how many octets make a line of 64 digits.
const armorLine = 48

// radix64 decodes the lines of a block one by one. RFC 9580, section 6.1.
type radix64 struct {
	digits [4]byte // of a group that is not complete yet
	n      int
	sum    []byte // the checksum line, decoded; nil if there was none
}

// line decodes one line without its end, or a piece of a line, behind dst, and
// says whether more may follow. A line may end inside a group of four digits.
func (r *radix64) line(dst, line []byte) (out []byte, more bool, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 5 && line[0] == '=' {
		r.sum, err = base64.StdEncoding.AppendDecode([]byte{}, line[1:])
		if err != nil {
			r.sum = []byte{} // a checksum that is none is a mismatch, not a refusal
		}
		return dst, false, nil
	}
	if r.n > 0 {
		n := copy(r.digits[r.n:], line)
		r.n, line = r.n+n, line[n:]
		if r.n < 4 {
			return dst, true, nil
		}
		if dst, err = base64.StdEncoding.AppendDecode(dst, r.digits[:]); err != nil {
			return nil, false, errArmor
		}
	}
	whole := len(line) / 4 * 4
	if dst, err = base64.StdEncoding.AppendDecode(dst, line[:whole]); err != nil {
		return nil, false, errArmor
	}
	r.n = copy(r.digits[:], line[whole:])
	return dst, true, nil
}

// mismatch reports whether the checksum line, if there was one, is not that of
// the data.
func (r *radix64) mismatch(crc uint32) bool {
	return r.sum != nil && !bytes.Equal(r.sum, crcOctets(crc))
}

// decodeRadix64 decodes all lines of a block.
func decodeRadix64(text []byte) (data []byte, mismatch bool, err error) {
	var r radix64
	data = make([]byte, 0, base64.StdEncoding.DecodedLen(len(text)))
	for at, more := 0, true; more && at < len(text); {
		var line []byte
		line, at = nextLine(text, at)
		if data, more, err = r.line(data, line); err != nil {
			return nil, false, err
		}
	}
	if r.n != 0 {
		return nil, false, errArmor
	}
	return data, r.mismatch(updateCRC(crcStart, data)), nil
}
